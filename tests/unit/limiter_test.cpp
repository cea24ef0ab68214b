// How fast we may go. The clock is a number here.
#include "sync/limiter.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace flanks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
const limiter::clock::time_point start{std::chrono::hours{100}};

TEST(limiter, burst_then_pace) {
  limiter ten_a_second(10, 3);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(ten_a_second.reserve(start), start);
  EXPECT_EQ(ten_a_second.reserve(start), start + milliseconds{100});
  EXPECT_EQ(ten_a_second.reserve(start), start + milliseconds{200});
  EXPECT_EQ(ten_a_second.reserve(start + seconds{60}), start + seconds{60}) << "after a rest";
}

TEST(limiter, without_a_limit_everyone_goes_at_once) {
  limiter none(0, 1);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(none.reserve(start), start);
}

TEST(limiter, pause_holds_everyone_and_is_never_shortened) {
  limiter l(0, 1);
  l.pause(start + seconds{30});
  l.pause(start + seconds{5});
  EXPECT_TRUE(l.paused(start + seconds{29}));
  EXPECT_FALSE(l.paused(start + seconds{30}));
  EXPECT_EQ(l.reserve(start), start + seconds{30});
}

TEST(limiter, after_a_pause_no_one_rushes) {
  limiter l(10, 1);
  l.pause(start + seconds{30});
  EXPECT_EQ(l.reserve(start), start + seconds{30});
  EXPECT_EQ(l.reserve(start), start + seconds{30} + milliseconds{100});
}

RC_GTEST_PROP(limiter, never_more_than_rate_and_burst_in_any_second, ()) {
  const int rate = *rc::gen::inRange(1, 50);
  const int burst = *rc::gen::inRange(1, 20);
  limiter l(rate, burst);
  std::vector<limiter::clock::time_point> turns;
  auto now = start;
  for (const int gap : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 400))) {
    now += milliseconds{gap};
    turns.push_back(l.reserve(now));
    RC_ASSERT(turns.back() >= now);
  }
  for (std::size_t first = 0; first < turns.size(); ++first) {
    std::size_t last = first;
    while (last < turns.size() && turns[last] < turns[first] + seconds{1})
      ++last;
    RC_ASSERT(last - first <= static_cast<std::size_t>(rate + burst));
  }
}

}  // namespace
}  // namespace flanks
