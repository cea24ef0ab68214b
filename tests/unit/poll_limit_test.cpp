// How often the schedule asks for a credential: never more than sync.polls_per_day in any 24 hours,
// never less than once an interval, whatever the provider answers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "sync/mirror.hpp"

namespace flanks {
namespace {

namespace chr = std::chrono;
using namespace std::chrono_literals;
using chr::milliseconds;

const instant first_turn{*day_from("2026-11-16")};

sync_policy policy_of(chr::seconds interval, int polls_per_day) {
  sync_policy policy;
  policy.interval = interval;
  policy.polls_per_day = polls_per_day;
  return policy;
}

TEST(poll_limit, is_what_the_configuration_says_and_never_less_than_the_interval_asks_for) {
  EXPECT_EQ(limit_of(policy_of(24h, 6)), (poll_limit{6, 24h}));
  EXPECT_EQ(limit_of(policy_of(30 * 24h, 1)), (poll_limit{1, 24h}));
  EXPECT_EQ(limit_of(policy_of(5h, 2)), (poll_limit{5, 24h}));
  EXPECT_EQ(limit_of(policy_of(24h, 100)), (poll_limit{24, 24h}));
  EXPECT_EQ(limit_of(policy_of(96s, 5400)), (poll_limit{6, 96s})) << "a compressed day";
  EXPECT_EQ(limit_of(policy_of(50min, 6)), (poll_limit{1, 2980s}));
}

TEST(poll_limit, the_next_poll_waits_for_the_oldest_of_the_last_ones) {
  const poll_limit three{3, 24h};
  std::vector<instant> polls;
  for (const auto at : {0h, 10h, 11h})
    polls = with_poll(std::move(polls), first_turn + at, three);
  EXPECT_EQ(earliest_poll(polls, three, 24h), first_turn + 24h + 1s);
  const auto before = polls;
  polls = with_poll(std::move(polls), first_turn + 24h + 1s, three);
  EXPECT_EQ(earliest_poll(polls, three, 24h), first_turn + 34h + 1s);
  EXPECT_EQ(polls[1], before[1]) << "only one of them is written anew";
  EXPECT_EQ(polls[2], before[2]);
}

TEST(poll_limit, polls_are_left_for_every_interval_of_the_rest_of_the_day) {
  const poll_limit six{6, 24h};
  std::vector<instant> polls;
  for (int i = 0; i < 3; ++i)
    polls = with_poll(std::move(polls), first_turn + chr::minutes{i}, six);
  EXPECT_EQ(earliest_poll(polls, six, 6h), first_turn + 6h + 1s)
      << "three are left for the turns at 6, 12 and 18 hours";
}

// One credential over a long time: answers, failures of all kinds, refreshes daily or at random,
// calls of an operator, turns that come late; and the daemon forgets all but what is stored.
class story {
 public:
  story(std::uint64_t seed, sync_policy policy) : random_(seed), policy_(std::move(policy)) {
    daily_ = random_() % 2 == 0;
    bad_ = static_cast<int>(random_() % 4) * 3;
  }

  // The status calls of the schedule, in milliseconds.
  std::vector<std::int64_t> calls;
  chr::seconds longest{0};  // from the end of a turn until the next one is due

  void run(int turns) {
    credential_.id = credential_id{static_cast<std::int64_t>(random_() % 100'000)};
    milliseconds now = first_turn.time_since_epoch();
    for (int i = 0; i < turns; ++i) {
      credential_report report = turn(now);
      if (report.is_poll()) calls.push_back(now.count());
      now += milliseconds{random_() % 1500};  // until it is recorded
      now += after_turn(report, instant{chr::floor<chr::seconds>(now)});
      now += milliseconds{random_() % 4 == 0 ? random_() % 3000 : 0};
    }
  }

 private:
  credential_report turn(milliseconds at) {
    credential_report report;
    const auto chance = static_cast<int>(random_() % 10);
    report.answered = chance >= bad_;
    const instant now = chr::floor<chr::seconds>(instant{} + at);
    if (report.answered) {
      const auto since = now.time_since_epoch().count() % policy_.interval.count();
      report.provider_update =
          now - chr::seconds{daily_ ? since : static_cast<std::int64_t>(random_() % 200'000)};
      report.pending = random_() % 20 == 0;
      if (random_() % 50 == 0) report.why = trigger::manual;
      return report;
    }
    report.failed = 1;
    if (chance == 0) report.not_found = true;
    if (chance == 1) report.unauthorized = true;
    if (chance == 2)
      report.unreachable = failure(stage::connect, verdict::later, "connect_failed", "no");
    if (chance == 3)
      report.stopped_by = failure(stage::database, verdict::stop, "missing_table", "no");
    return report;
  }

  milliseconds after_turn(const credential_report& report, instant now) {
    const double jitter = static_cast<double>(random_() % 1000) / 1000;
    const next_attempt next = after(report, credential_, policy_, now, jitter);
    credential_.failures_in_a_row = next.failed ? credential_.failures_in_a_row + 1 : 0;
    if (next.polls) credential_.polls = *next.polls;
    if (next.refreshes) credential_.refreshes = *next.refreshes;
    EXPECT_GT(next.delay, 0s);
    if (!report.stopped_by) longest = std::max(longest, next.delay);
    return next.delay;
  }

  std::mt19937_64 random_;
  sync_policy policy_;
  bool daily_ = true;
  int bad_ = 0;  // of 10 calls
  claimed_credential credential_;
};

int most_in(const std::vector<std::int64_t>& calls, milliseconds span) {
  std::size_t first = 0, most = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    while (calls[i] - calls[first] >= span.count())
      ++first;
    most = std::max(most, i - first + 1);
  }
  return static_cast<int>(most);
}

TEST(poll_limit, no_24_hours_have_more_polls_and_no_interval_has_none) {
  const std::vector<chr::seconds> intervals{96s, 50min, 1h, 5h, 6h, 24h, 7 * 24h};
  const std::vector<int> numbers{1, 2, 3, 5, 6, 7, 24, 25, 100, 5400};
  for (std::uint64_t seed = 1; seed <= 700; ++seed) {
    const sync_policy policy =
        policy_of(intervals[seed % intervals.size()], numbers[seed / 7 % numbers.size()]);
    const poll_limit limit = limit_of(policy);
    const auto asked = (24h + policy.interval - 1s) / policy.interval;
    story told(seed, policy);
    told.run(300);
    const auto say = [&] {
      return fmt::format("seed {}: interval {} s, {} a day", seed, policy.interval.count(),
                         policy.polls_per_day);
    };
    ASSERT_LE(most_in(told.calls, limit.span), limit.polls) << say();
    ASSERT_LE(most_in(told.calls, 24h),
              std::max<int>(policy.polls_per_day, static_cast<int>(asked)))
        << say();
    ASSERT_LE(told.longest, policy.interval + 1s) << say();
  }
}

}  // namespace
}  // namespace flanks
