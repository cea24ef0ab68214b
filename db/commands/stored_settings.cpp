#include "db/commands/stored_settings.hpp"

#include "db/commands/migrate.hpp"
#include "db/pg/connection.hpp"

namespace flanks {

namespace {

constexpr statement write_sql{"write_settings", R"(
insert into flanks_internal.settings as s (stale_after, notify_changes) values (make_interval(secs => $1), $2)
on conflict (single) do update set stale_after = excluded.stale_after, notify_changes = excluded.notify_changes
where (s.stale_after, s.notify_changes) is distinct from (excluded.stale_after, excluded.notify_changes))"};

}  // namespace

void write_settings(const db_options& options, const stored_settings& settings) {
  pg_connection db(options);
  try {
    db.run(write_sql, sql_values(static_cast<std::int64_t>(settings.stale_after.count()), settings.notify_changes));
  } catch (const sql_problem& problem) {
    throw migrate::explained(db, problem, stage::database);
  }
}

}  // namespace flanks
