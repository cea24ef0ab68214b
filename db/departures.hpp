// What is written of rows that go, and of those that come back as they were: removed, renumbered,
// succeeded, aged out, handed to another credential that shows them, restored; always with
// revisions, inside the open transaction. Who decides: db/windows/removals (an answer),
// db/successions, db/commands/removal_reviews (a person). A row that an answer shows again is
// written by db/windows/row_writer; erase hands rows over without revisions, by its own statement.
// Blocks; throws sql_problem.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/types.hpp"

namespace flanks {
class pg_connection;
}

namespace flanks::departures {

// One product of one credential, and the run that speaks of it.
struct list_of_rows {
  credential_id credential;
  product what = product::account;
  std::string sync_run_id;
};

// A row that goes, why, and what it has become where that is known.
struct departure {
  std::string id;
  std::string_view reason;  // transactions.removal_reason
  std::string successor;    // _id; empty: not known
};

struct effect {
  std::int64_t removed = 0;
  std::set<day> days;  // of the rows that are removed, aged out, or another credential's now
  std::set<std::pair<credential_id, std::string>> heirs;  // and their products
};

// Removes them; a row that another credential still shows is handed to it instead.
void remove(pg_connection& db, const list_of_rows& list, std::vector<departure> rows, effect& done);

// Those of `ids` (an array literal) that are live have left the bank's history.
void age_out(pg_connection& db, const list_of_rows& list, const std::string& ids, effect& done);

// The operations of one real account that another credential had taken over are the list's again.
void restore_succeeded(pg_connection& db, const list_of_rows& list, std::int64_t real_account);

}  // namespace flanks::departures
