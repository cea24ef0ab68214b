#include "db/session.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

namespace flanks {

namespace {

// libpq's keyword/value arrays; the texts live in `texts`.
struct conninfo {
  std::vector<std::pair<std::string, std::string>> settings;

  void set(const char* key, std::string value) { settings.emplace_back(key, std::move(value)); }
  // What the dsn says itself wins over our default.
  void set_default(const char* key, std::string value) {
    for (const auto& [k, v] : settings) {
      if (k == key) return;
    }
    set(key, std::move(value));
  }
};

// Parses the dsn. Its message names the mistake and never the password.
conninfo parse(const std::string& dsn) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(dsn.c_str(), &message), &PQconninfoFree);
  if (!parsed) {
    const std::unique_ptr<char, decltype(&PQfreemem)> owned(message, &PQfreemem);
    // libpq quotes the piece that it did not understand: it may be a piece of a password.
    failure f(stage::configuration, verdict::stop, "database_dsn",
              "database.dsn is not a valid conninfo or URI");
    f.hint = "as in: host=db port=5432 dbname=mirror user=flanks_sync";
    throw f;
  }
  conninfo result;
  for (const PQconninfoOption* o = parsed.get(); o->keyword != nullptr; ++o) {
    if (o->val != nullptr) result.set(o->keyword, o->val);
  }
  return result;
}

conninfo settings_of(const db_options& o) {
  conninfo c = parse(o.dsn);
  const auto seconds = [](std::chrono::seconds s) { return std::to_string(s.count()); };
  // Ours first: what the dsn's own options say comes later on the server's command line, and wins.
  std::string options = fmt::format(
      "-c statement_timeout={}s -c lock_timeout={}s -c idle_in_transaction_session_timeout={}s "
      "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c search_path=pg_catalog "
      "-c standard_conforming_strings=on -c jit=off",
      o.statement_timeout.count(), o.lock_timeout.count(), o.idle_in_transaction_timeout.count());
  for (auto& [key, value] : c.settings) {
    if (key == "options") value = options + " " + value, options.clear();
  }
  if (!options.empty()) c.set("options", options);
  c.set_default("application_name", o.application_name);
  c.set_default("client_encoding", "UTF8");
  c.set_default("connect_timeout", seconds(o.connect_timeout));
  c.set_default("keepalives", "1");
  c.set_default("keepalives_idle", "30");
  c.set_default("keepalives_interval", "10");
  c.set_default("keepalives_count", "3");
  c.set_default("tcp_user_timeout", std::to_string(o.network_timeout.count() * 1000));
  return c;
}

db_target target_of(const PGconn* conn) {
  const auto text = [](const char* s) { return std::string(s == nullptr ? "" : s); };
  db_target t{text(PQdb(conn)), text(PQhost(conn)), text(PQport(conn)), text(PQuser(conn))};
  if (t.host.empty()) t.host = "localhost";
  return t;
}

using pg_connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

pg_connection connect(const db_options& o) {
  const conninfo c = settings_of(o);
  std::vector<const char*> keys, texts;
  for (const auto& [key, value] : c.settings)
    keys.push_back(key.c_str()), texts.push_back(value.c_str());
  if (!o.password.empty()) {
    keys.push_back("password");
    texts.push_back(o.password.reveal().c_str());
  }
  keys.push_back(nullptr);
  texts.push_back(nullptr);
  pg_connection open(PQconnectdbParams(keys.data(), texts.data(), 0), &PQfinish);
  if (!open || PQstatus(open.get()) != CONNECTION_OK) {
    throw connect_failure(target_of(open.get()),
                          open ? PQerrorMessage(open.get()) : "out of memory");
  }
  // Every text that the provider may send must have a place: only UTF8 has one for all of them.
  const char* const encoding = PQparameterStatus(open.get(), "server_encoding");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
    failure f(stage::configuration, verdict::stop, "database_encoding",
              fmt::format("{} has the encoding {}, not UTF8", target_of(open.get()).text(),
                          encoding == nullptr ? "unknown" : encoding));
    f.hint = "create it anew: create database ... encoding 'UTF8' template template0";
    throw f;
  }
  // Only the primary message: details and context quote rows and parameters.
  PQsetErrorVerbosity(open.get(), PQERRORS_TERSE);
  return open;
}

// libpqxx 6.4 drops the SQLSTATE of many errors that it has a class for, and of every rollback.
std::string state_of(const pqxx::failure& e) {
  if (const auto* sql = dynamic_cast<const pqxx::sql_error*>(&e); sql && !sql->sqlstate().empty()) {
    return sql->sqlstate();
  }
  const auto is = [&](auto* type) { return dynamic_cast<decltype(type)>(&e) != nullptr; };
  if (is(static_cast<const pqxx::deadlock_detected*>(nullptr))) return "40P01";
  if (is(static_cast<const pqxx::transaction_rollback*>(nullptr))) return "40001";
  if (is(static_cast<const pqxx::insufficient_privilege*>(nullptr))) return "42501";
  if (is(static_cast<const pqxx::undefined_table*>(nullptr))) return "42P01";
  if (is(static_cast<const pqxx::undefined_column*>(nullptr))) return "42703";
  if (is(static_cast<const pqxx::undefined_function*>(nullptr))) return "42883";
  if (is(static_cast<const pqxx::syntax_error*>(nullptr))) return "42601";
  if (is(static_cast<const pqxx::not_null_violation*>(nullptr))) return "23502";
  if (is(static_cast<const pqxx::foreign_key_violation*>(nullptr))) return "23503";
  if (is(static_cast<const pqxx::unique_violation*>(nullptr))) return "23505";
  if (is(static_cast<const pqxx::check_violation*>(nullptr))) return "23514";
  if (is(static_cast<const pqxx::data_exception*>(nullptr))) return "22000";
  if (is(static_cast<const pqxx::feature_not_supported*>(nullptr))) return "0A000";
  if (is(static_cast<const pqxx::invalid_sql_statement_name*>(nullptr))) return "26000";
  if (is(static_cast<const pqxx::disk_full*>(nullptr))) return "53100";
  if (is(static_cast<const pqxx::out_of_memory*>(nullptr))) return "53200";
  return "";
}

// libpq takes the text of a parameter up to its first U+0000, and PostgreSQL holds none: what would
// be cut short is refused as the server refuses it in COPY.
void refuse_nul(const char* name, const sql_values& values) {
  for (std::size_t i = 0; i < values.get().size(); ++i) {
    const auto& value = values.get()[i];
    if (!value || values.is_bytes(i) || value->find('\0') == std::string::npos) continue;
    throw sql_problem(name, "22021",
                      fmt::format("${} holds U+0000, which PostgreSQL cannot store", i + 1));
  }
}

using pg_result = std::unique_ptr<PGresult, decltype(&PQclear)>;

// Planning anew took as long as the statements.
constexpr statement by_key{"by_key", R"(
set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off; set local enable_hashjoin = off;
set local enable_mergejoin = off)"};

}  // namespace

session::session(const db_options& options) : limits_(options.limits) {
  pg_connection open = connect(options);
  target_ = target_of(open.get());
  raw_ = open.get();
  connection_ = pqxx_compat::adopt(open.release());
  quiet_ = std::make_unique<pqxx::quiet_errorhandler>(*connection_);
}

session::~session() {
  rollback();
  quiet_.reset();
}

bool session::alive() const {
  return PQstatus(raw_) == CONNECTION_OK && !outdated_;
}

void session::raise(const char* name, std::string state, const std::string& message) {
  sql_problem problem(name, std::move(state), message);
  // A migration went by: the plan, or the statement, is not what it was (PostgreSQL manual,
  // PREPARE).
  if (problem.sqlstate == "0A000" || problem.sqlstate == "26000") outdated_ = true;
  problem.lost = !alive() || problem.sqlstate.starts_with("57P0") || problem.sqlstate == "25P03";
  throw problem;
}

template <class Work>
auto session::guarded(const char* name, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const pqxx::in_doubt_error& e) {
    sql_problem problem(name, "", e.what());
    problem.lost = problem.in_doubt = true;
    throw problem;
  } catch (const pqxx::broken_connection& e) {
    sql_problem problem(name, "", e.what());
    problem.lost = true;
    throw problem;
  } catch (const pqxx::failure& e) {
    raise(name, state_of(e), e.what());
  }
}

pqxx::result session::run(const statement& s, const sql_values& values) {
  refuse_nul(s.name, values);
  const std::string sql = fmt::format("/* flanks-sync {} */ {}", s.name, s.text);
  return guarded(s.name, [&] {
    const std::string* const name = values.get().empty() ? nullptr : prepared(sql, s.name);
    const auto execute = [&](pqxx::transaction_base& in) {
      return name == nullptr ? pqxx_compat::execute(in, sql, values.get())
                             : pqxx_compat::execute_prepared(in, *name, values.get());
    };
    if (transaction_) return execute(*transaction_);
    pqxx::nontransaction single(*connection_);
    pqxx::result result = execute(single);
    single.commit();
    return result;
  });
}

// Its name at the server; null the first time: what is run once only is not worth preparing.
const std::string* session::prepared(const std::string& sql, const char* name, bool now) {
  const auto [at, first_time] = prepared_.try_emplace(sql);
  if (first_time && !now) return nullptr;
  if (at->second.empty()) {
    const std::string chosen = fmt::format("{}_{}", name, ++prepared_count_);
    pqxx_compat::prepare(*connection_, chosen, sql);
    at->second = chosen;
  }
  return &at->second;
}

void session::send(const call& c, const std::string& name, bool binary_result) {
  std::vector<const char*> texts;
  std::vector<int> sizes, formats;
  for (const auto& value : c.values.get()) {
    formats.push_back(c.values.is_bytes(texts.size()) ? 1 : 0);
    sizes.push_back(value ? static_cast<int>(value->size()) : 0);
    texts.push_back(value ? value->c_str() : nullptr);
  }
  if (PQsendQueryPrepared(raw_, name.c_str(), static_cast<int>(texts.size()), texts.data(),
                          sizes.data(), formats.data(), binary_result ? 1 : 0) != 1) {
    raise(c.what.name, "", PQerrorMessage(raw_));
  }
}

void session::fetch(const statement& s, const sql_values& values,
                    const std::function<void(const binary_row&)>& take) {
  refuse_nul(s.name, values);
  const std::string sql = fmt::format("/* flanks-sync {} */ {}", s.name, s.text);
  const std::string& name = *guarded(s.name, [&] { return prepared(sql, s.name, true); });
  send({s, values}, name, true);
  pg_result result(nullptr, &PQclear);
  while (PGresult* next = PQgetResult(raw_))
    result.reset(next);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    raise(s.name, state == nullptr ? "" : state,
          result ? PQresultErrorMessage(result.get()) : PQerrorMessage(raw_));
  }
  for (int row = 0; row < PQntuples(result.get()); ++row)
    take(binary_row(result.get(), row));
}

void session::run_together(const std::vector<call>& calls,
                           const std::function<void(const binary_row&)>& take) {
  std::vector<const std::string*> names;
  for (const call& c : calls) {
    refuse_nul(c.what.name, c.values);
    const std::string sql = fmt::format("/* flanks-sync {} */ {}", c.what.name, c.what.text);
    names.push_back(guarded(c.what.name, [&] { return prepared(sql, c.what.name, true); }));
  }
  PQenterPipelineMode(raw_);
  for (std::size_t i = 0; i < calls.size(); ++i)
    send(calls[i], *names[i], take != nullptr);
  PQpipelineSync(raw_);
  const char* failed = nullptr;
  std::string state, message;
  std::vector<pg_result> results;
  for (const call& c : calls) {
    const pg_result& result = results.emplace_back(PQgetResult(raw_), &PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && failed == nullptr) {
      failed = c.what.name;
      const char* found = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      state = found == nullptr ? "" : found;
      message = result ? PQresultErrorMessage(result.get()) : PQerrorMessage(raw_);
    }
    const pg_result end(PQgetResult(raw_), &PQclear);  // null: the end of this one's results
  }
  const pg_result sync(PQgetResult(raw_), &PQclear);
  PQexitPipelineMode(raw_);
  if (failed != nullptr) raise(failed, state, message);
  if (PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC)
    raise(calls.back().what.name, "", PQerrorMessage(raw_));
  if (!take) return;
  for (const pg_result& result : results) {
    for (int row = 0; row < PQntuples(result.get()); ++row)
      take(binary_row(result.get(), row));
  }
}

void session::begin() {
  guarded("begin", [&] { transaction_ = std::make_unique<pqxx::work>(*connection_); });
}

void session::go_by_key() {
  run(by_key);
}

void session::commit() {
  // Whatever happens, this transaction is over.
  const std::unique_ptr<pqxx::work> ending = std::move(transaction_);
  guarded("commit", [&] { ending->commit(); });
}

void session::rollback() noexcept {
  try {
    transaction_.reset();
  } catch (...) {  // NOLINT: the server rolls back by itself when the connection is gone
  }
}

std::int64_t session::copy_in(const statement& s, std::string_view rows) {
  const std::string sql = fmt::format("/* flanks-sync {} */ {}", s.name, s.text);
  const pg_result started(PQexec(raw_, sql.c_str()), &PQclear);
  if (PQresultStatus(started.get()) != PGRES_COPY_IN) {
    const char* state = PQresultErrorField(started.get(), PG_DIAG_SQLSTATE);
    raise(s.name, state == nullptr ? "" : state, PQerrorMessage(raw_));
  }
  constexpr std::size_t piece = 256 * 1024;
  bool sent = true;
  for (std::size_t at = 0; sent && at < rows.size(); at += piece) {
    const std::string_view part = rows.substr(at, piece);
    sent = PQputCopyData(raw_, part.data(), static_cast<int>(part.size())) == 1;
  }
  // Even when sending failed: the server's own words come with the result.
  PQputCopyEnd(raw_, sent ? nullptr : "sending failed");
  return finish_copy(s.name);
}

void session::copy_out(const statement& s, const std::function<void(std::string_view)>& take) {
  const std::string sql = fmt::format("/* flanks-sync {} */ {}", s.name, s.text);
  const pg_result started(PQexec(raw_, sql.c_str()), &PQclear);
  if (PQresultStatus(started.get()) != PGRES_COPY_OUT) {
    const char* state = PQresultErrorField(started.get(), PG_DIAG_SQLSTATE);
    raise(s.name, state == nullptr ? "" : state, PQerrorMessage(raw_));
  }
  for (;;) {
    char* row = nullptr;
    const int length = PQgetCopyData(raw_, &row, 0);
    if (length < 0) break;  // -1 the end, -2 an error: finish_copy tells them apart
    const std::unique_ptr<char, decltype(&PQfreemem)> owned(row, &PQfreemem);
    take({row, static_cast<std::size_t>(length)});
  }
  finish_copy(s.name);
}

// Reads results until there are none, so that the connection can go on, then throws what the first
// error said.
std::int64_t session::finish_copy(const char* name) {
  std::int64_t rows = 0;
  std::string state, message;
  bool failed = false;
  while (PGresult* next = PQgetResult(raw_)) {
    const pg_result result(next, &PQclear);
    const ExecStatusType status = PQresultStatus(next);
    // Still in COPY: only a broken connection leaves it there; do not spin.
    const bool stuck = status == PGRES_COPY_IN || status == PGRES_COPY_OUT;
    if (status == PGRES_COMMAND_OK) rows = std::strtoll(PQcmdTuples(next), nullptr, 10);
    if (status == PGRES_COMMAND_OK || failed) {
      if (stuck) break;
      continue;
    }
    failed = true;
    const char* found = PQresultErrorField(next, PG_DIAG_SQLSTATE);
    state = found == nullptr ? "" : found;
    message = PQresultErrorMessage(next);
    if (stuck) break;
  }
  if (failed) raise(name, state, message);
  if (!alive()) raise(name, "", PQerrorMessage(raw_));
  return rows;
}

}  // namespace flanks
