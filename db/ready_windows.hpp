// Windows of which everything lies ready to be compared with (db/read_back.hpp), and about which
// nothing else has a say: another credential's rows that this one shows too, or a person who has
// been asked about rows that vanished. Many at once. Blocks; throws sql_problem.
#pragma once

#include <span>
#include <unordered_set>
#include <vector>

#include "db/read_back.hpp"
#include "db/requests.hpp"
#include "db/session.hpp"

namespace flanks {

struct ready_window {
  window_request* request;
  read_back_state state;
};

// Those of the windows that are.
[[nodiscard]] std::vector<ready_window> find_ready(session& db,
                                                   std::span<window_request* const> requests);

// Locks the leases of those that still are, and whose answers are not older than what is stored: so
// it stays until the end of the transaction. Not of one that is locked already: that is not worth
// waiting for here.
[[nodiscard]] std::unordered_set<const window_request*> hold_ready(
    session& db, std::span<const ready_window* const> windows);

}  // namespace flanks
