// The conversation with the server on one open connection: what is sent, and what comes back, under
// a deadline of ours, without ever blocking inside libpq. What a statement is, pg_connection knows.
// Blocks its thread. Throws sql_problem.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <functional>

#include "db/pg/connect.hpp"
#include "db/pg/errors.hpp"
#include "db/pg/rows.hpp"

namespace flanks {

class pg_wire {
 public:
  // `patience`: how long each statement may take, as we see it. `still_works`: asked then, by the
  // name of the statement, whether to wait as long again; without it, it is not.
  pg_wire(pg_handle connection, std::chrono::seconds patience,
          std::function<bool(const char* name)> still_works);

  [[nodiscard]] PGconn* get() const { return connection_.get(); }
  // False after the server or the network ended it, or it was given up in the middle of an answer.
  [[nodiscard]] bool is_open() const;
  // ... or a change of the schema made what is prepared here useless.
  [[nodiscard]] bool alive() const;

  // The deadline of what is sent from now on.
  void start(const char* name);
  [[nodiscard]] const char* running() const { return running_; }
  // Until the socket is ready for these events of poll(2).
  void wait(short events);
  void flush();
  // Null after the last one.
  pg_rows::owned next_result();
  // Reads until there is no more, so that the connection can go on; gives the last result, or
  // throws what the first error said.
  pg_rows finish(const char* name);
  // Without values, and several of them if need be (PostgreSQL 15, 55.2.2).
  void command(const char* name, const char* sql);

  [[nodiscard]] static bool is_good(ExecStatusType status);
  // Of a result that is an error; null: libpq's own words.
  [[noreturn]] void raise(const char* name, const PGresult* result);
  [[noreturn]] void raise(sql_problem problem);

 private:
  pg_handle connection_;
  std::chrono::seconds patience_;
  std::function<bool(const char* name)> still_works_;
  std::chrono::steady_clock::time_point deadline_{};  // of the statement that runs
  const char* running_ = "";                          // its name
  bool silent_ = false;                               // given up: what comes belongs to nobody
  bool outdated_ = false;                             // the schema changed under what is prepared
};

}  // namespace flanks
