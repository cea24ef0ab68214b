// The successions of real accounts (db/successions) for people: what there is, and their answers to
// the open ones. Blocks; opens a connection of its own. Throws `failure`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/pg/options.hpp"
#include "db/successions.hpp"
#include "sync/types.hpp"

namespace flanks::succession_reviews {

struct succession {
  std::int64_t id = 0;
  std::int64_t real_account = 0;
  std::string product, iban, state, raised_at, first_day, decided_by;  // empty: none
  credential_id from, to;
  std::int64_t compared = 0, paired = 0, succeeded = 0;
  successions::unpaired_operations unpaired;  // only by show(), of an open one
};
// The open ones, oldest first; with `all` the decided ones too.
[[nodiscard]] std::vector<succession> list(const db_options& options, bool all);
// Throws failure{configuration, unknown_succession} for one that does not exist.
[[nodiscard]] succession show(const db_options& options, std::int64_t id);
// Removes the operations that the new credential speaks for, or says that the two are not one.
// Throws failure {configuration, unknown_succession} for one that is not open, {lease,
// succession_busy} while one of the two is being synchronised.
[[nodiscard]] succession confirm(const db_options& options, std::int64_t id);
[[nodiscard]] succession reject(const db_options& options, std::int64_t id);

}  // namespace flanks::succession_reviews
