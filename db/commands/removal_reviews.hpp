// The reviews of rows that vanished at once: what a person is asked, and the answers.
// db/windows/removals raises and withdraws them. Blocks; opens a connection of its own. Throws
// `failure`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/pg/options.hpp"
#include "sync/types.hpp"

namespace flanks::removal_reviews {

struct review {
  std::string sync_run_id;
  credential_id credential;
  std::string what, reason, state, raised_at;
  std::int64_t stored = 0;
  std::int64_t missing = 0;                // rows that are still not shown
  std::optional<std::string> first, last;  // operation dates of those
  std::vector<std::string> examples;       // _ids, a few
};
// The open ones, oldest first; with `all` the decided ones too.
[[nodiscard]] std::vector<review> list(const db_options& options, bool all);

struct decision_made {
  review about;
  std::int64_t removed = 0;
};
// Removes the rows that no answer has shown since, or says that they stay. Throws failure
// {configuration, unknown_review} for one that is not open, {lease, review_busy} while its
// credential is being synchronised.
[[nodiscard]] decision_made confirm(const db_options& options, const std::string& sync_run_id);
[[nodiscard]] decision_made reject(const db_options& options, const std::string& sync_run_id);

}  // namespace flanks::removal_reviews
