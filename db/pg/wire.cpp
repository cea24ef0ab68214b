#include "db/pg/wire.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "db/pg/own_names.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

std::string text_of(const PGresult* result, int field) {
  const char* const found = PQresultErrorField(result, field);
  return found == nullptr ? "" : found;
}

}  // namespace

pg_wire::pg_wire(pg_handle connection, chr::seconds patience,
                 std::function<bool(const char* name)> still_works)
    : connection_(std::move(connection)),
      patience_(patience),
      still_works_(std::move(still_works)) {
  PQsetnonblocking(connection_.get(), 1);
}

bool pg_wire::is_open() const {
  return PQstatus(connection_.get()) == CONNECTION_OK && !silent_;
}

bool pg_wire::alive() const {
  return is_open() && !outdated_;
}

bool pg_wire::is_good(ExecStatusType status) {
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
         status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_PIPELINE_SYNC;
}

void pg_wire::raise(sql_problem problem) {
  // Reported since PostgreSQL 14 (manual, libpq: PQparameterStatus).
  const char* const standby = PQparameterStatus(connection_.get(), "in_hot_standby");
  problem.standby = standby != nullptr && std::string_view(standby) == "on";
  // A migration went by: the plan, or the statement, is not what it was (PostgreSQL manual,
  // PREPARE). A standby says the same of an unlogged table.
  if (problem.sqlstate == "26000" || (problem.sqlstate == "0A000" && !problem.standby))
    outdated_ = true;
  problem.lost = problem.lost || !alive() || problem.sqlstate.starts_with("57P0") ||
                 problem.sqlstate == "25P03";
  throw problem;
}

// Of a result that is an error; null: libpq's own words.
void pg_wire::raise(const char* name, const PGresult* result) {
  std::string message = text_of(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = PQerrorMessage(connection_.get());
  sql_problem problem(name, text_of(result, PG_DIAG_SQLSTATE), message);
  problem.constraint = text_of(result, PG_DIAG_CONSTRAINT_NAME);
  if (const std::string table = text_of(result, PG_DIAG_TABLE_NAME); !table.empty())
    problem.table = text_of(result, PG_DIAG_SCHEMA_NAME) + "." + table;
  problem.function = foreign_function_in(text_of(result, PG_DIAG_CONTEXT));
  raise(std::move(problem));
}

// The deadline of what is sent from now on.
void pg_wire::start(const char* name) {
  running_ = name;
  deadline_ = chr::steady_clock::now() + patience_;
}

// Until the socket is ready, also when that is known only after the deadline (we may have been
// stopped meanwhile). The connection is closed when it is not: whatever comes later belongs to
// nobody.
void pg_wire::wait(short events) {
  for (;;) {
    const auto left = chr::ceil<chr::milliseconds>(deadline_ - chr::steady_clock::now()).count();
    pollfd socket{PQsocket(connection_.get()), events, 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) return;
    if (ready < 0 && errno == EINTR) continue;
    if (still_works_ && still_works_(running_)) {
      start(running_);
      continue;
    }
    sql_problem problem(running_, "", "no answer");
    problem.lost = true;
    problem.silent_for = patience_;
    ::shutdown(PQsocket(connection_.get()), SHUT_RDWR);
    PQconsumeInput(connection_.get());  // libpq sees the end, and the connection is bad from now on
    silent_ = true;
    throw problem;
  }
}

void pg_wire::flush() {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) return;
    if (left < 0) raise(running_, nullptr);
    // Also what the server says meanwhile: it may stop reading until it was heard.
    wait(POLLIN | POLLOUT);
    if (PQconsumeInput(connection_.get()) == 0) raise(running_, nullptr);
  }
}

// Null after the last one.
pg_rows::owned pg_wire::next_result() {
  while (PQisBusy(connection_.get()) != 0) {
    wait(POLLIN);
    if (PQconsumeInput(connection_.get()) == 0) break;  // the result says what happened
  }
  return {PQgetResult(connection_.get()), &PQclear};
}

// Reads until there is no more, so that the connection can go on; gives the last result, or throws
// what the first error said.
pg_rows pg_wire::finish(const char* name) {
  flush();
  pg_rows::owned last(nullptr, &PQclear), failed(nullptr, &PQclear);
  while (pg_rows::owned result = next_result()) {
    const ExecStatusType status = PQresultStatus(result.get());
    if (!is_good(status) && !failed) {
      failed = std::move(result);
    } else {
      last = std::move(result);
    }
    // More comes only when the data has been moved, or the connection is broken.
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;
  }
  if (failed || !last) raise(name, failed.get());
  return {std::move(last), name};
}

// Without values, and several of them if need be (PostgreSQL 15, 55.2.2).
void pg_wire::command(const char* name, const char* sql) {
  start(name);
  if (PQsendQuery(connection_.get(), sql) != 1) raise(name, nullptr);
  (void)finish(name);
}

}  // namespace flanks
