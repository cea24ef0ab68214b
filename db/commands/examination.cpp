#include "db/commands/examination.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <chrono>
#include <map>

#include "db/commands/migrate.hpp"
#include "db/commands/run_explained.hpp"
#include "db/commands/status_view.hpp"
#include "db/pg/clock.hpp"
#include "db/pg/errors.hpp"
#include "db/pg/row_security.hpp"
#include "db/token_seal.hpp"
#include "db/tokens.hpp"
#include "sync/error_class.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

constexpr statement about_server{"examine_server", R"(
select current_setting('server_version'), pg_size_pretty(pg_database_size(current_database())),
  case when pg_has_role('pg_read_all_settings', 'usage') then current_setting('data_directory') end)"};

// What this role must not lack: the bookkeeping of migrations is read only. `said` is how
// PostgreSQL refuses it, and so what a command says.
constexpr statement missing_rights{"examine_rights", R"(
with lacking as (
  select format('%s on %I.%I', r.name, n.nspname, c.relname) as what,
    format('permission denied for table %s: ', c.relname) as said
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  cross join unnest(array['select', 'insert', 'update', 'delete']) r(name)
  where n.nspname in ('flanks', 'flanks_internal') and c.relkind in ('r', 'p')
    and not (c.relname = 'schema_migrations' and r.name <> 'select') and not has_table_privilege(c.oid, r.name)
  union all
  select format('select on %I.%I', n.nspname, c.relname), format('permission denied for view %s: ', c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('flanks', 'flanks_internal') and c.relkind = 'v' and not has_table_privilege(c.oid, 'select')
  union all
  select format('execute on function %s', p.oid::regprocedure), format('permission denied for function %s: ', p.proname)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('flanks', 'flanks_internal') and not has_function_privilege(p.oid, 'execute')
  union all
  select format('temporary on database %I', current_database()), ''
  where not has_database_privilege(current_database(), 'temporary'))
select count(*), coalesce((array_agg(what order by what))[1], ''), coalesce((array_agg(said order by what))[1], '')
from lacking)"};

// Due for longer than any daemon that works would leave it.
constexpr statement overdue{"examine_overdue", R"(
select coalesce(credentials, 0), coalesce(floor(extract(epoch from now() - since))::bigint, 0) from flanks.overdue())"};

// The others say what is wrong while the work goes on, or are what a daemon is started against.
bool stops_the_mirror(mirror_problem p) {
  return p == mirror_problem::fetching || p == mirror_problem::claiming;
}

std::string long_time(std::int64_t seconds) {
  if (seconds < 2 * 3600) return fmt::format("{} min", seconds / 60);
  return seconds < 2 * 86400 ? counted(seconds / 3600, "hour") : counted(seconds / 86400, "day");
}

constexpr std::uint64_t gibibyte = 1024ULL * 1024 * 1024;

class examination {
 public:
  explicit examination(const db_options& options) : options_(options) {}

  std::vector<finding> run() {
    try {
      pg_connection db(options_);
      run_explained(db, [&] { look(db); });
    } catch (const failure& f) {
      const bool settings =
          f.error_class == "database_settings" || f.error_class == "database_encoding";
      add(failed(settings ? "settings" : step_, f));
    }
    return std::move(found_);
  }

 private:
  void look(pg_connection& db) {
    const pg_rows server = db.run(about_server);
    add({"database", grade::ok,
         fmt::format("PostgreSQL {}: {}, {} there", server[0][0].c_str(), db.target().text(),
                     server[0][1].c_str()),
         "", ""});
    // The connection has seen to them (db/pg/connect).
    add({"settings", grade::ok, "the session's settings are those that our statements mean", "",
         ""});
    add(clock_finding("database_clock", "the database", pg_clock_ahead(db)));
    add(disk(db, server[0][2].is_null() ? std::string() : server[0][2].c_str()));
    step_ = "schema";
    const finding schema = schema_finding(migrate::check(db));
    add(schema);
    if (schema.how != grade::ok) return;
    step_ = "rights";
    if (!rights(db)) return;
    step_ = "encryption";
    encryption(db);
    step_ = "daemon";
    daemon(db);
    step_ = "credentials";
    credentials();
  }

  bool rights(pg_connection& db) {
    const std::string hidden = row_security::hint(db);
    const pg_rows lacking = db.run(missing_rights);
    const auto count = lacking[0][0].as<std::int64_t>();
    if (hidden.empty() && count == 0) {
      add({"rights", grade::ok, fmt::format("{} may do what it must", db.target().user), "", ""});
      return true;
    }
    if (!hidden.empty())
      add({"rights", grade::fail, "row security hides rows from " + db.target().user, hidden,
           "database_row_security"});
    if (count > 0) {
      add({"rights", grade::fail,
           fmt::format("{}{} lacks {}{}", lacking[0][2].c_str(), db.target().user,
                       lacking[0][1].c_str(),
                       count > 1 ? fmt::format(" and {}", counted(count - 1, "other right"))
                                 : std::string()),
           std::string(hint_of("database_rights")), "database_rights"});
    }
    return false;
  }

  // Only of a server on this machine can it be seen.
  finding disk(const pg_connection& db, const std::string& directory) {
    finding f{"disk", grade::ok, "", "", ""};
    struct statvfs space {};
    if (!db.target().host.starts_with('/') || directory.empty() ||
        ::statvfs(directory.c_str(), &space) != 0) {
      f.says = "the database's disk cannot be seen from here: watch it where the server runs";
      return f;
    }
    const std::uint64_t free = std::uint64_t{space.f_bavail} * space.f_frsize;
    const std::uint64_t all = std::uint64_t{space.f_blocks} * space.f_frsize;
    f.says = fmt::format("{:.1f} GiB of {:.1f} GiB are free where the database lies",
                         static_cast<double>(free) / static_cast<double>(gibibyte),
                         static_cast<double>(all) / static_cast<double>(gibibyte));
    if (free < gibibyte || free * 20 < all) {
      f.how = free < gibibyte / 10 ? grade::fail : grade::warn;
      f.hint =
          "make room: a full disk stops PostgreSQL, and with it the mirror, until there is some";
    }
    return f;
  }

  // How many tokens are sealed, and whether our keys open them.
  void encryption(pg_connection& db) {
    const tokens::census found = tokens::take_census(db);
    const std::string ours = options_.seal ? options_.seal->fingerprint() : "";
    finding f{"encryption", grade::ok, "", "", ""};
    f.says = fmt::format("{} of {} sealed", found.all_sealed(),
                         counted(found.all_sealed() + found.unsealed, "token is", "tokens are"));
    if (!ours.empty()) f.says += "; encryption.key_file holds key " + ours;
    for (const auto& s : found.sealed) {
      if (s.fingerprint == ours) continue;
      f.says += fmt::format("; {} with key {}", s.count, s.fingerprint);
      if (options_.seal && options_.seal->knows(s.fingerprint)) {
        f.says += ", the previous one";
        continue;
      }
      f.says += ", which no file of ours holds";
      f.how = grade::fail;
      f.hint = missing_key_hint(s.fingerprint, !ours.empty());
      f.error_class = "sealed_token";
    }
    if (f.how == grade::ok && !ours.empty() && found.unsealed > 0)
      f.hint = "the daemon seals the others within the hour";
    add(std::move(f));
  }

  void daemon(pg_connection& db) {
    const pg_rows late = db.run(overdue);
    const auto count = late[0][0].as<std::int64_t>();
    finding f{"daemon", grade::ok, "nothing that is due waits for a worker", "", ""};
    if (count > 0) {
      f.how = grade::warn;
      f.says = fmt::format("{} due for up to {}, and nobody works on {}",
                           counted(count, "credential is", "credentials are"),
                           long_time(late[0][1].as<std::int64_t>()), count == 1 ? "it" : "them");
      f.hint =
          "does a daemon run, or does it stand still? systemctl status flanks-sync; or it does not "
          "keep "
          "up: sync.concurrency";
    }
    add(std::move(f));
    for (const mirror_problems::row& p : mirror_problems::read(db))
      add({"mirror", stops_the_mirror(p.problem) ? grade::fail : grade::warn,
           fmt::format("{} since {}: {} ({})", title_of(p.problem), p.since, p.error, p.process),
           p.hint.value_or(p.what_next), p.error_class});
  }

  void credentials() {
    const std::vector<status_row> rows = read_status(options_, {});
    std::map<std::string, int> states;
    int problems = 0;
    for (const status_row& r : rows) {
      if (!r.problem) continue;
      ++problems;
      ++states[r.state];
    }
    std::string list;
    for (const auto& [state, count] : states)
      list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, state);
    const std::string all = counted(static_cast<std::int64_t>(rows.size()), "credential");
    finding f{"credentials", grade::ok, "", "", ""};
    if (rows.empty()) {
      f.says = "none is registered yet";
      f.hint = "flanks-sync credentials add --help, or select flanks.register_credential($1, $2)";
    } else if (problems == 0) {
      f.says = all + ", none with a problem";
    } else {
      f.how = grade::warn;
      f.says = fmt::format("{} of {} {} a problem: {}", problems, all,
                           plural(problems, "has", "have"), list);
      f.hint = "flanks-sync status says which, why, who must act and what next";
    }
    add(std::move(f));
  }

  void add(finding f) { found_.push_back(std::move(f)); }

  const db_options& options_;
  std::string step_ = "database";
  std::vector<finding> found_;
};

}  // namespace

finding schema_finding(const migrate::summary& schema) {
  if (schema.what == migrate::summary::kind::up_to_date)
    return {"schema", grade::ok, "it is the one that this program knows", "", ""};
  return {"schema", grade::fail, schema.message, schema.hint, "database_schema"};
}

std::vector<finding> examine_database(const db_options& options) {
  return examination(options).run();
}

}  // namespace flanks
