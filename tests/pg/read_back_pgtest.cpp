// What is laid ready to be compared with, and which windows need no more than that: it never says
// anything else than the table, whatever comes and whatever others do to the rows.
#include <thread>

#include "db/known_answers.hpp"
#include "tests/pg/diff_fixture.hpp"

namespace flanks::testing {
namespace {

class read_backs : public diff {};

answer with(std::vector<shown> records, int who = 0) {
  return {who, 0, last_day, std::move(records)};
}

// Of April and May, each whole or in part.
answer any_wide_answer(int credentials) {
  answer a;
  a.who = pick(0, credentials);
  a.from = *rc::gen::element(0, -27);
  a.to = *rc::gen::element(last_day, 33);
  a.records = any_records(5, 0, operations, 0, last_day);
  return a;
}

TEST_F(read_backs, a_window_is_quiet_only_when_it_brings_and_lacks_nothing) {
  int quiet_ones = 0, loud_ones = 0, known_ones = 0;
  check(100, [&] {
    start_anew();
    const int credentials = pick(1, 3);
    std::vector<answer> story;
    for (int n = pick(1, 4); n > 0; --n)
      story.push_back(any_wide_answer(credentials));
    answer next = any_wide_answer(credentials);
    if (pick(0, 4) > 0) {
      // What came last, or nearly so, asked for as then or not.
      next.who = story.back().who;
      next.records = story.back().records;
      const int change = pick(0, 6);
      if (change == 0) next.records.push_back(*any_shown(0, operations, 0, last_day));
      if (change == 1 && !next.records.empty()) next.records.pop_back();
      if (change > 3) next = story.back();
    }
    apply(story);
    // So that what the last one left unknown lies ready again.
    if (pick(0, 6) > 0) apply(story.back());
    const auto found = quiet(next), known = recognised(next);
    // Another read changes what is known, and must not change what is true.
    if (pick(0, 2) == 0) quiet(next, false, true);
    ready_months();
    const row_counts counts = apply(next);
    if (known) {
      ++known_ones;
      RC_ASSERT(known->fetched == counts.fetched && known->unchanged == counts.unchanged);
      RC_ASSERT(counts.fetched == counts.unchanged && counts.removed == 0);
    }
    if (found) {
      ++quiet_ones;
      RC_ASSERT(found->fetched == counts.fetched && found->unchanged == counts.unchanged);
      RC_ASSERT(counts.fetched == counts.unchanged && counts.removed == 0);
      RC_ASSERT(read(fmt::format("select count(*)::text from flanks.removal_reviews "
                                 "where state = 'open' and credential_id = {}",
                                 next.who + 1)
                         .c_str())
                    .front() == "0");
    } else if (counts.fetched != counts.unchanged || counts.removed > 0) {
      ++loud_ones;
    }
  });
  EXPECT_GT(known_ones, 5);
  EXPECT_GT(quiet_ones, 5);
  EXPECT_GT(loud_ones, 5);
}

TEST_F(read_backs, an_answer_is_recognised_until_a_row_of_its_list_is_touched) {
  const answer first = with({{1, 0, 1}, {2, 5, 1}});
  apply(first);
  ASSERT_TRUE(recognised(first));
  EXPECT_EQ(recognised(first)->fetched, 2);
  EXPECT_EQ(recognised(first)->unchanged, 2);
  EXPECT_FALSE(recognised(with({{1, 0, 1}}))) << "another answer";
  apply(with({{1, 0, 2}}));
  EXPECT_FALSE(recognised(first)) << "another answer has changed a row and removed one";
  EXPECT_EQ(known_lists(), 0) << "what an answer removes it is read for once more";
  apply(with({{1, 0, 2}}));
  EXPECT_TRUE(recognised(with({{1, 0, 2}})));
  other_db_->begin();
  other_db_->run(statement{"test", "update flanks.transactions set shop = 'x' where _id = 'id1'"});
  EXPECT_TRUE(recognised(with({{1, 0, 2}}))) << "nobody else sees it yet";
  other_db_->commit();
  EXPECT_FALSE(recognised(with({{1, 0, 2}})));
  EXPECT_EQ(known_lists(), 0);
}

TEST_F(read_backs, an_answer_is_recognised_only_under_the_lease) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  EXPECT_TRUE(recognised(twice));
  db_->run(statement{"test", "update flanks_internal.leases set lease_id = gen_random_uuid()"});
  EXPECT_FALSE(recognised(twice));
}

TEST_F(read_backs, an_answer_that_is_not_stored_as_it_came_is_not_recognised) {
  const auto after = [&](const answer& a) {
    start_anew();
    apply(a);
    apply(a);
    return recognised(a).has_value();
  };
  EXPECT_TRUE(after(with({{1, 0, 1}})));
  EXPECT_FALSE(after(with({{1, 0, 1}, {1, 0, 1}}))) << "a duplicate is counted with every run";
  start_anew();
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  apply(with({}));  // suspicious: a person is asked
  EXPECT_FALSE(recognised(with({})));
  start_anew();
  apply(with({{1, 0, 1}}));
  apply(with({{1, 0, 1}, {2, 5, 1}}, 1));  // the other one shows it too
  apply(with({{1, 0, 1}, {2, 5, 1}}, 1));
  EXPECT_FALSE(recognised(with({{1, 0, 1}, {2, 5, 1}}, 1)));
}

TEST_F(read_backs, an_answer_that_proves_no_absence_is_recognised_only_when_nothing_is_absent) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  apply(with({{1, 0, 1}}), false);
  EXPECT_FALSE(recognised(with({{1, 0, 1}})));
  apply(with({{1, 0, 1}, {2, 5, 1}}), false);
  EXPECT_TRUE(recognised(with({{1, 0, 1}, {2, 5, 1}})));
}

TEST_F(read_backs, an_answer_of_months_that_do_not_lie_ready_is_recognised_until_the_next_one) {
  apply(answer{0, 0, last_day, {{1, 0, 1}}});
  const answer far{0, 100, 105, {{2, 101, 1}}}, changed{0, 100, 105, {{2, 101, 2}}};
  apply(far);
  EXPECT_TRUE(recognised(far));
  apply(changed);
  EXPECT_FALSE(recognised(far));
  EXPECT_TRUE(recognised(changed));
}

TEST_F(read_backs, an_answer_with_a_row_of_another_credential_is_never_recognised) {
  const answer both = with({{1, 0, 1}, {2, 5, 1}}, 1);
  apply(with({{1, 0, 1}}));
  apply(both);
  apply(both);
  EXPECT_FALSE(recognised(both));
  db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  EXPECT_FALSE(recognised(both)) << "the row is gone, and so is what told that it is shared";
}

TEST_F(read_backs, an_answer_with_a_row_of_another_product_is_never_recognised) {
  const answer one = with({{1, 0, 1}});
  apply(one);
  db_->run(statement{"test", "update flanks.transactions set product = 'card'"});
  EXPECT_EQ(apply(one).unchanged, 1);
  db_->run(statement{"test", "delete from flanks.transactions"});
  EXPECT_FALSE(recognised(one)) << "nobody tells this list what happens to the rows of that one";
}

TEST_F(read_backs, a_replay_is_quiet_and_on_record_like_any_other_run) {
  const answer twice{0, -27, 33, {{1, 0, 1}, {2, 5, 1}}};
  apply(twice);
  const auto found = quiet(twice);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->unchanged, 2);
  // Not under a lease that is lost.
  EXPECT_TRUE(quiet(twice));
  db_->run(statement{"test", "update flanks_internal.leases set lease_id = gen_random_uuid()"});
  EXPECT_FALSE(quiet(twice));
}

TEST_F(read_backs, a_window_that_lacks_a_joint_row_is_not_quiet) {
  const answer own{1, -27, 33, {{2, 5, 1}}};
  apply(answer{0, -27, 33, {{1, 0, 1}}});
  apply(answer{1, -27, 33, {{1, 0, 1}, {2, 5, 1}}});
  EXPECT_FALSE(quiet(own)) << "the sighting has to go";
  apply(own);
  EXPECT_TRUE(quiet(own));
}

TEST_F(read_backs, what_commits_between_comparing_and_recording_keeps_a_window_from_being_quiet) {
  const answer twice{0, -27, 33, {{1, 0, 1}, {2, 5, 1}}};
  apply(twice);
  other_db_->begin();
  other_db_->run(
      statement{"test", "lock table flanks_internal.read_back_months in access exclusive mode"});
  std::thread other([&] {
    const auto waits = [&] {
      return query(options_,
                   "select count(*) from pg_locks where not granted and relation = "
                   "'flanks_internal.read_back_months'::regclass")
                 .front() == "1";
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!waits() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id2'"});
    other_db_->commit();
  });
  const auto found = quiet(twice);
  other.join();
  EXPECT_FALSE(found);
  EXPECT_EQ(apply(twice).inserted, 1);
}

// What somebody else may do to the rows: by hand, by another program, by a restore.
std::string any_meddling() {
  const int id = pick(0, operations), other = pick(0, operations);
  const std::string by_id = fmt::format(" where _id = 'id{}'", id);
  switch (pick(0, 7)) {
    case 0:
      return "delete from flanks.transactions" + by_id;
    case 1:
      return "update flanks.transactions set removed_at = now()" + by_id;
    case 2:
      return "update flanks.transactions set removed_at = null" + by_id;
    case 3:
      return fmt::format("update flanks.transactions set operation_date = '{}'",
                         to_string(date_of(pick(-2, last_day + 2)))) +
             by_id;
    case 4:
      return "update flanks.transactions set content_hash = gen_random_uuid(), amount = 99" + by_id;
    case 5:
      return fmt::format(
          "insert into flanks.transactions (_id, credential_id, product, "
          "operation_date, amount, content_hash) values ('id{}', {}, 'account', "
          "'{}', 98, gen_random_uuid()) on conflict do nothing",
          other, pick(1, 3), to_string(date_of(pick(0, last_day))));
    default:
      return fmt::format("update flanks.transactions set credential_id = {}", pick(1, 3)) + by_id;
  }
}

TEST_F(read_backs, whatever_others_do_to_the_rows_an_answer_is_compared_with_the_table) {
  check(80, [&] {
    const auto story = any_story(2, 8);
    std::vector<std::string> meddling;
    for (std::size_t i = 0; i < story.size(); ++i)
      meddling.push_back(pick(0, 3) == 0 ? "truncate flanks.transactions cascade" : any_meddling());
    const auto live = [&](bool forgetful) {
      start_anew();
      for (std::size_t i = 0; i < story.size(); ++i) {
        if (forgetful) db_->run(statement{"test", "delete from flanks_internal.read_backs"});
        apply_as_the_store_does(story[i]);
        ready_months();
        db_->run(statement{"test", meddling[i].c_str()});
        ready_months();
      }
      return table();
    };
    const auto expected = live(true);
    RC_ASSERT(live(false) == expected);
    RC_ASSERT(!HasFailure());
  });
}

TEST_F(read_backs, what_was_written_lies_ready_and_the_table_is_not_read_again) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  EXPECT_EQ(ready_months(), 2);
  apply(with({{1, 0, 2}, {2, 5, 1}, {3, 4, 1}}));
  EXPECT_EQ(ready_months(), 2);
  // A removal makes its month unknown, and only that one.
  apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(ready_months(), 1);
  apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(ready_months(), 2);
  const auto rows_read = [&] {
    db_->run(statement{"test", "select pg_stat_force_next_flush()"});
    return read(
        "select idx_tup_read::text from pg_stat_user_indexes where indexrelname = "
        "'transactions_by_credential'");
  };
  const auto before = rows_read();
  const row_counts counts = apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(counts.unchanged, 2);
  EXPECT_EQ(rows_read(), before);
}

TEST_F(read_backs, what_commits_while_a_window_is_open_makes_its_read_back_void) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  const answer next = with({{1, 0, 2}, {2, 5, 1}});
  {
    auto batches = batches_of(next.records);
    window_writer writer = open(*db_, next);
    other_db_->run(
        statement{"test", "update flanks.transactions set removed_at = now() where _id = 'id2'"});
    writer.write(batches);
    absent_rows absent;
    close(writer, next, absent);
  }
  EXPECT_EQ(ready_months(), 0);
  EXPECT_THAT(table(),
              ::testing::ElementsAre("id1|0|2026-04-28|8.0|there", "id2|0|2026-05-03|7.0|removed"));
  EXPECT_EQ(apply(next).updated, 1);
  EXPECT_THAT(table(),
              ::testing::ElementsAre("id1|0|2026-04-28|8.0|there", "id2|0|2026-05-03|7.0|there"));
  EXPECT_EQ(ready_months(), 2);
}

TEST_F(read_backs, what_is_open_while_a_window_commits_makes_its_read_back_void_when_it_commits) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->begin();
  other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id2'"});
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->commit();
  EXPECT_EQ(ready_months(), 0);
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).inserted, 1);
}

TEST_F(read_backs, nothing_lies_ready_while_others_meddle_or_nobody_watches) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  // What happened meanwhile nobody has seen.
  db_->run(statement{"test", "alter table flanks.transactions disable trigger forget_read_back"});
  db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  EXPECT_EQ(apply(twice).inserted, 1);
  db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  db_->run(
      statement{"test", "alter table flanks.transactions enable always trigger forget_read_back"});
  EXPECT_EQ(apply(twice).inserted, 1);
  EXPECT_EQ(ready_months(), 2);
  // Another trigger may make of a row what it likes.
  db_->run(statement{"test",
                     "create function public.f() returns trigger language plpgsql as $$ begin "
                     "return new; end $$"});
  db_->run(statement{"test",
                     "create trigger f before update on flanks.transactions for each row execute "
                     "function public.f()"});
  EXPECT_EQ(apply(with({{1, 0, 2}, {2, 5, 1}})).updated, 1);
  db_->run(statement{"test", "drop trigger f on flanks.transactions"});
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).updated, 1);
  EXPECT_EQ(ready_months(), 2);
}

TEST_F(read_backs, restoring_rows_past_the_usual_triggers_is_seen_all_the_same) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->run(statement{"test", "set session_replication_role = replica"});
  other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).inserted, 1);
}

}  // namespace
}  // namespace flanks::testing
