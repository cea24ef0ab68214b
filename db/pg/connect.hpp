// Opens a connection to PostgreSQL as our statements need it, with the settings that their meaning
// rests on, and says in people's words why it cannot be opened. Blocks, with a deadline.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "db/pg/errors.hpp"
#include "db/pg/options.hpp"
#include "db/pg/rows.hpp"

namespace flanks {

using pg_handle = std::unique_ptr<PGconn, decltype(&PQfinish)>;

// Throws `failure`: connect_failure() when there is no connection, database_encoding when the
// database is not UTF8; what the login's password throws. A pooler that refuses what is asked for is connected to without asking.
[[nodiscard]] pg_handle open_connection(const db_options& options, const login& who);

// Selects the settings of the session that the meaning of our statements rests on, in one row.
[[nodiscard]] std::string settings_query();
// False: a pooler in between has dropped what the connection asked for. Then the next transaction
// may run on another connection of the server, so that nothing can be prepared by name.
[[nodiscard]] bool options_arrived(const pg_rows& found);
// Throws failure{database_settings} (stage::configuration, verdict::stop) when one of them is
// another one than was asked for: a pooler does not pass on what a connection asks for, and a
// superuser's settings nobody else may change.
void check_settings(const db_target& at, const pg_rows& found);

[[nodiscard]] db_target target_of(const PGconn* connection);

}  // namespace flanks
