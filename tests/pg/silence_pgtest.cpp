// A server that takes everything and says nothing: each wait for it ends by our own deadline, and
// the next one goes on with another connection.
#include <fmt/format.h>
#include <signal.h>

#include <thread>

#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::HasSubstr;

// Stops a process of the server and lets it go on at the end.
class stopped {
 public:
  explicit stopped(pid_t pid) : pid_(pid) { EXPECT_EQ(::kill(pid_, SIGSTOP), 0); }
  ~stopped() { ::kill(pid_, SIGCONT); }
  stopped(const stopped&) = delete;
  stopped& operator=(const stopped&) = delete;

 private:
  pid_t pid_;
};

class silence : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    options_.statement_timeout = std::chrono::seconds{1};
    options_.answer_grace = std::chrono::seconds{1};
    options_.connect_timeout = std::chrono::seconds{2};
    store_ = make_store(loop_.get_executor(), options_);
  }
  static pid_t backend_of(pg_connection& db) {
    return db.run(statement{"pid", "select pg_backend_pid()"})[0][0].as<int>();
  }
  template <class Work>
  void expect_silence(const char* what, Work work, bool in_doubt = false) {
    pg_connection db(options_);
    db.begin();
    const stopped backend(backend_of(db));
    try {
      work(db);
      ADD_FAILURE() << what << " got an answer";
    } catch (const sql_problem& problem) {
      EXPECT_EQ(problem.statement, what);
      EXPECT_EQ(problem.silent_for, std::chrono::seconds{2}) << problem.what();
      EXPECT_TRUE(problem.lost);
      EXPECT_EQ(problem.in_doubt, in_doubt);
    }
    EXPECT_FALSE(db.alive());
    EXPECT_FALSE(db.in_transaction());
  }
};

TEST_F(silence, ends_each_wait_by_its_name) {
  constexpr statement one{"one", "select $1::text"};
  constexpr statement plain{"plain", "select 1"};
  constexpr statement in{"copy_in", "copy flanks.entities (entity_id) from stdin"};
  constexpr statement out{"copy_out", "copy flanks.entities to stdout"};
  expect_silence("plain", [&](pg_connection& db) { db.run(plain); });
  expect_silence("one", [&](pg_connection& db) { db.run(one, sql_values("x")); });
  expect_silence("one",
                 [&](pg_connection& db) { db.fetch(one, sql_values("x"), [](const auto&) {}); });
  expect_silence("one", [&](pg_connection& db) { db.run_together({{one, sql_values("x")}}); });
  expect_silence("copy_in", [&](pg_connection& db) { db.copy_in(in, "a\n"); });
  expect_silence("copy_out", [&](pg_connection& db) { db.copy_out(out, [](std::string_view) {}); });
  expect_silence("begin", [&](pg_connection& db) { db.begin(); });
  expect_silence(
      "commit", [&](pg_connection& db) { db.commit(); }, true);
}

TEST_F(silence, in_the_middle_of_a_copy_ends_it) {
  constexpr statement in{"copy_in", "copy flanks.entities (entity_id) from stdin"};
  pg_connection db(options_);
  db.begin();
  const pid_t pid = backend_of(db);
  // More than the buffers of a socket hold; the server stops while it comes.
  sql("create function public.doze() returns trigger language plpgsql as $$ begin perform "
      "pg_sleep(0.2); return new; end $$");
  sql("create trigger doze before insert on flanks.entities for each row execute function "
      "public.doze()");
  std::string rows;
  for (int i = 0; i < 1000; ++i)
    rows += std::to_string(i) + std::string(8000, 'x') + "\n";
  std::thread freezer([&] {
    wait_for("wait_event = 'PgSleep'", true);
    ::kill(pid, SIGSTOP);
  });
  try {
    db.copy_in(in, rows);
    ADD_FAILURE() << "it got through";
  } catch (const sql_problem& problem) {
    EXPECT_EQ(problem.silent_for, std::chrono::seconds{2}) << problem.what();
  }
  freezer.join();
  ::kill(pid, SIGCONT);
  EXPECT_EQ(value("select count(*) from flanks.entities"), "0");
}

TEST_F(silence, is_told_in_words_and_the_next_one_goes_on) {
  (void)run(store_->next_due());
  const auto pids = rows(
      "select pid from pg_stat_activity where datname = current_database() and "
      "application_name = 'flanks-sync' and pid <> pg_backend_pid()");
  ASSERT_EQ(pids.size(), 1U);
  {
    const stopped backend(std::stoi(pids[0]));
    const failure f = failure_of([&] { (void)run(store_->next_due()); });
    EXPECT_EQ(f.error_class, "database_silent");
    EXPECT_EQ(f.verdict, verdict::retry);
    EXPECT_EQ(
        std::string(f.what()),
        fmt::format("next_due had no answer from database \"{}\" at {} in 2 s; the connection "
                    "was given up",
                    database_, value("show unix_socket_directories")));
    EXPECT_THAT(f.hint, HasSubstr("keeps the connection and says nothing"));
    EXPECT_NO_THROW((void)run(store_->next_due())) << "over another connection";
  }
}

TEST_F(silence, of_a_statement_without_a_limit_is_told_from_work) {
  options_.statement_timeout = std::chrono::seconds{0};
  options_.connect_timeout = std::chrono::seconds{2};
  {
    pg_connection db(options_);  // looked after every 10 seconds
    EXPECT_NO_THROW(db.run(statement{"long", "select pg_sleep(12)"}));
  }
  pg_connection db(options_);
  const stopped backend(backend_of(db));
  try {
    db.run(statement{"long", "select 1"});
    ADD_FAILURE() << "it got an answer";
  } catch (const sql_problem& problem) {
    EXPECT_EQ(problem.silent_for, std::chrono::seconds{10});
  }
}

TEST_F(silence, is_none_when_the_answer_came_while_we_were_stopped) {
  constexpr statement out{"copy_out",
                          "copy (select repeat('x', 8000) from generate_series(1, 20)) to stdout"};
  pg_connection db(options_);
  int taken = 0;
  db.copy_out(out, [&](std::string_view) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{2100};
    while (taken == 0 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    ++taken;
  });
  EXPECT_EQ(taken, 20);
}

TEST_F(silence, of_a_server_that_lets_nobody_in_ends_at_connect_timeout) {
  const auto postmaster = rows("select split_part(pg_read_file('postmaster.pid'), chr(10), 1)");
  const stopped server(std::stoi(postmaster.at(0)));
  const auto begun = std::chrono::steady_clock::now();
  const failure f = failure_of([&] { const pg_connection db(options_); });
  EXPECT_EQ(f.error_class, "database_unreachable");
  EXPECT_THAT(f.what(), HasSubstr("timeout expired"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
}

}  // namespace flanks::testing
