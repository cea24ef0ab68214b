// The truth table of removals (promise P5) on a real database: what was stored, what came, what is
// then removed, handed over or waiting for a person.
#include <fmt/format.h>

#include <random>

#include "db/commands/removal_reviews.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class removing : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    first_ = add("ana", "token-a");
    second_ = add("ben", "token-b");
  }

  // One whole answer for one window that proves what is not in it.
  run_record answer(credential_id id, transaction_batch batch, window days = may,
                    std::optional<window> proves = may) {
    const claimed_credential c = claim(id);
    auto ledger = run(store_->open_window(c.id, c.lease, product::account, days, std::nullopt,
                                          comparing::fingerprints));
    run(ledger->apply(std::move(batch)));
    window_evidence evidence;
    evidence.provable = proves;
    const run_record r = commit(*ledger, record_for(c, product::account, days), evidence);
    release(c);
    return r;
  }
  run_record answer(credential_id id, const std::vector<sample>& samples) {
    return answer(id, batch_of(samples));
  }

  static std::vector<sample> numbered(int from, int to) {
    std::vector<sample> all;
    for (int i = from; i < to; ++i)
      all.push_back({fmt::format("id{:03}", i)});
    return all;
  }
  std::vector<std::string> removed() {
    return rows("select _id from flanks.transactions where removed_at is not null order by 1");
  }
  std::string history(const std::string& id) {
    return value(
        "select coalesce(string_agg(reason, ' ' order by revision_id), '') from "
        "flanks.transaction_revisions where _id = '" +
        id + "'");
  }

  credential_id first_, second_;
};

TEST_F(removing, a_row_that_a_whole_answer_lacks_is_removed_with_its_last_version_kept) {
  answer(first_, {{"a", "2026-05-10", "5"}, {"b"}, {"c"}});
  const run_record r = answer(first_, {{"b"}, {"c"}});
  EXPECT_EQ(r.outcome, outcome::ok);
  EXPECT_EQ(r.counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("a"));
  EXPECT_THAT(rows("select v._id, v.reason, v.content->>'amount', v.content->>'removed_at', "
                   "r.removed, t.removed_at = t.updated_at from flanks.transaction_revisions v "
                   "join flanks.sync_runs r using (sync_run_id) join flanks.transactions t "
                   "on t._id = v._id"),
              ElementsAre("a|removed|5|-|1|t"));
  EXPECT_EQ(value("select count(*) from flanks.transactions_current"), "2");
  // Removed once: the next answer without it says nothing new.
  EXPECT_EQ(answer(first_, {{"b"}, {"c"}}).counts.removed, 0);
  EXPECT_EQ(history("a"), "removed");
}

TEST_F(removing, a_removed_row_that_comes_back_is_restored_and_can_be_removed_again) {
  answer(first_, {{"a"}, {"b"}});
  answer(first_, {{"b"}});
  EXPECT_EQ(answer(first_, {{"a"}, {"b"}}).counts.updated, 1);
  EXPECT_THAT(removed(), IsEmpty());
  answer(first_, {{"b"}});
  EXPECT_THAT(removed(), ElementsAre("a"));
  EXPECT_EQ(history("a"), "removed restored removed");
}

TEST_F(removing, an_answer_without_evidence_removes_nothing) {
  answer(first_, {{"a"}, {"b"}});
  EXPECT_EQ(answer(first_, batch_of({{"b"}}), may, std::nullopt).counts.removed, 0);
  EXPECT_THAT(removed(), IsEmpty());
}

TEST_F(removing, an_answer_that_was_filtered_proves_no_absence) {
  answer(first_, {{"a"}, {"b"}});
  store_.reset();
  db_options filtered = options_;
  filtered.query = R"({"currency":["^EUR$"]})";
  store_ = make_store(loop_.get_executor(), filtered);
  EXPECT_EQ(answer(first_, {{"b"}}).counts.removed, 0);
  EXPECT_EQ(answer(first_, std::vector<sample>{}).outcome, outcome::ok);
  EXPECT_THAT(removed(), IsEmpty());
}

// It may be the answer to an earlier request.
TEST_F(removing, an_answer_of_a_rested_connection_that_lacks_rows_is_not_believed) {
  answer(first_, {{"a"}, {"b"}});
  const auto rested = [&](const std::vector<sample>& samples) {
    const claimed_credential c = claim(first_);
    auto ledger = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                          comparing::fingerprints));
    run(ledger->apply(batch_of(samples)));
    window_evidence evidence;
    evidence.provable = may;
    evidence.rested_connection = true;
    std::string refused;
    try {
      commit(*ledger, record_for(c), evidence);
    } catch (const failure& f) {
      refused = f.error_class;
      run(ledger->abandon());
    }
    release(c);
    return refused;
  };
  EXPECT_EQ(rested({{"b"}, {"new"}}), "unconfirmed_answer");
  EXPECT_EQ(rested({}), "unconfirmed_answer");
  EXPECT_EQ(value("select string_agg(_id, ' ' order by _id) from flanks.transactions_current"),
            "a b");
  EXPECT_EQ(value("select count(*) from flanks.removal_reviews"), "0");
  EXPECT_EQ(rested({{"a"}, {"b"}, {"new"}}), "") << "it lacks nothing";
}

TEST_F(removing, rows_outside_of_the_window_or_of_what_history_proves_stay) {
  answer(first_, batch_of({{"april", "2026-04-10"}, {"old", "2026-05-02"}, {"a"}, {"b"}}));
  const window proves{may.from + std::chrono::days{5}, may.to};
  EXPECT_EQ(answer(first_, batch_of({{"b"}}), may, proves).counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("a"));
}

TEST_F(removing, rows_of_another_product_or_credential_stay) {
  answer(second_, {{"hers"}});
  store_window(first_, {{"card1"}}, product::card);
  answer(first_, {{"a"}, {"b"}});
  answer(first_, {{"b"}});
  EXPECT_THAT(removed(), ElementsAre("a"));
}

TEST_F(removing, a_record_in_quarantine_shows_the_row_of_its_id) {
  answer(first_, {{"a"}, {"b"}});
  transaction_batch batch = batch_of({{"b"}});
  rejected_record bad = rejected("bad_amount", R"({"_id":"a","amount":"x"})");
  bad.id = "a";
  batch.rejected.push_back(bad);
  EXPECT_EQ(answer(first_, std::move(batch)).outcome, outcome::partial);
  EXPECT_THAT(removed(), IsEmpty());
  // Refused by the database, it is shown as well.
  answer(first_, {{"a", "2026-05-10", "NaN"}, {"b"}});
  EXPECT_THAT(removed(), IsEmpty());
}

TEST_F(removing, a_record_without_an_id_may_be_any_row) {
  answer(first_, {{"a"}, {"b"}});
  transaction_batch batch = batch_of({{"b"}});
  batch.rejected.push_back(rejected("missing_id", "{}"));
  EXPECT_EQ(answer(first_, std::move(batch)).counts.removed, 0);
  EXPECT_THAT(removed(), IsEmpty());
}

TEST_F(removing, a_row_whose_day_moved_out_of_the_window_in_this_answer_stays) {
  answer(first_, {{"a"}, {"b"}});
  answer(first_, {{"a", "2026-04-02"}, {"b"}});
  EXPECT_THAT(removed(), IsEmpty());
  EXPECT_EQ(history("a"), "changed");
}

TEST_F(removing, the_same_content_under_a_new_id_is_renumbered) {
  answer(first_, {{"a"}, {"b"}});
  const run_record r = answer(first_, {{"a2"}, {"b"}});
  EXPECT_EQ(r.counts.inserted, 1);
  EXPECT_EQ(r.counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("a"));
  EXPECT_EQ(value("select removal_reason || ' ' || successor_id || ' ' || flanks.current_id('a') "
                  "from flanks.transactions where _id = 'a'"),
            "renumbered a2 a2");
  EXPECT_EQ(history("a"), "renumbered");
}

TEST_F(removing, an_empty_answer_where_rows_are_stored_removes_nothing_and_asks) {
  answer(first_, {{"a"}});
  const run_record r = answer(first_, std::vector<sample>{});
  EXPECT_EQ(r.outcome, outcome::suspicious);
  EXPECT_THAT(r.error_message, HasSubstr("empty"));
  EXPECT_THAT(removed(), IsEmpty());
  EXPECT_EQ(value("select reason || ' ' || state from flanks.removal_reviews"),
            "empty_answer open");
}

TEST_F(removing, an_empty_answer_where_nothing_is_stored_is_well) {
  EXPECT_EQ(answer(first_, std::vector<sample>{}).outcome, outcome::ok);
}

// ---- the brake

TEST_F(removing, too_many_at_once_removes_nothing_stores_the_rest_and_asks) {
  answer(first_, numbered(0, 20));
  std::vector<sample> rest = numbered(0, 10);
  rest[0].amount = "7";
  rest.push_back({"new", "2026-05-10", "9"});
  const run_record r = answer(first_, rest);
  EXPECT_EQ(r.outcome, outcome::suspicious);
  EXPECT_EQ(r.counts.removed, 0);
  EXPECT_EQ(r.counts.inserted, 1);
  EXPECT_EQ(r.counts.updated, 1);
  EXPECT_THAT(removed(), IsEmpty());
  EXPECT_THAT(rows("select outcome, error_class, error_message from flanks.sync_runs where outcome "
                   "= 'suspicious'"),
              ElementsAre("suspicious|suspicious_removal|the provider no longer shows 10 of 20 "
                          "rows that it showed before; none was removed"));
  EXPECT_EQ(value("select days::text from flanks.coverage"), "{[2026-05-01,2026-06-01)}");
  EXPECT_THAT(rows("select who_must_act, left(what_next, 21) from flanks.sync_status limit 1"),
              ElementsAre("operator|so many rows vanished"));
  const auto open = removal_reviews::list(options_, false);
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].missing, 10);
  EXPECT_EQ(open[0].stored, 20);
  EXPECT_EQ(open[0].credential, first_);
}

TEST_F(removing, a_confirmed_review_removes_its_rows_under_its_run) {
  answer(first_, numbered(0, 20));
  answer(first_, numbered(0, 10));
  const std::string run = removal_reviews::list(options_, false).at(0).sync_run_id;
  EXPECT_EQ(removal_reviews::confirm(options_, run).removed, 10);
  EXPECT_EQ(removed().size(), 10U);
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions where reason = 'removed' and "
                  "sync_run_id = '" +
                  run + "'"),
            "10");
  EXPECT_THAT(removal_reviews::list(options_, false), IsEmpty());
  EXPECT_EQ(answer(first_, numbered(0, 10)).outcome, outcome::ok);
  EXPECT_EQ(failure_of([&] { (void)removal_reviews::confirm(options_, run); }).error_class,
            "unknown_review");
}

TEST_F(removing, confirming_leaves_alone_what_has_been_shown_since) {
  answer(first_, numbered(0, 20));
  answer(first_, numbered(0, 10));
  const std::string run = removal_reviews::list(options_, false).at(0).sync_run_id;
  EXPECT_EQ(answer(first_, numbered(0, 13)).outcome, outcome::suspicious) << "seven still wait";
  EXPECT_EQ(removal_reviews::confirm(options_, run).removed, 7);
  EXPECT_EQ(value("select min(_id) from flanks.transactions where removed_at is not null"),
            "id013");
}

TEST_F(removing, a_review_whose_rows_all_come_back_resolves_by_itself) {
  answer(first_, numbered(0, 20));
  answer(first_, numbered(0, 10));
  EXPECT_EQ(answer(first_, numbered(0, 20)).outcome, outcome::ok);
  EXPECT_EQ(value("select state from flanks.removal_reviews"), "resolved");
  EXPECT_EQ(value("select count(*) from flanks.sync_status where who_must_act = 'operator'"), "0");
}

TEST_F(removing, the_same_loss_again_is_the_same_question_and_more_loss_joins_it) {
  answer(first_, numbered(0, 20));
  answer(first_, numbered(0, 10));
  EXPECT_EQ(answer(first_, numbered(0, 10)).outcome, outcome::suspicious);
  EXPECT_EQ(answer(first_, numbered(0, 8)).outcome, outcome::suspicious);
  EXPECT_THAT(removed(), IsEmpty());
  EXPECT_EQ(value("select count(*) from flanks.removal_reviews"), "1");
  EXPECT_EQ(value("select count(*) from flanks.removal_candidates"), "12");
}

TEST_F(removing, a_rejected_set_does_not_ask_again_until_it_changes) {
  answer(first_, numbered(0, 20));
  answer(first_, numbered(0, 10));
  const std::string run = removal_reviews::list(options_, false).at(0).sync_run_id;
  EXPECT_EQ(removal_reviews::reject(options_, run).removed, 0);
  EXPECT_EQ(answer(first_, numbered(0, 10)).outcome, outcome::ok);
  EXPECT_THAT(removed(), IsEmpty());
  // One more is judged by itself: ten rows are expected now.
  EXPECT_EQ(answer(first_, numbered(0, 9)).counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("id009"));
  // Shown again, they are rows like others.
  EXPECT_EQ(answer(first_, numbered(0, 20)).outcome, outcome::ok);
  EXPECT_EQ(answer(first_, numbered(0, 10)).outcome, outcome::suspicious);
  EXPECT_EQ(removal_reviews::list(options_, true).size(), 2U);
}

TEST_F(removing, nobody_decides_while_the_credential_is_being_synchronised) {
  answer(first_, numbered(0, 20));
  answer(first_, numbered(0, 10));
  const std::string run = removal_reviews::list(options_, false).at(0).sync_run_id;
  const claimed_credential c = claim(first_);
  EXPECT_EQ(failure_of([&] { (void)removal_reviews::confirm(options_, run); }).error_class,
            "review_busy");
  EXPECT_THAT(removed(), IsEmpty());
  release(c);
  EXPECT_EQ(removal_reviews::confirm(options_, run).removed, 10);
}

// ---- windows that the provider made us split

TEST_F(removing, a_day_that_moves_to_a_later_part_between_two_requests_is_no_removal) {
  const window early{may.from, may.from + std::chrono::days{14}};
  const window late{early.to + std::chrono::days{1}, may.to};
  answer(
      first_,
      {{"moved", "2026-05-03"}, {"gone", "2026-05-04"}, {"x", "2026-05-20"}, {"y", "2026-05-05"}});
  const claimed_credential c = claim(first_);
  absent_rows absent;
  const auto part = [&](window days, const std::vector<sample>& samples, bool last) {
    auto ledger = run(store_->open_window(c.id, c.lease, product::account, days, std::nullopt,
                                          comparing::fingerprints));
    run(ledger->apply(batch_of(samples)));
    window_evidence evidence;
    evidence.provable = days;
    evidence.last_part = last;
    return run(ledger->commit(record_for(c, product::account, days), evidence, absent));
  };
  EXPECT_EQ(part(early, {{"y", "2026-05-05"}}, false).counts.removed, 0);
  EXPECT_THAT(removed(), IsEmpty()) << "nothing is decided before the last part is in";
  EXPECT_EQ(part(late, {{"x", "2026-05-20"}, {"moved", "2026-05-21"}}, true).counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("gone"));
  EXPECT_EQ(history("moved"), "changed");
}

TEST_F(removing, what_an_earlier_part_shows_of_a_later_ones_days_is_not_absent_there) {
  const window early{may.from, may.from + std::chrono::days{14}};
  const window late{early.to + std::chrono::days{1}, may.to};
  answer(first_, {{"outside", "2026-05-20"},
                  {"corrected", "2026-05-21"},
                  {"unreadable", "2026-05-22"},
                  {"gone", "2026-05-23"},
                  {"z", "2026-05-24"},
                  {"y", "2026-05-05"}});
  const claimed_credential c = claim(first_);
  absent_rows absent;
  const auto part = [&](window days, transaction_batch batch, bool last) {
    auto ledger = run(store_->open_window(c.id, c.lease, product::account, days, std::nullopt,
                                          comparing::fingerprints));
    run(ledger->apply(std::move(batch)));
    window_evidence evidence;
    evidence.provable = days;
    evidence.last_part = last;
    return run(ledger->commit(record_for(c, product::account, days), evidence, absent));
  };
  // The provider shows three of the later days' rows with the earlier ones: as it is, with another
  // amount, and so that it cannot be stored.
  std::vector<sample> shown{
      {"outside", "2026-05-20"}, {"corrected", "2026-05-21", "7"}, {"y", "2026-05-05"}};
  transaction_batch batch = batch_of(shown);
  rejected_record broken;
  broken.reason = "bad_amount";
  broken.id = "unreadable";
  broken.raw = "{}";
  batch.rejected.push_back(broken);
  part(early, std::move(batch), false);
  std::vector<sample> rest{{"z", "2026-05-24"}};
  EXPECT_EQ(part(late, batch_of(rest), true).counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("gone"));
}

TEST_F(removing, a_part_that_fails_leaves_what_earlier_parts_lacked_as_it_was) {
  const claimed_credential c = claim(first_);
  absent_rows absent;
  absent.ids = {"q"};
  auto ledger = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  sql("update flanks_internal.leases set lease_id = gen_random_uuid() where lease_id is not null");
  EXPECT_EQ(failure_of([&] { run(ledger->commit(record_for(c), {}, absent)); }).error_class,
            "lease_lost");
  EXPECT_THAT(absent.ids, ElementsAre("q"));
}

// ---- joint accounts

TEST_F(removing, a_joint_row_goes_to_the_credential_that_still_shows_it) {
  answer(first_, {{"a"}, {"b"}});
  answer(second_, {{"a"}, {"b"}});
  EXPECT_EQ(answer(first_, {{"b"}}).counts.removed, 0);
  EXPECT_THAT(rows("select credential_id, removed_at from flanks.transactions where _id = 'a'"),
              ElementsAre(fmt::format("{}|-", second_.value)));
  EXPECT_EQ(history("a"), "handed_over");
  EXPECT_EQ(value("select count(*) from flanks.transaction_sightings where _id = 'a'"), "0");
  // Gone there too: now no credential shows it.
  EXPECT_EQ(answer(second_, {{"b"}}).counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("a"));
}

TEST_F(removing, absence_under_the_other_credential_takes_only_its_sighting) {
  answer(first_, {{"a"}, {"b"}});
  answer(second_, {{"a"}, {"b"}});
  EXPECT_EQ(answer(second_, {{"b"}}).counts.removed, 0);
  EXPECT_THAT(rows("select credential_id, removed_at from flanks.transactions where _id = 'a'"),
              ElementsAre(fmt::format("{}|-", first_.value)));
  EXPECT_EQ(value("select string_agg(_id, ' ') from flanks.transaction_sightings"), "b");
  EXPECT_EQ(answer(first_, {{"b"}}).counts.removed, 1);
}

TEST_F(removing, a_removed_row_that_another_credential_shows_comes_back_as_its_own) {
  answer(first_, {{"a"}, {"b"}});
  answer(first_, {{"b"}});
  EXPECT_EQ(answer(second_, {{"a"}}).counts.updated, 1);
  EXPECT_THAT(rows("select credential_id, removed_at from flanks.transactions where _id = 'a'"),
              ElementsAre(fmt::format("{}|-", second_.value)));
  EXPECT_EQ(history("a"), "removed restored");
}

TEST_F(removing, a_credential_that_an_operator_removed_shows_nothing_any_more) {
  answer(first_, {{"a"}, {"b"}});
  answer(second_, {{"a"}, {"b"}});
  registry(options_).remove(second_);
  EXPECT_EQ(answer(first_, {{"b"}}).counts.removed, 1);
  EXPECT_THAT(removed(), ElementsAre("a"));
  // Registered again it does.
  EXPECT_EQ(add("ben", "token-b"), second_);
  EXPECT_EQ(answer(second_, {{"a"}, {"b"}}).counts.updated, 1);
  EXPECT_THAT(rows("select credential_id, removed_at from flanks.transactions where _id = 'a'"),
              ElementsAre(fmt::format("{}|-", second_.value)));
}

// ---- windows and sizes

TEST_F(removing, sweeps_and_window_sizes_are_remembered_for_each_product) {
  const claimed_credential c = claim(first_);
  const auto store_with = [&](std::optional<int> size, bool all, bool recent) {
    auto ledger = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                          comparing::fingerprints));
    window_evidence evidence;
    evidence.window_days = size;
    evidence.all_history = all;
    evidence.recent_history = recent;
    commit(*ledger, record_for(c), evidence);
  };
  store_with(45, false, true);
  store_with(std::nullopt, false, false);
  release(c);
  claimed_credential again = claim(first_);
  EXPECT_EQ(again.of(product::account).window_days, 45);
  EXPECT_EQ(again.of(product::card).window_days, 0);
  EXPECT_TRUE(again.of(product::account).last_recent_sweep);
  EXPECT_FALSE(again.of(product::account).last_sweep);
  auto ledger = run(store_->open_window(again.id, again.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  window_evidence evidence = all_history;
  evidence.window_days = 0;
  commit(*ledger, record_for(again), evidence);
  release(again);
  again = claim(first_);
  EXPECT_EQ(again.of(product::account).window_days, 0);
  EXPECT_TRUE(again.of(product::account).last_sweep);
}

// The same response in any split into batches and flushes, with duplicates: the same rows; and once
// more: no change at all.
TEST_F(removing, any_split_of_a_response_gives_the_same_rows_and_the_same_removals) {
  std::mt19937 random(7);
  const auto pick = [&](int n) { return std::uniform_int_distribution<>(0, n - 1)(random); };
  const std::string bulk(300 * 1024, 'x');  // four of these are a flush
  std::string expected;
  std::vector<sample> before = numbered(0, 60), now = numbered(2, 60);
  for (sample& s : now)
    if (pick(8) == 0) s.description = bulk;
  now.insert(now.begin() + 20, {"id030", "2026-05-11", "9"});
  now.push_back({"id041", "2026-06-02", "1"});
  for (int round = 0; round < 6; ++round) {
    sql("delete from flanks.transactions; delete from flanks.transaction_revisions");
    answer(first_, before);
    for (int again = 0; again < 2; ++again) {
      const claimed_credential c = claim(first_);
      auto ledger = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                            comparing::fingerprints));
      for (std::size_t at = 0; at < now.size();) {
        const std::size_t n = std::min(now.size() - at, static_cast<std::size_t>(1 + pick(30)));
        run(ledger->apply(
            batch_of(std::vector<sample>(now.begin() + static_cast<std::ptrdiff_t>(at),
                                         now.begin() + static_cast<std::ptrdiff_t>(at + n)))));
        at += n;
      }
      window_evidence evidence;
      evidence.provable = may;
      const run_record r = commit(*ledger, record_for(c), evidence);
      release(c);
      EXPECT_EQ(r.counts.removed, again == 0 ? 2 : 0);
      const std::string rows_now = value(
          "select md5(string_agg(format('%s|%s|%s|%s|%s', _id, operation_date, amount, "
          "md5(description), removed_at is null), ',' order by _id)) from "
          "flanks.transactions");
      if (expected.empty()) expected = rows_now;
      EXPECT_EQ(rows_now, expected) << "round " << round;
    }
  }
}

}  // namespace flanks::testing
