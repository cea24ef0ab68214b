// One real account, many ids: how products find it, what of absent rows is no removal, who takes
// over from whom (promise P13).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/commands/succession_reviews.hpp"
#include "sync/schedule.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class real_accounts : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    first_ = add("ana", "token-a");
    second_ = add("ana", "token-b");
    third_ = add("ben", "token-c");
  }

  // The list of accounts of a credential is {id, iban, external_id}, ... now.
  struct account {
    std::string id, iban, external_id;
  };
  void show(credential_id credential, const std::vector<account>& accounts) {
    query(options_, fmt::format("update flanks.accounts set removed_at = now() where credential_id "
                                "= {} and removed_at is null",
                                credential.value));
    for (const account& a : accounts) {
      query(options_,
            fmt::format("insert into flanks.accounts (credential_id, account_id, iban, "
                        "external_id, entity) values ({}, '{}', nullif('{}', ''), nullif('{}', "
                        "''), 'bank') on conflict (credential_id, account_id) do update set iban = "
                        "excluded.iban, external_id = excluded.external_id, removed_at = null",
                        credential.value, a.id, a.iban, a.external_id));
    }
    query(options_,
          fmt::format("select flanks_internal.find_real_accounts({0}, 'account', array(select "
                      "account_id from "
                      "flanks.accounts where credential_id = {0} and removed_at is null))",
                      credential.value));
  }
  void show_card(credential_id credential, const std::string& id, const std::string& pan) {
    query(options_, fmt::format("insert into flanks.cards (credential_id, card_id, pan, entity) "
                                "values ({}, '{}', '{}', 'bank')",
                                credential.value, id, pan));
    query(options_,
          fmt::format(
              "select flanks_internal.find_real_accounts({0}, 'card', array(select card_id from "
              "flanks.cards where credential_id = {0} and removed_at is null))",
              credential.value));
  }
  std::vector<std::string> accounts() {
    return rows(
        "select credential_id || ' ' || account_id, real_account_id from flanks.accounts where "
        "removed_at is null order by 1");
  }
  run_record answer(credential_id id, const std::vector<sample>& samples) {
    const claimed_credential c = claim(id);
    auto ledger = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                          comparing::fingerprints));
    run(ledger->apply(batch_of(samples)));
    window_evidence evidence;
    evidence.provable = may;
    const run_record r = commit(*ledger, record_for(c, product::account, may), evidence);
    release(c);
    return r;
  }
  static std::vector<sample> days(const std::string& prefix, const std::string& account_id,
                                  int from, int to) {
    std::vector<sample> all;
    for (int i = from; i <= to; ++i)
      all.push_back({fmt::format("{}{:02}", prefix, i), fmt::format("2026-05-{:02}", i), "-1",
                     fmt::format("day {}", i), std::nullopt, account_id});
    return all;
  }
  void become(credential_id id, const std::string& state) {
    query(options_, fmt::format("update flanks.credentials set state = '{}' where credential_id = "
                                "{}",
                                state, id.value));
  }
  std::vector<succession_pair> follow(credential_id id) {
    return run(store_->follow_successions(id));
  }
  std::string live(credential_id id) {
    return value(
        fmt::format("select coalesce(string_agg(_id, ' ' order by _id), '') from "
                    "flanks.transactions where credential_id = {} and removed_at is null",
                    id.value));
  }

  credential_id first_, second_, third_;
};

TEST_F(real_accounts, one_iban_is_one_account_however_it_is_written) {
  show(first_, {{"a1", "ES91 2100 0418 45", ""}, {"a2", "ES0000", ""}});
  show(second_, {{"b1", "es9121000418 45", "x"}});
  EXPECT_THAT(accounts(), ElementsAre("1 a1|2", "1 a2|1", "2 b1|2"));
  EXPECT_EQ(value("select iban from flanks.real_accounts where real_account_id = 2"),
            "ES9121000418"
            "45");
}

TEST_F(real_accounts, an_external_id_finds_it_where_no_iban_is_told) {
  show(first_, {{"a1", "", "x1"}});
  show(second_, {{"b1", "", "x1"}, {"b2", "", "x2"}});
  EXPECT_THAT(accounts(), ElementsAre("1 a1|1", "2 b1|1", "2 b2|2"));
}

TEST_F(real_accounts, another_iban_is_another_account_whatever_else_agrees) {
  show(first_, {{"a1", "ES1", "x1"}});
  show(second_, {{"b1", "ES2", "x1"}});
  EXPECT_THAT(accounts(), ElementsAre("1 a1|1", "2 b1|2"));
}

TEST_F(real_accounts, a_key_that_comes_later_merges_two_that_do_not_contradict) {
  show(first_, {{"a1", "ES1", ""}});
  show(second_, {{"b1", "", "x1"}});
  EXPECT_THAT(accounts(), ElementsAre("1 a1|1", "2 b1|2"));
  show(second_, {{"b1", "ES1", "x1"}});
  query(options_, "update flanks.accounts set real_account_id = null where account_id = 'b1'");
  query(options_, "select flanks_internal.find_real_accounts(2, 'account', '{b1}')");
  EXPECT_THAT(accounts(), ElementsAre("1 a1|1", "2 b1|1"));
  EXPECT_EQ(value("select count(*) from flanks.real_accounts"), "1");
  show(third_, {{"c1", "", "x1"}});
  EXPECT_EQ(value("select real_account_id from flanks.accounts where account_id = 'c1'"), "1");
}

TEST_F(real_accounts, two_products_that_a_login_shows_at_once_are_two_accounts) {
  show(first_, {{"a1", "", "x1"}, {"a2", "", "x1"}});
  EXPECT_THAT(accounts(), ElementsAre("1 a1|1", "1 a2|2"));
}

TEST_F(real_accounts, one_that_no_longer_tells_its_iban_is_not_merged_with_another_iban) {
  show(first_, {{"a1", "ES1", "x1"}});
  show(second_, {{"b1", "ES2", "x2"}});
  show(first_, {{"a1", "", "x2"}});
  EXPECT_THAT(accounts(), ElementsAre("1 a1|1", "2 b1|2"));
  EXPECT_EQ(value("select string_agg(iban, ' ' order by iban) from flanks.real_accounts"),
            "ES1 ES2");
}

TEST_F(real_accounts, cards_are_known_by_bank_masked_number_and_user) {
  show_card(first_, "k1", "4548********1234");
  show_card(second_, "k2", "4548********1234");
  show_card(third_, "k3", "4548********1234");
  EXPECT_THAT(rows("select card_id, real_account_id from flanks.cards order by 1"),
              ElementsAre("k1|1", "k2|1", "k3|2"))
      << "the same digits of another user's card say nothing";
}

TEST_F(real_accounts, rows_older_than_all_that_their_account_shows_age_out_and_count) {
  std::vector<sample> all = days("a", "acc-a", 1, 20), other = days("b", "acc-b", 5, 9);
  all.insert(all.end(), other.begin(), other.end());
  answer(first_, all);
  std::vector<sample> later = days("a", "acc-a", 12, 20);
  later.insert(later.end(), other.begin(), other.end());
  const run_record r = answer(first_, later);
  EXPECT_EQ(r.outcome, outcome::ok) << r.error_message;
  EXPECT_EQ(r.counts.removed, 0);
  EXPECT_EQ(value("select string_agg(_id, ' ' order by _id) from flanks.transactions where "
                  "aged_out_at is not null"),
            "a01 a02 a03 a04 a05 a06 a07 a08 a09 a10 a11");
  EXPECT_EQ(value("select count(*) from flanks.transactions_current"), "25");
  // The next answer is compared with what is expected, and writes nothing.
  const std::string before = value("select sum(n_tup_upd) from pg_stat_user_tables");
  EXPECT_EQ(answer(first_, later).counts.unchanged, 14);
  // Shown again: no longer aged.
  EXPECT_EQ(answer(first_, all).outcome, outcome::ok);
  EXPECT_EQ(value("select count(*) from flanks.transactions where aged_out_at is not null"), "0");
}

TEST_F(real_accounts, what_vanishes_from_the_middle_is_removed_and_does_not_age) {
  answer(first_, days("a", "acc-a", 1, 20));
  std::vector<sample> rest = days("a", "acc-a", 1, 20);
  rest.erase(rest.begin() + 9);
  EXPECT_EQ(answer(first_, rest).counts.removed, 1);
  EXPECT_EQ(value("select _id || ' ' || removal_reason from flanks.transactions where removed_at "
                  "is not null"),
            "a10 absent");
}

TEST_F(real_accounts, what_vanishes_on_the_oldest_day_that_is_shown_is_removed_and_does_not_age) {
  std::vector<sample> all = days("a", "acc-a", 1, 20);
  all.push_back({"b01", "2026-05-01", "-2", "the same day", std::nullopt, "acc-a"});
  answer(first_, all);
  all.pop_back();
  EXPECT_EQ(answer(first_, all).counts.removed, 1);
  EXPECT_EQ(value("select _id || ' ' || removal_reason from flanks.transactions where removed_at "
                  "is not null"),
            "b01 absent");
}

TEST_F(real_accounts, nothing_ages_where_much_of_what_is_not_older_vanished_too) {
  answer(first_, days("a", "acc-a", 1, 20));
  std::vector<sample> rest;
  for (const int day : {10, 13, 16, 19})
    rest.push_back(days("a", "acc-a", day, day).front());
  EXPECT_EQ(answer(first_, rest).outcome, outcome::suspicious);
  EXPECT_EQ(value("select count(aged_out_at) || ' ' || count(removed_at) from flanks.transactions"),
            "0 0");
  EXPECT_EQ(value("select count(*) from flanks.removal_candidates"), "16");
}

TEST_F(real_accounts, rows_of_a_closed_account_stay_and_count) {
  show(first_, {{"acc-a", "ES1", ""}, {"acc-b", "ES2", ""}});
  std::vector<sample> all = days("a", "acc-a", 1, 20), other = days("b", "acc-b", 5, 25);
  all.insert(all.end(), other.begin(), other.end());
  answer(first_, all);
  show(first_, {{"acc-b", "ES2", ""}});
  const run_record r = answer(first_, other);
  EXPECT_EQ(r.outcome, outcome::ok) << r.error_message;
  EXPECT_EQ(value("select count(aged_out_at) || ' ' || count(removed_at) from flanks.transactions"),
            "20 0");
}

TEST_F(real_accounts, a_whole_history_under_new_ids_is_renumbered_without_a_brake) {
  show(first_, {{"acc-a", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  show(first_, {{"acc-z", "ES1", ""}});
  const run_record r = answer(first_, days("z", "acc-z", 1, 20));
  EXPECT_EQ(r.outcome, outcome::ok) << r.error_message;
  EXPECT_EQ(value("select count(*) from flanks.transactions_current"), "20");
  EXPECT_EQ(value("select count(*) from flanks.transactions where removal_reason = 'renumbered' "
                  "and successor_id = replace(_id, 'a', 'z')"),
            "20");
  EXPECT_EQ(value("select count(*) from flanks.removal_reviews"), "0");
}

TEST_F(real_accounts, what_a_renumbered_history_lacks_is_removed) {
  show(first_, {{"acc-a", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  show(first_, {{"acc-z", "ES1", ""}});
  std::vector<sample> rest = days("z", "acc-z", 1, 20);
  rest.erase(rest.begin() + 9);
  EXPECT_EQ(answer(first_, rest).outcome, outcome::ok);
  EXPECT_EQ(value("select removal_reason from flanks.transactions where _id = 'a10'"), "absent")
      << "its account is not closed: it has other ids";
  EXPECT_EQ(value("select count(*) from flanks.transactions_current"), "19");
}

TEST_F(real_accounts, what_comes_in_another_account_is_no_renumbering) {
  show(first_, {{"acc-a", "ES1", ""}, {"acc-b", "ES2", ""}});
  std::vector<sample> all = days("a", "acc-a", 1, 20);
  answer(first_, all);
  all.erase(all.begin() + 9);
  all.push_back(days("b", "acc-b", 10, 10).front());
  answer(first_, all);
  EXPECT_EQ(value("select removal_reason || ' ' || coalesce(successor_id, '-') from "
                  "flanks.transactions where removed_at is not null"),
            "absent -");
}

TEST_F(real_accounts, twins_are_renumbered_one_to_one) {
  answer(first_, {{"t1", "2026-05-10"}, {"t2", "2026-05-10"}, {"t3", "2026-05-10"}});
  answer(first_, {{"u1", "2026-05-10"}, {"u2", "2026-05-10"}});
  EXPECT_THAT(rows("select _id, removal_reason, successor_id from flanks.transactions where "
                   "removed_at is not null order by 1"),
              ElementsAre("t1|renumbered|u1", "t2|renumbered|u2", "t3|absent|-"));
}

TEST_F(real_accounts, a_credential_that_ends_is_succeeded_by_one_that_shows_its_account) {
  show(first_, {{"acc-a", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  show(second_, {{"acc-b", "ES1", ""}});
  answer(second_, days("b", "acc-b", 8, 25));
  follow(second_);
  EXPECT_EQ(value("select count(*) from flanks.successions"), "0") << "both live";
  EXPECT_EQ(value("select count(*) from flanks.transactions_distinct"), "25");
  become(first_, "gone");
  follow(second_);
  EXPECT_EQ(live(first_), "a01 a02 a03 a04 a05 a06 a07") << "what the bank no longer shows";
  EXPECT_EQ(value("select state || ' ' || compared_rows || ' ' || paired_rows || ' ' || "
                  "succeeded_rows || ' ' || first_day from flanks.successions"),
            "confirmed 13 13 13 2026-05-08");
  EXPECT_EQ(value("select removal_reason || ' ' || successor_id from flanks.transactions where "
                  "_id = 'a08'"),
            "succeeded b08");
  EXPECT_EQ(value("select reason from flanks.transaction_revisions where _id = 'a08'"),
            "succeeded");
  EXPECT_EQ(value("select flanks.current_id('a08')"), "b08");
  EXPECT_EQ(value("select count(*) from flanks.transactions_distinct"), "25");
  // It comes back to life: its rows are its own again, and still each operation counts once.
  become(first_, "ok");
  follow(first_);
  EXPECT_EQ(value("select state from flanks.successions"), "reversed");
  EXPECT_EQ(value("select count(*) from flanks.transactions where removed_at is not null"), "0");
  EXPECT_EQ(value("select count(*) from flanks.transactions_distinct"), "25");
}

TEST_F(real_accounts, twins_are_succeeded_one_to_one) {
  show(first_, {{"acc-a", "ES1", ""}});
  show(second_, {{"acc-b", "ES1", ""}});
  std::vector<sample> before = days("a", "acc-a", 1, 5), after = days("b", "acc-b", 1, 5);
  for (const char* const twin : {"t1", "t2"}) {
    before.push_back(before[2]);
    before.back().id = std::string("a-") + twin;
    after.push_back(after[2]);
    after.back().id = std::string("b-") + twin;
  }
  answer(first_, before);
  answer(second_, after);
  become(first_, "gone");
  follow(second_);
  EXPECT_EQ(live(first_), "");
  EXPECT_EQ(value("select paired_rows || ' of ' || compared_rows from flanks.successions"),
            "7 of 7");
  EXPECT_EQ(value("select count(distinct successor_id) from flanks.transactions"), "7");
}

TEST_F(real_accounts, evidence_that_is_not_enough_waits_for_a_person) {
  show(first_, {{"acc-a", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  show(second_, {{"acc-b", "ES1", ""}});
  std::vector<sample> other = days("b", "acc-b", 1, 20);
  for (std::size_t i = 0; i < 5; ++i)
    other[i].amount = "-99";
  answer(second_, other);
  become(first_, "blocked");
  const std::vector<succession_pair> opened = follow(second_);
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_EQ(opened[0].from, first_);
  EXPECT_EQ(opened[0].to, second_);
  EXPECT_TRUE(follow(second_).empty()) << "it is open already";
  EXPECT_EQ(value("select count(*) from flanks.transactions where removed_at is not null"), "0");
  EXPECT_EQ(value("select count(*) from flanks.transactions_distinct"), "20");
  EXPECT_THAT(value("select what_next from flanks.sync_status where credential_id = 2"),
              HasSubstr("flanks-sync successions list"));
  const auto open = succession_reviews::list(options_, false);
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].compared, 20);
  EXPECT_EQ(open[0].paired, 15);
  const auto confirmed = succession_reviews::confirm(options_, open[0].id);
  EXPECT_EQ(confirmed.state, "confirmed");
  EXPECT_EQ(confirmed.succeeded, 20);
  EXPECT_EQ(live(first_), "");
  EXPECT_THAT(failure_of([&] { (void)succession_reviews::confirm(options_, open[0].id); }).what(),
              HasSubstr("is confirmed already"));
  EXPECT_THAT(succession_reviews::list(options_, false), IsEmpty());
}

TEST_F(real_accounts, what_a_person_has_rejected_is_two_accounts_and_counts_as_two) {
  show(first_, {{"acc-a", "ES1", "x1"}});
  answer(first_, days("a", "acc-a", 1, 20));
  show(second_, {{"acc-b", "ES1", "x2"}});
  answer(second_, days("b", "acc-b", 11, 20));
  query(options_,
        "update flanks.transactions set amount = -99 where credential_id = 2 and _id < 'b15'");
  become(first_, "blocked");
  ASSERT_EQ(follow(second_).size(), 1U);
  EXPECT_EQ(value("select count(*) from flanks.transactions_distinct"), "20");
  const auto open = succession_reviews::list(options_, false);
  EXPECT_EQ(succession_reviews::reject(options_, open.at(0).id).state, "rejected");
  const auto still_two = [&] {
    EXPECT_THAT(accounts(), ElementsAre("1 acc-a|1", "2 acc-b|2"));
    EXPECT_EQ(value("select count(*) from flanks.transactions_distinct"), "30");
    EXPECT_EQ(value("select count(*) from flanks.assets"), "2");
    EXPECT_EQ(value("select count(*) from flanks.transactions where removed_at is not null"), "0");
  };
  still_two();
  show(second_, {{"acc-b", "ES1", "x2"}});
  EXPECT_TRUE(follow(second_).empty());
  still_two();
  // What only the new one is known by is the new one's.
  show(third_, {{"acc-c", "", "x2"}});
  EXPECT_EQ(value("select real_account_id from flanks.accounts where account_id = 'acc-c'"), "2");
}

TEST_F(real_accounts, two_cards_that_have_only_a_masked_number_in_common_lose_nothing) {
  show_card(first_, "k1", "************1111");
  show_card(second_, "k2", "************1111");
  const auto spend = [&](credential_id who, const std::string& card, int from, int to,
                         const std::string& amount) {
    query(options_,
          fmt::format("insert into flanks.transactions (_id, credential_id, product, card_id, "
                      "operation_date, amount, currency, description, content_hash) select '{0}-' "
                      "|| n, {1}, 'card', '{0}', date '2026-05-01' + n, {4}, 'EUR', 'day ' || n, "
                      "gen_random_uuid() from generate_series({2}, {3}) n",
                      card, who.value, from, to, amount));
    query(options_,
          fmt::format("insert into flanks.coverage (credential_id, product, days, last_success_at, "
                      "provider_seen_at) values ({}, 'card', "
                      "'{{[2026-05-01,2026-06-01)}}', now(), now()) on conflict do nothing",
                      who.value));
  };
  const char* const sum = "select count(*) || ' ' || sum(amount) from flanks.transactions_distinct";
  spend(first_, "k1", 1, 20, "-1");
  spend(second_, "k2", 1, 25, "-2");
  EXPECT_EQ(value(sum), "45 -70") << "two cards";
  query(options_, "update flanks.transactions set amount = -1");
  EXPECT_EQ(value(sum), "25 -25") << "one card, connected twice";
  query(options_,
        "insert into flanks.transactions (_id, credential_id, product, card_id, operation_date, "
        "amount, currency, description, content_hash) values ('k1-20b', 1, 'card', 'k1', "
        "'2026-05-21', -1, 'EUR', 'day 20', gen_random_uuid())");
  EXPECT_EQ(value(sum), "26 -26") << "a twin that only one of them shows is an operation";
}

TEST_F(real_accounts,
       days_read_through_a_filter_or_with_bad_records_take_nothing_from_the_old_one) {
  show(first_, {{"acc-a", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  show(second_, {{"acc-b", "ES1", ""}});
  std::vector<sample> some = days("b", "acc-b", 1, 20);
  some.erase(some.begin() + 9);
  answer(second_, some);
  become(first_, "gone");
  const char* const total = "select count(*) from flanks.transactions_distinct";
  query(options_,
        "update flanks.coverage set unclean = '{[2026-05-10,2026-05-11)}' where credential_id = 2");
  EXPECT_EQ(value(total), "20") << "the tenth is in quarantine there";
  query(options_, "update flanks.coverage set query = 'x' where credential_id = 2");
  follow(second_);
  EXPECT_EQ(value("select count(*) from flanks.successions"), "0");
  query(options_, "update flanks.coverage set query = '' where credential_id = 2");
  follow(second_);
  EXPECT_EQ(value("select succeeded_rows from flanks.successions"), "19");
  EXPECT_EQ(live(first_), "a10");
  EXPECT_EQ(value(total), "20");
}

TEST_F(real_accounts, days_that_the_old_one_has_not_proved_are_no_evidence) {
  show(first_, {{"acc-a", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  query(options_, "update flanks.coverage set unclean = '{[2026-05-10,2026-05-21)}'");
  show(second_, {{"acc-b", "ES1", ""}});
  answer(second_, days("b", "acc-b", 1, 9));
  become(first_, "gone");
  follow(second_);
  EXPECT_EQ(value("select state || ' ' || paired_rows || ' of ' || compared_rows from "
                  "flanks.successions"),
            "confirmed 9 of 9");
}

TEST_F(real_accounts, what_both_show_under_one_id_is_no_evidence_against_them) {
  show(first_, {{"acc-a", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  show(second_, {{"acc-a", "ES1", ""}});
  std::vector<sample> same = days("a", "acc-a", 1, 20);
  same.push_back({"b1", "2026-05-01", "-7", "own", std::nullopt, "acc-a"});
  answer(second_, same);
  become(first_, "blocked");
  follow(second_);
  EXPECT_EQ(value("select count(*) from flanks.successions"), "0");
  EXPECT_EQ(value("select count(*) from flanks.transactions_distinct"), "21");
}

TEST_F(real_accounts, two_holders_see_all_of_theirs_and_each_operation_counts_once) {
  show(first_, {{"acc-a", "ES1", ""}});
  show(third_, {{"acc-c", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  answer(third_, days("c", "acc-c", 1, 20));
  EXPECT_EQ(value("select count(*) from flanks.transactions_current"), "40");
  EXPECT_EQ(value("select count(*) || ' ' || min(users::text) || ' ' || count(distinct "
                  "real_account_id) from flanks.transactions_distinct"),
            "20 {ana,ben} 1");
  EXPECT_THAT(rows("select iban, users from flanks.assets"), ElementsAre("ES1|{ana,ben}"));
  EXPECT_EQ(value("select count(*) from flanks.user_assets where real_account_id = 1"), "2");
}

TEST_F(real_accounts, of_two_who_show_an_account_the_one_refreshed_last_is_right) {
  show(first_, {{"acc-a", "ES1", ""}});
  show(third_, {{"acc-c", "ES1", ""}});
  answer(first_, days("a", "acc-a", 1, 20));
  answer(third_, days("c", "acc-c", 1, 20));
  const char* const who =
      "select string_agg(distinct credential_id::text, ' ') || ' ' || count(*) from "
      "flanks.transactions_distinct";
  query(options_,
        "update flanks.coverage set provider_seen_at = now() - interval '1 day' * credential_id");
  EXPECT_EQ(value(who), "1 20");
  become(first_, "gone");
  EXPECT_EQ(value(who), "3 20") << "what is gone is not right any more";
}

TEST_F(real_accounts, an_id_that_stands_for_something_else_is_told) {
  answer(first_, {{"a", "2026-05-10", "-1", "coffee"}, {"b"}});
  const run_record r = answer(first_, {{"a", "2026-05-12", "-2", "tea"}, {"b"}});
  EXPECT_EQ(r.counts.updated, 1);
  EXPECT_EQ(r.counts.warnings, 1);
  EXPECT_EQ(value("select reason || ': ' || detail from flanks.quarantine"),
            "id_reused: stood for 2026-05-10 -1 EUR coffee; stands for 2026-05-12 -2 EUR tea now");
}

TEST_F(real_accounts, an_id_in_two_accounts_of_one_answer_is_told) {
  const sample here{"a", "2026-05-10", "-1", "coffee", std::nullopt, "acc-1"};
  sample there = here;
  there.account = "acc-2";
  answer(first_, {here, there});
  EXPECT_EQ(value("select account_id from flanks.transactions"), "acc-2");
  EXPECT_EQ(value("select reason || ': ' || detail from flanks.quarantine"),
            "id_in_two_accounts: shown for acc-1 and for acc-2 in one answer; stored for the "
            "latter");
}

TEST_F(real_accounts, a_credential_keeps_its_number_through_a_rotation) {
  EXPECT_EQ(registry(options_).rotate(first_, secret("token-new")), rotated::replaced);
  EXPECT_EQ(value("select credential_id from flanks_internal.credentials_tokens where "
                  "credentials_token = 'token-new'"),
            "1");
  EXPECT_THAT(
      failure_of([&] { (void)registry(options_).rotate(first_, secret("token-b")); }).what(),
      HasSubstr("this token is registered as credential 2"));
  EXPECT_THAT(
      failure_of([&] { (void)registry(options_).rotate(credential_id{99}, secret("x")); }).what(),
      HasSubstr("credential 99 is not registered"));
  query(options_, "select flanks.replace_credentials_token(1, 'token-newer')");
  EXPECT_EQ(value("select credentials_token from flanks_internal.credentials_tokens where "
                  "credential_id = 1"),
            "token-newer");
}

TEST_F(real_accounts, what_was_read_under_the_old_token_does_not_count_as_read_under_the_new) {
  answer(first_, days("a", "acc-a", 1, 20));
  query(options_, "update flanks.coverage set provider_seen_at = now(), last_sweep_at = now()");
  query(options_, "select flanks.replace_credentials_token(1, 'token-new')");
  const claimed_credential c = claim(first_);
  EXPECT_FALSE(c.of(product::account).provider_seen);
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  EXPECT_EQ(sweep_due(c, c.of(product::account), now, sync_policy{}), sweep::full)
      << "older ones come under other ids too";
}

}  // namespace
}  // namespace flanks::testing
