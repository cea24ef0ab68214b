// What must hold for every sequence of answers, not only for those of the truth tables: the table
// is what a naive model says, a replay writes nothing, and it does not matter how an answer was cut
// up or which of two strangers came first.
#include "tests/pg/diff_fixture.hpp"

namespace flanks::testing {
namespace {

TEST_F(diff, any_sequence_of_answers_gives_the_table_of_a_naive_model) {
  check(80, [&] {
    const auto story = any_story(2, 8);
    start_anew();
    model expected;
    for (const answer& a : story) {
      apply(a);
      kept_months();
      expected.apply(a);
    }
    RC_ASSERT(!HasFailure());
    RC_ASSERT(table() == expected.table());
    for (int id = 0; id < operations; ++id)
      if (!expected.came_in_versions(id)) RC_ASSERT(history(id) == expected.history(id));
  });
}

TEST_F(diff, an_answer_that_comes_again_writes_no_row_version) {
  check(80, [&] {
    start_anew();
    apply(any_story(2));
    const answer again = *any_answer(2);
    apply(again);
    const auto rows_then = table();
    const auto versions_then = versions();
    const row_counts counts = apply(again);
    RC_ASSERT(table() == rows_then);
    RC_ASSERT(versions() == versions_then);
    kept_months();
    RC_ASSERT(!HasFailure());
    RC_ASSERT(counts.inserted + counts.updated + counts.removed == 0);
  });
}

TEST_F(diff, batches_of_any_size_give_the_rows_of_one) {
  check(20, [&] {
    const auto story = any_story(2);
    answer whole = *any_answer(2);
    whole.records = any_records(12, 0, operations, whole.from, whole.to);
    start_anew();
    apply(story);
    apply(whole);
    const auto expected = table();

    start_anew();
    apply(story);
    const auto writer = open(*db_, whole);
    for (auto at = whole.records.cbegin(); at != whole.records.cend();) {
      // Some batches together in one write, each of them of any size.
      std::vector<transaction_batch> together;
      for (int n = pick(1, 4); n > 0 && at != whole.records.cend(); --n) {
        const auto end = at + pick(1, static_cast<int>(whole.records.cend() - at) + 1);
        together.push_back(batch(at, end));
        at = end;
      }
      writer->write(std::move(together));
    }
    absent_rows absent;
    writer->close(absent);
    RC_ASSERT(table() == expected);
    kept_months();
    RC_ASSERT(!HasFailure());
  });
}

// One credential: what it shows in one part of a conflict is not carried to the next.
TEST_F(diff, a_window_in_any_parts_gives_the_rows_of_one) {
  check(20, [&] {
    const auto story = any_story(1);
    std::vector<answer> parts;
    answer whole;
    for (int from = 0; from <= last_day;) {
      const int to = pick(from, last_day + 1);
      answer part{0, from, to, any_records(5, 0, operations, from, to)};
      // An empty part of an answer that is not empty is a question of its own.
      if (part.records.empty()) part.records.push_back(*any_shown(0, operations, from, to));
      whole.records.insert(whole.records.end(), part.records.begin(), part.records.end());
      parts.push_back(std::move(part));
      from = to + 1;
    }
    RC_LOG() << whole << " in " << parts.size() << " parts\n";
    start_anew();
    apply(story);
    apply(whole);
    const auto expected = table();

    start_anew();
    apply(story);
    absent_rows absent;
    for (const answer& part : parts) {
      const auto writer = open(*db_, part);
      writer->write(batches_of(part.records));
      writer->close(absent, &part == &parts.back());
      kept_months();
    }
    RC_ASSERT(!HasFailure());
    RC_ASSERT(table() == expected);
  });
}

// Operations 0 to 2 are those of the first, 3 to 5 those of the second.
answer of_its_own(int who, int first_id, int from, int to) {
  return {who, from, to, any_records(8, first_id, first_id + 3, from, to)};
}

TEST_F(diff, two_credentials_that_share_nothing_commute_and_may_write_at_once) {
  check(20, [&] {
    const auto any = [](int who) { return of_its_own(who, 3 * who, 0, last_day); };
    const std::vector<answer> story{any(0), any(1), any(0), any(1)};
    const answer a = any(0), b = any(1);
    RC_LOG() << a << "\n" << b << "\n";
    start_anew();
    apply(story);
    apply(a);
    apply(b);
    const auto expected = table();

    start_anew();
    apply(story);
    apply(b);
    apply(a);
    RC_ASSERT(table() == expected);

    start_anew();
    apply(story);
    absent_rows absent_a, absent_b;
    const auto first = open(*db_, a), second = open(*other_db_, b);
    second->write(batches_of(b.records));
    first->write(batches_of(a.records));
    second->close(absent_b);
    first->close(absent_a);
    RC_ASSERT(table() == expected);
    kept_months();
    RC_ASSERT(!HasFailure());
  });
}

TEST_F(diff, two_windows_of_one_credential_that_share_nothing_commute) {
  check(20, [&] {
    const auto early = [] { return of_its_own(0, 0, 0, 2); };
    const auto late = [] { return of_its_own(0, 3, 3, last_day); };
    const std::vector<answer> story{early(), late(), early(), late()};
    const answer a = early(), b = late();
    RC_LOG() << a << "\n" << b << "\n";
    start_anew();
    apply(story);
    apply(a);
    apply(b);
    const auto expected = table();
    start_anew();
    apply(story);
    apply(b);
    apply(a);
    RC_ASSERT(table() == expected);
  });
}

}  // namespace
}  // namespace flanks::testing
