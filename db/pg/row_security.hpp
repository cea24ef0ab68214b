// Row security on our tables: our sessions have row_security = off, so that a policy which would
// hide rows from us is an error of the statement. Here it is named, and found before any work
// begins.
#pragma once

#include <string>

#include "db/pg/connection.hpp"

namespace flanks::row_security {

// What to do about the tables whose policies concern this role; "" when there are none.
[[nodiscard]] std::string hint(pg_connection& db);

// Throws failure{database_row_security} (verdict::stop) that names them: nothing could be stored.
void check(pg_connection& db);

}  // namespace flanks::row_security
