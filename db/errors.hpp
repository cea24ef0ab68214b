// What PostgreSQL's errors mean for us: from SQLSTATE and libpq's words to `failure`. Pure; knows
// neither libpq nor libpqxx.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "sync/failure.hpp"

namespace flanks {

// Which database, as a person would name it.
struct db_target {
  std::string database, host, port, user;  // host: a name, or the directory of a unix socket
  // `database "mirror" at db:5432`
  [[nodiscard]] std::string text() const;
};

// A statement that failed. Stays inside db/: the lane turns it into a `failure`.
class sql_problem : public std::runtime_error {
 public:
  sql_problem(std::string statement_name, std::string state, const std::string& message)
      : std::runtime_error(message),
        statement(std::move(statement_name)),
        sqlstate(std::move(state)) {}

  std::string statement;  // our name of it
  std::string sqlstate;   // empty when the connection was lost
  bool lost = false;      // the connection is gone
  bool in_doubt = false;  // it went during COMMIT
};

// From libpq's message of a failed attempt to connect. The verdict is `stop` when an operator must
// act (password, no such database or role, no permission), else `later`.
[[nodiscard]] failure connect_failure(const db_target& target, std::string_view libpq_message);

[[nodiscard]] failure statement_failure(const db_target& target, const sql_problem& problem,
                                        stage at);

// The value itself is unfit (out of range, invalid text, a check): another row would have passed.
[[nodiscard]] bool is_bad_value(std::string_view sqlstate);

}  // namespace flanks
