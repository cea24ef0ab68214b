// The names of the banks. Blocks; throws sql_problem.
#pragma once

#include <string>

#include "db/pg/connection.hpp"
#include "sync/product.hpp"

namespace flanks::entities {

// True for one caller once a day, or an hour after a failure: it is his to read the list now.
[[nodiscard]] bool claim(pg_connection& db);
void store(pg_connection& db, const product_batch& batch);
void fail(pg_connection& db, const std::string& error);

}  // namespace flanks::entities
