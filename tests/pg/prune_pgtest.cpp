// What `retention` deletes and what stays, table by table; batches; and whom they wait for: nobody.
#include "db/prune.hpp"

#include <fmt/format.h>

#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::chrono::days ninety{90};

class prune : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    first_ = add("ana", "token-a");
    second_ = add("ben", "token-b");
    db_ = std::make_unique<pg_connection>(options_);
  }

  static retention_ages nothing() {
    return {retention_ages::never, retention_ages::never, retention_ages::never,
            retention_ages::never, retention_ages::never};
  }
  // What one pass says: "table key rows" of every line that has rows.
  std::vector<std::string> pass(const retention_ages& keep,
                                pruning::mode how = pruning::mode::remove) {
    pruning p(keep, how);
    while (p.step(*db_) != pruning::progress::done) {
    }
    std::vector<std::string> lines;
    for (const pruned_rows& line : p.report()) {
      if (line.rows > 0) lines.push_back(fmt::format("{} {} {}", line.table, line.key, line.rows));
    }
    return lines;
  }

  static std::string uuid(int n) { return fmt::format("'00000000-0000-0000-0000-{:012}'", n); }
  void sync_run(int n, int days_ago, const std::string& product = "'account'", int updated = 0) {
    sql(
        fmt::format("insert into flanks.sync_runs (sync_run_id, run_id, trigger, credential_id, "
                    "product, outcome, fetched, updated, started_at, finished_at) select {}, "
                    "gen_random_uuid(), 'schedule', {}, {}, 'ok', {}, {}, t, t from (select now() "
                    "- interval '{} days' as t) x",
                    uuid(n), first_.value, product, updated, updated, days_ago));
  }
  std::vector<std::string> runs_left() {
    return rows("select right(sync_run_id::text, 2)::int from flanks.sync_runs order by 1");
  }
  void quarantined(const std::string& id, int run, const std::string& resolved_at) {
    sql(
        fmt::format("insert into flanks.quarantine (credential_id, product, part, reason, detail, "
                    "_id, raw, truncated, stored_anyway, first_sync_run_id, last_sync_run_id, "
                    "resolved_at) values ({}, 'account', 'transactions', 'bad_amount', 'x', '{}', "
                    "'x', false, false, {}, {}, {})",
                    first_.value, id, uuid(run), uuid(run), resolved_at));
  }
  void review(int run, const std::string& id, const std::string& state) {
    sql(
        fmt::format("insert into flanks.removal_reviews (sync_run_id, credential_id, product, "
                    "reason, state, stored_rows, decided_at) values ({}, {}, 'account', "
                    "'too_many', '{}', 9, case when '{}' <> 'open' then now() end)",
                    uuid(run), first_.value, state, state));
    sql(fmt::format("insert into flanks.removal_candidates values ({}, '{}')", uuid(run), id));
  }
  void revision(const std::string& id, int run, int from_days_ago, int to_days_ago) {
    sql(fmt::format(
        "insert into flanks.transaction_revisions (_id, credential_id, sync_run_id, "
        "valid_from, replaced_at, reason, content) select t._id, credential_id, {}, "
        "now() - interval '{} days', now() - interval '{} days 1 second', 'changed', to_jsonb(t) "
        "from flanks.transactions t where _id = '{}'",
        uuid(run), from_days_ago, to_days_ago, id));
  }
  void removed(const std::string& id, const std::string& reason, const std::string& successor = "",
               int days_ago = 100) {
    sql(
        fmt::format("update flanks.transactions set removed_at = now() - interval '{} days', "
                    "removal_reason = '{}', successor_id = nullif('{}', '') where _id = '{}'",
                    days_ago, reason, successor, id));
  }
  std::vector<std::string> ids_left() {
    return rows("select _id from flanks.transactions order by 1");
  }

  credential_id first_, second_;
  std::unique_ptr<pg_connection> db_;
};

TEST_F(prune, runs_go_but_the_newest_and_those_that_something_names) {
  store_window(first_, {{"a"}});
  sql("delete from flanks.sync_runs");
  sync_run(1, 200);
  sync_run(2, 150);
  review(2, "a", "rejected");
  sync_run(3, 140);
  quarantined("q", 3, "null");
  sync_run(4, 130);
  revision("a", 4, 140, 130);
  sync_run(5, 120, "'account'", 1);
  sync_run(6, 100, "'card'");
  sync_run(7, 100, "null");
  sync_run(8, 95, "null");
  sync_run(9, 10);
  sync_run(10, 91);
  retention_ages keep = nothing();
  EXPECT_THAT(pass(keep), IsEmpty());
  keep.run_logs = ninety;
  EXPECT_THAT(pass(keep), ElementsAre("flanks.sync_runs retention.run_logs 3"));
  EXPECT_THAT(runs_left(), ElementsAre("2", "3", "4", "5", "6", "8", "9"));
  // When the versions go, what wrote them goes too: with the next pass.
  keep.revisions = ninety;
  EXPECT_THAT(pass(keep), ElementsAre("flanks.sync_runs retention.run_logs 1",
                                      "flanks.transaction_revisions retention.revisions 1"));
  EXPECT_THAT(pass(keep), ElementsAre("flanks.sync_runs retention.run_logs 1"));
  EXPECT_THAT(runs_left(), ElementsAre("2", "3", "6", "8", "9"));
}

TEST_F(prune, a_pass_of_the_real_daemon_s_rows_keeps_the_run_of_every_version) {
  store_window(first_, {{"a"}, {"b"}});
  store_window(first_, {{"a", "2026-05-10", "-13"}, {"b"}});
  sql("update flanks.sync_runs set started_at = started_at - interval '400 days', finished_at = "
      "finished_at - interval '400 days'");
  sql("update flanks.transaction_revisions set replaced_at = replaced_at - interval '400 days', "
      "valid_from = valid_from - interval '400 days'");
  store_window(first_, {{"a", "2026-05-10", "-13"}, {"b"}});
  retention_ages keep;
  EXPECT_THAT(pass(keep), ElementsAre("flanks.sync_runs retention.run_logs 1"));
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions join flanks.sync_runs using "
                  "(sync_run_id)"),
            "1");
}

TEST_F(prune, runs_of_products_and_proofs_go_but_the_newest) {
  for (const auto& [n, days] : {std::pair{1, 200}, {2, 150}, {3, 100}}) {
    sql(
        fmt::format("insert into flanks.product_runs (product_run_id, run_id, trigger, "
                    "credential_id, product, outcome, started_at) values ({}, gen_random_uuid(), "
                    "'schedule', {}, 'holder', 'ok', now() - interval '{} days')",
                    uuid(n), first_.value, days));
    for (int window = 0; window < 2; ++window)
      sql(
          fmt::format("insert into flanks.verifications (run_id, credential_id, product, outcome, "
                      "started_at, finished_at) values ({}, {}, 'card', 'equal', now(), now() - "
                      "interval '{} days' + {} * interval '1 second')",
                      uuid(n), first_.value, days, window));
  }
  quarantined("q", 2, "null");
  retention_ages keep = nothing();
  keep.run_logs = ninety;
  EXPECT_THAT(pass(keep), ElementsAre("flanks.product_runs retention.run_logs 1",
                                      "flanks.verifications retention.run_logs 4"));
  EXPECT_THAT(rows("select right(product_run_id::text, 1) from flanks.product_runs order by 1"),
              ElementsAre("2", "3"));
  EXPECT_EQ(value("select count(*) from flanks.verifications where run_id = " + uuid(3)), "2");
}

TEST_F(prune, states_go_when_they_ended_long_ago) {
  sql("delete from flanks.credential_states");
  for (const auto& [credential, days, state] : {std::tuple{first_, 2000, "new"},
                                                {first_, 1000, "ok"},
                                                {first_, 800, "blocked"},
                                                {first_, 100, "ok"},
                                                {second_, 3000, "new"},
                                                {second_, 2000, "blocked"}})
    sql(
        fmt::format("insert into flanks.credential_states values ({}, now() - interval '{} days', "
                    "'{}')",
                    credential.value, days, state));
  EXPECT_THAT(pass(retention_ages{}),
              ElementsAre("flanks.credential_states retention.credential_states 3"));
  EXPECT_THAT(rows("select credential_id || ' ' || state from flanks.credential_states order by "
                   "credential_id, from_at"),
              ElementsAre("1 blocked", "1 ok", "2 blocked"));
}

TEST_F(prune, of_the_quarantine_only_what_was_resolved_long_ago) {
  quarantined("open", 1, "null");
  quarantined("old", 1, "now() - interval '100 days'");
  quarantined("young", 1, "now() - interval '10 days'");
  sql("update flanks.quarantine set first_seen_at = now() - interval '900 days'");
  EXPECT_THAT(pass(retention_ages{}),
              ElementsAre("flanks.quarantine retention.resolved_quarantine 1"));
  EXPECT_THAT(rows("select _id from flanks.quarantine order by 1"), ElementsAre("open", "young"));
}

TEST_F(prune, versions_that_ended_later_answer_for_their_time_as_before) {
  store_window(first_, {{"a"}});
  sql("update flanks.transactions set first_seen_at = now() - interval '300 days', updated_at = "
      "now() - interval '10 days'");
  revision("a", 1, 300, 100);
  revision("a", 1, 100, 10);
  const std::string then =
      "select count(*) from flanks.transactions_as_of(now() - interval '{} days')";
  const auto at = [&](int days) { return value(fmt::format(fmt::runtime(then), days)); };
  EXPECT_EQ(at(200) + at(89) + at(50) + at(1), "1111");
  retention_ages keep = nothing();
  keep.revisions = ninety;
  EXPECT_THAT(pass(keep), ElementsAre("flanks.transaction_revisions retention.revisions 1"));
  EXPECT_EQ(at(200) + at(89) + at(50) + at(1), "0111");
}

TEST_F(prune, removed_rows_go_with_their_versions_but_those_that_somebody_needs) {
  store_window(first_, {{"gone"},
                        {"live"},
                        {"young"},
                        {"succeeded"},
                        {"asked"},
                        {"confirmed"},
                        {"old"},
                        {"newer"},
                        {"blocks"}});
  removed("gone", "absent");
  revision("gone", 1, 120, 100);
  sql(fmt::format("insert into flanks.transaction_sightings values ('gone', {}, 'account')",
                  second_.value));
  removed("young", "absent", "", 10);
  removed("succeeded", "succeeded", "live");
  removed("asked", "absent");
  review(7, "asked", "open");
  removed("confirmed", "confirmed");
  sql("update flanks.removal_reviews set product = 'card' where state = 'open'");
  review(8, "confirmed", "confirmed");
  removed("old", "renumbered", "newer");
  removed("newer", "renumbered", "live");
  removed("blocks", "absent");
  quarantined("blocks", 1, "null");
  retention_ages keep = nothing();
  keep.removed_rows = ninety;
  const std::vector<std::string> first_pass{
      "flanks.transactions retention.removed_rows 3",
      "flanks.transaction_revisions retention.removed_rows 1"};
  EXPECT_EQ(pass(keep, pruning::mode::dry_run), first_pass);
  EXPECT_EQ(ids_left().size(), 9U);
  pruning p(keep, pruning::mode::remove);
  EXPECT_EQ(p.step(*db_), pruning::progress::deleted);
  EXPECT_THAT(ids_left(), ElementsAre("asked", "blocks", "live", "newer", "succeeded", "young"));
  EXPECT_EQ(p.deleted(), 4);
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions"), "0");
  EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "0");
  EXPECT_EQ(value("select flanks.current_id('succeeded')"), "live");
  EXPECT_THAT(pass(keep), ElementsAre("flanks.transactions retention.removed_rows 1"));
  EXPECT_THAT(ids_left(), ElementsAre("asked", "blocks", "live", "succeeded", "young"));
}

TEST_F(prune, a_deleted_row_that_is_shown_again_comes_anew) {
  store_window(first_, {{"a"}, {"b"}});
  removed("a", "absent");
  // Now the fingerprints say that `a` is removed.
  EXPECT_EQ(store_window(first_, {{"b"}}).unchanged, 1);
  retention_ages keep = nothing();
  keep.removed_rows = ninety;
  EXPECT_THAT(pass(keep), ElementsAre("flanks.transactions retention.removed_rows 1"));
  const row_counts counts = store_window(first_, {{"a"}, {"b"}});
  EXPECT_EQ(counts.inserted, 1);
  EXPECT_EQ(counts.unchanged, 1);
  EXPECT_EQ(value("select count(*) from flanks.transactions_current"), "2");
}

TEST_F(prune, what_is_locked_is_left_for_the_next_pass) {
  store_window(first_, {{"a"}, {"b"}});
  removed("a", "absent");
  sync_run(1, 200);
  sync_run(2, 150);
  retention_ages keep = nothing();
  keep.run_logs = ninety;
  keep.removed_rows = ninety;
  {
    pg_connection other(options_);
    other.begin();
    other.run(statement{"test", "select from flanks_internal.leases for update"});
    other.run(
        statement{"test", "select from flanks.sync_runs order by sync_run_id limit 1 for update"});
    EXPECT_THAT(pass(keep), ElementsAre("flanks.sync_runs retention.run_logs 1"));
    other.rollback();
  }
  EXPECT_THAT(pass(keep), ElementsAre("flanks.sync_runs retention.run_logs 1",
                                      "flanks.transactions retention.removed_rows 1"));
  EXPECT_THAT(ids_left(), ElementsAre("b"));
  // A removed credential has no lease.
  removed("b", "absent");
  sql("delete from flanks_internal.leases; update flanks.credentials set removed_at = now()");
  EXPECT_THAT(pass(keep), ElementsAre("flanks.transactions retention.removed_rows 1"));
}

TEST_F(prune, a_batch_is_small_and_a_dry_run_counts_what_a_pass_deletes) {
  for (int n = 1; n <= 11; ++n)
    sync_run(n, 100 + n);
  quarantined("old", 99, "now() - interval '100 days'");
  const std::vector<std::string> all{"flanks.sync_runs retention.run_logs 10",
                                     "flanks.quarantine retention.resolved_quarantine 1"};
  EXPECT_EQ(pass(retention_ages{}, pruning::mode::dry_run), all);
  EXPECT_EQ(runs_left().size(), 11U);
  pruning p(retention_ages{}, pruning::mode::remove, {.rows = 4, .credentials = 1});
  std::vector<std::int64_t> after;
  for (;;) {
    const pruning::progress reached = p.step(*db_);
    if (reached == pruning::progress::done) break;
    if (reached == pruning::progress::deleted) after.push_back(p.deleted());
  }
  EXPECT_THAT(after, ElementsAre(4, 8, 10, 11));
  EXPECT_EQ(runs_left().size(), 1U);
}

TEST_F(prune, one_daemon_a_day) {
  EXPECT_TRUE(claim_pruning(*db_));
  EXPECT_FALSE(claim_pruning(*db_));
  sql("update flanks_internal.settings set pruned_at = now() - interval '25 hours'");
  EXPECT_TRUE(claim_pruning(*db_));
}

}  // namespace
}  // namespace flanks::testing
