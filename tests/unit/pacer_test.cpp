// The line of requests that wait for their turn, with a bucket made by hand.
#include "sync/flanks/pacer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <vector>

#include "sync/rate_bucket.hpp"

namespace flanks {
namespace {

namespace asio = boost::asio;
namespace chr = std::chrono;
using chr::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using clock = rate_bucket::clock;

class bucket_by_hand final : public rate_grants {
 public:
  explicit bucket_by_hand(const asio::any_io_executor& on)
      : stalled_(on, clock::time_point::max()) {}

  asio::awaitable<rate_grant> take(int places, double per_second) override {
    ++asked;
    co_await answering();
    const rate_grant given = bucket.take(clock::now(), places, per_second);
    taken.push_back(places);
    co_return given;
  }
  asio::awaitable<rate_pause> pause(milliseconds wait, int http_status) override {
    ++asked;
    co_await answering();
    pauses.push_back(wait);
    const rate_pause now = bucket.pause(clock::now(), wait, http_status);
    co_return now;
  }
  asio::awaitable<rate_pause> paused() override {
    ++asked;
    co_await answering();
    const rate_pause now = says ? *says : bucket.paused(clock::now());
    co_return now;
  }
  void go_on() {
    stalls = false;
    stalled_.cancel();
  }

  rate_bucket bucket;
  std::vector<int> taken;
  std::vector<milliseconds> pauses;
  std::optional<failure> fails;
  std::optional<rate_pause> says;  // when asked about the pause
  bool stalls = false;
  int asked = 0;

 private:
  asio::awaitable<void> answering() {
    asio::steady_timer way(stalled_.get_executor(), milliseconds{5});
    co_await way.async_wait(asio::use_awaitable);
    while (stalls) {
      boost::system::error_code woken;
      auto wait = stalled_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      co_await std::move(wait);
    }
    if (fails) throw failure{*fails};
  }
  asio::steady_timer stalled_;
};

class recorder final : public rate_observer {
 public:
  void paused(const pause_notice& n, bool began) override {
    if (began)
      heard.push_back("paused " + std::to_string(n.http_status) + " " + n.answer + n.other);
    left = n.left;
  }
  void pause_over(milliseconds lasted) override {
    heard.push_back("over");
    left = lasted;
  }
  void waited(chr::nanoseconds time) override { total += time; }
  void unreachable(const failure& why) override { heard.push_back(why.what()); }
  void reachable() override { heard.push_back("reachable"); }

  std::vector<std::string> heard;
  milliseconds left{0};
  chr::nanoseconds total{0};
};

class pacer_line : public ::testing::Test {
 protected:
  pacer& with(double per_second, pacer_timeouts timeouts = {}) {
    paces_ = std::make_unique<pacer>(loop_.get_executor(), per_second, bucket_, told_, timeouts);
    return *paces_;
  }
  // Nobody may wait when the pacer goes.
  void TearDown() override {
    for (asio::cancellation_signal& each : cancels_)
      each.emit(asio::cancellation_type::terminal);
    bucket_.go_on();
    asio::co_spawn(loop_, paces_->close(), [](std::exception_ptr) {});
    loop_.restart();
    EXPECT_GT(loop_.run_for(chr::seconds{2}), 0U);
    EXPECT_TRUE(loop_.stopped()) << "something is left that keeps a process from ending";
  }
  // Waits for a turn; `done_` gets the name of who had one, and errors_ who had none. Cancelled by
  // what it returns.
  asio::cancellation_signal& wants(const std::string& name) {
    auto story = [](pacer& p, std::string who, milliseconds patience,
                    std::vector<std::string>& to) -> asio::awaitable<void> {
      co_await p.take_turn(patience);
      to.push_back(who);
    };
    auto ended = [this](std::exception_ptr error) {
      if (error) errors_.push_back(error);
    };
    asio::cancellation_signal& cancel = cancels_.emplace_back();
    asio::co_spawn(loop_, story(*paces_, name, patience_, done_),
                   asio::bind_cancellation_slot(cancel.slot(), ended));
    return cancel;
  }
  milliseconds patience_ = chr::seconds{900};
  // Until it is so; false when it was not within two seconds.
  template <class Condition>
  bool until(Condition met) {
    loop_.restart();
    const auto end = clock::now() + chr::seconds{2};
    while (!met() && clock::now() < end)
      loop_.run_one_for(milliseconds{20});
    return met();
  }
  void run_for(milliseconds time) {
    loop_.restart();
    loop_.run_for(time);
  }
  [[nodiscard]] failure only_failure() const {
    try {
      if (errors_.size() == 1) std::rethrow_exception(errors_[0]);
    } catch (const failure& f) {
      return f;
    }
    ADD_FAILURE() << errors_.size() << " errors";
    return failure{stage::send, verdict::retry, "", ""};
  }

  asio::io_context loop_{1};
  bucket_by_hand bucket_{loop_.get_executor()};
  recorder told_;
  std::unique_ptr<pacer> paces_;
  std::vector<std::string> done_;
  std::vector<std::exception_ptr> errors_;
  std::list<asio::cancellation_signal> cancels_;
};

failure limited(int http_status) {
  failure f{stage::answer, verdict::later, "rate_limited", "POST /v0/token at h answered"};
  f.http_status = http_status;
  return f;
}

failure out_of_reach(verdict then = verdict::later) {
  failure f{stage::database, then, "database_unreachable", "cannot open database \"m\" at db:5432"};
  f.hint = "is PostgreSQL running?";
  return f;
}

TEST_F(pacer_line, turns_come_in_the_order_of_asking_at_the_pace_of_the_limit) {
  with(50);
  const auto begin = clock::now();
  for (const char* name : {"a", "b", "c", "d", "e"})
    wants(name);
  ASSERT_TRUE(until([&] { return done_.size() == 5; }));
  EXPECT_THAT(done_, ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_GE(clock::now() - begin, milliseconds{80}) << "four times 20 ms";
  EXPECT_THAT(bucket_.taken, ElementsAre(13))
      << "a quarter of a second's worth is asked for at once";
}

TEST_F(pacer_line, without_a_limit_only_the_pause_is_asked_about_and_once_a_second) {
  with(0);
  wants("a");
  wants("b");
  ASSERT_TRUE(until([&] { return done_.size() == 2; }));
  wants("c");
  ASSERT_TRUE(until([&] { return done_.size() == 3; }));
  EXPECT_EQ(bucket_.asked, 1);
  EXPECT_THAT(bucket_.taken, ElementsAre());
}

TEST_F(pacer_line, who_is_cancelled_leaves_the_line_and_holds_up_nobody) {
  with(10);
  bucket_.stalls = true;
  auto& first = wants("first");
  auto& middle = wants("middle");
  wants("last");
  ASSERT_TRUE(until([&] { return bucket_.asked == 1; }));
  middle.emit(asio::cancellation_type::terminal);
  first.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(until([&] { return errors_.size() == 2; }));
  bucket_.go_on();
  ASSERT_TRUE(until([&] { return !done_.empty(); }));
  EXPECT_THAT(done_, ElementsAre("last"));
}

TEST_F(pacer_line, a_pause_that_the_bucket_knows_holds_the_first_request_of_a_new_process) {
  for (const double per_second : {0.0, 100.0}) {
    bucket_.bucket.pause(clock::now(), milliseconds{200}, 429);
    const auto begin = clock::now();
    with(per_second);
    wants("a");
    ASSERT_TRUE(until([&] { return !done_.empty(); }));
    EXPECT_GE(clock::now() - begin, milliseconds{200});
    done_.clear();
  }
}

TEST_F(pacer_line, a_pause_is_written_with_what_is_left_of_it_and_once_the_bucket_is_back) {
  with(0);
  wants("a");
  ASSERT_TRUE(until([&] { return done_.size() == 1; }));
  bucket_.stalls = true;
  paces_->pause(milliseconds{1500}, limited(429));
  wants("b");
  run_for(milliseconds{200});
  bucket_.go_on();
  ASSERT_TRUE(until([&] { return bucket_.pauses.size() == 1; }));
  bucket_.fails = out_of_reach();
  paces_->pause(milliseconds{2500}, limited(503));
  run_for(milliseconds{200});
  bucket_.fails.reset();
  ASSERT_TRUE(until([&] { return bucket_.pauses.size() == 2; }));
  EXPECT_GT(bucket_.pauses[1], milliseconds{1000});
  EXPECT_LE(bucket_.pauses[1], milliseconds{2000}) << "half a second after it could not be told";
  EXPECT_THAT(done_, ElementsAre("a")) << "nobody was let through meanwhile";
}

TEST_F(pacer_line, an_answer_that_was_on_its_way_does_not_end_a_pause) {
  with(0);
  bucket_.stalls = true;
  wants("a");
  ASSERT_TRUE(until([&] { return bucket_.asked == 1; }));
  paces_->pause(milliseconds{200}, limited(429));
  const auto begin = clock::now();
  bucket_.go_on();
  ASSERT_TRUE(until([&] { return !done_.empty(); }));
  EXPECT_GE(clock::now() - begin, milliseconds{199});
}

TEST_F(pacer_line, a_bucket_out_of_reach_ends_the_wait_by_its_own_name_and_says_why) {
  bucket_.fails = out_of_reach();
  patience_ = chr::seconds{9};
  with(10, {.grant = milliseconds{250}});
  wants("a");
  ASSERT_TRUE(until([&] { return !errors_.empty(); }));
  const failure f = only_failure();
  EXPECT_EQ(f.error_class, "rate_grant_timeout");
  EXPECT_EQ(f.verdict, verdict::later);
  EXPECT_EQ(f.stage, stage::database);
  EXPECT_STREQ(f.what(),
               "no request may be sent: the database did not answer for the rate limit within "
               "0.25 s: cannot open database \"m\" at db:5432");
  EXPECT_EQ(f.hint, "is PostgreSQL running?");
}

TEST_F(pacer_line, a_bucket_that_says_nothing_ends_the_wait_as_well) {
  bucket_.stalls = true;
  patience_ = chr::seconds{9};
  with(0, {.grant = milliseconds{100}});
  wants("a");
  ASSERT_TRUE(until([&] { return !errors_.empty(); }));
  EXPECT_STREQ(
      only_failure().what(),
      "no request may be sent: the database did not answer for the rate limit within 0.1 s");
  bucket_.go_on();
}

TEST_F(pacer_line, what_an_operator_must_mend_is_told_at_once) {
  bucket_.fails = out_of_reach(verdict::stop);
  with(10);
  wants("a");
  ASSERT_TRUE(until([&] { return !errors_.empty(); }));
  EXPECT_EQ(only_failure().error_class, "database_unreachable");
  EXPECT_EQ(only_failure().verdict, verdict::stop);
}

TEST_F(pacer_line, goes_on_by_itself_when_the_bucket_is_back) {
  bucket_.fails = out_of_reach();
  with(10);
  wants("a");
  ASSERT_TRUE(until([&] { return bucket_.asked == 1; }));
  run_for(milliseconds{100});
  bucket_.fails.reset();
  EXPECT_TRUE(until([&] { return !done_.empty(); }));
}

TEST_F(pacer_line, a_pause_longer_than_a_request_may_wait_sends_it_away_with_the_time) {
  with(10);
  paces_->pause(chr::seconds{3600}, limited(429));
  wants("a");
  ASSERT_TRUE(until([&] { return !errors_.empty(); }));
  EXPECT_EQ(only_failure().error_class, "rate_limited");
  EXPECT_EQ(only_failure().verdict, verdict::later);
  ASSERT_TRUE(only_failure().retry_after);
  EXPECT_GE(*only_failure().retry_after, chr::seconds{3590});
}

TEST_F(pacer_line, a_line_that_is_too_slow_sends_away_who_waited_too_long) {
  patience_ = milliseconds{200};
  with(1);
  wants("a");
  wants("b");
  ASSERT_TRUE(until([&] { return !errors_.empty(); }));
  EXPECT_THAT(done_, ElementsAre("a"));
  EXPECT_EQ(only_failure().error_class, "rate_limit_wait_timeout");
  EXPECT_STREQ(only_failure().what(), "the rate limit left no place for a request within 0.2 s");
  EXPECT_THAT(only_failure().hint, HasSubstr("flanks.requests_per_second"));
}

TEST_F(pacer_line, a_pause_is_told_once_when_it_begins_and_once_when_it_is_over) {
  with(0);
  paces_->pause(milliseconds{100}, limited(429));
  paces_->pause(milliseconds{150}, limited(429));
  ASSERT_TRUE(until([&] { return told_.heard.size() == 2; })) << "nobody sends, and it is told";
  EXPECT_THAT(told_.heard, ElementsAre("paused 429 POST /v0/token at h answered", "over"));
  EXPECT_GE(told_.left, milliseconds{150});
}

TEST_F(pacer_line, a_pause_that_another_process_was_told_is_told_with_its_name_and_its_end) {
  rate_pause other;
  other.left = milliseconds{300};
  other.http_status = 503;
  other.told = "host:7";
  bucket_.says = other;
  with(0);
  wants("a");
  ASSERT_TRUE(until([&] { return !told_.heard.empty(); }));
  EXPECT_THAT(told_.heard, ElementsAre("paused 503 host:7"));
  bucket_.says.reset();
  ASSERT_TRUE(until([&] { return !done_.empty(); }));
  EXPECT_THAT(told_.heard, ElementsAre("paused 503 host:7", "over"));
}

TEST_F(pacer_line, a_bucket_out_of_reach_is_told_once_and_that_it_is_back) {
  bucket_.fails = out_of_reach();
  with(10);
  wants("a");
  ASSERT_TRUE(until([&] { return bucket_.asked == 3; }));
  bucket_.fails.reset();
  ASSERT_TRUE(until([&] { return !done_.empty(); }));
  EXPECT_THAT(told_.heard, ElementsAre("cannot open database \"m\" at db:5432", "reachable"));
  EXPECT_GE(told_.total, milliseconds{990}) << "the request waited for it";
}

TEST_F(pacer_line, close_brings_the_pause_to_the_bucket_first) {
  with(0);
  paces_->pause(chr::seconds{60}, limited(429));
  bool closed = false;
  auto done = [&](std::exception_ptr) { closed = true; };
  asio::co_spawn(loop_, paces_->close(), done);
  ASSERT_TRUE(until([&] { return closed; }));
  EXPECT_EQ(bucket_.pauses.size(), 1U);
}

}  // namespace
}  // namespace flanks
