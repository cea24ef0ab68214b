// Windows that bring some new rows or other content of rows that are there, and nothing that needs
// a closer look: many of them are compared with what lies ready (db/read_back.hpp), written and put
// on record in one transaction, each whole or not at all. The others are window_writer's. Blocks.
#pragma once

#include <span>

#include "db/requests.hpp"
#include "db/session.hpp"

namespace flanks {

// Settles those that are, in the open transaction; at most one of a credential. Throws sql_problem
// when it cannot write them together: then nothing of it may be committed.
void settle(session& db, std::span<change_request* const> requests);

}  // namespace flanks
