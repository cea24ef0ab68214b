// What keeps the mirror as a whole from its work (flanks.mirror_problems): written by the daemon
// that meets it, read by status and doctor, also when that daemon has ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/pg/options.hpp"
#include "sync/store.hpp"

namespace flanks {
class pg_connection;
}

namespace flanks::mirror_problems {

// The view's columns. Times are "YYYY-MM-DDTHH:MM:SSZ".
struct row {
  mirror_problem problem;
  std::string since, process, error_class, who_must_act, error;
  std::optional<std::string> hint;
  std::string what_next;
};

// Nothing in `what`: it is over. Throws sql_problem.
void note(pg_connection& db, const db_options& options, mirror_problem which,
          const std::optional<failure>& what);
// Of whatever problem, what this process said. Throws sql_problem.
void forget(pg_connection& db, const db_options& options);
// The oldest first. Throws sql_problem.
[[nodiscard]] std::vector<row> read(pg_connection& db);

}  // namespace flanks::mirror_problems
