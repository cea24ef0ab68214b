// When absence is a removal: the truth table of promise P5, and what must hold for all facts.
#include "sync/removal.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <functional>

namespace flanks {
namespace {

namespace chr = std::chrono;

const day today = *day_from("2026-11-22");
const window history_of_two_years{*day_from("2024-11-22"), today};

credential_status healthy() {
  credential_status s;
  for (product_status& p : s.transactions)
    p = {.created = true, .errored = false};
  return s;
}

std::optional<window> provable(const credential_status& s, window asked) {
  return provable_days(s, product::card, asked, history_of_two_years);
}

TEST(removal, a_healthy_credential_proves_the_window_that_was_asked_for) {
  const window asked{today - chr::days{30}, today};
  EXPECT_EQ(provable(healthy(), asked), asked);
}

TEST(removal, pending_and_errored_prove_nothing) {
  const window asked{today - chr::days{30}, today};
  credential_status s = healthy();
  s.pending = true;
  EXPECT_FALSE(provable(s, asked));
  s = healthy();
  s.transactions[static_cast<std::size_t>(product::card)].errored = true;
  EXPECT_FALSE(provable(s, asked));
  s = healthy();
  s.transactions[static_cast<std::size_t>(product::account)].errored = true;
  EXPECT_EQ(provable(s, asked), asked) << "another product's error says nothing of this one";
}

TEST(removal, days_before_history_prove_nothing) {
  const day begin = history_of_two_years.from;
  EXPECT_EQ(provable(healthy(), {begin - chr::days{900}, today}),
            (window{begin + history_margin, today}));
  EXPECT_FALSE(
      provable(healthy(), {begin - chr::days{900}, begin + history_margin - chr::days{1}}));
  EXPECT_FALSE(provable(healthy(), {today + chr::days{1}, today + chr::days{9}}));
}

removal_facts facts(std::int64_t stored, std::int64_t fresh, std::int64_t under_review = 0) {
  removal_facts f;
  f.stored = stored;
  f.fresh = fresh;
  f.under_review = under_review;
  return f;
}

TEST(removal, more_than_both_thresholds_waits_for_a_person) {
  using enum removal_verdict;
  const auto decide = [](removal_facts f) { return decide_removal(f, {}).what; };
  EXPECT_EQ(decide(facts(100, 0)), nothing);
  EXPECT_EQ(decide(facts(100, 1)), remove);
  EXPECT_EQ(decide(facts(100, 10)), remove) << "ten percent is not more than ten percent";
  EXPECT_EQ(decide(facts(100, 11)), review);
  EXPECT_EQ(decide(facts(6, 5)), remove) << "five rows are not more than five";
  EXPECT_EQ(decide(facts(6, 6)), review);
  EXPECT_EQ(decide(facts(59, 6)), review);
  EXPECT_EQ(decide(facts(60, 6)), remove);
}

TEST(removal, an_empty_answer_where_rows_are_stored_waits_for_a_person) {
  removal_facts f = facts(1, 1);
  f.empty_answer = true;
  const removal_decision d = decide_removal(f, {});
  EXPECT_EQ(d.what, removal_verdict::review);
  EXPECT_EQ(d.reason, "empty_answer");
  EXPECT_TRUE(d.suspicious);
}

TEST(removal, records_that_cannot_be_read_may_be_the_absent_rows) {
  removal_facts f = facts(100, 1);
  f.unreadable = 1;
  EXPECT_EQ(decide_removal(f, {}).what, removal_verdict::withhold);
}

TEST(removal, what_is_under_review_stays_there_and_counts_into_the_brake) {
  const removal_decision few = decide_removal(facts(100, 3, 4), {});
  EXPECT_EQ(few.what, removal_verdict::remove);
  EXPECT_TRUE(few.suspicious);
  EXPECT_EQ(decide_removal(facts(100, 3, 8), {}).what, removal_verdict::review);
  const removal_decision none = decide_removal(facts(100, 0, 60), {});
  EXPECT_EQ(none.what, removal_verdict::nothing);
  EXPECT_TRUE(none.suspicious);
}

struct any_facts {
  removal_facts f;
  removal_limits limits;
};
any_facts arbitrary() {
  any_facts a;
  a.f.fresh = *rc::gen::inRange<std::int64_t>(0, 2000);
  a.f.under_review = *rc::gen::inRange<std::int64_t>(0, 2000);
  a.f.stored = a.f.fresh + a.f.under_review + *rc::gen::inRange<std::int64_t>(0, 20'000);
  a.f.unreadable = *rc::gen::inRange<std::int64_t>(0, 2);
  a.f.empty_answer = *rc::gen::element(true, false);
  a.limits = {*rc::gen::inRange(0, 101), *rc::gen::inRange(0, 50)};
  return a;
}

void holds(const std::function<void()>& property) {
  EXPECT_TRUE(rc::check(property));
}

TEST(removal, property_nothing_is_ever_removed_beyond_the_brake_or_without_evidence) {
  holds([] {
    const any_facts a = arbitrary();
    if (decide_removal(a.f, a.limits).what != removal_verdict::remove) return;
    RC_ASSERT(a.f.unreadable == 0);
    RC_ASSERT(!a.f.empty_answer);
    RC_ASSERT(a.f.fresh <= a.limits.rows || a.f.fresh * 100 <= a.f.stored * a.limits.percent);
  });
}

TEST(removal, property_losing_more_is_never_judged_more_lightly) {
  holds([] {
    const any_facts a = arbitrary();
    removal_facts more = a.f;
    more.fresh = a.f.fresh + *rc::gen::inRange<std::int64_t>(0, 500);
    more.stored = std::max(more.stored, more.fresh + more.under_review);
    RC_PRE(more.stored == a.f.stored);
    if (decide_removal(a.f, a.limits).what == removal_verdict::review)
      RC_ASSERT(decide_removal(more, a.limits).what == removal_verdict::review);
  });
}

TEST(removal, property_a_person_is_asked_exactly_when_something_waits_for_one) {
  holds([] {
    const any_facts a = arbitrary();
    const removal_decision d = decide_removal(a.f, a.limits);
    RC_ASSERT(d.suspicious == (d.what == removal_verdict::review || a.f.under_review > 0));
    RC_ASSERT((d.what == removal_verdict::review) == !d.reason.empty());
  });
}

TEST(removal, property_what_is_provable_lies_in_what_was_asked_and_in_history) {
  holds([] {
    const day from = today - chr::days{*rc::gen::inRange(0, 1500)};
    const window asked{from, from + chr::days{*rc::gen::inRange(0, 900)}};
    const std::optional<window> proved = provable(healthy(), asked);
    for (day d = asked.from; d <= asked.to; d += chr::days{1}) {
      const bool inside =
          history_of_two_years.contains(d) && d >= history_of_two_years.from + history_margin;
      RC_ASSERT((proved && proved->contains(d)) == inside);
    }
  });
}

}  // namespace
}  // namespace flanks
