#include "db/pg/row_security.hpp"

#include <fmt/format.h>

namespace flanks::row_security {

namespace {

constexpr statement find{"find_row_security", R"(
select string_agg(format('%I.%I', n.nspname, c.relname), ', ' order by n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any ($1::name[]) and c.relrowsecurity and row_security_active(c.oid))"};

std::string concerned(pg_connection& db) {
  return db.run(find, sql_values("{flanks,flanks_internal}"))[0][0].c_str();
}

std::string hint_for(const pg_connection& db, const std::string& tables) {
  return fmt::format(
      "row security is enabled on {}: alter table ... disable row level security, or alter role "
      "\"{}\" bypassrls",
      tables, db.target().user);
}

}  // namespace

std::string hint(pg_connection& db) {
  const std::string tables = concerned(db);
  return tables.empty() ? "" : hint_for(db, tables);
}

void check(pg_connection& db) {
  const std::string tables = concerned(db);
  if (tables.empty()) return;
  failure f(stage::database, verdict::stop, "database_row_security",
            fmt::format("row security hides rows of {} in {} from {}", tables, db.target().text(),
                        db.target().user));
  f.hint = hint_for(db, tables);
  throw f;
}

}  // namespace flanks::row_security
