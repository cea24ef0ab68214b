// How a range of days is cut into windows that the provider can serve.
#include "sync/window_split.hpp"

#include <gtest/gtest.h>

#include <string>

namespace flanks {
namespace {

using namespace std::chrono_literals;

constexpr day first{2026y / 1 / 1};

window days(int from, int to) {
  return {first + std::chrono::days{from - 1}, first + std::chrono::days{to - 1}};
}

failure too_large() {
  return failure{stage::receive, verdict::halve, "http_413", "too large"};
}
failure of(const char* error_class) {
  return failure{stage::first_byte, verdict::retry, error_class, "slow"};
}

// All that is left, as day numbers: "1-8 9-16".
std::string rest(window_split& split) {
  std::string all;
  while (!split.done()) {
    const window w = split.next();
    all += (all.empty() ? "" : " ") + std::to_string((w.from - first).count() + 1) + "-" +
           std::to_string((w.to - first).count() + 1);
  }
  return all;
}

TEST(window_split, of_nothing_is_done) {
  EXPECT_TRUE(window_split{}.done());
}

TEST(window_split, without_a_limit_all_is_one_window) {
  window_split split(days(1, 16));
  EXPECT_EQ(rest(split), "1-16");
  EXPECT_EQ(split.reduced_limit(), std::nullopt);
}

TEST(window_split, with_a_limit_oldest_first_of_even_length) {
  window_split split(days(1, 16), 6);
  EXPECT_EQ(rest(split), "1-5 6-10 11-16");
  EXPECT_EQ(split.reduced_limit(), std::nullopt) << "it was known before";
}

TEST(window_split, too_large_is_halved_from_the_older_end) {
  window_split split(days(1, 16));
  EXPECT_EQ(split.next(), days(1, 16));
  EXPECT_TRUE(split.halve_after(too_large()));
  EXPECT_EQ(split.reduced_limit(), 8);
  EXPECT_EQ(split.next(), days(1, 8));
  EXPECT_TRUE(split.halve_after(too_large()));
  EXPECT_EQ(split.reduced_limit(), 4);
  EXPECT_EQ(rest(split), "1-4 5-8 9-12 13-16") << "what is left is no larger either";
}

TEST(window_split, what_was_served_before_a_halving_does_not_come_again) {
  window_split split(days(1, 16), 8);
  EXPECT_EQ(split.next(), days(1, 8));
  EXPECT_EQ(split.next(), days(9, 16));
  EXPECT_TRUE(split.done());
  EXPECT_TRUE(split.halve_after(too_large()));
  EXPECT_EQ(rest(split), "9-12 13-16");
}

TEST(window_split, a_single_day_is_not_halved) {
  window_split split(days(1, 1));
  (void)split.next();
  EXPECT_FALSE(split.halve_after(too_large()));
  EXPECT_TRUE(split.done());
  EXPECT_EQ(split.reduced_limit(), std::nullopt);
}

TEST(window_split, slowness_halves_three_times_and_size_as_often_as_it_takes) {
  window_split split(days(1, 64));
  for (const char* wait : {"first_byte_timeout", "idle_timeout", "total_timeout"}) {
    (void)split.next();
    EXPECT_TRUE(split.halve_after(of(wait))) << wait;
  }
  EXPECT_EQ(split.next(), days(1, 8));
  EXPECT_FALSE(split.halve_after(of("idle_timeout")));
  EXPECT_TRUE(split.halve_after(too_large()));
  EXPECT_EQ(split.next(), days(1, 4));
}

TEST(window_split, other_failures_are_no_matter_of_size) {
  for (const char* other : {"connect_timeout", "connection_wait_timeout", "rate_grant_timeout",
                            "database_lock_timeout", "http_503"}) {
    window_split split(days(1, 16));
    (void)split.next();
    EXPECT_FALSE(split.halve_after(of(other))) << other;
    EXPECT_TRUE(split.done());
  }
}

}  // namespace
}  // namespace flanks
