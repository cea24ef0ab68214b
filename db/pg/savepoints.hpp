// Rows that are written together, where one of them may hold a value that the database cannot: that
// one is found by halving. Inside the open transaction.
#pragma once

#include <span>
#include <vector>

#include "db/pg/connection.hpp"

namespace flanks {

inline constexpr statement savepoint{"savepoint", "savepoint rows"};
inline constexpr statement release_savepoint{"release", "release savepoint rows"};
inline constexpr statement rollback_to_savepoint{"undo", "rollback to savepoint rows"};

// Calls write(part) for all rows, and where that fails for their halves, down to single ones.
// Before that asks answered(part, problem): true when the caller has an answer to the whole part.
// refused(row, problem) is told of each single row whose value is unfit (is_bad_value()). What else
// fails is thrown.
template <class Row, class Write, class Answered, class Refused>
void write_in_halves(pg_connection& db, std::span<Row> rows, Write write, Answered answered,
                     Refused refused) {
  std::vector<std::span<Row>> parts;
  if (!rows.empty()) parts.push_back(rows);
  while (!parts.empty()) {
    const std::span<Row> part = parts.back();
    parts.pop_back();
    db.run(savepoint);
    try {
      write(part);
      db.run(release_savepoint);
      continue;
    } catch (const sql_problem& problem) {
      if (problem.lost) throw;
      db.run(rollback_to_savepoint);
      if (answered(part, problem)) continue;
      if (!is_bad_value(problem.sqlstate)) throw;
      if (part.size() == 1) {
        refused(part.front(), problem);
        continue;
      }
    }
    parts.push_back(part.subspan(part.size() / 2));
    parts.push_back(part.first(part.size() / 2));
  }
}

}  // namespace flanks
