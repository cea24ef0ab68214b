// What is written of a credential under its lease, apart from rows: what its status said, and how
// the attempt ended, together with the lease itself. In the open transaction; rows that are locked
// are skipped. Blocks; throws sql_problem.
#pragma once

#include <span>

#include "db/pg/connection.hpp"
#include "db/requests.hpp"

namespace flanks::leases {

// Writes what differs from what is stored. One that is equal locks and writes nothing.
void apply(pg_connection& db, std::span<status_request* const> requests);
// Gives leases back. A paused credential stays so.
void apply(pg_connection& db, std::span<release_request* const> requests);

}  // namespace flanks::leases
