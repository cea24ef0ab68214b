// When the provider is expected to refresh, and when it is asked: by cases, and over a simulated
// year.
#include "sync/refresh_times.hpp"

#include <gtest/gtest.h>

#include "tests/unit/refresh_schedules.hpp"

namespace flanks {
namespace {

namespace chr = std::chrono;
using namespace std::chrono_literals;

const instant monday{*day_from("2026-11-16")};

// Refreshes at 03:00 of these days from monday on, moved by so many minutes.
std::vector<instant> at_three(const std::vector<std::pair<int, int>>& days_and_minutes) {
  std::vector<instant> all;
  for (const auto& [d, minutes] : days_and_minutes)
    all.push_back(monday + chr::days{d} + 3h + chr::minutes{minutes});
  return all;
}

TEST(refresh_times, keeps_the_last_ones_and_none_that_lies_ahead) {
  std::vector<instant> known;
  for (int d = 0; d < 20; ++d)
    known = with_refresh(known, monday + chr::days{d}, monday + chr::days{d});
  EXPECT_EQ(known.size(), kept_refreshes);
  EXPECT_EQ(known.back(), monday + chr::days{19});
  EXPECT_EQ(with_refresh(known, known.back(), monday + chr::days{30}), known) << "told again";
  EXPECT_EQ(with_refresh(known, monday + chr::days{900}, monday + chr::days{20}), known);
  const auto back = with_refresh(known, monday + chr::days{17} + 1s, monday + chr::days{20});
  EXPECT_EQ(back.back(), monday + chr::days{17} + 1s) << "a step back is what it says now";
  EXPECT_EQ(back.size(), kept_refreshes - 1);
}

TEST(refresh_times, a_daily_refresh_is_expected_at_its_time_of_day) {
  const refresh_rhythm r(at_three({{0, 0}, {1, 5}, {2, -4}, {3, 3}, {4, 0}}), 24h);
  EXPECT_NEAR(static_cast<double>((r.expected(1) - (monday + chr::days{5} + 3h)).count()), 0, 300);
  EXPECT_GE(r.spread(), 3min);
  EXPECT_LE(r.spread(), 10min);
}

TEST(refresh_times, a_weekend_without_one_is_three_days_and_no_slower_rhythm) {
  const refresh_rhythm r(at_three({{1, 0}, {2, 1}, {3, 0}, {4, 1}, {7, 0}, {8, 0}}), 24h);
  EXPECT_NEAR(static_cast<double>((r.expected(1) - (monday + chr::days{9} + 3h)).count()), 0, 300);
}

TEST(refresh_times, a_new_time_of_day_is_believed_when_it_has_come_twice) {
  const refresh_rhythm r(at_three({{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 420}, {5, 421}}), 24h);
  EXPECT_NEAR(static_cast<double>((r.expected(1) - (monday + chr::days{6} + 10h)).count()), 0, 600);
}

TEST(refresh_times, is_asked_for_around_the_expected_time_and_no_more_when_it_has_come) {
  const auto refreshes = at_three({{0, 0}, {1, 1}, {2, 0}, {3, 1}, {4, 0}});
  const auto next = [&](instant now) { return *next_poll(refreshes, now, 24h, 4h); };
  const instant expected = monday + chr::days{5} + 3h;
  EXPECT_EQ(next(monday + chr::days{4} + 4h) - (monday + chr::days{4} + 3h), 12h)
      << "one look between two, for a refresh that nobody expects";
  std::vector<instant> polls;
  for (instant now = next(monday + chr::days{4} + 16h); now < expected + 23h; now = next(now))
    polls.push_back(now);
  ASSERT_GE(polls.size(), 3U);
  ASSERT_LE(polls.size(), 6U);
  EXPECT_LT(polls[0], expected + 2min);
  EXPECT_GT(polls[0], expected - 10min);
  EXPECT_LE(polls[1], expected + 10min);
  EXPECT_NEAR(chr::duration<double>(polls.back() - expected) / 12h, 1, 0.02) << "it does not come";
}

TEST(refresh_times, nothing_known_is_no_rhythm) {
  EXPECT_EQ(next_poll({}, monday, 24h, 4h), std::nullopt);
}

TEST(refresh_times, what_is_refreshed_too_often_is_asked_for_as_often_as_may_be) {
  std::vector<instant> hourly;
  for (int h = 0; h < 8; ++h)
    hourly.push_back(monday + chr::hours{h});
  EXPECT_EQ(next_poll(hourly, monday + 8h, 24h, 4h), monday + 12h);
}

TEST(refresh_times, a_compressed_day_is_asked_for_as_a_real_one) {
  std::vector<instant> refreshes;
  for (int d = 0; d < 5; ++d)
    refreshes.push_back(monday + 480s * d);
  int polls = 0;
  for (instant now = refreshes.back() + 20s; now < refreshes.back() + 500s; ++polls) {
    const instant next = *next_poll(refreshes, now, 480s, 80s);
    ASSERT_GT(next, now);
    now = next;
  }
  EXPECT_GE(polls, 5);
  EXPECT_LE(polls, 6);
}

TEST(refresh_times, rows_are_there_within_a_quarter_of_an_hour_as_a_rule) {
  simulated_provider provider;
  provider.credentials = 100;
  const freshness learned = simulate(provider, learned_schedule(provider));
  EXPECT_LE(learned.quantile(0.5), 15);
  EXPECT_LE(learned.quantile(0.95), 60);
  EXPECT_LE(learned.most_calls, 6) << "in any 24 hours";
  const freshness fixed = simulate(provider, fixed_schedule(provider));
  EXPECT_GT(fixed.quantile(0.5), 300) << "what a poll at a fixed time of day gives";
}

}  // namespace
}  // namespace flanks
