// Windows whose answers say what is stored, which is nearly all of them: compared with what lies
// ready (db/read_back.hpp), whole months by their digest, and put on record together. No row is
// read or written. Blocks.
#pragma once

#include <span>

#include "db/requests.hpp"
#include "db/session.hpp"

namespace flanks {

// Settles those that are, in the open transaction; at most one of a credential.
void settle(session& db, std::span<window_request* const> requests);

}  // namespace flanks
