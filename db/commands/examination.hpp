// The database as `flanks-sync doctor` looks at it: reached, as our statements need it, with our
// schema and rights, its clock, its disk, and what stands in it. Changes nothing. Blocks.
#pragma once

#include <vector>

#include "db/commands/migrate.hpp"
#include "db/pg/options.hpp"
#include "sync/finding.hpp"

namespace flanks {

// What a check of the schema found.
[[nodiscard]] finding schema_finding(const migrate::summary& schema);

// database, settings, schema, rights, database_clock, disk, daemon, credentials; ends with the
// first that fails and that the rest needs. Never throws `failure`.
[[nodiscard]] std::vector<finding> examine_database(const db_options& options);

}  // namespace flanks
