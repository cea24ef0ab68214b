// What absence does to the rows of a window: sync/removal decides whether they go
// (db/departures), or are put before a person (db/commands/removal_reviews has the answers).
// Blocks; throws sql_problem.
#pragma once

#include <string>

#include "db/departures.hpp"
#include "db/windows/window.hpp"
#include "sync/diff.hpp"
#include "sync/removal.hpp"
#include "sync/store.hpp"

namespace flanks {
class pg_connection;
}

namespace flanks::removals {

struct result {
  departures::effect departed;
  bool suspicious = false;
  std::string message;  // when suspicious, a whole sentence
};

// Finds the rows of the window that its answer does not show, and, with the last part of what was
// planned as one window, removes them or asks a person, inside the open transaction. `absent`: what
// earlier parts did not show; then what is left to look for in later ones. `has_reviews`: a person
// has been asked about rows of this list, or may have been. Throws unconfirmed_answer().
result apply(pg_connection& db, const window_scope& scope, const std::string& sync_run_id,
             const window_evidence& evidence, window_diff& diff, absent_rows& absent,
             bool has_reviews);

}  // namespace flanks::removals
