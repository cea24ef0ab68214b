// What absence does to the rows: renumbered, aged out, removed, handed to another credential that
// shows them, or put before a person (db/commands/removal_reviews has the answers). sync/removal
// decides, this writes; what brings a row back is the update in row_writer, and erase hands rows
// over by its own statement. Blocks; throws sql_problem.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "db/windows/window.hpp"
#include "sync/diff.hpp"
#include "sync/removal.hpp"
#include "sync/store.hpp"

namespace flanks {
class pg_connection;
}

namespace flanks::removals {

struct result {
  std::int64_t removed = 0;
  std::set<day> days;  // of the rows that are removed, or another credential's now
  std::set<std::pair<credential_id, std::string>> heirs;  // and their products
  bool suspicious = false;
  std::string message;  // when suspicious, a whole sentence
};

// A row that goes, why, and what it has become where that is known.
struct departure {
  std::string id;
  std::string_view reason;  // transactions.removal_reason
  std::string successor;    // _id; empty: not known
};
// Removes them inside the open transaction, with revisions; a row that another credential still
// shows is handed to it instead.
void remove(pg_connection& db, credential_id credential, product what,
            const std::string& sync_run_id, std::vector<departure> rows, result& done);

// Finds the rows of the window that its answer does not show, and, with the last part of what was
// planned as one window, removes them or asks a person, inside the open transaction. `absent`: what
// earlier parts did not show; then what is left to look for in later ones. `has_reviews`: a person
// has been asked about rows of this list, or may have been. Throws unconfirmed_answer().
result apply(pg_connection& db, const window_scope& scope, const std::string& sync_run_id,
             const window_evidence& evidence, window_diff& diff, absent_rows& absent,
             bool has_reviews);

}  // namespace flanks::removals
