// Real accounts that pass from one credential to another (flanks.successions). sync/succession
// decides, this reads and writes. Blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/pg/options.hpp"
#include "sync/types.hpp"

namespace flanks {
class pg_connection;
}

namespace flanks::successions {

// Of every real account that `id` and another credential show or showed: where the one is dead
// (removed, gone, blocked, or without the account) and the other lives, the living one takes over;
// a dead one that lives again has its operations back. Transactions of its own, one a pair; a pair
// that another worker holds is left to that one. Throws sql_problem.
void follow(pg_connection& db, credential_id id);

// ---- for people

struct succession {
  std::int64_t id = 0;
  std::int64_t real_account = 0;
  std::string product, iban, state, raised_at, first_day, decided_by;  // empty: none
  credential_id from, to;
  std::int64_t compared = 0, paired = 0, succeeded = 0;
};
// The open ones, oldest first; with `all` the decided ones too. Opens a connection; throws
// `failure`.
[[nodiscard]] std::vector<succession> list(const db_options& options, bool all);
// Throws failure{configuration, unknown_succession} for one that does not exist.
[[nodiscard]] succession show(const db_options& options, std::int64_t id);
// Removes the operations that the new credential speaks for, or says that the two are not one.
// Throws failure {configuration, unknown_succession} for one that is not open, {lease,
// succession_busy} while one of the two is being synchronised.
[[nodiscard]] succession confirm(const db_options& options, std::int64_t id);
[[nodiscard]] succession reject(const db_options& options, std::int64_t id);

}  // namespace flanks::successions
