// What a run says it stored is in the table, or the run fails loudly; and what the provider sends
// that has no column is noted without making a replay write.
#include <thread>

#include "pg_fixture.hpp"

namespace flanks::testing {
namespace {

class written : public database_test {
 protected:
  // A trigger on flanks.transactions that runs `body` for the row "odd".
  void plant(const std::string& when, const std::string& body) {
    sql("create function public.odd() returns trigger language plpgsql as $$ begin "
        "if new._id = 'odd' then " +
        body + " end if; return new; end $$");
    sql("create trigger odd " + when +
        " on flanks.transactions for each row execute function "
        "public.odd()");
  }
  // Nothing of the window is there: no row, no coverage, no good run.
  void expect_nothing_stored() {
    EXPECT_EQ(value("select count(*) from flanks.transactions"), "0");
    EXPECT_EQ(value("select count(*) from flanks.coverage"), "0");
    EXPECT_EQ(value("select count(*) from flanks.sync_runs where outcome = 'ok'"), "0");
  }
};

TEST_F(written, a_swallowed_insert_fails_the_run) {
  const credential_id id = add("u", "ct-1");
  plant("before insert", "return null;");
  const failure f = failure_of([&] { store_window(id, {{"a"}, {"odd"}, {"z"}}); });
  EXPECT_EQ(f.error_class, "rows_not_stored");
  EXPECT_THAT(f.what(), ::testing::HasSubstr("3 rows were written, but the table holds 2"));
  expect_nothing_stored();
}

TEST_F(written, a_row_that_is_deleted_again_fails_the_run) {
  const credential_id id = add("u", "ct-1");
  plant("after insert", "delete from flanks.transactions where _id = new._id;");
  const failure f = failure_of([&] { store_window(id, {{"a"}, {"odd"}, {"z"}}); });
  EXPECT_EQ(f.error_class, "rows_not_stored");
  expect_nothing_stored();
}

TEST_F(written, an_update_that_is_swallowed_or_undone_fails_the_run) {
  const credential_id id = add("u", "ct-1");
  store_window(id, {{"a"}, {"odd"}});
  plant("before update", "return null;");
  failure_of([&] { store_window(id, {{"a"}, {"odd", "2026-05-10", "-99"}}); });
  EXPECT_EQ(value("select amount from flanks.transactions where _id = 'odd'"), "-12.50");
  sql("drop function public.odd() cascade");
  sql("update flanks_internal.leases set lease_id = null, expires_at = null");
  plant("after update", "delete from flanks.transactions where _id = new._id;");
  const failure f = failure_of([&] { store_window(id, {{"a"}, {"odd", "2026-05-10", "-99"}}); });
  EXPECT_EQ(f.error_class, "rows_not_stored");
  EXPECT_EQ(value("select amount from flanks.transactions where _id = 'odd'"), "-12.50");
}

TEST_F(written, what_is_overwritten_is_kept_with_all_its_columns) {
  const credential_id id = add("u", "ct-1");
  store_window(id, {{"a"}});
  const std::string before = value("select to_jsonb(t) from flanks.transactions t");
  EXPECT_EQ(store_window(id, {{"a", "2026-05-10", "-99"}}).updated, 1);
  EXPECT_EQ(value("select content from flanks.transaction_revisions"), before);
}

TEST_F(written, what_somebody_else_changes_meanwhile_is_not_overwritten_unseen) {
  const credential_id id = add("u", "ct-1");
  store_window(id, {{"a"}, {"b"}});
  sql("delete from flanks_internal.fingerprints");
  pg_connection other(options_);
  other.begin();
  other.run(statement{"test", "update flanks.transactions set amount = -1 where _id = 'a'"});
  std::thread committing([&] {
    wait_for_a_waiter();
    other.commit();
  });
  const std::vector<sample> changed{{"a", "2026-05-10", "-99"}, {"b", "2026-05-10", "-98"}};
  const failure f = failure_of([&] { store_window(id, changed); });
  committing.join();
  EXPECT_EQ(f.error_class, "database_race");
  EXPECT_STREQ(f.what(),
               "credential 1: 1 of 2 rows were touched by somebody else while they were being "
               "updated");
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions"), "0");
  sql("update flanks_internal.leases set lease_id = null, expires_at = null");
  EXPECT_EQ(store_window(id, changed).updated, 2);
  EXPECT_THAT(rows("select _id, content->>'amount' from flanks.transaction_revisions order by _id"),
              ::testing::ElementsAre("a|-1", "b|-12.50"));
}

TEST_F(written, a_row_that_is_taken_over_is_no_sighting_any_more) {
  const credential_id ana = add("ana", "ct-1"), ben = add("ben", "ct-2");
  store_window(ana, {{"a"}, {"b"}});
  store_window(ben, {{"a"}, {"b"}});
  EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "2");
  sql("update flanks.credentials set removed_at = now() where credential_id = 1");
  EXPECT_EQ(store_window(ben, {{"a", "2026-05-10", "-99"}, {"b"}}).updated, 2);
  EXPECT_THAT(rows("select _id, credential_id from flanks.transactions order by _id"),
              ::testing::ElementsAre("a|2", "b|2"));
  EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "0");
  EXPECT_THAT(rows("select _id, reason from flanks.transaction_revisions order by _id"),
              ::testing::ElementsAre("a|handed_over", "b|handed_over"));
}

TEST_F(written, a_row_that_changes_stays_on_its_page_and_off_the_indexes) {
  const credential_id id = add("u", "ct-1");
  std::vector<sample> all, changed;
  for (int i = 0; i < 200; ++i) {
    all.push_back({"id" + std::to_string(i)});
    changed.push_back(all.back());
    if (i % 20 == 0) changed.back().amount = "-99";
  }
  store_window(id, all);
  EXPECT_EQ(store_window(id, changed).updated, 10);
  store_.reset();  // its connections tell what they did before they end
  wait_until_alone();
  EXPECT_EQ(value("select n_tup_upd || ' ' || n_tup_hot_upd from pg_stat_user_tables where relid = "
                  "'flanks.transactions'::regclass"),
            "10 10");
}

TEST_F(written, what_changed_since_a_moment_is_what_came_or_was_overwritten_since) {
  const credential_id id = add("u", "ct-1");
  const auto changed_since = [&](const std::string& moment) {
    return rows(
        "select _id, amount, removed_at is not null from "
        "flanks.transactions_changed_since(" +
        moment + ") order by _id");
  };
  store_window(id, {{"a"}, {"b"}, {"c"}, {"d"}});
  sql("update flanks.transactions set first_seen_at = now() - interval '1 day'");
  EXPECT_THAT(changed_since("now() - interval '1 hour'"), ::testing::ElementsAre());
  const claimed_credential c = claim(id);
  const auto open = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                            comparing::fingerprints));
  run(open->apply(batch_of({{"a"}, {"b", "2026-05-10", "-99"}, {"d"}, {"e"}})));
  window_evidence evidence;
  evidence.provable = may;
  evidence.limits = {100, 1000};
  commit(*open, record_for(c), evidence);
  EXPECT_THAT(changed_since("now() - interval '1 hour'"),
              ::testing::ElementsAre("b|-99|f", "c|-12.50|t", "e|-12.50|f"));
  EXPECT_EQ(changed_since("now() - interval '2 days'").size(), 5U);
  EXPECT_THAT(changed_since("now() + interval '1 hour'"), ::testing::ElementsAre());
}

TEST_F(written, versions_moves_and_returns_in_one_response_add_up) {
  const credential_id id = add("u", "ct-1");
  store_window(id, {{"a"}, {"b"}, {"c"}});
  sql("update flanks.transactions set removed_at = now() where _id = 'c'");
  const row_counts counts = store_window(id, {{"a", "2026-05-10", "1"},
                                              {"a", "2026-04-01", "2"},
                                              {"n"},
                                              {"n", "2026-06-09"},
                                              {"b"},
                                              {"b", "2026-05-11"},
                                              {"c"},
                                              {"n", "2026-05-02"}});
  EXPECT_TRUE(counts.adds_up());
  EXPECT_EQ(value("select operation_date from flanks.transactions where _id = 'n'"), "2026-05-02");
  EXPECT_EQ(value("select count(*) from flanks.transactions where removed_at is null"), "4");
}

class unknown : public database_test {
 protected:
  void store(std::vector<unknown_record_field> fields) {
    const claimed_credential c = claim(id_);
    std::vector<transaction_batch> batches;
    batches.push_back(batch_of({{"a"}}));
    batches.back().unknown = std::move(fields);
    store_batches(c, std::move(batches));
    release(c);
  }
  void SetUp() override {
    database_test::SetUp();
    id_ = add("u", "ct-1");
  }
  std::vector<std::string> noted() {
    return rows(
        "select endpoint, path, json_type, count from flanks.unknown_fields order by 1, 2, 3");
  }
  credential_id id_;
};

TEST_F(unknown, fields_are_noted_once_and_a_replay_writes_nothing) {
  store({{"mood", "string", 2}, {"mood", "null", 1}});
  EXPECT_EQ(noted(), (std::vector<std::string>{"account|mood|null|1", "account|mood|string|2"}));
  const auto before =
      rows("select xmin::text, ctid::text from flanks.unknown_fields order by 1, 2");
  store({{"mood", "string", 2}, {"mood", "null", 1}});
  EXPECT_EQ(rows("select xmin::text, ctid::text from flanks.unknown_fields order by 1, 2"), before);
}

TEST_F(unknown, a_field_that_still_comes_the_next_day_is_counted_on) {
  store({{"mood", "string", 2}});
  sql("update flanks.unknown_fields set last_seen_at = now() - interval '1 day', first_seen_at = "
      "now() "
      "- interval '1 day'");
  store({{"mood", "string", 5}, {"tone", "array", 1}});
  EXPECT_EQ(noted(), (std::vector<std::string>{"account|mood|string|7", "account|tone|array|1"}));
  EXPECT_EQ(value("select count(*) from flanks.unknown_fields where last_seen_at > first_seen_at"),
            "1");
}

}  // namespace
}  // namespace flanks::testing
