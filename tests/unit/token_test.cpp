// When a token is fetched, kept and given up. The clock is a number here.
#include "sync/flanks/token.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using clock = token_state::clock;

const clock::time_point start{std::chrono::hours{100}};
const call_info call{"POST /v0/token at flanks", {}};

granted_token token(const char* value, std::optional<seconds> life = seconds{3600}) {
  return {secret{std::string{value}}, life};
}

failure refusal() {
  return failure{stage::token, verdict::stop, "token_refused", "refused"};
}

answer answered(std::string body) {
  answer a;
  a.status = 200;
  a.body_bytes = static_cast<std::int64_t>(body.size());
  a.body = std::move(body);
  return a;
}

TEST(token, none_at_first_then_the_one_that_came) {
  token_state state;
  EXPECT_FALSE(state.usable(start));
  state.accept(token("one"), start);
  ASSERT_TRUE(state.usable(start));
  EXPECT_EQ(state.usable(start)->value.reveal(), "one");
}

TEST(token, fetched_again_before_it_expires) {
  const std::pair<seconds, seconds> cases[] = {
      // life, when it is fetched again
      {seconds{3600}, seconds{3540}},  // at most a minute before
      {seconds{36000}, seconds{35940}},
      {seconds{100}, seconds{90}},  // a tenth of its life before
      {seconds{10}, seconds{9}}};
  for (const auto& [life, until] : cases) {
    token_state state;
    state.accept(token("one", life), start);
    EXPECT_TRUE(state.usable(start + until - seconds{1})) << life.count();
    EXPECT_FALSE(state.usable(start + until)) << life.count();
  }
}

TEST(token, without_a_lifetime_it_is_used_until_a_401) {
  token_state state;
  state.accept(token("one", std::nullopt), start);
  EXPECT_TRUE(state.usable(start + std::chrono::hours{1000}));
  state.refused_with(state.newest().generation);
  EXPECT_FALSE(state.usable(start));
}

TEST(token, late_401_of_an_older_token_does_not_cost_the_newer_one) {
  token_state state;
  state.accept(token("one"), start);
  const std::uint64_t old = state.newest().generation;
  state.refused_with(old);
  EXPECT_FALSE(state.usable(start));
  state.accept(token("two"), start);
  state.refused_with(old);
  ASSERT_TRUE(state.usable(start));
  EXPECT_EQ(state.usable(start)->value.reveal(), "two");
}

TEST(token, refused_keys_are_not_tried_again_for_minutes) {
  token_state state;
  clock::time_point now = start;
  for (const minutes pause :
       {minutes{1}, minutes{2}, minutes{4}, minutes{8}, minutes{15}, minutes{15}}) {
    state.keys_refused(refusal(), now);
    ASSERT_TRUE(state.standing_refusal(now));
    EXPECT_EQ(state.standing_refusal(now)->error_class, "token_refused");
    EXPECT_TRUE(state.standing_refusal(now + pause - seconds{1})) << pause.count();
    EXPECT_FALSE(state.standing_refusal(now + pause)) << pause.count();
    now += pause;
  }
  state.accept(token("good again"), now);
  EXPECT_FALSE(state.standing_refusal(now));
  state.keys_refused(refusal(), now);
  EXPECT_FALSE(state.standing_refusal(now + minutes{1})) << "the back-off starts anew";
}

TEST(token, answer_of_the_contract) {
  const granted_token t = read_token(
      answered(
          R"({"access_token": "at-7f0c1d", "expires_in": 3600, "token_type": "Bearer", "scope": "read"})"),
      call);
  EXPECT_EQ(t.value.reveal(), "at-7f0c1d");
  EXPECT_EQ(t.lifetime, seconds{3600});
}

TEST(token, lifetime_that_says_nothing) {
  for (const char* const expires : {"null", "0", "-5", "\"soon\""}) {
    EXPECT_EQ(
        read_token(answered(std::string{R"({"access_token":"a","expires_in":)"} + expires + "}"),
                   call)
            .lifetime,
        std::nullopt)
        << expires;
  }
  EXPECT_EQ(read_token(answered(R"({"access_token":"a"})"), call).lifetime, std::nullopt);
}

TEST(token, answer_without_a_token_is_a_failure_of_the_token_stage) {
  for (const char* const body :
       {"", "[]", "{}", "{\"access_token\":null}", "{\"access_token\":\"\"}",
        "{\"access_token\":\"a\\r\\nX-Evil: 1\"}", "<html>", "{\"message\":\"no\"}"}) {
    try {
      (void)read_token(answered(body), call);
      ADD_FAILURE() << body;
    } catch (const failure& f) {
      EXPECT_EQ(f.stage, stage::token) << body;
    }
  }
}

}  // namespace
}  // namespace flanks
