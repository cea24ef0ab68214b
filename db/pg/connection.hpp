// One open connection, driven by libpq without ever blocking inside it: each statement, COPY and
// COMMIT has its deadline here, some seconds after the server's own statement_timeout. Blocks its
// thread; lives on a connection, or in a command. Statements throw sql_problem; opening throws
// `failure`.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "db/pg/connect.hpp"
#include "db/pg/errors.hpp"
#include "db/pg/options.hpp"
#include "db/pg/rows.hpp"
#include "db/pg/wire.hpp"
#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

// A value of type bytea, for run_together() only: sent as it is, not as text.
struct sql_bytes {
  std::string bytes;
};

// Values of $1, $2, ... as text; null is nullopt. A text that holds U+0000 is never cut short: the
// statement is refused with SQLSTATE 22021.
class sql_values {
 public:
  template <class... T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, sql_values> &&
           ...) explicit sql_values(T&&... values) {
    values_.reserve(sizeof...(values));
    (add(std::forward<T>(values)), ...);
  }
  [[nodiscard]] const std::vector<std::optional<std::string>>& get() const { return values_; }
  // Whether a value is sql_bytes.
  [[nodiscard]] bool is_bytes(std::size_t i) const {
    return std::find(bytes_.begin(), bytes_.end(), i) != bytes_.end();
  }

  void add(std::string_view text) { values_.emplace_back(std::string(text)); }
  void add(const std::string& text) { values_.emplace_back(text); }
  void add(const char* text) { values_.emplace_back(std::string(text)); }
  void add(bool value) { values_.emplace_back(value ? "true" : "false"); }
  void add(std::int64_t value) { values_.emplace_back(std::to_string(value)); }
  void add(int value) { values_.emplace_back(std::to_string(value)); }
  void add(credential_id id) { add(id.value); }
  void add(day d) { values_.emplace_back(to_string(d)); }
  void add(instant t) { values_.emplace_back(to_string(t)); }
  void add(std::chrono::milliseconds d) { add(static_cast<std::int64_t>(d.count())); }
  void add(sql_bytes value) {
    bytes_.push_back(values_.size());
    values_.emplace_back(std::move(value.bytes));
  }
  void add(std::nullptr_t) { values_.emplace_back(std::nullopt); }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value) {
      add(*value);
    } else {
      add(nullptr);
    }
  }

 private:
  std::vector<std::optional<std::string>> values_;
  std::vector<std::size_t> bytes_;
};

// A statement and our name of it, which shows in errors and in pg_stat_statements.
struct statement {
  const char* name;
  const char* text;
};

// A statement with its values, ready to run.
struct call {
  statement what;
  sql_values values;
};

class pg_connection {
 public:
  explicit pg_connection(const db_options& options);
  ~pg_connection();
  pg_connection(const pg_connection&) = delete;
  pg_connection& operator=(const pg_connection&) = delete;

  // In the open transaction, or in one of its own. A statement with values that is run again on
  // this connection is prepared: then the server parses and plans it no more.
  pg_rows run(const statement& s, const sql_values& values = sql_values{});

  // The rows of a statement in PostgreSQL's binary formats, one after the other.
  class binary_row;
  void fetch(const statement& s, const sql_values& values,
             const std::function<void(const binary_row&)>& take);

  // All of them in the open transaction, in this order, in one round trip (PostgreSQL 15, libpq
  // pipeline mode). Throws for the first that fails; those after it have not run. `take` gets the
  // rows that they return, once all have run.
  void run_together(const std::vector<call>& calls,
                    const std::function<void(const binary_row&)>& take = nullptr);

  void begin();
  // For a transaction whose statements take some rows of tables of any size, all by key: they are
  // planned once a connection, and by index whatever the planner knew of the tables then.
  void force_index_plans();
  // Throws sql_problem with in_doubt when the connection went before the answer.
  void commit();
  void rollback() noexcept;
  [[nodiscard]] bool in_transaction() const { return in_transaction_ && wire_.is_open(); }

  // COPY ... FROM STDIN inside the open transaction. `next` appends some rows, in the format that
  // the statement names, and says whether more will come; what it appends is sent in pieces. Gives
  // how many rows the server says that it stored: fewer when a trigger swallowed some.
  std::int64_t copy_in(const statement& s, const std::function<bool(std::string&)>& next);
  std::int64_t copy_in(const statement& s, std::string_view rows);
  // COPY ... TO STDOUT: hands out row after row (with the format's own framing) until the end.
  void copy_out(const statement& s, const std::function<void(std::string_view)>& take);

  // False after the server or the network ended it, or a change of the schema made what is prepared
  // here useless.
  [[nodiscard]] bool alive() const { return wire_.alive(); }
  // The login has been replaced since it was opened, and no transaction needs it any more.
  [[nodiscard]] bool superseded() const;
  [[nodiscard]] const db_target& target() const { return target_; }
  // What contents are hashed with. Asked for once a connection, and made where it is missing: then
  // rows look changed once, and are written anew.
  [[nodiscard]] const content_key& key();
  // db_options::handover_after, as PostgreSQL reads an interval.
  [[nodiscard]] std::string handover_after() const;
  // How much of what the provider sends may be written.
  [[nodiscard]] const sync_limits& limits() const { return limits_; }

 private:
  pg_connection(const db_options& options, const login_source::version& as);
  void check_session();
  const std::string* prepared(const std::string& sql, const char* name, bool now = false);
  void send(const std::string& sql, const std::string* name, const sql_values& values,
            bool binary_result = false);

  db_options options_;
  sync_limits limits_;
  std::uint64_t login_number_;
  pg_wire wire_;
  db_target target_;
  std::optional<content_key> key_;
  bool pooled_ = false;  // nothing can be prepared by name
  bool in_transaction_ = false;
  // By their text; an empty name: it was run once, and is not prepared yet.
  std::unordered_map<std::string, std::string> prepared_;
  int prepared_count_ = 0;
};

// One row that fetch() hands out; no column of it is null.
class pg_connection::binary_row {
 public:
  binary_row(const PGresult* from, int row) : from_(from), row_(row) {}
  [[nodiscard]] std::string_view field(int column) const {
    return {PQgetvalue(from_, row_, column),
            static_cast<std::size_t>(PQgetlength(from_, row_, column))};
  }
  [[nodiscard]] bool flag(int column) const { return field(column).at(0) != 0; }
  // Of type integer.
  [[nodiscard]] std::int32_t integer(int column) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
      value = value << 8 | static_cast<unsigned char>(field(column).at(i));
    return static_cast<std::int32_t>(value);
  }
  // Of a column that says `... - date '2000-01-01'`.
  [[nodiscard]] day date(int column) const {
    return day{std::chrono::days{10'957 + integer(column)}};
  }

 private:
  const PGresult* from_;
  int row_;
};

}  // namespace flanks
