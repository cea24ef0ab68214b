// When a breaker opens, whom it lets try, and how it heals; and what the ends of credentials say of
// a bank and of the whole API.
#include "sync/breaker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sync/health.hpp"

namespace flanks {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

const breaker::clock::time_point noon{1000h};

breaker opened() {
  breaker b;
  for (int i = 0; i < 5; ++i)
    b.failed(noon);
  return b;
}

TEST(breaker, opens_at_the_fifth_failure_in_a_row_and_not_before) {
  breaker b;
  for (int i = 0; i < 4; ++i)
    b.failed(noon);
  EXPECT_EQ(b.places(noon), breaker::no_limit);
  b.failed(noon);
  EXPECT_EQ(b.places(noon), 0);
  EXPECT_EQ(b.wait(noon), 60s);
  EXPECT_EQ(b.wait(noon + 59s), 1s);
}

TEST(breaker, a_success_in_between_begins_the_count_anew) {
  breaker b;
  for (int i = 0; i < 4; ++i)
    b.failed(noon);
  b.succeeded();
  b.failed(noon);
  EXPECT_TRUE(b.closed());
}

TEST(breaker, after_the_pause_a_few_are_tried_and_no_more) {
  breaker b = opened();
  EXPECT_EQ(b.places(noon + 60s), 3);
  for (int i = 0; i < 3; ++i)
    b.take(noon + 60s);
  EXPECT_EQ(b.places(noon + 60s), 0);
  EXPECT_GT(b.wait(noon + 60s), 0s);
}

TEST(breaker, one_probe_that_succeeds_closes_it) {
  breaker b = opened();
  ASSERT_EQ(b.places(noon + 60s), 3);
  b.take(noon + 60s);
  b.succeeded();
  EXPECT_TRUE(b.closed());
  EXPECT_EQ(b.places(noon + 60s), breaker::no_limit);
}

TEST(breaker, probes_that_all_fail_double_the_pause_up_to_its_limit) {
  breaker b = opened();
  auto now = noon;
  for (const auto pause : {60s, 120s, 240s, 480s, 960s, 1800s, 1800s}) {
    EXPECT_EQ(b.pause(), pause);
    now += pause;
    ASSERT_EQ(b.places(now), 3);
    for (int i = 0; i < 3; ++i)
      b.take(now);
    b.failed(now);
    b.failed(now);
    EXPECT_NE(b.wait(now), 2 * pause) << "the third may still succeed";
    b.failed(now);
    EXPECT_EQ(b.places(now), 0);
  }
}

TEST(breaker, a_probe_that_never_reports_does_not_shut_it_for_ever) {
  breaker b = opened();
  ASSERT_EQ(b.places(noon + 60s), 3);
  for (int i = 0; i < 3; ++i)
    b.take(noon + 60s);
  EXPECT_EQ(b.places(noon + 119s), 0);
  EXPECT_EQ(b.places(noon + 120s), 3);
}

TEST(breaker, failures_of_what_was_in_flight_do_not_prolong_a_pause) {
  breaker b = opened();
  for (int i = 0; i < 20; ++i)
    b.failed(noon + 30s);
  EXPECT_EQ(b.wait(noon + 30s), 30s);
}

constexpr auto well = verdict_on_provider::well;
constexpr auto failed = verdict_on_provider::failed;
constexpr auto refused = verdict_on_provider::refused;

TEST(health, one_failing_bank_is_shut_out_alone) {
  provider_health h;
  for (int i = 0; i < 4; ++i)
    EXPECT_THAT(h.note("a", failed, noon), IsEmpty());
  const auto changes = h.note("a", failed, noon);
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_TRUE(changes[0].opened);
  EXPECT_EQ(changes[0].bank, "a");
  EXPECT_EQ(h.begin("a", noon), 60s);
  EXPECT_EQ(h.begin("b", noon), 0s);
  EXPECT_EQ(h.places(noon), breaker::no_limit) << "however many of one bank fail";
  for (int i = 0; i < 50; ++i)
    (void)h.note("a", failed, noon);
  EXPECT_EQ(h.places(noon), breaker::no_limit);
}

TEST(health, failures_of_several_banks_in_a_row_shut_the_whole_api) {
  provider_health h;
  for (int i = 0; i < 4; ++i)
    EXPECT_THAT(h.note(i % 2 == 0 ? "a" : "b", failed, noon), IsEmpty());
  const auto changes = h.note("c", failed, noon);
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes[0].bank, "");
  EXPECT_EQ(h.places(noon), 0);
  EXPECT_TRUE(h.backs_off());
}

TEST(health, a_success_of_any_bank_keeps_the_api_open_and_heals_its_own_bank) {
  provider_health h;
  for (int i = 0; i < 30; ++i) {
    (void)h.note("a", failed, noon);
    (void)h.note("b", failed, noon);
    (void)h.note("good", well, noon);
  }
  EXPECT_EQ(h.places(noon), breaker::no_limit);
  EXPECT_GT(h.begin("a", noon), 0s);
  const auto changes = h.note("a", well, noon);
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_FALSE(changes[0].opened);
  EXPECT_EQ(h.begin("a", noon), 0s);
}

TEST(health, credentials_refused_in_a_row_are_in_doubt_until_one_gets_through) {
  provider_health h;
  (void)h.note("a", well, noon);
  (void)h.note("a", refused, noon);
  EXPECT_FALSE(h.refusals_in_doubt()) << "one credential among others";
  (void)h.note("b", refused, noon);
  EXPECT_TRUE(h.refusals_in_doubt());
  (void)h.note("c", well, noon);
  EXPECT_FALSE(h.refusals_in_doubt());
}

TEST(health, new_credentials_without_a_bank_count_for_the_api_and_shut_out_nobody_by_name) {
  provider_health h;
  for (int i = 0; i < 4; ++i)
    (void)h.note("", refused, noon);
  EXPECT_EQ(h.begin("", noon), 0s);
  EXPECT_THAT(h.note("", refused, noon), SizeIs(1));
  EXPECT_EQ(h.places(noon), 0);
}

credential_report report(const std::string& error_class) {
  credential_report r;
  r.failed = error_class.empty() ? 0 : 1;
  r.error_class = error_class;
  return r;
}

TEST(health, judges_by_whose_fault_it_was) {
  for (const char* name : {"http_500", "http_503", "html", "truncated", "error_object",
                           "empty_body", "invalid_json", "first_byte_timeout", "idle_timeout"})
    EXPECT_EQ(judge(report(name)), failed) << name;
  for (const char* name : {"not_found", "forbidden", "connect_timeout", "resolve_failed",
                           "database_lost", "provider_errored", "untrusted_certificate"})
    EXPECT_EQ(judge(report(name)), verdict_on_provider::nothing) << name;
  EXPECT_EQ(judge(report("")), well);
  credential_report partly = report("http_500");
  partly.windows_stored = 1;
  EXPECT_EQ(judge(partly), well) << "it answers, though not for everything";
  credential_report r = report("unauthorized");
  r.unauthorized = true;
  EXPECT_EQ(judge(r), refused);
}

}  // namespace
}  // namespace flanks
