// A database of its own for every test, copied from one that was migrated once; and a loop to run
// the store's coroutines on. The server comes from tests/support/with-postgres.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/commands/migrate.hpp"
#include "db/commands/registry.hpp"
#include "db/pg/connection.hpp"
#include "db/pg_store.hpp"

namespace flanks::testing {

// The server's conninfo, without a database.
std::string server_dsn();
// "dbname=... " added to it.
db_options options_for(const std::string& database);
// A new empty database; drop_database() takes it away, whoever is connected.
std::string create_database(const std::string& from_template);
void drop_database(const std::string& name);
// One statement on a connection of its own; the rows as text, columns joined by '|', null as "-".
std::vector<std::string> query(const db_options& options, const std::string& sql);

// Runs `loop` until this coroutine is done (others may still wait), and gives or throws its result.
template <class T>
T run_on(boost::asio::io_context& loop, boost::asio::awaitable<T> work) {
  std::optional<T> result;
  std::exception_ptr error;
  bool done = false;
  boost::asio::co_spawn(loop, std::move(work), [&](std::exception_ptr e, T value) {
    done = true;
    error = e;
    if (!e) result.emplace(std::move(value));
  });
  loop.restart();
  while (!done)
    loop.run_one();
  if (error) std::rethrow_exception(error);
  return std::move(*result);
}
inline void run_on(boost::asio::io_context& loop, boost::asio::awaitable<void> work) {
  std::exception_ptr error;
  bool done = false;
  boost::asio::co_spawn(loop, std::move(work),
                        [&](std::exception_ptr e) { done = true, error = e; });
  loop.restart();
  while (!done)
    loop.run_one();
  if (error) std::rethrow_exception(error);
}

// The failure that `work` throws; a test failure when it throws none.
template <class Work>
failure failure_of(Work work) {
  try {
    work();
  } catch (const failure& f) {
    return f;
  }
  ADD_FAILURE() << "nothing was thrown";
  return failure(stage::database, verdict::later, "", "");
}

// One operation as the parser would hand it on.
struct sample {
  std::string id;
  std::string date = "2026-05-10";
  std::string amount = "-12.50";
  std::optional<std::string> description = "coffee";
  std::optional<std::string> extra = std::nullopt;
  std::optional<std::string> account = std::nullopt;
};
transaction_batch batch_of(const std::vector<sample>& samples);
rejected_record rejected(const std::string& reason, const std::string& raw);

constexpr window may{day{std::chrono::year{2026} / 5 / 1}, day{std::chrono::year{2026} / 5 / 31}};
inline const window_evidence all_history{.provable = std::nullopt,
                                         .limits = {},
                                         .all_history = true,
                                         .window_days = std::nullopt,
                                         .history_days = std::nullopt};
constexpr instant refreshed_at{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

class database_test : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  credential_id add(const std::string& user, const std::string& token);
  std::vector<std::string> rows(const std::string& sql) { return query(options_, sql); }
  std::string value(const std::string& sql);
  void sql(const std::string& text) { query(options_, text); }
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    return run_on(loop_, std::move(work));
  }
  void run(boost::asio::awaitable<void> work) { run_on(loop_, std::move(work)); }

  claimed_credential claim(credential_id id);
  run_record record_for(const claimed_credential& c, product what = product::account,
                        window days = may);
  // One whole response, stored: claimed before it, released after it.
  row_counts store_window(credential_id id, std::vector<sample> samples,
                          product what = product::account, window days = may);
  row_counts store_batches(const claimed_credential& c, std::vector<transaction_batch> batches,
                           product what = product::account, window days = may);
  // Commits a window of one part.
  run_record commit(window_ledger& window, run_record record, window_evidence evidence = {});
  void release(const claimed_credential& c);
  // Until no other connection to the test's database is left.
  void wait_until_alone();
  // Until a connection to it waits for a lock.
  void wait_for_a_waiter();
  // Until some connections to it, or none, are as the condition on pg_stat_activity says.
  void wait_for(const std::string& others, bool some);

  std::string database_;
  db_options options_;
  boost::asio::io_context loop_;
  std::unique_ptr<store> store_;
};

}  // namespace flanks::testing
