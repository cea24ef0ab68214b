// Whether and when a request is tried again.
#include "sync/retry.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

failure transient() {
  return failure{stage::connect, verdict::retry, "connect_timeout", ""};
}

failure limited(int status, std::optional<seconds> after) {
  failure f{stage::answer, verdict::later, "rate_limited", ""};
  f.http_status = status;
  f.retry_after = after;
  return f;
}

TEST(retry, at_most_three_tries) {
  retry_budget budget;
  attempts so_far;
  const retry_policy policy;
  EXPECT_EQ(decide(transient(), so_far, budget, policy, 0.5).what, next_step::again);
  EXPECT_EQ(decide(transient(), so_far, budget, policy, 0.5).what, next_step::again);
  EXPECT_EQ(decide(transient(), so_far, budget, policy, 0.5).what, next_step::give_up);
}

TEST(retry, full_jitter_grows_to_its_cap) {
  const retry_policy policy;
  EXPECT_EQ(full_jitter(policy, 0, 0), milliseconds{0});
  EXPECT_EQ(full_jitter(policy, 0, 0.5), milliseconds{250});
  EXPECT_EQ(full_jitter(policy, 1, 0.5), milliseconds{500});
  EXPECT_EQ(full_jitter(policy, 3, 0.5), milliseconds{2000});
  EXPECT_EQ(full_jitter(policy, 60, 0.5), milliseconds{10'000});
}

TEST(retry, only_what_may_be_tried_again_is) {
  for (const verdict v : {verdict::later, verdict::halve, verdict::park, verdict::stop}) {
    retry_budget budget;
    attempts so_far;
    const failure f{stage::answer, v, "x", ""};
    EXPECT_EQ(decide(f, so_far, budget, {}, 0.5).what, next_step::give_up) << to_string(v);
  }
}

TEST(retry, budget_is_a_tenth_of_the_requests_with_a_floor) {
  retry_budget budget(0.1, 5);
  int spent = 0;
  while (budget.spend())
    ++spent;
  EXPECT_EQ(spent, 5) << "the floor";
  for (int i = 0; i < 30; ++i)
    budget.count_request();
  spent = 0;
  while (budget.spend())
    ++spent;
  EXPECT_NEAR(spent, 3, 1);
  for (int i = 0; i < 100'000; ++i)
    budget.count_request();
  spent = 0;
  while (budget.spend())
    ++spent;
  EXPECT_EQ(spent, 10) << "good times are not saved up for ever";
}

TEST(retry, spent_budget_gives_up_at_the_first_failure) {
  retry_budget budget;
  while (budget.spend()) {
  }
  attempts so_far;
  EXPECT_EQ(decide(transient(), so_far, budget, {}, 0.5).what, next_step::give_up);
}

TEST(retry, rate_limit_pauses_everyone_and_uses_up_no_try) {
  retry_budget budget;
  attempts so_far;
  for (int i = 0; i < 10; ++i) {
    const retry_decision d = decide(limited(429, seconds{10}), so_far, budget, {}, 0.5);
    EXPECT_EQ(d.what, next_step::pause);
    EXPECT_EQ(d.wait, milliseconds{10'500}) << "as asked, and up to a tenth more";
  }
  EXPECT_EQ(so_far.failed, 0);
  EXPECT_EQ(decide(limited(503, seconds{1}), so_far, budget, {}, 0).wait, milliseconds{1000});
}

TEST(retry, rate_limit_without_a_time_grows) {
  retry_budget budget;
  attempts so_far;
  EXPECT_EQ(decide(limited(429, std::nullopt), so_far, budget, {}, 0).wait, seconds{1});
  EXPECT_EQ(decide(limited(429, std::nullopt), so_far, budget, {}, 0).wait, seconds{2});
  EXPECT_EQ(decide(limited(429, std::nullopt), so_far, budget, {}, 0).wait, seconds{4});
}

TEST(retry, rate_limit_is_bounded_in_time_and_count) {
  retry_budget budget;
  attempts so_far;
  const retry_decision d = decide(limited(429, seconds{3600}), so_far, budget, {}, 0);
  EXPECT_EQ(d.what, next_step::give_up);
  EXPECT_EQ(d.wait, seconds{3600}) << "the others must wait all the same";
  so_far = {};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(decide(limited(429, seconds{1}), so_far, budget, {}, 0).what, next_step::pause);
  }
  EXPECT_EQ(decide(limited(429, seconds{1}), so_far, budget, {}, 0).what, next_step::give_up);
}

TEST(retry, unavailable_without_a_time_is_a_failure_like_any_other) {
  retry_budget budget;
  attempts so_far;
  failure f{stage::answer, verdict::retry, "http_503", ""};
  f.http_status = 503;
  EXPECT_EQ(decide(f, so_far, budget, {}, 0.5).what, next_step::again);
  EXPECT_EQ(so_far.failed, 1);
}

TEST(retry, what_a_rested_connection_did_is_excused_once_and_goes_over_a_new_one) {
  retry_budget budget;
  attempts so_far;
  failure lost{stage::first_byte, verdict::retry, "connection_closed", ""};
  lost.rested = true;
  const retry_decision first = decide(lost, so_far, budget, {}, 0.5);
  EXPECT_EQ(first.what, next_step::again);
  EXPECT_EQ(first.wait, milliseconds{0});
  EXPECT_TRUE(so_far.fresh_only);
  EXPECT_EQ(so_far.failed, 0);
  EXPECT_EQ(decide(lost, so_far, budget, {}, 0.5).what, next_step::again);
  EXPECT_EQ(decide(lost, so_far, budget, {}, 0.5).what, next_step::again);
  EXPECT_EQ(decide(lost, so_far, budget, {}, 0.5).what, next_step::give_up) << "three tries";
}

TEST(retry, a_fresh_connection_that_is_lost_is_a_try) {
  retry_budget budget;
  attempts so_far;
  const failure lost{stage::first_byte, verdict::retry, "connection_closed", ""};
  EXPECT_EQ(decide(lost, so_far, budget, {}, 0.5).what, next_step::again);
  EXPECT_EQ(so_far.failed, 1);
}

TEST(retry, a_time_out_is_no_fault_of_a_rested_connection) {
  retry_budget budget;
  attempts so_far;
  failure slow{stage::first_byte, verdict::retry, "first_byte_timeout", ""};
  slow.rested = true;
  EXPECT_EQ(decide(slow, so_far, budget, {}, 0.5).what, next_step::again);
  EXPECT_EQ(so_far.failed, 1);
}

TEST(retry, waits_in_line_count_into_the_budget_of_pauses) {
  retry_budget budget;
  attempts so_far;
  so_far.waited = seconds{895};
  EXPECT_EQ(decide(limited(429, seconds{10}), so_far, budget, {}, 0).what, next_step::give_up);
}

}  // namespace
}  // namespace flanks
