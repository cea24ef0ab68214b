// Windows written together: what is done so is what each would have been by itself, and what
// needs more than new and changed rows is left untouched.
#include "tests/pg/diff_fixture.hpp"

namespace flanks::testing {
namespace {

using ::testing::ElementsAre;

class window_batches : public diff {
 protected:
  void SetUp() override {
    diff::SetUp();
    apply(answer{0, -27, 33, {{1, 0, 1}, {2, 5, 1}}});
    apply(answer{1, -27, 33, {{3, 1, 1}}});
  }
  // At times any answer; mostly what is there about both months, some of it in other words, and
  // something new.
  static answer next(const model& m, int who) {
    answer a = *any_answer(1);
    a.who = who;
    if (pick(0, 4) == 0) return a;
    a.from = -27;
    a.to = 33;
    a.records = m.there(who);
    for (shown& s : a.records)
      if (pick(0, 3) == 0) s.content = pick(0, contents);
    if (pick(0, 2) == 0) a.records.push_back(*any_shown(0, operations, 0, last_day));
    return a;
  }
  // Beside another one, which brings nothing.
  std::optional<row_counts> with_other(const answer& a) {
    return together({a, answer{1, -27, 33, {{3, 1, 1}}}}).front();
  }
  // Neither is it done, nor does it leave anything behind.
  void expect_left(const answer& a, const std::string& why) {
    const auto before = versions();
    EXPECT_FALSE(with_other(a)) << why;
    EXPECT_EQ(versions(), before) << why;
  }
};

TEST_F(window_batches, any_answers_written_together_give_the_table_of_a_naive_model) {
  int written_in_all = 0;
  check(120, [&] {
    start_anew();
    model expected;
    for (int n = pick(1, 8); n > 0; --n) {
      std::vector<answer> both{next(expected, 0), next(expected, 1)};
      for (const answer& a : both)
        RC_LOG() << a << "\n";
      const auto counts = together(both);
      kept_months();
      for (std::size_t i = 0; i < both.size(); ++i) {
        if (!counts[i]) continue;
        ++written_in_all;
        expected.apply(both[i]);
      }
      for (std::size_t i = 0; i < both.size(); ++i) {
        if (counts[i]) continue;
        apply(both[i]);
        expected.apply(both[i]);
      }
      kept_months();
      RC_ASSERT(table() == expected.table());
    }
    RC_ASSERT(!HasFailure());
    for (int id = 0; id < operations; ++id)
      if (!expected.came_in_versions(id)) RC_ASSERT(history(id) == expected.history(id));
  });
  EXPECT_GT(written_in_all, 100);
}

TEST_F(window_batches, new_and_changed_rows_of_several_credentials_are_one_transaction) {
  const auto counts = together({answer{0, -27, 33, {{1, 0, 2}, {2, 5, 1}, {4, 2, 0}}},
                                answer{1, -27, 33, {{3, 1, 1}, {0, 4, 1}}}});
  ASSERT_TRUE(counts[0] && counts[1]);
  EXPECT_EQ(counts[0]->fetched, 3);
  EXPECT_EQ(counts[0]->inserted, 1);
  EXPECT_EQ(counts[0]->updated, 1);
  EXPECT_EQ(counts[0]->unchanged, 1);
  EXPECT_EQ(counts[1]->inserted, 1);
  EXPECT_EQ(counts[1]->unchanged, 1);
  EXPECT_THAT(table(), ElementsAre("id0|1|2026-05-02|7.0|there", "id1|0|2026-04-28|8.0|there",
                                   "id2|0|2026-05-03|7.0|there", "id3|1|2026-04-29|7.0|there",
                                   "id4|0|2026-04-30|7|there"));
  EXPECT_THAT(history(1), ElementsAre("changed|0|2026-04-28|7.0"));
  EXPECT_EQ(read("select distinct xmin::text from flanks.transactions where _id in ('id0', 'id1', "
                 "'id4')")
                .size(),
            1U);
  // On record as any other window, and the revision names the run.
  EXPECT_THAT(read("select r.updated::text from flanks.transaction_revisions v join "
                   "flanks.sync_runs r using (sync_run_id) where v._id = 'id1'"),
              ElementsAre("1"));
  EXPECT_THAT(read("select (last_new_data_at is not null)::text from flanks.credentials order by "
                   "credential_id"),
              ElementsAre("true", "true"));
  EXPECT_EQ(kept_months(), 4) << "what was written is kept again";
}

TEST_F(window_batches, other_digits_of_the_same_amount_are_written_and_are_no_change) {
  const auto counts = with_other(answer{0, -27, 33, {{1, 0, 0}, {2, 5, 1}}});
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->unchanged, 2);
  EXPECT_THAT(history(1), ElementsAre("rewritten|0|2026-04-28|7.0"));
  EXPECT_EQ(table().front(), "id1|0|2026-04-28|7|there");
}

TEST_F(window_batches, what_needs_a_closer_look_is_left_alone) {
  expect_left({0, -27, 33, {{1, 0, 2}}}, "a row vanished");
  expect_left({0, -27, 33, {{1, 0, 2}, {2, 5, 1}, {2, 5, 2}}}, "a row comes twice");
  expect_left({0, -27, 33, {{1, 0, 1}, {2, 5, 1}, {3, 1, 1}}}, "a row of another credential");
  const answer removing{0, -27, 33, {{2, 5, 1}}};
  expect_left(removing, "a row vanished");
}

TEST_F(window_batches, a_row_that_two_bring_is_stored_once_and_left_to_the_other) {
  const auto counts = together({answer{0, -27, 33, {{1, 0, 1}, {2, 5, 1}, {4, 2, 1}}},
                                answer{1, -27, 33, {{3, 1, 1}, {4, 2, 1}}}});
  EXPECT_TRUE(counts[0].has_value() != counts[1].has_value());
}

TEST_F(window_batches, nothing_is_written_without_the_lease) {
  const answer next{0, -27, 33, {{1, 0, 2}, {2, 5, 1}}};
  other_db_->begin();
  other_db_->run(statement{"test", "select from flanks_internal.leases for update"});
  expect_left(next, "somebody has the lease in hand");
  other_db_->rollback();
  db_->run(
      statement{"test", "update flanks_internal.leases set expires_at = now() - interval '1s'"});
  expect_left(next, "the lease has run out");
  EXPECT_EQ(failure_of([&] { apply(next); }).error_class, "lease_lost");
  db_->run(
      statement{"test", "update flanks_internal.leases set expires_at = now() + interval '1h'"});
  EXPECT_TRUE(with_other(next));
}

TEST_F(window_batches, what_somebody_else_does_to_a_row_meanwhile_undoes_them_all) {
  const answer next{0, -27, 33, {{1, 0, 2}, {2, 5, 1}}};
  other_db_->begin();
  other_db_->run(
      statement{"test", "update flanks.transactions set description = 'mine' where _id = 'id1'"});
  std::thread other([&] {
    wait_for_a_waiter();
    other_db_->commit();
  });
  EXPECT_FALSE(with_other(next));
  other.join();
  EXPECT_THAT(history(1), ElementsAre());
  EXPECT_EQ(apply(next).updated, 1);
  EXPECT_THAT(read("select content->>'description' from flanks.transaction_revisions"),
              ElementsAre("mine"));
}

TEST_F(window_batches, what_was_committed_unheard_is_not_written_again) {
  const auto held = in_hand(answer{0, -27, 33, {{1, 0, 2}, {2, 5, 1}}});
  window_in_hand& w = *held;
  const std::array requests{&w.request};
  for (int attempt = 0; attempt < 2; ++attempt) {
    w.request.done = false;
    db_->begin();
    db_->force_index_plans();
    flanks::apply(*db_, requests);
    db_->commit();
    ASSERT_TRUE(w.request.done);
    EXPECT_EQ(w.request.written->record.counts.updated, 1) << "attempt " << attempt;
  }
  EXPECT_THAT(history(1), ElementsAre("changed|0|2026-04-28|7.0"));
}

TEST_F(window_batches, only_what_is_plain_is_written_with_others) {
  const answer a{0, -27, 33, {{1, 0, 2}, {2, 5, 1}}};
  const auto written = [&](auto spoil) {
    const auto first = in_hand(a), second = in_hand(answer{1, -27, 33, {{3, 1, 1}}});
    spoil(*first);
    const std::array requests{&first->request, &second->request};
    db_->begin();
    db_->force_index_plans();
    flanks::apply(*db_, requests);
    db_->rollback();
    EXPECT_TRUE(second->request.done);
    return first->request.done;
  };
  using w = window_in_hand&;
  EXPECT_TRUE(written([](w) {}));
  EXPECT_FALSE(written([](w x) { x.request.evidence.last_part = false; }));
  EXPECT_FALSE(written([](w x) { x.batches[0].rejected.emplace_back(); }));
  EXPECT_FALSE(written([](w x) { x.request.absent.ids.emplace_back("id1"); }));
  EXPECT_FALSE(written([](w x) { x.request.record.outcome = outcome::partial; }));
}

}  // namespace
}  // namespace flanks::testing
