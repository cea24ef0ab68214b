// What is fetched of one credential, and what is left out: the truth table of sync/fetch_plan.
#include "sync/fetch_plan.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

using namespace std::chrono_literals;

const instant now{std::chrono::sys_days{2026y / 11 / 22} + 12h};
const day today = *day_from("2026-11-22");
const instant refreshed = now - 10h;

credential_status answered() {
  credential_status s;
  s.last_update = refreshed;
  for (product_status& p : s.transactions)
    p = {.created = true, .errored = false};
  return s;
}

// Everything was read whole an hour ago, at the provider's last refresh.
assignment up_to_date() {
  assignment job;
  for (product_coverage& c : job.credential.coverage) {
    c.from = day_from("2024-11-22");
    c.to = today;
    c.provider_seen = refreshed;
    c.last_success = c.last_sweep = c.last_recent_sweep = now - 1h;
  }
  return job;
}

fetch_plan plan(const assignment& job, const credential_status& status = answered()) {
  return plan_fetches(job, status, sync_policy{}, now);
}

TEST(fetch_plan, nothing_newer_leaves_every_product_out_and_says_why) {
  const fetch_plan p = plan(up_to_date());
  EXPECT_TRUE(p.windows.empty());
  ASSERT_EQ(p.rest.size(), sync_policy{}.products.size());
  for (const left_out& l : p.rest) {
    EXPECT_EQ(l.why.why_not, outcome::unchanged_upstream);
    EXPECT_FALSE(l.item);
  }
}

TEST(fetch_plan, newer_data_of_one_product_fetches_that_one_by_fingerprints) {
  assignment job = up_to_date();
  product_coverage& card = job.credential.coverage[static_cast<std::size_t>(product::card)];
  card.provider_seen = refreshed - 24h;
  const fetch_plan p = plan(job);
  ASSERT_EQ(p.windows.size(), 1U);
  EXPECT_EQ(p.windows[0].what, product::card);
  EXPECT_EQ(p.windows[0].why, trigger::schedule);
  EXPECT_EQ(p.windows[0].how, comparing::fingerprints);
  EXPECT_EQ(p.windows[0].days, (window{*day_from("2026-10-23"), today, true}));
  EXPECT_FALSE(p.windows[0].item);
}

TEST(fetch_plan, a_full_sweep_reads_all_history_and_compares_with_the_table) {
  assignment job = up_to_date();
  for (product_coverage& c : job.credential.coverage)
    c.last_sweep = now - 3 * sync_policy{}.sweep_interval;
  const fetch_plan p = plan(job);
  ASSERT_FALSE(p.windows.empty());
  EXPECT_TRUE(p.rest.empty());
  for (const planned_window& w : p.windows) {
    EXPECT_EQ(w.why, trigger::sweep);
    EXPECT_EQ(w.how, comparing::values);
    EXPECT_EQ(w.days.from, *day_from("2024-11-22"));
  }
}

TEST(fetch_plan, a_recent_sweep_believes_the_fingerprints) {
  assignment job = up_to_date();
  for (product_coverage& c : job.credential.coverage)
    c.last_recent_sweep = now - 3 * sync_policy{}.recent_sweep_interval,
    c.last_sweep = *c.last_recent_sweep;
  // The full one must not be due as well.
  sync_policy rare;
  rare.sweep_interval = std::chrono::hours{24 * 3650};
  const fetch_plan p = plan_fetches(job, answered(), rare, now);
  ASSERT_FALSE(p.windows.empty());
  EXPECT_EQ(p.windows[0].why, trigger::sweep);
  EXPECT_EQ(p.windows[0].how, comparing::fingerprints);
}

TEST(fetch_plan, the_first_time_is_no_sweep) {
  const fetch_plan p = plan(assignment{});
  ASSERT_EQ(p.windows.size(), sync_policy{}.products.size());
  EXPECT_EQ(p.windows[0].why, trigger::schedule);
  EXPECT_EQ(p.windows[0].how, comparing::values);
}

TEST(fetch_plan, a_sync_of_named_products_fetches_those_whatever_is_new) {
  assignment job = up_to_date();
  job.products = {product::liability};
  job.force = true;
  job.why = trigger::manual;
  const fetch_plan p = plan(job);
  ASSERT_EQ(p.windows.size(), 1U);
  EXPECT_EQ(p.windows[0].what, product::liability);
  EXPECT_EQ(p.windows[0].why, trigger::manual);
  EXPECT_TRUE(p.rest.empty());
}

TEST(fetch_plan, the_items_of_a_backfill_are_its_windows_whatever_coverage_says) {
  assignment job = up_to_date();
  job.why = trigger::backfill;
  job.items = std::vector<plan_item>{
      {11, product::account, {*day_from("2025-01-01"), *day_from("2025-03-31")}},
      {12, product::account, {*day_from("2026-01-01"), today}},
      {13, product::card, {*day_from("2025-01-01"), today}}};
  credential_status status = answered();
  status.transactions[static_cast<std::size_t>(product::card)].created = false;
  const fetch_plan p = plan(job, status);
  ASSERT_EQ(p.windows.size(), 2U);
  EXPECT_EQ(p.windows[0].item, 11);
  EXPECT_FALSE(p.windows[0].days.open) << "it ended in the past";
  EXPECT_EQ(p.windows[1].item, 12);
  EXPECT_TRUE(p.windows[1].days.open) << "what is dated tomorrow comes too";
  EXPECT_EQ(p.windows[1].how, comparing::values);
  ASSERT_EQ(p.rest.size(), 1U);
  EXPECT_EQ(p.rest[0].why.why_not, outcome::not_available);
  EXPECT_EQ(p.rest[0].item->item_id, 13);
}

}  // namespace
}  // namespace flanks
