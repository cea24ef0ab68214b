#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

std::string server_dsn() {
  const char* dsn = std::getenv("FLANKS_TEST_DSN");
  if (dsn == nullptr) throw std::runtime_error("run me through tests/support/with-postgres");
  return dsn;
}

db_options options_for(const std::string& database) {
  return db_options{
      .login = fixed_login(server_dsn() + " dbname=" + database),
      .connections = 3,
      .open_windows = 20,
      .connect_timeout = std::chrono::seconds{10},
      .statement_timeout = std::chrono::seconds{120},
      .lock_timeout = std::chrono::seconds{5},
      .idle_in_transaction_timeout = std::chrono::seconds{600},
      .lease_time = std::chrono::seconds{120},
      .handover_after = std::chrono::days{30},
      .query = {},
      .limits = {},
  };
}

std::vector<std::string> query(const db_options& options, const std::string& sql) {
  pg_connection db(options);
  std::vector<std::string> out;
  for (const auto& r : db.run(statement{"test", sql.c_str()})) {
    std::string line;
    for (int column = 0; column < r.size(); ++column) {
      const pg_value field = r[column];
      if (!line.empty()) line += '|';
      line += field.is_null() ? "-" : field.c_str();
    }
    out.push_back(line);
  }
  return out;
}

std::string create_database(const std::string& from_template) {
  static int number = 0;
  const std::string name = fmt::format("test_{}_{}", getpid(), ++number);
  query(options_for("postgres"),
        fmt::format("create database {} template {}", name, from_template));
  return name;
}

void drop_database(const std::string& name) {
  query(options_for("postgres"), fmt::format("drop database if exists {} with (force)", name));
}

transaction_batch batch_of(const std::vector<sample>& samples) {
  transaction_batch batch;
  for (const sample& s : samples) {
    transaction t;
    const auto set = [&](column c, std::string_view text) {
      t.values[static_cast<std::size_t>(c)] = batch.text.copy(text);
    };
    set(column::id, s.id);
    set(column::operation_date, s.date);
    set(column::amount, s.amount);
    set(column::currency, "EUR");
    if (s.description) set(column::description, *s.description);
    if (s.extra) set(column::extra, *s.extra);
    if (s.account) set(column::account_id, *s.account);
    batch.transactions.push_back(t);
  }
  return batch;
}

rejected_record rejected(const std::string& reason, const std::string& raw) {
  return {reason, "for a test", "", raw, false, false};
}

namespace {

// Migrated once a process.
const std::string& template_database() {
  static const std::string name = [] {
    const std::string made = create_database("template0");
    (void)migrate::migrator(options_for(made)).up(std::chrono::seconds{5}, [](const auto&) {});
    return made;
  }();
  return name;
}

}  // namespace

void database_test::SetUp() {
  database_ = create_database(template_database());
  options_ = options_for(database_);
  store_ = make_store(loop_.get_executor(), options_);
}

void database_test::TearDown() {
  store_.reset();
  drop_database(database_);
}

credential_id database_test::add(const std::string& user, const std::string& token) {
  return registry(options_).add(user_id{user}, secret(token));
}

std::string database_test::value(const std::string& text) {
  const auto found = rows(text);
  return found.size() == 1 ? found[0] : fmt::format("{} rows", found.size());
}

claimed_credential database_test::claim(credential_id id) {
  auto claimed = run(store_->claim(id));
  if (!claimed) throw std::runtime_error("could not claim");
  return std::move(*claimed);
}

run_record database_test::record_for(const claimed_credential& c, product what, window days) {
  run_record record;
  record.run_id = "11111111-2222-3333-4444-555555555555";
  record.credential = c.id;
  record.what = what;
  record.days = days;
  record.started_at = refreshed_at;
  return record;
}

run_record database_test::commit(window_ledger& window, run_record record,
                                 window_evidence evidence) {
  absent_rows absent;
  return run(window.commit(std::move(record), std::move(evidence), absent));
}

row_counts database_test::store_batches(const claimed_credential& c,
                                        std::vector<transaction_batch> batches, product what,
                                        window days) {
  const auto ledger =
      run(store_->open_window(c.id, c.lease, what, days, std::nullopt, comparing::fingerprints));
  for (transaction_batch& batch : batches)
    run(ledger->apply(std::move(batch)));
  return commit(*ledger, record_for(c, what, days)).counts;
}

row_counts database_test::store_window(credential_id id, std::vector<sample> samples, product what,
                                       window days) {
  const claimed_credential c = claim(id);
  std::vector<transaction_batch> batches;
  batches.push_back(batch_of(samples));
  const row_counts counts = store_batches(c, std::move(batches), what, days);
  release(c);
  return counts;
}

void database_test::release(const claimed_credential& c) {
  next_attempt next{};
  next.state = credential_state::ok;
  next.delay = std::chrono::hours{1};
  run(store_->release(c.id, c.lease, next));
}

void database_test::wait_for(const std::string& others, bool some) {
  pg_connection db(options_);
  const std::string text =
      "select count(*), pg_stat_clear_snapshot()::text from pg_stat_activity where datname = "
      "current_database() and " +
      others;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while ((db.run(statement{"test", text.c_str()})[0][0].as<int>() > 0) != some) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error((some ? "nobody is: " : "somebody still is: ") + others);
  }
}

void database_test::wait_until_alone() {
  wait_for("pid <> pg_backend_pid()", false);
}

void database_test::wait_for_a_waiter() {
  wait_for("wait_event_type = 'Lock'", true);
}

}  // namespace flanks::testing
