// The truth table of a window: what came, what was stored, what is then in the database.
#include <fmt/format.h>

#include <future>

#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::ostream& operator<<(std::ostream& out, const row_counts& c) {
  return out << fmt::format("fetched {} ins {} upd {} same {} dup {} quar {} warn {}", c.fetched,
                            c.inserted, c.updated, c.unchanged, c.duplicates, c.quarantined,
                            c.warnings);
}

struct expected {
  std::int64_t fetched = 0, inserted = 0, updated = 0, unchanged = 0, duplicates = 0,
               quarantined = 0;
};
MATCHER_P(counts, e, "") {
  return arg.fetched == e.fetched && arg.inserted == e.inserted && arg.updated == e.updated &&
         arg.unchanged == e.unchanged && arg.duplicates == e.duplicates &&
         arg.quarantined == e.quarantined;
}

class ledger : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    first_ = add("ana", "token-a");
    second_ = add("ben", "token-b");
  }
  // Row versions written in flanks.transactions since the database was made. A backend tells of its
  // writes when it ends, so the store's must.
  std::string writes() {
    store_.reset();
    wait_until_alone();
    store_ = make_store(loop_.get_executor(), options_);
    return value(
        "select n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del from pg_stat_user_tables "
        "where schemaname = 'flanks' and relname = 'transactions'");
  }
  std::vector<std::string> stored() {
    return rows(
        "select _id, credential_id, operation_date, amount, description from flanks.transactions "
        "order by _id");
  }

  credential_id first_, second_;
};

TEST_F(ledger, new_rows_are_inserted_with_exact_values) {
  const auto c = store_window(
      first_, {{"a", "2026-05-01", "1E+2", "tab\there \\ back\nline \"q\"", R"({"x":"ñ€😀"})"},
               {"b", "2026-05-31", "0.123456789012345678", std::nullopt}});
  EXPECT_THAT(c, counts(expected{.fetched = 2, .inserted = 2}));
  EXPECT_THAT(
      rows("select _id, amount, description, extra, currency from flanks.transactions order by 1"),
      ElementsAre("a|100|tab\there \\ back\nline \"q\"|{\"x\": \"ñ€😀\"}|EUR",
                  "b|0.123456789012345678|-|-|EUR"));
  EXPECT_EQ(value("select outcome || ' ' || fetched || ' ' || inserted from flanks.sync_runs"),
            "ok 2 2");
  EXPECT_EQ(value("select days::text from flanks.coverage"), "{[2026-05-01,2026-06-01)}");
}

TEST_F(ledger, commit_gives_the_record_as_it_was_written) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  transaction_batch batch = batch_of({{"a"}});
  batch.rejected.push_back(rejected("missing_id", "{}"));
  run(window->apply(std::move(batch)));
  const run_record r = commit(*window, record_for(c));
  EXPECT_EQ(r.outcome, outcome::partial);
  EXPECT_THAT(r.counts, counts(expected{.fetched = 2, .inserted = 1, .quarantined = 1}));
  EXPECT_GT(r.database_time.count(), 0) << "a small window takes time too";
  EXPECT_EQ(value("select outcome || ' ' || database_ms from flanks.sync_runs"),
            fmt::format("partial {}", r.database_time.count()));
}

TEST_F(ledger, unchanged_reread_writes_no_row_version) {
  const std::vector<sample> all{{"a"}, {"b"}, {"c", "2026-05-11", "7"}};
  store_window(first_, all);
  const std::string before = writes();
  EXPECT_THAT(store_window(first_, all), counts(expected{.fetched = 3, .unchanged = 3}));
  EXPECT_EQ(writes(), before);
  EXPECT_EQ(before, "3 0 0");
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions"), "0");
}

TEST_F(ledger, changed_row_is_updated_and_its_old_version_kept) {
  store_window(first_, {{"a", "2026-05-10", "5.10", "old"}, {"b"}});
  EXPECT_THAT(store_window(first_, {{"a", "2026-05-10", "5.20", "new"}, {"b"}}),
              counts(expected{.fetched = 2, .updated = 1, .unchanged = 1}));
  EXPECT_THAT(stored(), ElementsAre("a|1|2026-05-10|5.20|new", "b|1|2026-05-10|-12.50|coffee"));
  EXPECT_THAT(rows("select r._id, reason, content->>'amount', content->>'description', "
                   "r.sync_run_id = s.sync_run_id from flanks.transaction_revisions r "
                   "join flanks.sync_runs s on s.updated = 1"),
              ElementsAre("a|changed|5.10|old|t"));
  EXPECT_EQ(writes(), "2 1 0");
}

TEST_F(ledger, equal_value_in_other_digits_is_unchanged_and_leaves_the_digits_that_were) {
  store_window(first_, {{"a", "2026-05-10", "5.1"}});
  EXPECT_THAT(store_window(first_, {{"a", "2026-05-10", "5.10"}}),
              counts(expected{.fetched = 1, .unchanged = 1}));
  EXPECT_EQ(value("select amount from flanks.transactions"), "5.10");
  EXPECT_THAT(rows("select reason, content->>'amount' from flanks.transaction_revisions"),
              ElementsAre("rewritten|5.1"));
  const std::string before = writes();
  store_window(first_, {{"a", "2026-05-10", "5.10"}});
  EXPECT_EQ(writes(), before);
}

TEST_F(ledger, duplicates_equal_count_once_and_different_leave_a_revision) {
  const auto c = store_window(
      first_,
      {{"a"}, {"b", "2026-05-10", "1"}, {"a"}, {"b", "2026-05-10", "2"}, {"b", "2026-05-10", "1"}});
  EXPECT_THAT(c, counts(expected{.fetched = 5, .inserted = 2, .duplicates = 3}));
  EXPECT_EQ(value("select amount from flanks.transactions where _id = 'b'"), "1");
  EXPECT_THAT(
      rows("select content->>'amount' from flanks.transaction_revisions order by revision_id"),
      ElementsAre("1", "2"));
}

TEST_F(ledger, duplicates_over_batches_and_flushes_are_found) {
  const claimed_credential c = claim(first_);
  // Each batch is over the ledger's buffer, so each is written before the next one comes.
  const std::string bulk(600 * 1024, 'x');
  std::vector<transaction_batch> batches;
  for (const char* amount : {"1", "1", "2"}) {
    batches.push_back(batch_of({{"a", "2026-05-10", amount},
                                {"b", "2026-05-11", "9", bulk},
                                {"c", "2026-05-12", "9", bulk}}));
  }
  EXPECT_THAT(store_batches(c, std::move(batches)),
              counts(expected{.fetched = 9, .inserted = 3, .duplicates = 6}));
  EXPECT_EQ(value("select amount from flanks.transactions where _id = 'a'"), "2");
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions"), "1");
}

TEST_F(ledger, stored_row_shown_twice_counts_once) {
  store_window(first_, {{"a", "2026-05-10", "1"}, {"b", "2026-05-10", "1"}});
  EXPECT_THAT(store_window(first_, {{"a", "2026-05-10", "1"},
                                    {"a", "2026-05-10", "2"},
                                    {"b", "2026-05-10", "1"},
                                    {"b", "2026-05-10", "1"}}),
              counts(expected{.fetched = 4, .unchanged = 2, .duplicates = 2}));
  EXPECT_EQ(value("select amount from flanks.transactions where _id = 'a'"), "2");
}

// Of a, the day moves within the window and back; b is stored outside of it.
TEST_F(ledger, an_answer_with_several_versions_of_a_row_writes_nothing_when_it_comes_again) {
  const std::vector<sample> all{{"a", "2026-05-10", "1"}, {"b", "2026-04-01", "1"},
                                {"a", "2026-05-11", "2"}, {"b", "2026-04-02", "1"},
                                {"a", "2026-05-10", "3"}, {"a", "2026-05-10", "3"}};
  EXPECT_THAT(store_window(first_, all),
              counts(expected{.fetched = 6, .inserted = 2, .duplicates = 4}));
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions"), "3");
  const std::string before = writes();
  EXPECT_THAT(store_window(first_, all),
              counts(expected{.fetched = 6, .unchanged = 2, .duplicates = 4}));
  EXPECT_EQ(writes(), before);
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions"), "3");
}

TEST_F(ledger, joint_row_in_two_versions_is_sighted_by_the_one_that_agrees) {
  store_window(first_, {{"a", "2026-05-10", "1"}});
  EXPECT_THAT(store_window(second_, {{"a", "2026-05-10", "2"}, {"a", "2026-05-10", "1"}}),
              counts(expected{.fetched = 2, .duplicates = 1, .quarantined = 1}));
  EXPECT_THAT(rows("select _id, credential_id from flanks.transaction_sightings"),
              ElementsAre("a|2"));
}

TEST_F(ledger, stored_rows_shown_again_in_a_later_flush_are_duplicates) {
  const std::string bulk(600 * 1024, 'x');
  const std::vector<sample> all{{"a", "2026-05-10", "1", bulk}, {"b", "2026-05-10", "1", bulk}};
  store_window(first_, all);
  const claimed_credential c = claim(first_);
  std::vector<transaction_batch> batches;
  batches.push_back(batch_of(all));
  batches.push_back(batch_of(all));
  batches.push_back(batch_of({{"a", "2026-05-10", "2", bulk}, {"b", "2026-05-10", "1", bulk}}));
  EXPECT_THAT(store_batches(c, std::move(batches)),
              counts(expected{.fetched = 6, .unchanged = 2, .duplicates = 4}));
  EXPECT_EQ(value("select amount from flanks.transactions where _id = 'a'"), "2");
}

// Two credentials that bring the same new rows at the same time: both end, and each row is there
// once.
TEST_F(ledger, same_new_rows_from_two_credentials_at_once_are_stored_once) {
  const claimed_credential a = claim(first_), b = claim(second_);
  std::vector<sample> samples, reversed;
  for (int i = 0; i < 500; ++i)
    samples.push_back({fmt::format("id{:03}", i)});
  reversed.assign(samples.rbegin(), samples.rend());
  row_counts total;
  int finished = 0;
  const auto store_one = [&](const claimed_credential& c,
                             std::vector<sample>& from) -> awaitable<void> {
    auto opening = store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                       comparing::fingerprints);
    auto window = co_await std::move(opening);
    transaction_batch batch = batch_of(from);
    auto applying = window->apply(std::move(batch));
    co_await std::move(applying);
    run_record record = record_for(c);
    absent_rows absent;
    window_evidence evidence;
    auto committing = window->commit(std::move(record), std::move(evidence), absent);
    const run_record got = co_await std::move(committing);
    total += got.counts;
    ++finished;
  };
  const auto no_failure = [](std::exception_ptr e) { EXPECT_FALSE(e); };
  boost::asio::co_spawn(loop_, store_one(a, samples), no_failure);
  boost::asio::co_spawn(loop_, store_one(b, reversed), no_failure);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(finished, 2);
  EXPECT_EQ(total.inserted, 500);
  EXPECT_EQ(total.unchanged, 500);
  EXPECT_EQ(value("select count(*) from flanks.transactions"), "500");
  EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "500");
}

TEST_F(ledger, joint_row_with_equal_content_is_a_sighting) {
  store_window(first_, {{"a"}, {"b"}});
  EXPECT_THAT(store_window(second_, {{"a"}, {"c"}}),
              counts(expected{.fetched = 2, .inserted = 1, .unchanged = 1}));
  EXPECT_THAT(rows("select _id, credential_id from flanks.transaction_sightings"),
              ElementsAre("a|2"));
  EXPECT_EQ(value("select credential_id from flanks.transactions where _id = 'a'"), "1");
  EXPECT_EQ(value("select users from flanks.transactions_current where _id = 'a'"), "{ana,ben}");
  const std::string before = writes();
  EXPECT_THAT(store_window(second_, {{"a"}, {"c"}, {"a"}}),
              counts(expected{.fetched = 3, .unchanged = 2, .duplicates = 1}));
  EXPECT_EQ(writes(), before);
  EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "1");
}

TEST_F(ledger, joint_row_with_other_content_is_a_conflict_and_never_overwrites) {
  store_window(first_, {{"a", "2026-05-10", "1"}});
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(store_window(second_, {{"a", "2026-05-10", "2"}, {"n"}}),
                counts(expected{
                    .fetched = 2, .inserted = i == 0 ? 1 : 0, .unchanged = i, .quarantined = 1}));
  }
  EXPECT_EQ(value("select credential_id || ' ' || amount from flanks.transactions where _id = 'a'"),
            "1 1");
  EXPECT_EQ(value("select reason, _id, credential_id, convert_from(raw, 'UTF8')::jsonb->>'amount' "
                  "from flanks.quarantine"),
            "joint_conflict|a|2|2");
  EXPECT_EQ(value("select count(*) from flanks.sync_runs where outcome = 'partial'"), "2");
}

TEST_F(ledger, joint_row_whose_owner_corrects_it_conflicts_until_the_other_agrees) {
  store_window(first_, {{"a", "2026-05-10", "1"}});
  store_window(second_, {{"a", "2026-05-10", "1"}});
  store_window(first_, {{"a", "2026-05-10", "2"}});
  EXPECT_THAT(store_window(second_, {{"a", "2026-05-10", "1"}}),
              counts(expected{.fetched = 1, .quarantined = 1}));
  EXPECT_THAT(store_window(second_, {{"a", "2026-05-10", "2"}}),
              counts(expected{.fetched = 1, .unchanged = 1}));
}

TEST_F(ledger, row_of_a_removed_credential_goes_to_the_one_that_shows_it) {
  store_window(first_, {{"a", "2026-05-10", "1"}});
  registry(options_).remove(first_);
  EXPECT_THAT(store_window(second_, {{"a", "2026-05-10", "2"}}),
              counts(expected{.fetched = 1, .updated = 1}));
  EXPECT_EQ(value("select credential_id || ' ' || amount from flanks.transactions"), "2 2");
  EXPECT_EQ(value("select reason || ' ' || credential_id from flanks.transaction_revisions"),
            "handed_over 1");
}

// Sets the state as a status call does, `ago`.
void become(const db_options& options, credential_id id, const std::string& state,
            const std::string& ago) {
  query(options, fmt::format("update flanks.credentials set state = '{}' where credential_id = {}",
                             state, id.value));
  query(options, fmt::format("update flanks.credential_states set from_at = now() - interval '{}' "
                             "where credential_id = {}",
                             ago, id.value));
}

TEST_F(ledger, rows_of_a_credential_that_is_gone_or_long_blocked_go_to_the_one_that_shows_them) {
  const std::vector<std::array<std::string, 2>> absences{{"gone", "1 second"},
                                                         {"blocked", "31 days"}};
  for (const auto& [state, ago] : absences) {
    const std::string a = "a" + state, b = "b" + state;
    become(options_, first_, "ok", "1 second");
    store_window(first_, {{a, "2026-05-10", "1"}, {b, "2026-05-11", "1"}});
    store_window(second_, {{a, "2026-05-10", "1"}, {b, "2026-05-11", "1"}});
    become(options_, first_, state, ago);
    EXPECT_THAT(store_window(second_, {{a, "2026-05-10", "2"}, {b, "2026-05-11", "1"}}),
                counts(expected{.fetched = 2, .updated = 2}))
        << state << ": the correction, and the row that is as it was";
    EXPECT_THAT(rows("select _id, credential_id, amount from flanks.transactions order by _id"),
                ElementsAre(a + "|2|2", b + "|2|1"));
    EXPECT_EQ(value("select string_agg(distinct reason || ' ' || credential_id, ', ') from "
                    "flanks.transaction_revisions"),
              "handed_over 1");
    EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "0");
    // It comes back: now its rows are the other's, which it shows too.
    become(options_, first_, "ok", "1 second");
    EXPECT_THAT(store_window(first_, {{a, "2026-05-10", "2"}, {b, "2026-05-11", "1"}}),
                counts(expected{.fetched = 2, .unchanged = 2}));
    EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "2");
    query(options_, "truncate flanks.transactions cascade");
    query(options_, "truncate flanks.transaction_revisions");
  }
}

TEST_F(ledger, rows_of_a_credential_that_was_blocked_a_short_while_ago_stay_its_own) {
  store_window(first_, {{"a", "2026-05-10", "1"}});
  store_window(second_, {{"a", "2026-05-10", "1"}});
  become(options_, first_, "blocked", "29 days");
  EXPECT_THAT(store_window(second_, {{"a", "2026-05-10", "2"}}),
              counts(expected{.fetched = 1, .quarantined = 1}));
  EXPECT_EQ(value("select credential_id || ' ' || amount from flanks.transactions"), "1 1");
  become(options_, first_, "blocked", "31 days");
  EXPECT_THAT(store_window(second_, {{"a", "2026-05-10", "2"}}),
              counts(expected{.fetched = 1, .updated = 1}));
  EXPECT_EQ(value("select credential_id || ' ' || amount from flanks.transactions"), "2 2");
  EXPECT_EQ(value("select count(*) from flanks.quarantine where resolved_at is null"), "0");
}

TEST_F(ledger, row_whose_day_moves_out_of_the_window_is_updated) {
  store_window(first_, {{"a", "2026-05-10"}});
  EXPECT_THAT(store_window(first_, {{"a", "2026-04-02"}}),
              counts(expected{.fetched = 1, .updated = 1}));
  EXPECT_EQ(value("select operation_date from flanks.transactions"), "2026-04-02");
  // It is outside of May now, and comes again with the answer for May.
  const std::string before = writes();
  EXPECT_THAT(store_window(first_, {{"a", "2026-04-02"}, {"a", "2026-04-02"}, {"b"}}),
              counts(expected{.fetched = 3, .inserted = 1, .unchanged = 1, .duplicates = 1}));
  EXPECT_EQ(before, "1 1 0");
  EXPECT_EQ(writes(), "2 1 0");
  EXPECT_THAT(store_window(first_, {{"a", "2026-05-20"}, {"b"}}),
              counts(expected{.fetched = 2, .updated = 1, .unchanged = 1}));
}

// Only its content hash is looked at there, and the edit has voided that.
TEST_F(ledger, row_outside_of_the_window_that_was_edited_by_hand_is_put_right) {
  store_window(first_, {{"a", "2026-04-02", "1"}});
  sql("update flanks.transactions set amount = 99");
  EXPECT_THAT(store_window(first_, {{"a", "2026-04-02", "1"}}),
              counts(expected{.fetched = 1, .updated = 1}));
  EXPECT_EQ(value("select amount from flanks.transactions"), "1");
}

// A sweep has not loaded the values of a row outside of its days: the database compares them.
TEST_F(ledger, row_outside_of_its_days_that_a_sweep_meets_again_is_not_written) {
  const claimed_credential c = claim(first_);
  const auto sweep = [&] {
    const auto window = run(
        store_->open_window(c.id, c.lease, product::account, may, std::nullopt, comparing::values));
    run(window->apply(batch_of({{"a", "2026-04-02"}, {"b"}})));
    return commit(*window, record_for(c)).counts;
  };
  sweep();
  const std::string before = writes();
  EXPECT_THAT(sweep(), counts(expected{.fetched = 2, .unchanged = 2}));
  EXPECT_EQ(before, "2 0 0");
  EXPECT_EQ(writes(), before);
}

TEST_F(ledger, other_product_with_equal_content_is_the_same_row_and_with_other_a_conflict) {
  store_window(first_, {{"a", "2026-05-10", "1"}}, product::account);
  EXPECT_THAT(store_window(first_, {{"a", "2026-05-10", "1"}}, product::card),
              counts(expected{.fetched = 1, .unchanged = 1}));
  EXPECT_THAT(store_window(first_, {{"a", "2026-05-10", "2"}}, product::card),
              counts(expected{.fetched = 1, .quarantined = 1}));
  EXPECT_EQ(value("select product || ' ' || amount from flanks.transactions"), "account 1");
  EXPECT_EQ(value("select reason from flanks.quarantine"), "product_conflict");
}

TEST_F(ledger, removed_row_that_is_shown_again_comes_back_with_a_revision) {
  store_window(first_, {{"a"}});
  sql("update flanks.transactions set removed_at = now()");
  EXPECT_THAT(store_window(first_, {{"a"}}), counts(expected{.fetched = 1, .updated = 1}));
  EXPECT_EQ(value("select removed_at from flanks.transactions"), "-");
  EXPECT_EQ(value("select reason from flanks.transaction_revisions"), "restored");
}

TEST_F(ledger, bad_records_go_to_quarantine_once_and_the_rest_is_stored) {
  for (int i = 0; i < 2; ++i) {
    const claimed_credential c = claim(first_);
    std::vector<transaction_batch> batches;
    batches.push_back(batch_of({{"a"}}));
    batches[0].rejected.push_back(rejected("missing_id", "{\"amount\": \xff 1}"));
    batches[0].rejected.push_back(rejected("missing_id", "{\"amount\": \xff 1}"));
    rejected_record warning = rejected("nul_character", std::string("{\"d\":\"\0\"}", 9));
    warning.id = "a";
    warning.stored_anyway = true;
    batches[0].rejected.push_back(warning);
    const row_counts got = store_batches(c, std::move(batches));
    EXPECT_THAT(got,
                counts(expected{
                    .fetched = 3, .inserted = i == 0 ? 1 : 0, .unchanged = i, .quarantined = 2}));
    EXPECT_EQ(got.warnings, 1);
    release(c);
  }
  EXPECT_THAT(rows("select reason, _id, stored_anyway, octet_length(raw), first_sync_run_id <> "
                   "last_sync_run_id "
                   "from flanks.quarantine order by reason"),
              ElementsAre("missing_id||f|15|f", "nul_character|a|t|9|f"))
      << "the second time writes nothing";
  EXPECT_EQ(value("select state from flanks.sync_status where credential_id = 1"), "ok");
}

TEST_F(ledger, value_that_the_database_refuses_is_quarantined_alone) {
  std::vector<sample> many;
  for (int i = 0; i < 50; ++i)
    many.push_back({fmt::format("id{:02}", i)});
  many[17].amount = "twelve";
  many[40].extra = "{broken";
  EXPECT_THAT(store_window(first_, many),
              counts(expected{.fetched = 50, .inserted = 48, .quarantined = 2}));
  EXPECT_THAT(rows("select _id, reason from flanks.quarantine order by 1"),
              ElementsAre("id17|refused_by_database", "id40|refused_by_database"));
  // The same when the row exists and changes.
  many[3].amount = "NaN";
  many[5].amount = "77";
  EXPECT_THAT(store_window(first_, many),
              counts(expected{.fetched = 50, .updated = 1, .unchanged = 46, .quarantined = 3}));
  EXPECT_EQ(value("select amount from flanks.transactions where _id = 'id03'"), "-12.50");
}

TEST_F(ledger, destroyed_uncommitted_stores_nothing) {
  const claimed_credential c = claim(first_);
  {
    auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                          comparing::fingerprints));
    run(window->apply(batch_of({{"a", "2026-05-10", "1", std::string(2 << 20, 'x')}})));
  }
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(value("select count(*) from flanks.sync_runs"), "0");
  // The connection is free and clean again.
  EXPECT_THAT(store_batches(c, {}), counts(expected{}));
}

TEST_F(ledger, abandoned_stores_nothing_and_refuses_more) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  run(window->apply(batch_of({{"a", "2026-05-10", "1", std::string(2 << 20, 'x')}})));
  run(window->abandon());
  EXPECT_EQ(failure_of([&] { commit(*window, record_for(c)); }).error_class, "ledger_closed");
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(ledger, lost_lease_cannot_commit) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  run(window->apply(batch_of({{"a", "2026-05-10", "1", std::string(2 << 20, 'x')}})));
  sql("update flanks_internal.leases set lease_id = gen_random_uuid() where lease_id is not null");
  const failure f = failure_of([&] { commit(*window, record_for(c)); });
  EXPECT_EQ(f.stage, stage::lease);
  EXPECT_EQ(f.error_class, "lease_lost");
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(value("select count(*) from flanks.coverage"), "0");
}

// The transaction may have begun long before its lease ended: now() would still see it valid.
TEST_F(ledger, lease_that_expires_while_the_window_is_open_cannot_commit) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  run(window->apply(batch_of({{"a", "2026-05-10", "1", std::string(2 << 20, 'x')}})));
  sql("update flanks_internal.leases set expires_at = clock_timestamp() where lease_id is not "
      "null");
  EXPECT_EQ(failure_of([&] { commit(*window, record_for(c)); }).error_class, "lease_lost");
}

// The order of two answers is that of our claims (P6), which the lease keeps: the provider's clock
// may go back, or be wrong, and what came last is what it shows.
TEST_F(ledger, the_watermark_is_what_was_read_last_and_never_of_the_future) {
  const claimed_credential c = claim(first_);
  const auto store_at = [&](instant seen, const char* amount) {
    const window days{may.from, day_of(refreshed_at)};
    auto window = run(store_->open_window(c.id, c.lease, product::account, days, std::nullopt,
                                          comparing::fingerprints));
    run(window->apply(batch_of({{"a", "2026-05-10", amount}})));
    run_record record = record_for(c, product::account, days);
    record.provider_update = seen;
    commit(*window, record);
  };
  store_at(refreshed_at, "2");
  store_at(refreshed_at - std::chrono::hours{1}, "1");
  EXPECT_EQ(value("select amount from flanks.transactions"), "1");
  EXPECT_EQ(value("select provider_seen_at from flanks.coverage"), "2026-05-31 23:00:00+00");
  store_at(refreshed_at, "3");
  EXPECT_EQ(value("select provider_seen_at from flanks.coverage"), "2026-06-01 00:00:00+00");
}

TEST_F(ledger, a_watermark_of_the_future_is_not_written_and_one_that_is_there_is_none) {
  claimed_credential c = claim(first_);
  const day today =
      day_of(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  const window days{today - std::chrono::days{30}, today + std::chrono::days{1}};
  auto window = run(store_->open_window(c.id, c.lease, product::account, days, std::nullopt,
                                        comparing::fingerprints));
  run_record record = record_for(c, product::account, days);
  record.provider_update = instant{std::chrono::sys_days{std::chrono::year{2099} / 1 / 1}};
  commit(*window, record);
  EXPECT_EQ(
      value("select provider_seen_at between now() - interval '1 minute' and now() + interval "
            "'1 minute' from flanks.coverage"),
      "t");
  release(c);
  sql("update flanks.coverage set provider_seen_at = '2099-01-01'");
  c = claim(first_);
  EXPECT_FALSE(c.of(product::account).provider_seen) << "so it is fetched, and heals";
}

TEST_F(ledger, window_that_ends_before_the_refresh_grows_coverage_but_not_the_watermark) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, {may.from, may.from},
                                        std::nullopt, comparing::fingerprints));
  run_record record = record_for(c, product::account, {may.from, may.from});
  record.provider_update = refreshed_at;
  commit(*window, record, all_history);
  EXPECT_EQ(value("select days, provider_seen_at, last_sweep_at is not null from flanks.coverage"),
            "{[2026-05-01,2026-05-02)}|-|t");
}

TEST_F(ledger, touching_windows_become_one_range_and_the_claim_tells_the_latest) {
  const auto d = [](int n) { return may.from + std::chrono::days{n}; };
  store_window(first_, {}, product::account, {d(0), d(2)});
  store_window(first_, {}, product::account, {d(3), d(5)});
  store_window(first_, {}, product::account, {d(10), d(12)});
  EXPECT_EQ(value("select days::text from flanks.coverage"),
            "{[2026-05-01,2026-05-07),[2026-05-11,2026-05-14)}");
  const claimed_credential c = claim(first_);
  EXPECT_EQ(c.of(product::account).from, d(10));
  EXPECT_EQ(c.of(product::account).to, d(12));
  EXPECT_FALSE(c.of(product::card).from);
}

TEST_F(ledger, what_was_covered_under_another_filter_is_not_covered) {
  const window june{may.to + std::chrono::days{1}, may.to + std::chrono::days{30}};
  store_window(first_, {{"a"}});
  store_.reset();
  db_options filtered = options_;
  filtered.query = R"({"currency":["^EUR$"]})";
  store_ = make_store(loop_.get_executor(), filtered);
  store_window(first_, {{"b", "2026-06-10"}}, product::account, june);
  EXPECT_EQ(value("select days::text from flanks.coverage"), "{[2026-06-01,2026-07-01)}");
}

TEST_F(ledger, reader_sees_all_or_nothing) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  run(window->apply(batch_of({{"a", "2026-05-10", "1", std::string(2 << 20, 'x')}})));
  EXPECT_EQ(value("select count(*) from flanks.transactions"), "0");
  commit(*window, record_for(c));
  EXPECT_EQ(
      value("select count(*) from flanks.transactions t, flanks.coverage c, flanks.sync_runs r"),
      "1");
}

TEST_F(ledger, window_whose_run_cannot_be_recorded_leaves_nothing) {
  sql("alter table flanks.sync_runs add constraint theirs check (outcome <> 'ok')");
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  run(window->apply(batch_of({{"a"}})));
  EXPECT_EQ(failure_of([&] { commit(*window, record_for(c)); }).error_class, "database_constraint");
  EXPECT_EQ(value("select count(*) from flanks.transactions"), "0");
  EXPECT_EQ(value("select count(*) from flanks.coverage"), "0");
  EXPECT_EQ(value("select count(last_success_at) from flanks.credentials"), "0");
}

TEST_F(ledger, nobody_takes_the_lease_of_a_window_that_commits) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  run(window->apply(batch_of({{"a"}})));
  pg_connection db(options_);
  db.begin();
  db.run(statement{"test", "lock table flanks.sync_runs in exclusive mode"});
  auto committing =
      std::async(std::launch::async, [&] { return commit(*window, record_for(c)).counts; });
  wait_for_a_waiter();
  db_options hasty = options_;
  hasty.lock_timeout = std::chrono::seconds{1};
  std::string refused;
  try {
    query(hasty,
          "update flanks_internal.leases set lease_id = gen_random_uuid() where lease_id "
          "is not null");
  } catch (const sql_problem& problem) {
    refused = problem.sqlstate;
  }
  EXPECT_EQ(refused, "55P03") << "it waits until the window is stored";
  db.commit();
  EXPECT_THAT(committing.get(), counts(expected{.fetched = 1, .inserted = 1}));
}

TEST_F(ledger, killed_backend_fails_the_window_and_the_next_one_works) {
  const claimed_credential c = claim(first_);
  auto window = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                        comparing::fingerprints));
  run(window->apply(batch_of({{"a", "2026-05-10", "1", std::string(2 << 20, 'x')}})));
  sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = "
      "'flanks-sync' "
      "and datname = current_database() and pid <> pg_backend_pid()");
  const failure f = failure_of([&] { commit(*window, record_for(c)); });
  EXPECT_EQ(f.error_class, "database_lost");
  EXPECT_EQ(f.verdict, verdict::retry);
  EXPECT_THAT(f.what(), HasSubstr("the connection to database \"" + database_ + "\" at /"));
  run(window->abandon());
  window.reset();
  EXPECT_THAT(store_batches(c, {}), counts(expected{}));
}

TEST_F(ledger, idle_connections_that_died_are_replaced_without_a_word) {
  const claimed_credential c = claim(first_);
  store_batches(c, {});
  sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = "
      "current_database() "
      "and pid <> pg_backend_pid()");
  EXPECT_TRUE(run(store_->renew(c.id, c.lease)));
  EXPECT_THAT(store_batches(c, {}), counts(expected{}));
}

}  // namespace flanks::testing
