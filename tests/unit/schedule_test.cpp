// Who is due when, and what is fetched: the truth table of sync/schedule.
#include "sync/schedule.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "sync/mirror.hpp"

namespace flanks {
namespace {

namespace chr = std::chrono;
using namespace std::chrono_literals;

const day today = *day_from("2026-11-22");
const instant yesterday_night{chr::sys_days{2026y / 11 / 21} + 23h};

credential_status answered() {
  credential_status s;
  s.last_update = yesterday_night;
  for (product_status& p : s.transactions)
    p = {.created = true, .errored = false};
  return s;
}

product_coverage covered(std::string_view from, std::string_view to, std::optional<instant> seen) {
  product_coverage c;
  c.from = day_from(from);
  c.to = day_from(to);
  c.provider_seen = seen;
  return c;
}

fetch_decision decide(const credential_status& s, const product_coverage& c,
                      sweep again = sweep::none, bool force = false) {
  return decide_fetch(s, c, product::card, sync_policy{}, today, again, force);
}

TEST(schedule, never_fetched_before_asks_for_all_history) {
  const fetch_decision d = decide(answered(), {});
  EXPECT_TRUE(d.fetch);
  EXPECT_EQ(d.days, (window{*day_from("2024-11-22"), today, true}));
}

TEST(schedule, newer_data_upstream_asks_from_coverage_minus_overlap) {
  const auto c = covered("2024-01-01", "2026-11-20", yesterday_night - 24h);
  const fetch_decision d = decide(answered(), c);
  EXPECT_TRUE(d.fetch);
  EXPECT_EQ(d.days, (window{*day_from("2026-10-21"), today, true}));
}

TEST(schedule, nothing_newer_upstream_fetches_nothing_and_says_so) {
  const auto c = covered("2024-01-01", "2026-11-21", yesterday_night);
  EXPECT_FALSE(decide(answered(), c).fetch);
  EXPECT_EQ(decide(answered(), c).why_not, outcome::unchanged_upstream);
  EXPECT_TRUE(decide(answered(), c, sweep::full).fetch);
  EXPECT_TRUE(decide(answered(), c, sweep::none, /*force=*/true).fetch);
}

TEST(schedule, nothing_newer_upstream_but_history_incomplete_fetches) {
  const auto c = covered("2026-06-01", "2026-11-21", yesterday_night);
  EXPECT_TRUE(decide(answered(), c).fetch);
}

TEST(schedule, days_with_records_in_quarantine_are_asked_for_again_however_old) {
  auto c = covered("2024-01-01", "2026-11-20", yesterday_night - 24h);
  c.unclean_from = day_from("2026-02-03");
  EXPECT_EQ(decide(answered(), c).days, (window{*day_from("2026-02-03"), today, true}));
  c.unclean_from = day_from("2026-11-10");
  EXPECT_EQ(decide(answered(), c).days, (window{*day_from("2026-10-21"), today, true}));
  c.unclean_from = day_from("2020-01-01");
  EXPECT_EQ(decide(answered(), c).days, (window{*day_from("2024-11-22"), today, true}));
}

TEST(schedule, an_unknown_last_update_fetches) {
  credential_status s = answered();
  s.last_update.reset();
  EXPECT_TRUE(decide(s, covered("2024-01-01", "2026-11-21", yesterday_night)).fetch);
}

TEST(schedule, pending_errored_and_not_created_are_never_no_rows) {
  credential_status s = answered();
  s.pending = true;
  EXPECT_EQ(decide(s, {}).why_not, outcome::not_available);
  EXPECT_EQ(decide(s, {}, sweep::full, true).fetch, false);
  s = answered();
  s.transactions[static_cast<std::size_t>(product::card)].errored = true;
  EXPECT_EQ(decide(s, {}).why_not, outcome::failed);
  EXPECT_EQ(decide(s, {}).explanation,
            "the provider says that its last extraction of card transactions failed; its data is "
            "not to be trusted");
  s = answered();
  s.transactions[static_cast<std::size_t>(product::card)].created = false;
  EXPECT_EQ(decide(s, {}).why_not, outcome::not_available);
  EXPECT_EQ(decide(s, {}).error_class, "provider_not_created");
}

TEST(schedule, states_follow_from_the_status_call) {
  credential_status s = answered();
  EXPECT_EQ(state_of(s), credential_state::ok);
  s.pending = true;
  EXPECT_EQ(state_of(s), credential_state::pending);
  s.sca_required = true;
  EXPECT_EQ(state_of(s), credential_state::action_required);
  s.blocked = true;
  EXPECT_EQ(state_of(s), credential_state::blocked);
}

TEST(schedule, slots_are_stable_and_spread_evenly) {
  const chr::seconds interval = 24h;
  std::vector<int> hours(24);
  for (std::int64_t id = 1; id <= 24'000; ++id) {
    const instant now{chr::seconds{1'795'000'000 + id * 7}};
    const chr::seconds delay = delay_to_slot(credential_id{id}, 5, interval, now, 0);
    ASSERT_GT(delay, interval / 4);
    ASSERT_LE(delay, interval);
    const instant turn = now + delay;
    const chr::seconds rest = delay_to_slot(credential_id{id}, 5, interval, turn, 0);
    ASSERT_TRUE(rest == interval || rest == interval / 2) << "one turn between, or none";
    const instant next = turn + rest;
    // Asked again at that moment, it is the same slot a whole interval later.
    ASSERT_EQ(delay_to_slot(credential_id{id}, 5, interval, next, 0), interval);
    ++hours[static_cast<std::size_t>(next.time_since_epoch().count() % 86400 / 3600)];
  }
  for (const int in_hour : hours)
    EXPECT_NEAR(in_hour, 1000, 64);
}

TEST(schedule, few_credentials_do_not_share_an_hour_and_another_salt_is_another_hour) {
  const chr::seconds interval = chr::hours{24};
  const instant now{chr::seconds{1'795'000'000}};
  const auto hour = [&](std::int64_t id, std::uint64_t salt) {
    // One that comes round within a quarter of a day is half a day later once: it is looked at from
    // six hours later then.
    const auto seen = delay_to_slot(credential_id{id}, salt, interval, now, 0);
    const bool maybe_moved = seen > interval / 2 && seen <= interval * 3 / 4;
    const instant from = maybe_moved ? now + chr::hours{6} : now;
    const instant turn = from + delay_to_slot(credential_id{id}, salt, interval, from, 0);
    return turn.time_since_epoch().count() % 86'400 / 3600;
  };
  std::vector<int> hours(24);
  int moved = 0;
  for (std::int64_t id = 1; id <= 31; ++id) {
    ++hours[static_cast<std::size_t>(hour(id, 5))];
    moved += hour(id, 5) != hour(id, std::uint64_t{1} << 63) ? 1 : 0;
  }
  for (const int in_hour : hours)
    EXPECT_LE(in_hour, 2);
  EXPECT_GT(moved, 25);
}

TEST(schedule, a_recent_sweep_reads_its_days_and_never_less_than_the_daily_window) {
  const auto c = covered("2024-01-01", "2026-11-21", yesterday_night);
  EXPECT_EQ(decide(answered(), c, sweep::recent).days,
            (window{today - chr::days{90}, today, true}));
  const auto away = covered("2024-01-01", "2026-03-01", yesterday_night);
  EXPECT_EQ(decide(answered(), away, sweep::recent).days,
            (window{*day_from("2026-01-30"), today, true}));
}

TEST(schedule, a_product_that_was_never_swept_is_swept_whole) {
  EXPECT_EQ(sweep_due({}, {}, instant{today}, {}), sweep::full);
}

// Ten thousand credentials that arrived on one day, looked at once a day for 70 days.
TEST(schedule, sweeps_of_credentials_that_arrived_together_spread_over_the_days) {
  const sync_policy policy;
  std::vector<int> full(70), recent(70);
  for (std::int64_t id = 1; id <= 10'000; ++id) {
    claimed_credential credential;
    credential.id = credential_id{id};
    product_coverage c;
    c.last_sweep = instant{today};
    for (int d = 1; d < 70; ++d) {
      const instant now{today + chr::days{d}};
      const sweep due = sweep_due(credential, c, now, policy);
      ASSERT_EQ(due, sweep_due(credential, c, now, policy));
      if (due == sweep::none) {
        ASSERT_LT(now - *c.last_sweep, policy.sweep_interval * 5 / 4 + 24h);
        continue;
      }
      ++(due == sweep::full ? full : recent)[static_cast<std::size_t>(d)];
      (due == sweep::full ? c.last_sweep : c.last_recent_sweep) = now;
      ASSERT_EQ(sweep_due(credential, c, now, policy), sweep::none) << "once, not twice";
    }
  }
  for (std::size_t d = 38; d < 70; ++d) {
    EXPECT_NEAR(full[d], 10'000 / 30, 100) << d;
    EXPECT_NEAR(recent[d], 10'000 / 7, 300) << d;
  }
}

TEST(schedule, failures_wait_longer_each_time_and_never_more_than_the_interval) {
  EXPECT_EQ(delay_after_failure(1, 24h, 0), 150s);
  EXPECT_EQ(delay_after_failure(1, 24h, 0.999999), 299s);
  EXPECT_EQ(delay_after_failure(3, 24h, 0), 1350s);
  EXPECT_EQ(delay_after_failure(60, 24h, 0), 12h);
  EXPECT_EQ(delay_after_failure(1, 288s, 0.5), 1s) << "a day of 288 seconds";
  EXPECT_EQ(delay_after_failure(60, 60s, 0), 30s);
}

TEST(schedule, a_first_404_is_an_error_and_one_on_a_later_day_is_gone) {
  credential_report report;
  report.failed = 1;
  report.not_found = true;
  report.error = "the provider does not know this credential";
  claimed_credential credential;
  const instant now{today + 9h};
  EXPECT_EQ(after(report, credential, {}, now, 0).state, credential_state::error);
  EXPECT_TRUE(after(report, credential, {}, now, 0).not_found);
  credential.not_found_since = instant{today + 1h};
  EXPECT_EQ(after(report, credential, {}, now, 0).state, credential_state::error);
  credential.not_found_since = instant{today - 1h};
  EXPECT_EQ(after(report, credential, {}, now, 0).state, credential_state::gone);
}

TEST(schedule, retry_after_is_respected) {
  credential_report report;
  report.failed = 1;
  report.retry_after = 3600s;
  EXPECT_EQ(after(report, {}, {}, instant{today}, 0).delay, 3600s);
}

}  // namespace
}  // namespace flanks
