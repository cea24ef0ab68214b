// What an operator reads when the database cannot be opened.
#include <fmt/format.h>

#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::HasSubstr;
using ::testing::Not;

class connection : public database_test {
 protected:
  failure open(const std::string& dsn, const std::string& password = "") {
    db_options options = options_;
    options.login = fixed_login(dsn, secret(password));
    const auto s = make_store(loop_.get_executor(), options);
    return failure_of([&] { (void)run(s->next_due()); });
  }
};

TEST_F(connection, no_such_database_is_named_and_stops) {
  const failure f = open(server_dsn() + " dbname=nowhere");
  EXPECT_THAT(f.what(), HasSubstr("cannot open database \"nowhere\" at /"));
  EXPECT_THAT(f.what(), HasSubstr(" as postgres: database \"nowhere\" does not exist"));
  EXPECT_EQ(f.verdict, verdict::stop);
  EXPECT_THAT(f.hint, HasSubstr("database.dsn"));
}

TEST_F(connection, no_server_comes_back_later) {
  const failure f = open("host=127.0.0.1 port=1 dbname=mirror user=flanks_sync");
  EXPECT_STREQ(f.what(),
               "cannot open database \"mirror\" at 127.0.0.1:1 as flanks_sync: Connection refused");
  EXPECT_EQ(f.verdict, verdict::later);
  EXPECT_EQ(f.error_class, "database_unreachable");
  const failure g = open("host=/nowhere dbname=mirror user=flanks_sync");
  EXPECT_STREQ(
      g.what(),
      "cannot open database \"mirror\" at /nowhere as flanks_sync: No such file or directory");
}

TEST_F(connection, wrong_password_is_told_apart_and_never_shown) {
  // The test's server trusts the socket, so this role alone must give a password.
  const std::string hba = value("show hba_file");
  const std::string role = "pw_" + database_;
  sql("create role " + role + " login password 'right'");
  sql(fmt::format(
      "copy (select 'local {} {} scram-sha-256' union all select line from "
      "(select unnest(string_to_array(pg_read_file('{}'), chr(10))) as line) l) to '{}.new'",
      database_, role, hba, hba));
  sql(fmt::format("copy (select '') to program 'cp {0} {0}.old && cp {0}.new {0}'", hba));
  sql("select pg_reload_conf()");
  const std::string dsn = fmt::format("{} dbname={} user={}", server_dsn(), database_, role);
  // The reload takes a moment: until then anything is let in.
  std::optional<failure> refused;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (!refused && std::chrono::steady_clock::now() < deadline) {
    db_options options = options_;
    options.login = fixed_login(dsn, secret("geheim"));
    try {
      const pg_connection let_in(options);
    } catch (const failure& f) {
      refused = f;
    }
  }
  sql(fmt::format("copy (select '') to program 'cp {0}.old {0}'", hba));
  sql("select pg_reload_conf()");
  ASSERT_TRUE(refused);
  const failure& f = *refused;
  EXPECT_EQ(
      std::string(f.what()),
      fmt::format(
          "cannot open database \"{}\" at {} as {}: password authentication failed for user \"{}\"",
          database_, value("show unix_socket_directories"), role, role));
  EXPECT_EQ(f.error_class, "database_auth");
  EXPECT_EQ(f.verdict, verdict::stop);
  EXPECT_EQ(f.hint, "check database.password_file");
  EXPECT_THAT(f.what(), Not(HasSubstr("geheim")));
  sql("drop role " + role);
}

TEST_F(connection, dsn_that_is_not_one_is_refused_without_its_text) {
  const failure f = open("password=geheim oops");
  EXPECT_EQ(f.stage, stage::configuration);
  EXPECT_STREQ(f.what(), "database.dsn is not a valid conninfo or URI");
}

TEST_F(connection, schema_that_is_missing_stops_with_a_hint) {
  sql("drop schema flanks_internal cascade");
  const failure f = failure_of([&] { (void)run(store_->next_due()); });
  EXPECT_EQ(f.error_class, "database_schema");
  EXPECT_EQ(f.verdict, verdict::stop);
  EXPECT_EQ(f.hint, "run flanks-sync migrate up");
}

TEST_F(connection, settings_are_those_of_the_daemon_whatever_the_server_says) {
  sql(fmt::format("alter database {} set timezone = 'Europe/Madrid'", database_));
  sql(fmt::format("alter database {} set datestyle = 'German'", database_));
  EXPECT_EQ(
      value("select current_setting('TimeZone') || ' ' || current_setting('DateStyle') || ' ' || "
            "current_setting('client_encoding') || ' ' || current_setting('statement_timeout') || "
            "' ' || "
            "current_setting('lock_timeout') || ' ' || date '2026-05-01'"),
      "UTC ISO, MDY UTF8 2min 5s 2026-05-01");
}

TEST_F(connection, prepared_statements_survive_a_migration_under_them) {
  const credential_id id = add("u", "t");
  // Each connection prepares what it runs again.
  for (int i = 0; i < 8; ++i) {
    const claimed_credential held = claim(id);
    run(store_->release_untouched(held.id, held.lease));
  }
  EXPECT_NE(value("select count(*) from pg_stat_activity where datname = current_database() and "
                  "application_name = 'flanks-sync'"),
            "0");
  // "cached plan must not change result type" is what they would fail with from now on.
  sql("alter table flanks_internal.credentials_tokens alter credentials_token type varchar(4096)");
  for (int i = 0; i < 8; ++i) {
    const claimed_credential held = claim(id);
    EXPECT_EQ(held.credentials_token.reveal(), "t");
    run(store_->release_untouched(held.id, held.lease));
  }
}

TEST_F(connection, statements_sent_together_fail_as_one_and_leave_the_connection_usable) {
  pg_connection db(options_);
  constexpr statement add_entity{"add", "insert into flanks.entities (entity_id) values ($1)"};
  constexpr statement divide{"divide", "select 1 / $1::integer"};
  const auto entities = [&] { return value("select count(*) from flanks.entities"); };
  db.begin();
  try {
    db.run_together(
        {{add_entity, sql_values("a")}, {divide, sql_values(0)}, {add_entity, sql_values("b")}});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const sql_problem& problem) {
    EXPECT_THAT(problem.what(), HasSubstr("division by zero"));
    EXPECT_EQ(problem.sqlstate, "22012");
  }
  db.rollback();
  EXPECT_EQ(entities(), "0");
  db.begin();
  db.run_together(
      {{add_entity, sql_values("a")}, {divide, sql_values(1)}, {add_entity, sql_values("b")}});
  db.commit();
  EXPECT_EQ(entities(), "2");
}

// The server answers COMMIT with ROLLBACK then, and no error.
TEST_F(connection, transaction_that_failed_is_not_taken_for_committed) {
  pg_connection db(options_);
  db.begin();
  db.run(statement{"add", "insert into flanks.entities (entity_id) values ('a')"});
  EXPECT_THROW(db.run(statement{"divide", "select 1 / 0"}), sql_problem);
  EXPECT_THROW(db.commit(), sql_problem);
  EXPECT_EQ(value("select count(*) from flanks.entities"), "0");
}

TEST_F(connection, small_work_goes_on_while_windows_hold_their_lanes) {
  std::vector<claimed_credential> claimed;
  std::vector<std::unique_ptr<window_ledger>> windows;
  // Three connections: two may be held.
  for (std::size_t i = 0; i < 2; ++i) {
    claimed.push_back(claim(add("u", fmt::format("t{}", i))));
    windows.push_back(run(store_->open_window(claimed[i].id, claimed[i].lease, product::account,
                                              may, std::nullopt, comparing::fingerprints)));
    run(windows[i]->apply(
        batch_of({{fmt::format("id{}", i), "2026-05-01", "1", std::string(2 << 20, 'x')}})));
  }
  EXPECT_TRUE(run(store_->renew(claimed[0].id, claimed[0].lease)));
  // A third window waits for a connection, and gets the first that is free.
  claimed.push_back(claim(add("u", "t2")));
  auto third = run(store_->open_window(claimed[2].id, claimed[2].lease, product::account, may,
                                       std::nullopt, comparing::fingerprints));
  bool done = false;
  const auto fill = [&]() -> awaitable<void> {
    std::vector<sample> samples{{"id2", "2026-05-01", "1", std::string(2 << 20, 'x')}};
    transaction_batch batch = batch_of(samples);
    auto applying = third->apply(std::move(batch));
    co_await std::move(applying);
    done = true;
  };
  boost::asio::co_spawn(loop_, fill(), [](std::exception_ptr e) { EXPECT_FALSE(e); });
  loop_.restart();
  loop_.poll();
  EXPECT_FALSE(done);
  EXPECT_TRUE(run(store_->renew(claimed[1].id, claimed[1].lease)));
  EXPECT_FALSE(done);
  commit(*windows[0], record_for(claimed[0]));
  while (!done)
    loop_.run_one();
  commit(*third, record_for(claimed[2]));
  run(windows[1]->abandon());
  EXPECT_EQ(value("select count(*) from flanks.transactions"), "2");
}

}  // namespace flanks::testing
