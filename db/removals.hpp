// What absence does to the rows: removed, handed to another credential that shows them, or set
// aside for a person. sync/removal decides, this writes. Blocks; throws sql_problem.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "db/options.hpp"
#include "sync/removal.hpp"
#include "sync/store.hpp"

namespace flanks {
class session;
}

namespace flanks::removals {

// One product of one credential, and the run that speaks of it.
struct list_of_rows {
  credential_id credential;
  product what = product::account;
  std::string sync_run_id;
};

// Rows that a person has been asked about (open), or has said are still there (rejected).
struct set_aside {
  std::unordered_set<std::string> open, rejected;
};
[[nodiscard]] set_aside read_set_aside(session& db, const list_of_rows& list);

// What this answer shows is set aside no longer; an open review that has no row left is resolved.
void take_back(session& db, const list_of_rows& list, set_aside& aside,
               const std::function<bool(std::string_view)>& shown);

struct result {
  std::int64_t removed = 0;
  std::set<day> days;  // of the rows that are removed, or another credential's now
  std::set<std::pair<credential_id, std::string>> heirs;  // and their products
  bool suspicious = false;
  std::string message;  // when suspicious, a whole sentence
};
// Decides about `absent` and does it, inside the open transaction.
result settle(session& db, const list_of_rows& list, const set_aside& aside,
              const absent_rows& absent, const removal_limits& limits);

// ---- for people

struct review {
  std::string sync_run_id;
  credential_id credential;
  std::string what, reason, state, raised_at;
  std::int64_t stored = 0;
  std::int64_t missing = 0;                // rows that are still not shown
  std::optional<std::string> first, last;  // operation dates of those
  std::vector<std::string> examples;       // _ids, a few
};
// The open ones, oldest first; with `all` the decided ones too. Opens a connection; throws
// `failure`.
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

}  // namespace flanks::removals
