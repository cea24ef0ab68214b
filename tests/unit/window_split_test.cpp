// How a range of days is cut into windows that the provider can serve.
#include "sync/window_split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

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
  EXPECT_TRUE(split.split_after(too_large()));
  EXPECT_EQ(split.reduced_limit(), 8);
  EXPECT_EQ(split.next(), days(1, 8));
  EXPECT_TRUE(split.split_after(too_large()));
  EXPECT_EQ(split.reduced_limit(), 4);
  EXPECT_EQ(rest(split), "1-4 5-8 9-12 13-16") << "what is left is no larger either";
}

TEST(window_split, what_was_served_before_a_halving_does_not_come_again) {
  window_split split(days(1, 16), 8);
  EXPECT_EQ(split.next(), days(1, 8));
  EXPECT_EQ(split.next(), days(9, 16));
  EXPECT_TRUE(split.done());
  EXPECT_TRUE(split.split_after(too_large()));
  EXPECT_EQ(rest(split), "9-12 13-16");
}

TEST(window_split, a_single_day_is_not_halved) {
  window_split split(days(1, 1));
  (void)split.next();
  EXPECT_FALSE(split.split_after(too_large()));
  EXPECT_TRUE(split.done());
  EXPECT_EQ(split.reduced_limit(), std::nullopt);
}

TEST(window_split, slowness_halves_three_times_and_size_as_often_as_it_takes) {
  window_split split(days(1, 64));
  for (const char* wait : {"first_byte_timeout", "idle_timeout", "total_timeout"}) {
    (void)split.next();
    EXPECT_TRUE(split.split_after(of(wait))) << wait;
  }
  EXPECT_EQ(split.next(), days(1, 8));
  EXPECT_FALSE(split.split_after(of("idle_timeout")));
  EXPECT_TRUE(split.split_after(too_large()));
  EXPECT_EQ(split.next(), days(1, 4));
}

// Asks a bank that serves `history` days of 1..`days`, at most `longest` of them at once, for all
// of them. Gives what was served, in order.
std::vector<window> ask(window_split& split, int days_in_all, int longest, int history) {
  std::vector<window> served;
  int refusals = 0;
  while (!split.done()) {
    const window w = split.next();
    const int oldest =
        static_cast<int>((first - w.from).count()) + days_in_all;  // days ago, from 1
    if (w.days() <= longest && oldest <= history) {
      split.served();
      served.push_back(w);
    } else if (++refusals > 60 || !split.split_after(of("window_refused"))) {
      break;
    }
  }
  EXPECT_LE(refusals, 60);
  return served;
}

TEST(window_split, a_bank_of_short_windows_serves_all_days_in_shorter_ones) {
  for (const int longest : {1, 7, 90, 400}) {
    window_split split({first, first + std::chrono::days{730}, true});
    std::vector<window> served = ask(split, 731, longest, 731);
    std::sort(served.begin(), served.end());
    ASSERT_EQ(served.front().from, first) << longest;
    for (std::size_t i = 1; i < served.size(); ++i)
      ASSERT_EQ(served[i].from, served[i - 1].last_day() + std::chrono::days{1}) << longest;
    EXPECT_TRUE(served.back().open) << longest;
    EXPECT_EQ(split.history_begins(), std::nullopt) << longest;
    EXPECT_LE(*split.reduced_limit(), longest);
    EXPECT_GT(*split.reduced_limit() * 2, longest) << "no smaller than it must be";
  }
}

TEST(window_split, a_bank_of_short_history_serves_all_of_it_and_says_where_it_begins) {
  for (const int history : {1, 2, 89, 90, 365, 730}) {
    window_split split({first, first + std::chrono::days{730}, true});
    std::vector<window> served = ask(split, 731, 800, history);
    const day begin = first + std::chrono::days{731 - history};
    EXPECT_EQ(split.history_begins(), begin) << history;
    EXPECT_EQ(split.last_served().from, begin) << history;
    EXPECT_EQ(split.reduced_limit(), std::nullopt) << history;
    std::sort(served.begin(), served.end());
    ASSERT_EQ(served.front().from, begin) << history;
    for (std::size_t i = 1; i < served.size(); ++i)
      ASSERT_EQ(served[i].from, served[i - 1].last_day() + std::chrono::days{1}) << history;
    EXPECT_TRUE(served.back().open) << history;
  }
}

TEST(window_split, a_short_history_is_found_behind_a_known_limit) {
  window_split split({first, first + std::chrono::days{730}, true}, 100);
  const std::vector<window> served = ask(split, 731, 100, 250);
  EXPECT_EQ(split.history_begins(), first + std::chrono::days{731 - 250});
  EXPECT_EQ(served.front().last_day(), end_of_days) << "the youngest first";
}

TEST(window_split, a_bank_that_refuses_every_day_has_failed) {
  window_split split({first, first + std::chrono::days{730}, true});
  EXPECT_TRUE(ask(split, 731, 0, 0).empty());
  EXPECT_EQ(split.history_begins(), std::nullopt);
}

TEST(window_split, other_failures_are_no_matter_of_size) {
  for (const char* other : {"connect_timeout", "connection_wait_timeout", "rate_grant_timeout",
                            "database_lock_timeout", "http_503"}) {
    window_split split(days(1, 16));
    (void)split.next();
    EXPECT_FALSE(split.split_after(of(other))) << other;
    EXPECT_TRUE(split.done());
  }
}

}  // namespace
}  // namespace flanks
