#include "db/commands/migrate.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>

#include "db/pg/connection.hpp"
#include "db/pg/row_security.hpp"
#include "sync/text.hpp"

namespace flanks::migrate {

namespace {

constexpr statement has_table{
    "find_migrations", "select to_regclass('flanks_internal.schema_migrations') is not null"};
constexpr statement read_applied{"read_migrations",
                                 "select version, name, sha256, to_char(applied_at at time zone "
                                 "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from "
                                 "flanks_internal.schema_migrations order by version"};
// Of this transaction: it cannot be left behind by a crash.
constexpr statement lock{"lock_migrations",
                         "select pg_advisory_xact_lock(hashtextextended('flanks.migrate', 0))"};
constexpr statement note{
    "note_migration",
    "insert into flanks_internal.schema_migrations (version, name, sha256) values ($1, $2, $3)"};

struct applied_row {
  std::string name, sha256, applied_at;
};
using applied_map = std::map<int, applied_row>;

applied_map read(pg_connection& db) {
  applied_map applied;
  if (!db.run(has_table)[0][0].as<bool>()) return applied;
  for (const auto& r : db.run(read_applied)) {
    applied.emplace(r[0].as<int>(), applied_row{r[1].c_str(), r[2].c_str(), r[3].c_str()});
  }
  return applied;
}

std::vector<line> lines_of(const applied_map& applied, std::span<const embedded_migration> known) {
  std::map<int, line> lines;
  for (const embedded_migration& m : known) {
    lines[m.version] = {m.version, std::string(m.name), state::pending, ""};
  }
  for (const auto& [version, row] : applied) {
    line& l = lines[version];
    const bool is_known = l.version != 0;
    l = {version, row.name, state::unknown, row.applied_at};
    if (!is_known) continue;
    for (const embedded_migration& m : known) {
      if (m.version == version)
        l.how = sha256_hex(m.sql) == row.sha256 ? state::applied : state::changed;
    }
  }
  std::vector<line> out;
  for (auto& [version, l] : lines)
    out.push_back(std::move(l));
  return out;
}

// What a database keeps that the provider cannot give again: who is registered. To standard input
// of `credentials import`, so that no token is left in a file.
constexpr std::string_view way_out =
    "tokens that are sealed (encryption.key_file) do not come along: their applications must "
    "register them again; make a new database and read everything again, with database.dsn naming "
    "the new one: "
    "flanks-sync migrate up; "
    "psql -X -d OLD_DATABASE -c \"copy (select user_id, credentials_token from "
    "flanks.user_credentials join flanks_internal.credentials_tokens using (credential_id) "
    "where credentials_token is not null) to stdout (format csv, header)\" "
    "| flanks-sync credentials import -; flanks-sync backfill";

// Its first migration is not ours: nothing that was released has made it.
bool has_other_origin(const std::vector<line>& lines, std::span<const embedded_migration> known) {
  if (lines.empty() || known.empty() || lines[0].version != known[0].version) return false;
  return lines[0].how == state::changed || lines[0].name != known[0].name;
}

summary summary_of(const std::vector<line>& lines, std::span<const embedded_migration> known) {
  summary s;
  if (has_other_origin(lines, known)) {
    s.what = summary::kind::changed;
    s.message = fmt::format(
        "the schema was made by an unreleased version of flanks-sync: it begins with {}, which is "
        "not the {} of this program; it cannot be migrated",
        lines[0].name, known[0].name);
    s.hint = way_out;
    return s;
  }
  const bool empty = std::all_of(lines.begin(), lines.end(),
                                 [](const line& l) { return l.how == state::pending; });
  for (const line& l : lines) {
    if (l.how == state::changed) {
      s.what = summary::kind::changed;
      s.message =
          fmt::format("migration {} was changed after it was applied to this database", l.name);
      s.hint = "install the version of flanks-sync that applied it, or a later one";
      return s;
    }
    if (l.how == state::unknown && s.what != summary::kind::newer) {
      s.what = summary::kind::newer;
      s.message =
          fmt::format("the database is newer than this program: it has migration {}", l.name);
      s.hint = "install the newer version of flanks-sync";
    }
    if (l.how == state::pending) ++s.pending;
  }
  if (s.what == summary::kind::up_to_date && s.pending > 0) {
    s.what = summary::kind::outdated;
    s.message = empty
                    ? "the database has no schema of flanks-sync yet"
                    : fmt::format("the database's schema is out of date: {} {} pending",
                                  counted(s.pending, "migration"), plural(s.pending, "is", "are"));
    s.hint = "run flanks-sync migrate up";
  }
  return s;
}

// A database that no migration of ours may touch.
void refuse_misfit(const summary& s) {
  if (s.what != summary::kind::newer && s.what != summary::kind::changed) return;
  failure f(stage::database, verdict::stop,
            s.what == summary::kind::newer ? "schema_newer" : "schema_changed", s.message);
  f.hint = s.hint;
  throw f;
}

// Any error of SQL in a migration stops; a lock that another holds is worth another try.
template <class Work>
auto translated(const pg_connection& db, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const sql_problem& problem) {
    failure f = statement_failure(db.target(), problem, stage::database);
    if (problem.sqlstate == "55P03" && problem.statement == lock.name) {
      f = failure(stage::database, verdict::later, "migration_locked",
                  fmt::format("another migration of {} is running", db.target().text()));
    }
    throw f;
  }
}

db_options without_statement_timeout(db_options options, std::chrono::seconds patience) {
  options.statement_timeout = std::chrono::seconds{0};  // a migration may take long
  options.lock_timeout = patience;
  return options;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 is not available");
  }
  std::string out;
  for (unsigned i = 0; i < size; ++i)
    fmt::format_to(std::back_inserter(out), "{:02x}", digest[i]);
  return out;
}

migrator::migrator(db_options options, std::span<const embedded_migration> known)
    : options_(std::move(options)), known_(known) {}

std::vector<line> migrator::status() const {
  pg_connection db(options_);
  return translated(db, [&] { return lines_of(read(db), known_); });
}

summary migrator::check() const {
  return summary_of(status(), known_);
}

summary check(pg_connection& db) {
  return summary_of(lines_of(read(db), embedded_migrations()), embedded_migrations());
}

failure explained(pg_connection& db, const sql_problem& problem, stage at) {
  failure plain = statement_failure(db.target(), problem, at);
  db.rollback();
  if (!problem.function.empty()) return plain;
  if (problem.sqlstate == "42501") {
    try {
      const std::string hint = row_security::hint(db);
      if (!hint.empty()) plain.error_class = "database_row_security", plain.hint = hint;
    } catch (const sql_problem&) {  // NOLINT: the plain one says enough
    }
    return plain;
  }
  // undefined_table, _column, _function, _object, invalid_schema_name
  constexpr std::string_view missing[] = {"42P01", "42703", "42883", "42704", "3F000"};
  if (std::find(std::begin(missing), std::end(missing), problem.sqlstate) == std::end(missing))
    return plain;
  try {
    const summary s = check(db);
    failure f(at, verdict::stop, "database_schema", s.message);
    f.hint = s.hint;
    if (s.what != summary::kind::up_to_date) return f;
  } catch (const sql_problem&) {  // NOLINT: who may not look at the bookkeeping gets the plain one
    return plain;
  }
  plain.hint =
      "every migration is applied: something of ours was dropped or renamed since; "
      "restore it from a backup";
  return plain;
}

std::string migrator::plan() const {
  std::string out;
  const std::vector<line> lines = status();
  refuse_misfit(summary_of(lines, known_));
  for (const line& l : lines) {
    if (l.how != state::pending) continue;
    for (const embedded_migration& m : known_) {
      if (m.version != l.version) continue;
      fmt::format_to(std::back_inserter(out),
                     "-- {0}\nbegin;\n{1}\ninsert into flanks_internal.schema_migrations (version, "
                     "name, sha256)\n  values ({2}, '{0}', '{3}');\ncommit;\n\n",
                     m.name, m.sql, m.version, sha256_hex(m.sql));
    }
  }
  return out;
}

int migrator::up(std::chrono::seconds patience,
                 const std::function<void(const std::string&)>& tell) const {
  pg_connection db(without_statement_timeout(options_, patience));
  return translated(db, [&] {
    int count = 0;
    for (const embedded_migration& m : known_) {
      // Under the lock, read again: another migrator may have been here since.
      db.begin();
      db.run(lock);
      const applied_map applied = read(db);
      refuse_misfit(summary_of(lines_of(applied, known_), known_));
      if (!applied.contains(m.version)) {
        const std::string name(m.name), sql(m.sql);
        db.run(statement{name.c_str(), sql.c_str()});
        db.run(note, sql_values(m.version, name, sha256_hex(m.sql)));
        ++count;
      }
      const bool applied_now = !applied.contains(m.version);
      db.commit();
      if (applied_now) tell(std::string(m.name));
    }
    return count;
  });
}

}  // namespace flanks::migrate
