#include "db/pg/connection.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <array>

namespace flanks {

namespace {

namespace chr = std::chrono;

// How often it is looked whether a statement without a limit (a migration) still runs.
constexpr chr::seconds look_again{10};
constexpr std::size_t copy_piece = 256 * 1024;

std::string commented(const statement& s) {
  return fmt::format("/* flanks-sync {} */ {}", s.name, s.text);
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

// Planning anew took as long as the statements. What is disabled is not forbidden but costs 1e10,
// for which PostgreSQL would compile the statement: 800 ms for one that takes 1.
constexpr statement by_key{"by_key", R"(
set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off; set local enable_hashjoin = off;
set local enable_mergejoin = off; set local jit = off)"};

// Whether the server says, over another connection, that a statement runs. By our comment: a pooler
// tells us no process of the server.
bool still_works(db_options other, const char* name) {
  constexpr statement look{"look_for_statement", R"(
select exists (select from pg_stat_activity where pid <> pg_backend_pid() and state = 'active'
  and datname = current_database() and starts_with(query, $1)))"};
  other.statement_timeout = other.lock_timeout = look_again;
  try {
    pg_connection db(other);
    return db.run(look, sql_values(fmt::format("/* flanks-sync {} */", name)))[0][0].as<bool>();
  } catch (const sql_problem& problem) {
    return !problem.lost;
  } catch (const failure& f) {
    // One that lets nobody else in (too many clients) does speak.
    return f.error_class != "database_silent" && f.error_class != "database_unreachable" &&
           f.error_class != "database_starting";
  }
}

// Only what may take any time (a migration) is looked after.
bool is_unlimited(const db_options& options) {
  return options.statement_timeout.count() == 0;
}

chr::seconds patience_of(const db_options& options) {
  return is_unlimited(options) ? look_again : options.statement_timeout + options.answer_grace;
}

std::function<bool(const char*)> looks_of(const db_options& options) {
  if (!is_unlimited(options)) return nullptr;
  return [options](const char* name) { return still_works(options, name); };
}

// Tells how long a statement took, also when it failed.
class statement_timer {
 public:
  statement_timer(db_observer* told, const char* name) : told_(told), name_(name) {}
  ~statement_timer() {
    if (told_ != nullptr) told_->ran(name_, chr::steady_clock::now() - begun_);
  }
  statement_timer(const statement_timer&) = delete;
  statement_timer& operator=(const statement_timer&) = delete;

 private:
  db_observer* told_;
  const char* name_;
  chr::steady_clock::time_point begun_ = chr::steady_clock::now();
};

}  // namespace

pg_connection::pg_connection(const db_options& options)
    : pg_connection(options, options.login->current()) {}

pg_connection::pg_connection(const db_options& options, const login_source::version& as)
    : options_(options),
      limits_(options.limits),
      login_number_(as.number),
      wire_(open_connection(options, as.who), patience_of(options), looks_of(options)),
      target_(target_of(wire_.get())) {
  try {
    check_session();
  } catch (const sql_problem& problem) {
    throw statement_failure(target_, problem, stage::database);
  }
}

void pg_connection::check_session() {
  const std::string settings = settings_query();
  const pg_rows found = run(statement{"check_settings", settings.c_str()});
  check_settings(target_, found);
  pooled_ = !options_arrived(found);
}

pg_connection::~pg_connection() {
  rollback();
}

bool pg_connection::superseded() const {
  return !in_transaction_ && options_.login->number() != login_number_;
}

std::string pg_connection::handover_after() const {
  return fmt::format("{} seconds", options_.handover_after.count());
}

const content_key& pg_connection::key() {
  constexpr statement read{"read_content_key", "select content_key from flanks_internal.secrets"};
  constexpr statement make{"make_secrets", R"(
insert into flanks_internal.secrets default values on conflict do nothing)"};
  const auto take = [&](const binary_row& r) { key_.emplace(r.field(0)); };
  if (!key_) fetch(read, sql_values{}, take);
  if (!key_) {
    run(make);
    fetch(read, sql_values{}, take);
  }
  return key_.value();
}

pg_rows pg_connection::run(const statement& s, const sql_values& values) {
  const statement_timer timer(options_.observer, s.name);
  refuse_nul(s.name, values);
  const std::string sql = commented(s);
  const std::string* const name = values.get().empty() ? nullptr : prepared(sql, s.name);
  wire_.start(s.name);
  if (values.get().empty()) {
    if (PQsendQuery(wire_.get(), sql.c_str()) != 1) wire_.raise(s.name, nullptr);
  } else {
    send(sql, name, values);
  }
  return wire_.finish(s.name);
}

// Its name at the server; null the first time: what is run once only is not worth preparing.
const std::string* pg_connection::prepared(const std::string& sql, const char* name, bool now) {
  if (pooled_) return nullptr;
  const auto [at, first_time] = prepared_.try_emplace(sql);
  if (first_time && !now) return nullptr;
  if (at->second.empty()) {
    const std::string chosen = fmt::format("{}_{}", name, ++prepared_count_);
    wire_.start(name);
    if (PQsendPrepare(wire_.get(), chosen.c_str(), sql.c_str(), 0, nullptr) != 1)
      wire_.raise(name, nullptr);
    (void)wire_.finish(name);
    at->second = chosen;
  }
  return &at->second;
}

// By its name, or else as a whole.
void pg_connection::send(const std::string& sql, const std::string* name, const sql_values& values,
                         bool binary_result) {
  std::vector<const char*> texts;
  std::vector<int> sizes, formats;
  for (const auto& value : values.get()) {
    formats.push_back(values.is_bytes(texts.size()) ? 1 : 0);
    sizes.push_back(value ? static_cast<int>(value->size()) : 0);
    texts.push_back(value ? value->c_str() : nullptr);
  }
  const int count = static_cast<int>(texts.size()), binary = binary_result ? 1 : 0;
  const int sent = name != nullptr
                       ? PQsendQueryPrepared(wire_.get(), name->c_str(), count, texts.data(),
                                             sizes.data(), formats.data(), binary)
                       : PQsendQueryParams(wire_.get(), sql.c_str(), count, nullptr, texts.data(),
                                           sizes.data(), formats.data(), binary);
  if (sent != 1) wire_.raise(wire_.running(), nullptr);
}

void pg_connection::fetch(const statement& s, const sql_values& values,
                          const std::function<void(const binary_row&)>& take) {
  const statement_timer timer(options_.observer, s.name);
  refuse_nul(s.name, values);
  const std::string sql = commented(s);
  const std::string* const name = prepared(sql, s.name, true);
  wire_.start(s.name);
  send(sql, name, values, true);
  const pg_rows result = wire_.finish(s.name);
  for (int row = 0; row < static_cast<int>(result.size()); ++row)
    take(binary_row(result.get(), row));
}

void pg_connection::run_together(const std::vector<call>& calls,
                                 const std::function<void(const binary_row&)>& take) {
  std::vector<std::pair<std::string, const std::string*>> texts;
  for (const call& c : calls) {
    refuse_nul(c.what.name, c.values);
    texts.emplace_back(commented(c.what), nullptr);
    texts.back().second = prepared(texts.back().first, c.what.name, true);
  }
  wire_.start(calls.front().what.name);
  PQenterPipelineMode(wire_.get());
  for (std::size_t i = 0; i < calls.size(); ++i)
    send(texts[i].first, texts[i].second, calls[i].values, take != nullptr);
  PQpipelineSync(wire_.get());
  wire_.flush();
  const call* first_failed = nullptr;
  std::size_t failed_at = 0;
  std::vector<pg_rows::owned> results;
  for (const call& c : calls) {
    wire_.start(c.what.name);  // each has its own time at the server as well
    const statement_timer timer(options_.observer, c.what.name);
    results.push_back(wire_.next_result());
    if (!pg_wire::is_good(PQresultStatus(results.back().get())) && first_failed == nullptr)
      first_failed = &c, failed_at = results.size() - 1;
    (void)wire_.next_result();  // null: the end of this one's results
  }
  const pg_rows::owned sync = wire_.next_result();
  PQexitPipelineMode(wire_.get());
  if (first_failed != nullptr) wire_.raise(first_failed->what.name, results[failed_at].get());
  if (PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) wire_.raise(wire_.running(), sync.get());
  if (!take) return;
  for (const pg_rows::owned& result : results) {
    for (int row = 0; row < PQntuples(result.get()); ++row)
      take(binary_row(result.get(), row));
  }
}

void pg_connection::begin() {
  const statement_timer timer(options_.observer, "begin");
  wire_.command("begin", "begin");
  in_transaction_ = true;
}

void pg_connection::force_index_plans() {
  run(by_key);
}

void pg_connection::commit() {
  const statement_timer timer(options_.observer, "commit");
  // Whatever happens, this transaction is over.
  in_transaction_ = false;
  try {
    wire_.start("commit");
    if (PQsendQuery(wire_.get(), "commit") != 1) wire_.raise("commit", nullptr);
    const pg_rows done = wire_.finish("commit");
    // What COMMIT answers in a transaction that has failed (PostgreSQL 15, COMMIT).
    if (done.command() == "ROLLBACK")
      wire_.raise(sql_problem("commit", "25P02", "the transaction had failed and was rolled back"));
  } catch (sql_problem& problem) {
    // A server that has said why has not committed; one that is gone may have.
    problem.in_doubt = problem.lost && problem.sqlstate.empty();
    throw;
  }
}

void pg_connection::rollback() noexcept {
  if (!std::exchange(in_transaction_, false)) return;
  const statement_timer timer(options_.observer, "rollback");
  try {
    if (wire_.is_open()) wire_.command("rollback", "rollback");
  } catch (...) {  // NOLINT: the server rolls back by itself when the connection is gone
  }
}

std::int64_t pg_connection::copy_in(const statement& s,
                                    const std::function<bool(std::string&)>& next) {
  const statement_timer timer(options_.observer, s.name);
  const std::string sql = commented(s);
  wire_.command(s.name, sql.c_str());
  std::string piece;
  bool sent = true;
  for (bool more = true; sent && more;) {
    piece.clear();
    while (more && piece.size() < copy_piece)
      more = next(piece);
    int taken = 0;
    while (sent && taken == 0) {
      taken = PQputCopyData(wire_.get(), piece.data(), static_cast<int>(piece.size()));
      sent = taken >= 0;
      // Also after a piece that was taken: what libpq holds back is memory.
      if (sent) wire_.flush();
    }
  }
  // Even when sending failed: the server's own words come with the result.
  while (PQputCopyEnd(wire_.get(), sent ? nullptr : "sending failed") == 0)
    wire_.flush();
  return wire_.finish(s.name).affected_rows();
}

std::int64_t pg_connection::copy_in(const statement& s, std::string_view rows) {
  return copy_in(s, [&](std::string& piece) {
    piece.append(rows.substr(0, copy_piece));
    rows.remove_prefix(std::min(rows.size(), copy_piece));
    return !rows.empty();
  });
}

void pg_connection::copy_out(const statement& s,
                             const std::function<void(std::string_view)>& take) {
  const statement_timer timer(options_.observer, s.name);
  const std::string sql = commented(s);
  wire_.command(s.name, sql.c_str());
  for (;;) {
    char* row = nullptr;
    const int length = PQgetCopyData(wire_.get(), &row, 1);
    if (length < 0) break;  // -1 the end, -2 an error: finish() tells them apart
    if (length == 0) {
      wire_.wait(POLLIN);
      if (PQconsumeInput(wire_.get()) == 0) break;
      continue;
    }
    const std::unique_ptr<char, decltype(&PQfreemem)> owned(row, &PQfreemem);
    take({row, static_cast<std::size_t>(length)});
  }
  (void)wire_.finish(s.name);
}

}  // namespace flanks
