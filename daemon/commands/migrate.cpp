// migrate up | status | plan, and the check that other commands make of the schema.
#include "db/commands/migrate.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/tokens.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds patience_with_migrator{30};  // for another migrator

std::string_view name_of(migrate::state s) {
  switch (s) {
    case migrate::state::applied:
      return "applied";
    case migrate::state::pending:
      return "pending";
    case migrate::state::changed:
      return "changed";
    case migrate::state::unknown:
      return "unknown";
  }
  return "";
}

exit_code print_status(const migrate::migrator& migrator, bool as_json) {
  json::array all;
  const auto now = std::chrono::system_clock::now();
  terminal::table table({{"version", terminal::align::right}, {"name"}, {"state"}, {"applied at"}});
  for (const migrate::line& l : migrator.status()) {
    table.add({std::to_string(l.version), l.name, std::string(name_of(l.how)),
               terminal::local_and_ago(l.applied_at, now)});
    all.push_back(json::object{
        {"version", l.version},
        {"name", l.name},
        {"state", name_of(l.how)},
        {"applied_at", l.applied_at.empty() ? json::value(nullptr) : json::value(l.applied_at)}});
  }
  if (as_json) {
    terminal::print_json(json::serialize(all));
  } else {
    table.print();
  }
  const migrate::summary summary = migrator.check();
  if (summary.what == migrate::summary::kind::up_to_date) return exit_code::done;
  throw refusal(exit_code::configuration, summary.message, summary.hint);
}

}  // namespace

void require_schema(const configuration& c) {
  const migrate::summary summary = migrate::migrator(database_options(c)).check();
  if (summary.what == migrate::summary::kind::up_to_date) return;
  throw refusal(exit_code::configuration, summary.message, summary.hint);
}

void require_database(const engine& e, bool migrate) {
  if (migrate || e.settings.values().database.migrate) {
    migrate::migrator(e.database).up(patience_with_migrator, [&](const std::string& name) {
      e.events->info(event::migrated, {{"migration", name}});
    });
  }
  require_schema(e.settings);
  tokens::require_key(e.database);
}

exit_code command_migrate(const invocation& asked) {
  const configuration c = configure(asked, config::secret_scope::database);
  const migrate::migrator migrator(database_options(c));
  if (asked.what == command::migrate_status) return print_status(migrator, asked.json);
  if (asked.what == command::migrate_plan) {
    const std::string plan = migrator.plan();
    if (asked.json) {
      terminal::print_json(json::serialize(json::object{{"sql", plan}}));
    } else {
      terminal::print("{}", terminal::verbatim{plan});
    }
    return exit_code::done;
  }
  json::array names;
  const int applied = migrator.up(patience_with_migrator, [&](const std::string& name) {
    if (!asked.json) terminal::print("applied {}\n", name);
    names.emplace_back(name);
  });
  if (asked.json) {
    terminal::print_json(json::serialize(json::object{{"applied", names}}));
    return exit_code::done;
  }
  terminal::print("{}\n", applied == 0 ? "the schema is up to date"
                                       : counted(applied, "migration") + " applied");
  return exit_code::done;
}

}  // namespace flanks
