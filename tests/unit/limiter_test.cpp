// How fast we may go. Several daemons and their bucket in one simulation; the clock is a number.
#include "sync/limiter.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "sync/rate_bucket.hpp"

namespace flanks {
namespace {

namespace chr = std::chrono;
using chr::milliseconds;
using chr::seconds;
using time_point = limiter::clock::time_point;
const time_point start{chr::hours{100}};

double seconds_of(limiter::clock::duration d) {
  return chr::duration<double>(d).count();
}

rate_grant grant_of(int places, milliseconds starts_in = milliseconds{0}) {
  rate_grant g;
  g.places = places;
  g.starts_in = starts_in;
  return g;
}

void answer(limiter& l, const rate_grant& grant, time_point now) {
  l.asked(now);
  l.answered(grant, now);
}

TEST(limiter, places_are_used_at_their_time_and_not_before) {
  limiter l(10);
  answer(l, grant_of(3, milliseconds{50}), start);
  EXPECT_FALSE(l.take(start + milliseconds{49}));
  EXPECT_EQ(l.next_look(start + milliseconds{49}), start + milliseconds{50});
  EXPECT_TRUE(l.take(start + milliseconds{50}));
  EXPECT_FALSE(l.take(start + milliseconds{149}));
  EXPECT_TRUE(l.take(start + milliseconds{150}));
}

TEST(limiter, a_place_is_used_late_by_60_ms_at_most) {
  limiter l(100);
  answer(l, grant_of(100), start);
  const auto late = start + milliseconds{500};
  int burst = 0;
  while (l.take(late))
    ++burst;
  EXPECT_EQ(burst, 7) << "those of 440 ms to 500 ms";
}

TEST(limiter, no_place_is_used_after_the_time_of_its_grant) {
  limiter l(20);
  answer(l, grant_of(2), start);
  EXPECT_TRUE(l.take(start + milliseconds{30}));
  EXPECT_FALSE(l.take(start + milliseconds{100}))
      << "not too late, but its time is somebody else's";
}

TEST(limiter, the_time_of_question_and_answer_shortens_a_grant_at_both_ends) {
  limiter l(10);
  l.asked(start);
  l.answered(grant_of(10), start + milliseconds{250});
  EXPECT_FALSE(l.take(start + milliseconds{249}));
  EXPECT_TRUE(l.take(start + milliseconds{250})) << "it may be the first place that begins now";
  time_point last = start;
  for (auto now = start; now < start + seconds{3}; now += milliseconds{1})
    if (l.take(now)) last = now;
  EXPECT_EQ(last, start + milliseconds{950}) << "it may have begun when it was asked for";
}

TEST(limiter, a_pause_holds_until_its_end_or_until_an_answer_says_otherwise) {
  limiter l(10);
  answer(l, grant_of(50), start);
  l.pause(start + milliseconds{900});
  l.pause(start + milliseconds{500});
  EXPECT_FALSE(l.take(start + milliseconds{899})) << "it is never shortened";
  EXPECT_TRUE(l.take(start + milliseconds{900}));
  l.pause(start + seconds{60});
  answer(l, rate_grant{}, start + seconds{3});
  EXPECT_TRUE(l.take(start + seconds{3})) << "somebody has ended it";
  rate_grant longer;
  longer.pause.left = milliseconds{400};
  answer(l, longer, start + milliseconds{3100});
  EXPECT_FALSE(l.take(start + milliseconds{3499}));
  EXPECT_TRUE(l.take(start + milliseconds{3500}));
}

TEST(limiter, what_is_known_of_the_pause_is_a_second_old_at_most) {
  for (const double per_second : {0.0, 10.0}) {
    limiter l(per_second);
    EXPECT_FALSE(l.take(start)) << "nothing is known yet";
    answer(l, grant_of(100), start);
    EXPECT_TRUE(l.take(start + milliseconds{950}));
    EXPECT_FALSE(l.take(start + milliseconds{1000}));
    ASSERT_TRUE(l.wanted(start + milliseconds{1000}, 1));
    l.asked(start + milliseconds{1000});
    EXPECT_FALSE(l.take(start + milliseconds{1050}));
    l.answered(rate_grant{}, start + milliseconds{1060});
    EXPECT_TRUE(l.take(start + milliseconds{1060}));
  }
}

TEST(limiter, without_an_answer_granted_places_are_used_and_without_a_limit_nobody_goes) {
  for (const double per_second : {0.0, 10.0}) {
    limiter l(per_second);
    answer(l, grant_of(30), start);
    EXPECT_TRUE(l.take(start));
    l.asked(start + seconds{1});
    EXPECT_FALSE(l.take(start + milliseconds{1099}));
    EXPECT_EQ(l.take(start + milliseconds{1100}), per_second > 0) << "it waited for long enough";
    l.unanswered(start + milliseconds{1150});
    EXPECT_EQ(l.take(start + milliseconds{1200}), per_second > 0);
    EXPECT_FALSE(l.wanted(start + milliseconds{1649}, 1)) << "asked again, but not at once";
    EXPECT_TRUE(l.wanted(start + milliseconds{1650}, 1));
    EXPECT_FALSE(l.take(start + seconds{4})) << "all are used";
  }
}

TEST(limiter, nothing_is_asked_while_nobody_waits_or_an_answer_is_on_its_way) {
  limiter l(10);
  EXPECT_FALSE(l.wanted(start, 0));
  ASSERT_TRUE(l.wanted(start, 1));
  l.asked(start);
  EXPECT_FALSE(l.wanted(start + seconds{10}, 1));
}

// As many requests as it lets through; the sizes of the grants that it asks for, in turn.
std::vector<int> sizes_under_load(double per_second, int waiting, seconds time) {
  limiter l(per_second);
  rate_bucket bucket;
  std::vector<int> sizes;
  for (auto now = start; now < start + time; now += milliseconds{1}) {
    while (l.take(now)) {
    }
    const auto what = l.wanted(now, static_cast<std::size_t>(waiting));
    if (!what) continue;
    l.asked(now);
    if (what->places > 0) sizes.push_back(what->places);
    l.answered(what->places > 0 ? bucket.take(now, what->places, per_second) : rate_grant{}, now);
  }
  return sizes;
}

TEST(limiter, grants_grow_under_load_to_128_places_or_a_second_and_never_last_longer_than_5_s) {
  using sizes = std::vector<int>;
  EXPECT_EQ(sizes_under_load(60, 16, seconds{6}), (sizes{16, 64, 128, 128, 128}));
  EXPECT_EQ(sizes_under_load(1000, 64, seconds{1}), (sizes{250, 1000, 1000}));
  EXPECT_EQ(sizes_under_load(4, 16, seconds{11}), (sizes{16, 20, 20}));
  EXPECT_EQ(sizes_under_load(0.1, 16, seconds{19}), (sizes{1, 1, 1}));
}

TEST(limiter, who_sends_now_and_then_takes_little) {
  limiter l(60);
  rate_bucket bucket;
  std::vector<int> sizes;
  for (int i = 0; i < 20; ++i) {
    const auto now = start + milliseconds{500} * i;
    if (l.take(now)) continue;
    const auto what = l.wanted(now, 1);
    ASSERT_TRUE(what);
    l.asked(now);
    l.answered(bucket.take(now, what->places, 60), now);
    sizes.push_back(what->places);
    EXPECT_TRUE(l.take(now));
  }
  EXPECT_EQ(sizes, std::vector<int>(20, 15));
}

// A daemon as sync/flanks/pacer.cpp makes it: a line, a limiter, one question at a time.
struct daemon {
  explicit daemon(double per_second) : pace(per_second) {}

  limiter pace;
  std::vector<time_point> line, sent;
  std::vector<limiter::clock::duration> waited;
  std::optional<limiter::question> under_way;
  std::optional<rate_grant> answer;
  time_point at_bucket, back;
  time_point frozen_until{};
  time_point told{};  // a pause; an answer that was on its way does not know it
};

class simulation {
 public:
  simulation(int daemons, double per_second, unsigned seed, milliseconds slowest)
      : per_second_(per_second), chance_(seed), slowest_(slowest) {
    all.assign(static_cast<std::size_t>(daemons), daemon(per_second));
  }

  // One daemon after the other does what it can at `now`.
  void step(time_point now) {
    for (daemon& d : all)
      if (now >= d.frozen_until) step(d, now);
  }
  void tell_pause(daemon& d, time_point now, milliseconds wait) {
    d.told = now + wait;
    d.pace.pause(d.told);
    bucket.pause(now, wait, 429);
  }
  [[nodiscard]] std::vector<time_point> sent() const {
    std::vector<time_point> times;
    for (const daemon& d : all)
      times.insert(times.end(), d.sent.begin(), d.sent.end());
    std::sort(times.begin(), times.end());
    return times;
  }
  milliseconds delay() { return milliseconds{int_below(static_cast<int>(slowest_.count()) + 1)}; }
  int int_below(int end) { return static_cast<int>(chance_() % static_cast<unsigned>(end)); }

  std::vector<daemon> all;
  rate_bucket bucket;
  bool away = false;  // the database

 private:
  void step(daemon& d, time_point now) {
    if (d.under_way && !d.answer && now >= d.at_bucket && !away) {
      d.answer = d.under_way->places > 0 ? bucket.take(now, d.under_way->places, per_second_)
                                         : rate_grant{0, {}, bucket.paused(now)};
      d.back = now + delay();
    }
    if (d.answer && now >= d.back) {
      d.pace.answered(*d.answer, now);
      d.pace.pause(d.told);
      d.answer.reset();
      d.under_way.reset();
    }
    while (!d.line.empty() && d.pace.take(now)) {
      d.sent.push_back(now);
      d.waited.push_back(now - d.line.front());
      d.line.erase(d.line.begin());
    }
    const auto what = d.pace.wanted(now, d.line.size());
    if (!what) return;
    d.pace.asked(now);
    d.under_way = what;
    d.at_bucket = now + delay();
  }

  double per_second_;
  std::mt19937 chance_;
  milliseconds slowest_;
};

// By how many requests the fullest span is above `per_second` times its length.
double most_above(const std::vector<time_point>& times, double per_second) {
  double most = 0, least_before = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double pace = seconds_of(times[i] - start) * per_second;
    const auto count = static_cast<double>(i);
    least_before = i == 0 ? count - pace : std::min(least_before, count - pace);
    most = std::max(most, count + 1 - pace - least_before);
  }
  return most;
}

RC_GTEST_PROP(limiter, daemons_together_never_exceed_the_limit_by_more_than_a_tenth_of_a_second,
              ()) {
  const double per_second = *rc::gen::element(0.5, 3.0, 20.0, 60.0, 300.0);
  const int daemons = *rc::gen::inRange(1, 5);
  const int busy = *rc::gen::inRange(1, 30);  // requests a daemon in 100 ms
  simulation s(daemons, per_second, *rc::gen::arbitrary<unsigned>(),
               milliseconds{*rc::gen::element(0, 5, 50, 400)});
  for (auto now = start; now < start + seconds{4}; now += milliseconds{1}) {
    daemon& d = s.all[static_cast<std::size_t>(s.int_below(daemons))];
    if (s.int_below(100) < busy * daemons && d.line.size() < 40) d.line.push_back(now);
    const int accident = s.int_below(3000);
    if (accident == 0) d.frozen_until = now + milliseconds{s.int_below(2000)};
    if (accident == 1) s.tell_pause(d, now, milliseconds{s.int_below(1000)});
    if (accident == 2) s.away = !s.away;
    s.step(now);
  }
  RC_ASSERT(most_above(s.sent(), per_second) <= per_second * 0.06 + 2);
}

RC_GTEST_PROP(limiter, within_a_second_and_a_round_trip_nobody_sends_in_a_pause, ()) {
  const double per_second = *rc::gen::element(0.0, 20.0, 300.0);
  const milliseconds slowest{*rc::gen::element(0, 5, 40)};
  simulation s(3, per_second, *rc::gen::arbitrary<unsigned>(), slowest);
  const auto told = start + milliseconds{*rc::gen::inRange(500, 2000)};
  for (auto now = start; now < start + seconds{6}; now += milliseconds{1}) {
    for (daemon& d : s.all)
      if (d.line.size() < 8) d.line.push_back(now);
    if (now == told) s.tell_pause(s.all[0], now, seconds{3});
    s.step(now);
  }
  RC_ASSERT(s.sent().back() > told + seconds{3});
  for (const daemon& d : s.all) {
    const auto known =
        &d == &s.all[0] ? told : told + limiter::knowledge + 2 * slowest + milliseconds{2};
    RC_ASSERT(std::none_of(d.sent.begin(), d.sent.end(),
                           [&](time_point t) { return t > known && t < told + seconds{3}; }));
  }
}

TEST(limiter, a_daemon_alone_reaches_the_limit) {
  for (const double per_second : {2.0, 60.0, 900.0}) {
    simulation s(1, per_second, 1, milliseconds{5});
    for (auto now = start; now < start + seconds{20}; now += milliseconds{1}) {
      while (s.all[0].line.size() < 16)
        s.all[0].line.push_back(now);
      s.step(now);
    }
    EXPECT_GE(static_cast<double>(s.sent().size()), 0.97 * 20 * per_second) << per_second;
  }
}

TEST(limiter, the_busy_share_evenly_and_the_one_with_little_to_send_is_not_starved) {
  const double per_second = 60;
  simulation s(4, per_second, 7, milliseconds{5});
  for (auto now = start; now < start + seconds{120}; now += milliseconds{1}) {
    for (std::size_t i = 0; i < 3; ++i)
      while (s.all[i].line.size() < 16)
        s.all[i].line.push_back(now);
    if ((now - start) % seconds{1} == seconds{0}) s.all[3].line.push_back(now);
    s.step(now);
  }
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(static_cast<double>(s.all[i].sent.size()), 120 * per_second / 3, 300) << i;
  EXPECT_GE(s.all[3].sent.size(), 100U);
  // Each of the others has at most what it uses and what it uses next before us.
  const auto longest = *std::max_element(s.all[3].waited.begin(), s.all[3].waited.end());
  EXPECT_LE(seconds_of(longest), 3 * 2 * 128 / per_second + 1);
  EXPECT_GE(static_cast<double>(s.sent().size()), 0.9 * 120 * per_second);
}

TEST(limiter, when_the_bucket_is_away_the_rest_of_the_grant_is_used_and_then_nothing) {
  simulation s(1, 60, 3, milliseconds{1});
  const auto gone = start + seconds{5}, back = gone + seconds{10};
  for (auto now = start; now < back + seconds{5}; now += milliseconds{1}) {
    while (s.all[0].line.size() < 16)
      s.all[0].line.push_back(now);
    s.away = now >= gone && now < back;
    s.step(now);
  }
  const auto sent = s.sent();
  const auto between = [&](time_point from, time_point to) {
    return std::count_if(sent.begin(), sent.end(),
                         [&](time_point t) { return t >= from && t < to; });
  };
  EXPECT_GT(between(gone, back), 10);
  EXPECT_EQ(between(gone + milliseconds{4300}, back), 0) << "longer than two grants";
  // The question that had stood still was answered then: nobody knows when its places were.
  EXPECT_GE(between(back + milliseconds{2200}, back + seconds{5}), 0.95 * 2.8 * 60);
  EXPECT_LE(most_above(sent, 60), 6);
}

}  // namespace
}  // namespace flanks
