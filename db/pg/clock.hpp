// The database's clock, beside this machine's.
#pragma once

#include <chrono>

#include "db/pg/connection.hpp"

namespace flanks {

// By how much the server's clock is ahead of ours, to the second: negative, it is behind. Throws
// sql_problem.
[[nodiscard]] std::chrono::seconds pg_clock_ahead(pg_connection& db);

}  // namespace flanks
