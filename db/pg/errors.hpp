// What PostgreSQL's errors mean for us: from SQLSTATE and the names that the server gives to
// `failure`. Pure; does not know libpq.
#pragma once

#include <chrono>
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

// A statement that failed. Stays inside db/: the connection turns it into a `failure`.
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
  bool standby = false;   // the server is one
  // Not 0: it was given up after so long without an answer (and is lost).
  std::chrono::seconds silent_for{0};
  // What the server names beside its words; empty when it does not (PostgreSQL 15,
  // PQresultErrorField).
  std::string table;       // with its schema
  std::string constraint;  // also the name of a unique index
  // A customer's function inside which it failed, as in public.audit(): a trigger's.
  std::string function;
};

// Of a failed attempt to connect: decided by the SQLSTATE of a server that refused, else (empty) by
// the words of libpq, which speaks English here. The verdict is `stop` when an operator must act
// (password, no such database or role, no permission), else `later`.
[[nodiscard]] failure connect_failure(const db_target& target, std::string_view sqlstate,
                                      std::string_view libpq_message);

[[nodiscard]] failure statement_failure(const db_target& target, const sql_problem& problem,
                                        stage at);

// When an object of a customer's refused: whose turn it is, by its name; else "".
[[nodiscard]] std::string foreign_hint(const sql_problem& problem);
// `"name" of table`, `public.audit()`; "" when it was none of a customer's.
[[nodiscard]] std::string foreign_object(const sql_problem& problem);

// The first line of what the server said, and the hint of above; for flanks.quarantine.detail.
[[nodiscard]] std::string refusal_words(const sql_problem& problem);

// The value itself is unfit (out of range, invalid text, a check): another row would have passed.
[[nodiscard]] bool is_bad_value(std::string_view sqlstate);

}  // namespace flanks
