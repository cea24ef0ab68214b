// What the end of one attempt makes of a credential: its state, and when it is asked again. Every
// state heals by itself.
#include <gtest/gtest.h>

#include "sync/mirror.hpp"

namespace flanks {
namespace {

using namespace std::chrono_literals;

const instant monday{*day_from("2026-11-16") + 9h};

class states : public testing::Test {
 protected:
  // One attempt that ends with `report`, as the database would remember it.
  next_attempt ends(const credential_report& report, instant now = monday) {
    next_attempt next = after(report, credential, policy, now, 0.5);
    credential.state = next.state;
    credential.failures_in_a_row = next.failed ? credential.failures_in_a_row + 1 : 0;
    if (!next.not_found) credential.not_found_since.reset();
    if (next.not_found && !credential.not_found_since) credential.not_found_since = now;
    return next;
  }
  static credential_report answered(credential_state state) {
    credential_report r;
    r.answered = true;
    r.state = state;
    r.pending = state == credential_state::pending;
    return r;
  }
  static credential_report failing(const std::string& error_class) {
    credential_report r;
    r.failed = 1;
    r.error = r.error_class = error_class;
    r.not_found = error_class == "not_found";
    r.unauthorized = error_class == "unauthorized";
    return r;
  }
  states() { credential.id = credential_id{7}; }

  claimed_credential credential;
  sync_policy policy;
};

TEST_F(states, pending_becomes_ok_within_minutes) {
  const next_attempt first = ends(answered(credential_state::pending));
  EXPECT_EQ(first.state, credential_state::pending);
  EXPECT_LE(first.delay, 5min);
  EXPECT_EQ(ends(answered(credential_state::ok)).state, credential_state::ok);
}

TEST_F(states, what_an_operator_must_mend_is_asked_again_soon_and_never_at_once) {
  credential_report refused = failing("keys_refused");
  refused.stopped_by = failure(stage::token, verdict::stop, "keys_refused", "refused");
  const next_attempt next = ends(refused);
  EXPECT_FALSE(next.failed) << "it says nothing of the credential";
  EXPECT_GE(next.delay, 1min);
  EXPECT_LE(next.delay, 5min);
}

TEST_F(states, what_the_end_user_must_do_is_asked_about_once_an_interval_and_heals) {
  for (const auto state : {credential_state::action_required, credential_state::blocked}) {
    const next_attempt waiting = ends(answered(state));
    EXPECT_EQ(waiting.state, state);
    EXPECT_FALSE(waiting.failed);
    EXPECT_GE(waiting.delay, policy.interval / 4);
    EXPECT_LE(waiting.delay, policy.interval * 3 / 2);
    EXPECT_EQ(ends(answered(credential_state::ok)).state, credential_state::ok);
  }
}

TEST_F(states, gone_takes_a_404_on_a_later_day_and_comes_back_with_an_answer) {
  EXPECT_EQ(ends(failing("not_found")).state, credential_state::error);
  EXPECT_EQ(ends(failing("not_found"), monday + 2h).state, credential_state::error) << "same day";
  EXPECT_EQ(ends(failing("not_found"), monday + 24h).state, credential_state::gone);
  const next_attempt later = ends(failing("not_found"), monday + 48h);
  EXPECT_EQ(later.state, credential_state::gone);
  EXPECT_LE(later.delay, policy.interval * 3 / 2) << "asked again, for ever";
  EXPECT_EQ(ends(answered(credential_state::ok), monday + 72h).state, credential_state::ok);
  EXPECT_FALSE(credential.not_found_since);
  EXPECT_EQ(ends(failing("not_found"), monday + 96h).state, credential_state::error) << "anew";
}

TEST_F(states, a_provider_in_trouble_does_not_make_a_gone_credential_less_gone) {
  ends(failing("not_found"));
  ends(failing("not_found"), monday + 24h);
  ASSERT_EQ(credential.state, credential_state::gone);
  EXPECT_EQ(ends(failing("http_500"), monday + 48h).state, credential_state::gone);
  EXPECT_TRUE(credential.not_found_since);
}

TEST_F(states, an_error_is_tried_again_soon_and_less_and_less_often) {
  const auto first = ends(failing("http_500")).delay;
  const auto second = ends(failing("http_500")).delay;
  EXPECT_LE(first, 5min);
  EXPECT_GT(second, first);
  EXPECT_EQ(credential.state, credential_state::error);
  EXPECT_EQ(ends(answered(credential_state::ok)).state, credential_state::ok);
  EXPECT_EQ(credential.failures_in_a_row, 0);
}

TEST_F(states, a_credential_refused_again_while_others_get_through_is_parked) {
  const next_attempt first = ends(failing("unauthorized"));
  EXPECT_EQ(first.state, credential_state::error);
  EXPECT_LE(first.delay, 5min) << "it may have been anything";
  EXPECT_GE(ends(failing("unauthorized")).delay, policy.interval / 4);
}

TEST_F(states, a_refusal_that_everyone_gets_parks_nobody) {
  credential_report r = failing("unauthorized");
  r.client_in_doubt = true;
  ends(r);
  EXPECT_LE(ends(r).delay, 15min);
}

}  // namespace
}  // namespace flanks
