// The bucket that all processes share: what it hands out, to several at the same time.
#include <boost/asio/co_spawn.hpp>

#include "db/rate_grants.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Lt;
using microseconds = std::chrono::microseconds;

class rate_limit : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    options_.holder = "this:1";
    mine_ = make_rate_grants(loop_.get_executor(), options_);
    options_.holder = "that:2";
    theirs_ = make_rate_grants(loop_.get_executor(), options_);
  }
  void TearDown() override {
    mine_.reset();
    theirs_.reset();
    database_test::TearDown();
  }
  std::unique_ptr<rate_grants> mine_, theirs_;
};

// What the way to the database may take here.
constexpr milliseconds slack{3000};

TEST_F(rate_limit, after_a_rest_a_grant_begins_now) {
  const rate_grant first = run(mine_->take(10, 100));
  EXPECT_EQ(first.places, 10);
  EXPECT_THAT(first.starts_in, AllOf(Gt(-slack), Le(microseconds{0})));
  EXPECT_EQ(first.pause.left, microseconds{0});
}

TEST_F(rate_limit, a_grant_begins_where_the_one_before_ends_whoever_has_that) {
  run(mine_->take(600, 100));
  EXPECT_THAT(run(theirs_->take(60, 60)).starts_in, AllOf(Gt(seconds{6} - slack), Le(seconds{6})));
  EXPECT_THAT(run(mine_->take(1, 100)).starts_in, AllOf(Gt(seconds{7} - slack), Le(seconds{7})));
}

TEST_F(rate_limit, none_is_lost_or_given_twice_when_several_ask_at_once) {
  sql("update flanks_internal.rate_limit set next_at = '2000-01-01'");
  sql("create table public.starts as select next_at from flanks_internal.rate_limit limit 0");
  sql("create function public.note() returns trigger language plpgsql as $$ begin insert into "
      "public.starts "
      "values (new.next_at); return null; end $$; create trigger note after update on "
      "flanks_internal.rate_limit for each row execute function public.note()");
  const auto many = [](rate_grants& from) -> awaitable<void> {
    for (int i = 0; i < 100; ++i)
      co_await from.take(10, 50);
  };
  const auto no_error = [](std::exception_ptr e) { EXPECT_FALSE(e); };
  boost::asio::co_spawn(loop_, many(*mine_), no_error);
  boost::asio::co_spawn(loop_, many(*theirs_), no_error);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(value("select count(distinct next_at) from public.starts"), "200");
  EXPECT_EQ(value("select max(next_at) - min(next_at) from public.starts"), "00:00:39.8")
      << "199 grants of 0.2 s each";
}

TEST_F(rate_limit, a_pause_is_told_with_every_answer_and_no_grant_begins_before_its_end) {
  EXPECT_EQ(run(mine_->paused()).left, microseconds{0});
  run(mine_->pause(seconds{20}, 429));
  const rate_pause seen = run(theirs_->paused());
  EXPECT_THAT(seen.left, AllOf(Gt(seconds{20} - slack), Le(seconds{20})));
  EXPECT_EQ(seen.http_status, 429);
  EXPECT_EQ(seen.told, "this:1");
  const rate_grant after = run(theirs_->take(30, 10));
  EXPECT_THAT(after.starts_in, AllOf(Gt(seconds{20} - slack), Le(seconds{20})));
  EXPECT_THAT(after.pause.left, Gt(seconds{20} - slack));
  EXPECT_THAT(run(mine_->take(1, 10)).starts_in, AllOf(Gt(seconds{23} - slack), Le(seconds{23})));
}

TEST_F(rate_limit, a_pause_is_never_shortened_by_another) {
  run(mine_->pause(seconds{60}, 503));
  const rate_pause same = run(theirs_->pause(seconds{10}, 429));
  EXPECT_THAT(same.left, Gt(seconds{50}));
  EXPECT_EQ(same.http_status, 503);
  EXPECT_EQ(same.told, "this:1");
  const rate_pause longer = run(theirs_->pause(seconds{100}, 429));
  EXPECT_THAT(longer.left, Gt(seconds{90}));
  EXPECT_EQ(longer.http_status, 429);
  EXPECT_EQ(longer.told, "that:2");
}

TEST_F(rate_limit, a_pause_that_is_over_says_nothing_and_one_can_be_ended_by_hand) {
  run(mine_->pause(seconds{60}, 429));
  run(mine_->take(1, 10));
  sql("update flanks_internal.rate_limit set paused_until = null, next_at = now()");
  EXPECT_EQ(run(mine_->paused()).left, microseconds{0});
  EXPECT_THAT(run(mine_->take(1, 10)).starts_in, Le(microseconds{0}));
  sql("update flanks_internal.rate_limit set paused_until = now() - interval '1 day'");
  EXPECT_EQ(run(mine_->paused()).left, microseconds{0});
}

TEST_F(rate_limit, places_that_a_clock_ran_away_with_do_not_stop_everybody) {
  sql("update flanks_internal.rate_limit set next_at = now() + interval '1 year'");
  EXPECT_THAT(run(mine_->take(1, 10)).starts_in, Le(seconds{300}));
  sql("update flanks_internal.rate_limit set next_at = 'infinity'");
  EXPECT_THAT(run(mine_->take(1, 10)).starts_in, Le(seconds{300}));
  // A pause of a day is no queue: what follows it in turn stays in turn.
  sql("update flanks_internal.rate_limit set paused_until = now() + interval '1 day'");
  run(mine_->take(100, 10));
  EXPECT_THAT(run(theirs_->take(1, 10)).starts_in, Gt(seconds{86'405}));
}

TEST_F(rate_limit, a_row_that_is_gone_comes_again) {
  for (const char* const gone : {"delete from", "truncate"}) {
    sql(std::string(gone) + " flanks_internal.rate_limit");
    EXPECT_THAT(run(mine_->take(5, 10)).starts_in, Le(microseconds{0}));
    sql(std::string(gone) + " flanks_internal.rate_limit");
    EXPECT_THAT(run(mine_->pause(seconds{9}, 429)).left, Gt(seconds{8}));
    sql(std::string(gone) + " flanks_internal.rate_limit");
    EXPECT_EQ(run(mine_->paused()).left, microseconds{0});
  }
}

TEST_F(rate_limit, a_lock_on_it_is_waited_for_two_seconds_and_then_told) {
  pg_connection other(options_);
  other.begin();
  other.run({"lock", "lock table flanks_internal.rate_limit"});
  const failure f = failure_of([&] { run(mine_->take(1, 10)); });
  EXPECT_EQ(f.error_class, "database_lock_timeout");
  EXPECT_THAT(f.what(), HasSubstr("take_rate_grant failed in database"));
  other.rollback();
  EXPECT_EQ(run(mine_->take(1, 10)).places, 1);
}

TEST_F(rate_limit, a_grant_is_one_small_write_that_touches_no_index) {
  run(mine_->take(100, 1000));
  const std::string before = value("select pg_current_wal_insert_lsn()");
  for (int i = 0; i < 500; ++i)
    run(mine_->take(100, 1e6));
  const std::string bytes =
      value("select (pg_current_wal_insert_lsn() - '" + before + "')::bigint / 500");
  RecordProperty("wal_bytes_a_grant", bytes);
  EXPECT_LT(std::stoi(bytes), 400);
  mine_.reset();  // its statistics come when it ends
  wait_until_alone();
  EXPECT_EQ(
      value("select n_tup_upd || ' ' || n_tup_hot_upd || ' ' || pg_relation_size(relid) / 8192 "
            "from pg_stat_user_tables where relid = 'flanks_internal.rate_limit'::regclass"),
      "501 501 1");
}

}  // namespace flanks::testing
