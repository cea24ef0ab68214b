// The database's schema: which migrations it has had, and bringing it up to date. Blocks; for
// commands and for the check at the start. Throws `failure`. Forward only.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/commands/embedded_migrations.hpp"
#include "db/pg/options.hpp"
#include "sync/failure.hpp"

namespace flanks {
class pg_connection;
class sql_problem;
}  // namespace flanks

namespace flanks::migrate {

enum class state : std::uint8_t {
  applied,
  pending,
  changed,  // applied, but the file was another one then
  unknown,  // applied, but this binary does not know it: the database is newer
};

struct line {
  int version = 0;
  std::string name;
  state how = state::pending;
  std::string applied_at;  // "YYYY-MM-DDTHH:MM:SSZ"; empty when pending
};

struct summary {
  // changed: a file was another one when it was applied. When that is the first one, an unreleased
  // version made the database, and the hint says how to begin with a new one.
  enum class kind : std::uint8_t { up_to_date, outdated, newer, changed };
  kind what = kind::up_to_date;
  int pending = 0;
  std::string message;  // one sentence for people; empty when up to date
  std::string hint;
};

// Migrations other than the embedded ones are for tests.
class migrator {
 public:
  explicit migrator(db_options options,
                    std::span<const embedded_migration> known = embedded_migrations());

  // Every migration that the database or this binary knows, by version.
  [[nodiscard]] std::vector<line> status() const;
  // The same as one answer: may we work with this database?
  [[nodiscard]] summary check() const;
  // The SQL of what is pending, with its bookkeeping, each migration in its own transaction: for a
  // DBA to run with psql. Refuses as up() does.
  [[nodiscard]] std::string plan() const;
  // Applies what is pending, each in its own transaction with its bookkeeping row, and tells of
  // each. Waits for another migrator at most `patience` (then failure{later, "migration_locked"}).
  // Refuses a database that is newer or was changed (failure{stop}). Gives the number applied.
  int up(std::chrono::seconds patience, const std::function<void(const std::string&)>& tell) const;

 private:
  db_options options_;
  std::span<const embedded_migration> known_;
};

// The check on a connection that is open already. Throws sql_problem.
[[nodiscard]] summary check(pg_connection& db);

// As statement_failure(); a statement that found no such schema, relation, column or function
// because the schema does not fit this program says so in place of the server's words. Rolls back
// what is open.
[[nodiscard]] failure explained(pg_connection& db, const sql_problem& problem, stage at);

// SHA-256 in hexadecimal: what the bookkeeping compares.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace flanks::migrate
