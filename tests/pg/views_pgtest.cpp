// The views for people against data made by hand, whose answers were worked out by hand.
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class views : public database_test {
 protected:
  // As a row of flanks.transactions; `account` of the credential, which makes one account real.
  void operation(const std::string& id, int credential, const std::string& day,
                 const std::string& amount, const std::string& rest = "'EUR', 'food'") {
    sql("insert into flanks.transactions (_id, credential_id, product, account_id, operation_date, "
        "amount, currency, category, content_hash) values ('" +
        id + "', " + std::to_string(credential) + ", 'account', 'acc', '" + day + "', " + amount +
        ", " + rest + ", gen_random_uuid())");
  }
  std::vector<std::string> flow(const std::string& where = "true") {
    return rows(
        "select month, user_id, category, currency, money_in, money_out, net, operations, "
        "shared_operations from flanks.monthly_cash_flow where " +
        where + " order by month, user_id, category, currency");
  }
  std::vector<std::string> findings() {
    return rows(
        "select finding, subject, credential_id, records, who_must_act, what_next "
        "from flanks.data_quality");
  }
};

TEST_F(views, cash_flow_is_exact_to_the_last_digit_and_keeps_currencies_apart) {
  add("ana", "t1");
  operation("a", 1, "2026-05-01", "0.1");
  operation("b", 1, "2026-05-31", "0.2");
  operation("c", 1, "2026-05-31", "-12345678901234567890.123456789012345678");
  operation("d", 1, "2026-06-01", "7", "'EUR', 'food'");
  operation("e", 1, "2026-06-30", "-7.00", "'USD', 'food'");
  operation("f", 1, "2026-06-30", "0", "null, null");
  EXPECT_THAT(
      flow(),
      ElementsAre("2026-05-01|ana|food|EUR|0.3|-12345678901234567890.123456789012345678|"
                  "-12345678901234567889.823456789012345678|3|0",
                  "2026-06-01|ana|food|EUR|7|0|7|1|0", "2026-06-01|ana|food|USD|0|-7.00|-7.00|1|0",
                  "2026-06-01|ana|-|-|0|0|0|1|0"));
}

TEST_F(views, cash_flow_counts_what_aged_out_and_never_what_was_removed) {
  add("ana", "t1");
  operation("a", 1, "2026-05-01", "1");
  operation("b", 1, "2026-05-02", "10");
  operation("c", 1, "2026-05-03", "100");
  sql("update flanks.transactions set removed_at = now(), removal_reason = 'absent' where _id = "
      "'b'");
  sql("update flanks.transactions set aged_out_at = now() where _id = 'c'");
  EXPECT_THAT(flow(), ElementsAre("2026-05-01|ana|food|EUR|101|0|101|2|0"));
}

// Ana and Ben hold one account, each through a login of their own: real operations once, and in
// full for each of them. Ben's other account is his alone.
TEST_F(views, cash_flow_counts_a_joint_account_in_full_for_each_holder_and_once_for_either) {
  add("ana", "t1");
  add("ben", "t2");
  sql("insert into flanks.real_accounts (product, iban) values ('account', 'ES1')");
  sql("insert into flanks.accounts (credential_id, account_id, iban, real_account_id) values "
      "(1, 'acc', 'ES1', 1), (2, 'acc', 'ES1', 1)");
  sql("insert into flanks.coverage (credential_id, product, days, provider_seen_at, "
      "last_success_at) values (1, 'account', '{[2026-01-01,2026-07-01)}', '2026-06-01', now()), "
      "(2, 'account', '{[2026-05-02,2026-07-01)}', '2026-06-02', now())");
  operation("a1", 1, "2026-05-01", "5");  // Ben's login does not reach back so far
  operation("a2", 1, "2026-05-02", "30");
  operation("b2", 2, "2026-05-02", "30");
  sql("insert into flanks.transactions (_id, credential_id, product, account_id, operation_date, "
      "amount, currency, category, content_hash) values ('b3', 2, 'account', 'own', '2026-05-03', "
      "-4, 'EUR', 'food', gen_random_uuid())");
  EXPECT_THAT(flow(), ElementsAre("2026-05-01|ana|food|EUR|35|0|35|2|2",
                                  "2026-05-01|ben|food|EUR|35|-4|31|3|2"));
  // One id under both logins: a sighting.
  operation("c", 1, "2026-07-01", "2");
  sql("insert into flanks.transaction_sightings (_id, credential_id, product) values ('c', 2, "
      "'account')");
  EXPECT_THAT(flow("month = '2026-07-01'"), ElementsAre("2026-07-01|ana|food|EUR|2|0|2|1|1",
                                                        "2026-07-01|ben|food|EUR|2|0|2|1|1"));
  EXPECT_EQ(value("select string_agg(distinct users::text, ';') from flanks.transactions_current "
                  "where _id in ('a1', 'c')"),
            "{ana,ben};{ana}");
  // Nobody's any more, and still there.
  sql("delete from flanks.user_credentials");
  EXPECT_THAT(flow(),
              ElementsAre("2026-05-01|-|food|EUR|35|-4|31|3|0", "2026-07-01|-|food|EUR|2|0|2|1|0"));
}

TEST_F(views, quality_has_nothing_to_say_of_a_mirror_without_fault) {
  const credential_id id = add("ana", "t1");
  store_window(id, {{"a"}});
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(views, quality_names_each_finding_who_must_act_and_the_next_step) {
  add("ana", "t1");
  add("ben", "t2");
  const std::string run = "'00000000-0000-0000-0000-000000000001'";
  sql("update flanks.credentials set state = 'ok'");
  for (const char* record :
       {"1, 'bad_amount', 'r1', false, 1, null", "2, 'bad_amount', 'r2', false, 40, null",
        "2, 'bad_amount', 'old', false, 1, now()", "2, 'bad_value', 'r3', true, 1, null",
        "1, 'joint_conflict', 'r4', false, 1, null"})
    sql("insert into flanks.quarantine (credential_id, product, detail, truncated, "
        "first_sync_run_id, last_sync_run_id, reason, raw, stored_anyway, records, resolved_at, "
        "first_seen_at) select credential_id, 'account', 'x', false, " +
        run + ", " + run + ", reason, raw::bytea, anyway, records, resolved::timestamptz, now() " +
        "from (values (" + record + ")) v(credential_id, reason, raw, anyway, records, resolved)");
  sql("insert into flanks.unknown_fields (endpoint, path, json_type, count) values ('card', "
      "'mood', 'string', 3)");
  sql("insert into flanks.removal_reviews (sync_run_id, credential_id, product, reason, "
      "stored_rows) values (" +
      run + ", 1, 'card', 'too_many', 9)");
  sql("insert into flanks.removal_candidates values (" + run + ", 'x'), (" + run + ", 'y')");
  sql("insert into flanks.real_accounts (product) values ('account')");
  sql("insert into flanks.successions (real_account_id, product, from_credential_id, "
      "to_credential_id, state, compared_rows, paired_rows) values (1, 'account', 1, 2, 'open', 9, "
      "4)");
  sql("insert into flanks.coverage (credential_id, product, days, last_success_at) values (1, "
      "'account', '{[2026-01-01,2026-02-01),[2026-02-03,2026-03-01)}', now()), (2, 'account', "
      "'{[2026-01-01,2026-02-01)}', now())");
  sql("insert into flanks.product_coverage (credential_id, product, outcome, reason) values (2, "
      "'card', 'suspicious', 'half of them vanished'), (2, 'account', 'ok', null)");
  for (const char* proof :
       {"1, 'different', 1, 2, 3", "2, 'different', 1, 0, 0", "2, 'equal', 0, 0, 0"})
    sql("insert into flanks.verifications (run_id, product, window_from, window_to, started_at, "
        "credential_id, outcome, missing, extra, altered) values (" +
        run + ", 'account', '2026-01-01', '2026-01-31', now(), " + proof + ")");
  // A narrower look that finds nothing, or the same once more, says nothing of the other days.
  for (const char* proof : {"'equal', 0", "'different', 1"})
    sql("insert into flanks.verifications (run_id, product, window_from, window_to, started_at, "
        "credential_id, outcome, missing) values (" +
        run + ", 'account', '2026-01-20', '2026-01-31', now(), 1, " + proof + ")");
  EXPECT_THAT(
      findings(),
      ElementsAre(
          "conflict|joint_conflict (operations of account)|1|1|operator|compare them with the "
          "bank, "
          "and tell the provider: select * from flanks.quarantine where resolved_at is null and "
          "(part, product, reason) = ('transactions', 'account', 'joint_conflict')",
          "days_not_covered|account|1|-|operator|flanks-sync backfill --credential 1 --product "
          "account --from 2026-02-01 --to 2026-02-02",
          "differs_from_the_provider|account|1|6|operator|flanks-sync verify --credential 1 "
          "--product account --from 2026-01-01 --to 2026-01-31 --repair",
          "list_of_products|card|2|-|operator|look at the products; a second list that says the "
          "same is believed",
          "removals_to_review|card|1|2|operator|look at them (flanks-sync removals list), then "
          "flanks-sync removals confirm or reject 00000000-0000-0000-0000-000000000001",
          "succession_to_review|account|2|9|operator|look at it (flanks-sync successions show 1), "
          "then flanks-sync successions confirm or reject 1",
          "not_stored|bad_amount (operations of account)|-|41|provider|compare them with the bank, "
          "and tell the provider: select * from flanks.quarantine where resolved_at is null and "
          "(part, product, reason) = ('transactions', 'account', 'bad_amount')",
          "stored_with_a_change|bad_value (operations of account)|2|1|nobody|nothing; the original "
          "is in extra, its bytes are in: select * from flanks.quarantine where resolved_at is "
          "null and "
          "(part, product, reason) = ('transactions', 'account', 'bad_value')",
          "unknown_field|card: mood (string)|-|3|nobody|nothing is lost, it is in extra; ask for a "
          "column if you need one"));
}

TEST_F(views, quality_says_of_credentials_what_sync_status_says) {
  for (int i = 1; i <= 5; ++i)
    add("ana", "t" + std::to_string(i));
  sql("update flanks.credentials set state = 'ok', provider_updated_at = now(), "
      "provider_refresh_seen_at = now()");
  sql("update flanks.credentials set state = 'blocked' where credential_id = 1");
  sql("update flanks.credentials set state = 'error', last_error = 'the disk is full', "
      "last_error_class = 'database_disk_full', last_error_hint = 'make room' where credential_id "
      "= "
      "2");
  sql("update flanks.credentials set provider_updated_at = now() - interval '9 days' where "
      "credential_id = 3");
  sql("insert into flanks.coverage (credential_id, product, days, last_success_at, "
      "last_operation_on, usual_gap_days) values (4, 'account', '{[2026-01-01,2026-02-01)}', "
      "now(), "
      "current_date - 60, 2)");
  sql("update flanks.credentials set state = 'blocked', paused = true where credential_id = 5");
  EXPECT_THAT(
      rows("select finding, credential_id, who_must_act, detail from flanks.data_quality"),
      ElementsAre("not_synchronised|2|operator|the disk is full",
                  ::testing::StartsWith("stale|3|provider|the provider has not refreshed "
                                        "it since "),
                  "not_synchronised|1|end_user|it is blocked",
                  "unusually_quiet|4|nobody|no operation for three times as long as usual"));
  EXPECT_EQ(value("select count(*) from flanks.data_quality q join flanks.sync_status s using "
                  "(credential_id) where q.finding <> 'unusually_quiet' and q.who_must_act <> "
                  "s.who_must_act"),
            "0");
}

TEST_F(views, banks_count_states_rates_lag_and_how_far_back_they_go) {
  for (int i = 1; i <= 6; ++i)
    add("ana", "t" + std::to_string(i));
  sql("insert into flanks.entities (entity_id, name) values ('north', 'Bank of the North')");
  sql("update flanks.credentials set state = 'ok', bank = 'north', provider_updated_at = now(), "
      "provider_refresh_seen_at = now()");
  sql("update flanks.credentials set state = 'error' where credential_id = 2");
  sql("update flanks.credentials set provider_updated_at = '2026-01-02T03:04:05Z' where "
      "credential_id = 3");
  sql("update flanks.credentials set removed_at = now() where credential_id = 4");
  sql("update flanks.credentials set bank = null, state = 'new', provider_updated_at = null, "
      "provider_refresh_seen_at = null where credential_id = 5");
  sql("update flanks.credentials set paused = true, provider_updated_at = '2025-01-01' where "
      "credential_id = 6");
  sql("update flanks_internal.schedule set confirmed_at = now() - credential_id * interval '1 "
      "hour' where credential_id <> 5");
  sql("insert into flanks.coverage (credential_id, product, days, last_success_at, history_days) "
      "values (1, 'account', '{}', now(), 90), (2, 'card', '{}', now(), 30), (4, 'card', '{}', "
      "now(), 5)");
  // Of the day 3 runs, 1 failed; of the week 7, 3 failed; older ones and those that fetched nothing
  // do not count, nor those of a removed credential.
  for (const char* r :
       {"1, 'ok', null, '1 hour', 5", "1, 'failed', 'http_500', '2 hours', 0",
        "2, 'partial', null, '3 hours', 1", "2, 'failed', 'html', '2 days', 0",
        "2, 'failed', 'http_500', '3 days', 0", "3, 'ok', null, '6 days', 2",
        "3, 'suspicious', null, '5 days', 0", "3, 'failed', 'html', '8 days', 0",
        "3, 'not_available', null, '1 hour', 0", "4, 'failed', 'html', '1 hour', 0"})
    sql(std::string("insert into flanks.sync_runs (run_id, trigger, credential_id, outcome, "
                    "error_class, started_at, inserted, fetched) select gen_random_uuid(), "
                    "'schedule', c, o, e, now() - a::interval, n, n from (values (") +
        r + ")) v(c, o, e, a, n)");
  EXPECT_THAT(
      rows("select bank, name, credentials, ok, stale, error, pending, paused, runs_of_day, "
           "failed_of_day, error_rate_of_day, runs_of_week, failed_of_week, error_rate_of_week, "
           "most_frequent_error, new_rows_of_week, oldest_refresh_at at time zone 'UTC', "
           "date_trunc('minute', median_lag), (now() at time zone 'UTC')::date - history_from from "
           "flanks.banks"),
      ElementsAre("north|Bank of the North|4|1|1|1|0|1|3|1|0.3333|7|3|0.4286|http_500|8|2026-01-02 "
                  "03:04:05|02:00:00|29",
                  "-|-|1|0|0|0|1|0|0|0|-|0|0|-|-|0|-|-|-"));
}

// What a statement may cost at most before PostgreSQL compiles it is jit_above_cost: on an empty or
// small database none of them comes near.
TEST_F(views, of_people_are_not_compiled_on_a_small_database) {
  for (const std::string view : {"monthly_cash_flow", "data_quality", "banks"}) {
    for (const std::string& line : rows("explain select * from flanks." + view))
      EXPECT_THAT(line, ::testing::Not(::testing::HasSubstr("JIT"))) << view;
  }
}

}  // namespace flanks::testing
