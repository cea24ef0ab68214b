// Products in a real PostgreSQL: what differs is written, what vanishes is marked, balances by day.
#include <map>

#include "db/product_writer.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

product_record record_of(product_kind kind, const std::map<std::string, std::string>& values) {
  product_record record;
  const auto columns = columns_of(kind);
  record.values.resize(columns.size());
  for (const auto& [name, value] : values)
    record.values.at(*find_column(columns, name)) = value;
  record.raw = "{}";
  return record;
}

product_record account(const std::string& id, const std::string& balance = "1.00") {
  return record_of(product_kind::account,
                   {{"account_id", id}, {"balance", balance}, {"currency", "EUR"}});
}

class products : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    id_ = add("ana", "tok");
  }

  product_run run_for(product_kind kind, std::optional<instant> refreshed) {
    product_run run;
    run.run_id = "11111111-2222-3333-4444-555555555555";
    run.credential = id_;
    run.what = kind;
    run.started_at = refreshed_at;
    run.provider_update = refreshed;
    return run;
  }

  product_run store_batch(product_batch batch, std::optional<instant> refreshed = refreshed_at,
                          product_kind kind = product_kind::account) {
    const claimed_credential c = claim(id_);
    try {
      const product_run done = run(store_->store_products(
          c.id, c.lease, std::move(batch), run_for(kind, refreshed), removal_limits{}));
      release(c);
      return done;
    } catch (...) {
      release(c);
      throw;
    }
  }
  product_run store_rows(std::vector<product_record> rows,
                         std::optional<instant> refreshed = refreshed_at,
                         product_kind kind = product_kind::account) {
    product_batch batch;
    batch.records = std::move(rows);
    return store_batch(std::move(batch), refreshed, kind);
  }
  std::vector<std::string> accounts() {
    return rows(
        "select account_id, balance, removed_at is not null from flanks.accounts order by 1");
  }

  credential_id id_;
};

TEST_F(products, every_column_of_every_kind_holds_what_came) {
  const std::map<column_type, std::pair<std::string, std::string>> samples{
      {column_type::text, {"été \\N \"x\"", "été \\N \"x\""}},
      {column_type::decimal, {"123456789012345678.120", "123456789012345678.120"}},
      {column_type::whole, {"-2147483648", "-2147483648"}},
      {column_type::flag, {"false", "false"}},
      {column_type::moment, {"2026-11-21T04:12:00.007Z", "2026-11-21 04:12:00.007+00"}},
      {column_type::json, {R"({"k":[1,2.50,"x"]})", R"({"k": [1, 2.50, "x"]})"}}};
  for (const product_kind kind : all_product_kinds) {
    std::map<std::string, std::string> values, expected;
    for (const table_column& c : columns_of(kind)) {
      values[std::string{c.name}] = samples.at(c.type).first;
      expected[std::string{c.name}] = samples.at(c.type).second;
    }
    const product_run done = store_rows({record_of(kind, values)}, refreshed_at, kind);
    EXPECT_EQ(done.counts.inserted, 1) << to_string(kind);
    for (const auto& [name, text] : expected) {
      EXPECT_EQ(value("set time zone 'UTC'; select " + name + "::text from flanks." +
                      std::string{table_of(kind)}),
                text)
          << to_string(kind) << "." << name;
    }
  }
}

TEST_F(products, unchanged_answer_writes_no_row_version) {
  store_rows({account("a"), account("b", "2")});
  const auto before = rows("select xmin, ctid, * from flanks.accounts order by account_id");
  const auto days = rows("select xmin, ctid, * from flanks.balances order by product_id");
  const product_run again = store_rows({account("b", "2.00"), account("a")}, refreshed_at + 1s);
  EXPECT_EQ(again.outcome, outcome::ok);
  EXPECT_EQ(again.counts.unchanged, 2);
  EXPECT_EQ(again.counts.inserted + again.counts.updated + again.counts.removed, 0);
  EXPECT_EQ(rows("select xmin, ctid, * from flanks.accounts order by account_id"), before);
  EXPECT_EQ(rows("select xmin, ctid, * from flanks.balances order by product_id"), days);
}

TEST_F(products, changed_vanished_and_back) {
  store_rows({account("a"), account("b")});
  product_run done = store_rows({account("a", "-0.01")}, refreshed_at + 24h);
  EXPECT_EQ(done.counts.updated, 1);
  EXPECT_EQ(done.counts.removed, 1);
  EXPECT_THAT(accounts(), ElementsAre("a|-0.01|f", "b|1.00|t"));
  const std::string since =
      value("select first_seen_at from flanks.accounts where account_id = 'b'");
  done = store_rows({account("a", "-0.01")}, refreshed_at + 48h);
  EXPECT_EQ(done.counts.removed, 0) << "already marked";
  done = store_rows({account("a", "-0.01"), account("b")}, refreshed_at + 72h);
  EXPECT_EQ(done.counts.updated, 1);
  EXPECT_THAT(accounts(), ElementsAre("a|-0.01|f", "b|1.00|f"));
  EXPECT_EQ(value("select first_seen_at from flanks.accounts where account_id = 'b'"), since);
}

TEST_F(products, an_empty_answer_after_a_full_one_is_believed_only_from_a_later_refresh) {
  store_rows({account("a")});
  product_run done = store_rows({}, refreshed_at + 24h);
  EXPECT_EQ(done.outcome, outcome::suspicious);
  EXPECT_THAT(accounts(), ElementsAre("a|1.00|f"));
  EXPECT_EQ(value("select outcome, reason like '1 of 1 accounts are missing%' from "
                  "flanks.product_coverage"),
            "suspicious|t");
  EXPECT_EQ(claim(id_).products_seen[0], refreshed_at) << "it is asked for again";
  sql("update flanks_internal.leases set lease_id = null, expires_at = null");
  EXPECT_EQ(store_rows({}, refreshed_at + 24h).outcome, outcome::suspicious) << "the same refresh";
  done = store_rows({}, refreshed_at + 48h);
  EXPECT_EQ(done.outcome, outcome::ok);
  EXPECT_EQ(done.counts.removed, 1);
  EXPECT_THAT(accounts(), ElementsAre("a|1.00|t"));
  EXPECT_EQ(value("select count(*) from flanks.product_coverage where doubted_at is null"), "1");
}

TEST_F(products, many_that_vanish_at_once_are_not_believed_at_once) {
  std::vector<product_record> many;
  for (int i = 0; i < 12; ++i)
    many.push_back(account("a" + std::to_string(i)));
  store_rows(many);
  std::vector<product_record> few(many.begin(), many.begin() + 6);
  EXPECT_EQ(store_rows(few, refreshed_at + 24h).outcome, outcome::suspicious);
  EXPECT_EQ(value("select count(*) from flanks.accounts where removed_at is null"), "12");
  few.assign(many.begin(), many.begin() + 7);
  EXPECT_EQ(store_rows(few, refreshed_at + 24h).counts.removed, 5);
}

// It may be the answer to an earlier request.
TEST_F(products, a_list_of_a_rested_connection_that_lacks_products_is_not_believed) {
  store_rows({account("a"), account("b")});
  product_batch batch;
  batch.rested_connection = true;
  batch.records = {account("a"), account("c")};
  const failure f = failure_of([&] { store_batch(std::move(batch), refreshed_at + 24h); });
  EXPECT_EQ(f.error_class, "unconfirmed_answer");
  EXPECT_THAT(accounts(), ElementsAre("a|1.00|f", "b|1.00|f"));
}

TEST_F(products, nothing_is_marked_as_vanished_while_a_record_could_not_be_read) {
  store_rows({account("a"), account("b")});
  product_batch batch;
  batch.records = {account("a")};
  batch.rejected = {rejected("bad_amount", "{\"_id\":\"b\",\"balance\":\"x\"}")};
  const product_run done = store_batch(std::move(batch), refreshed_at + 24h);
  EXPECT_EQ(done.outcome, outcome::partial);
  EXPECT_EQ(done.counts.quarantined, 1);
  EXPECT_EQ(done.counts.fetched, 2);
  EXPECT_THAT(accounts(), ElementsAre("a|1.00|f", "b|1.00|f"));
  EXPECT_EQ(value("select product, part, reason, convert_from(raw, 'UTF8') from flanks.quarantine"),
            "account|products|bad_amount|{\"_id\":\"b\",\"balance\":\"x\"}");
}

TEST_F(products, one_that_the_database_cannot_hold_blocks_no_other) {
  product_record bad = account("bad");
  bad.values.at(*find_column(columns_of(product_kind::account), "num_owners")) = "99999999999";
  const product_run done = store_rows({account("a"), bad, account("c")});
  EXPECT_EQ(done.outcome, outcome::partial);
  EXPECT_EQ(done.counts.inserted, 2);
  EXPECT_THAT(accounts(), ElementsAre("a|1.00|f", "c|1.00|f"));
  EXPECT_EQ(value("select reason, _id from flanks.quarantine"), "refused_by_database|bad");
}

TEST_F(products, one_balance_a_day_and_the_last_refresh_of_the_day_wins) {
  const auto balances = [&] {
    return rows("select product_id, day, balance, currency from flanks.balances order by 1, 2");
  };
  store_rows({account("a", "10.10")}, refreshed_at);
  store_rows({account("a", "11.50")}, refreshed_at + 23h + 59min);
  EXPECT_THAT(balances(), ElementsAre("a|2026-06-01|11.50|EUR"));
  store_rows({account("a", "11.50")}, refreshed_at + 24h);
  store_rows({account("a", "9")}, refreshed_at + 48h);
  EXPECT_THAT(balances(), ElementsAre("a|2026-06-01|11.50|EUR", "a|2026-06-02|11.50|EUR",
                                      "a|2026-06-03|9|EUR"));
  product_record silent = account("a");
  silent.values.at(*find_column(columns_of(product_kind::account), "balance")).reset();
  store_rows({silent}, refreshed_at + 72h);
  EXPECT_EQ(balances().size(), 3U) << "no balance is no zero";
}

// The order of two answers is that of our claims (P6): the provider's clock may go back, or be
// wrong.
TEST_F(products, the_watermark_is_what_was_read_last_and_never_of_the_future) {
  store_rows({account("a", "2")}, refreshed_at + 24h);
  store_rows({account("a", "1")}, refreshed_at);
  EXPECT_THAT(accounts(), ElementsAre("a|1|f"));
  EXPECT_EQ(value("select provider_seen_at from flanks.product_coverage"),
            "2026-06-01 00:00:00+00");
  store_rows({account("a", "3")}, refreshed_at + 24h * 365 * 50);
  EXPECT_EQ(value("select provider_seen_at <= now() + interval '1 minute' from "
                  "flanks.product_coverage"),
            "t");
  // One that an older version has left there is none, or nothing would be asked for until then.
  sql("update flanks.product_coverage set provider_seen_at = now() + interval '1 day'");
  const claimed_credential c = claim(id_);
  EXPECT_FALSE(c.products_seen[static_cast<std::size_t>(product_kind::account)]);
}

TEST_F(products, a_lost_lease_stores_nothing) {
  const claimed_credential c = claim(id_);
  sql("update flanks_internal.leases set expires_at = now() - interval '1 second'");
  product_batch batch;
  batch.records = {account("a")};
  const failure f = failure_of([&] {
    (void)run(store_->store_products(c.id, c.lease, std::move(batch),
                                     run_for(product_kind::account, refreshed_at),
                                     removal_limits{}));
  });
  EXPECT_EQ(f.stage, stage::lease);
  EXPECT_THAT(accounts(), IsEmpty());
  EXPECT_EQ(value("select count(*) from flanks.product_runs"), "0");
}

TEST_F(products, a_commit_in_doubt_that_happened_is_not_done_again) {
  const claimed_credential c = claim(id_);
  pg_connection db(options_);
  product_batch batch;
  batch.records = {account("a")};
  flanks::products::product_request asked{.lease = c.lease,
                                          .batch = batch,
                                          .run = run_for(product_kind::account, refreshed_at),
                                          .limits = {},
                                          .product_run_id = "99999999-2222-3333-4444-555555555555",
                                          .written = product_run{}};
  flanks::products::store(db, asked);
  EXPECT_EQ(asked.written->counts.inserted, 1) << "it had not happened";
  flanks::products::store(db, asked);
  const product_run& told = *asked.written;
  EXPECT_EQ(told.counts.inserted, 1) << "what the first try did";
  EXPECT_EQ(told.counts.unchanged, 0);
  EXPECT_EQ(value("select count(*) from flanks.product_runs"), "1");
}

TEST_F(products, runs_and_coverage_say_what_was_fetched_what_failed_and_what_is_not_there) {
  store_rows({account("a")});
  EXPECT_EQ(value("select product, outcome, fetched, inserted from flanks.product_runs"),
            "account|ok|1|1");
  product_run failed = run_for(product_kind::card, refreshed_at);
  failed.outcome = outcome::failed;
  failed.error_class = "http_500";
  failed.error_message = "it answered 500";
  run(store_->record_product_run(failed));
  product_run absent = run_for(product_kind::holder, refreshed_at);
  absent.outcome = outcome::not_available;
  absent.error_message = "not extracted";
  run(store_->record_product_run(absent));
  const auto versions = rows("select xmin from flanks.product_coverage where product = 'holder'");
  run(store_->record_product_run(absent));
  EXPECT_EQ(rows("select xmin from flanks.product_coverage where product = 'holder'"), versions)
      << "only what is new is written down";
  EXPECT_THAT(rows("select product, outcome, reason, last_success_at is not null from "
                   "flanks.product_coverage order by 1"),
              ElementsAre("account|ok|-|t", "card|failed|it answered 500|f",
                          "holder|not_available|not extracted|f"));
  EXPECT_EQ(value("select count(*) from flanks.product_runs where outcome = 'failed'"), "1");
  EXPECT_EQ(value("select last_error, last_error_class from flanks.credentials"),
            "it answered 500|http_500");
  const claimed_credential c = claim(id_);
  EXPECT_EQ(c.products_seen[static_cast<std::size_t>(product_kind::account)], refreshed_at);
  EXPECT_EQ(c.products_seen[static_cast<std::size_t>(product_kind::card)], std::nullopt);
}

TEST_F(products, banks_are_claimed_once_a_day_and_keep_their_names) {
  EXPECT_TRUE(run(store_->claim_entities()));
  EXPECT_FALSE(run(store_->claim_entities())) << "another daemon is at it";
  product_batch banks;
  for (const char* name : {"bbva", "caixa"}) {
    product_record bank;
    bank.values = {name, std::string{"Bank "} + name, std::nullopt};
    banks.records.push_back(bank);
  }
  run(store_->store_entities(banks));
  const auto before = rows("select xmin, * from flanks.entities order by entity_id");
  run(store_->store_entities(banks));
  EXPECT_EQ(rows("select xmin, * from flanks.entities order by entity_id"), before);
  EXPECT_THAT(rows("select entity_id, name from flanks.entities order by 1"),
              ElementsAre("bbva|Bank bbva", "caixa|Bank caixa"));
  sql("update flanks.entity_refresh set attempted_at = now() - interval '2 hours'");
  EXPECT_FALSE(run(store_->claim_entities())) << "not yet a day old";
  sql("update flanks.entity_refresh set succeeded_at = now() - interval '25 hours'");
  EXPECT_TRUE(run(store_->claim_entities()));
  run(store_->fail_entities("it answered 500"));
  EXPECT_EQ(value("select last_error from flanks.entity_refresh"), "it answered 500");
}

TEST_F(products, user_assets_is_one_row_a_product_with_balance_bank_holders_and_history) {
  store_window(id_, {{"t1", "2026-05-02"}, {"t2", "2026-05-09"}, {"t3", "2026-05-20"}});
  sql("update flanks.transactions set account_id = 'a'");
  sql("update flanks.transactions set removed_at = now() where _id = 't3'");
  sql("update flanks.credentials set bank = 'bbva'");
  sql("insert into flanks.entities (entity_id, name) values ('bbva', 'BBVA')");
  store_rows({account("a", "10.10"), account("b", "2.5")});
  store_rows({record_of(product_kind::holder, {{"holder_id", "h"},
                                               {"product_id", "a"},
                                               {"rel", "Titular"},
                                               {"name", "Ana"},
                                               {"document", "0T"}})},
             refreshed_at, product_kind::holder);
  store_rows({record_of(product_kind::identity, {{"identity_id", "i"}, {"name", "Ana Ejemplo"}})},
             refreshed_at, product_kind::identity);
  EXPECT_THAT(
      rows(
          "select user_id, bank_name, product, product_id, balance, currency, holders, identities, "
          "transactions, "
          "first_operation_date, last_operation_date from flanks.user_assets where user_id = 'ana' "
          "order by product_id"),
      ElementsAre("ana|BBVA|account|a|10.10|EUR|[{\"rel\": \"Titular\", \"name\": \"Ana\", "
                  "\"document\": \"0T\"}]|"
                  "[{\"name\": \"Ana Ejemplo\"}]|2|2026-05-02|2026-05-09",
                  "ana|BBVA|account|b|2.5|EUR|-|[{\"name\": \"Ana Ejemplo\"}]|0|-|-"));
  // A joint account: the operations are rows of the first credential, the second one counts them.
  const credential_id first = id_;
  id_ = add("ben", "tok2");
  store_rows({account("a", "10.10")});
  store_window(id_, {{"t1", "2026-05-02"}});
  EXPECT_EQ(value("select credential_id from flanks.transactions where _id = 't1'"),
            std::to_string(first.value));
  sql("insert into flanks.transaction_sightings (_id, credential_id, product) values ('t2', 2, "
      "'account') on conflict do nothing");
  sql("insert into flanks.transaction_sightings (_id, credential_id, product) values ('t1', 2, "
      "'account') on conflict do nothing");
  EXPECT_EQ(
      value(
          "select transactions, last_operation_date from flanks.user_assets where user_id = 'ben'"),
      "2|2026-05-09");
  sql("update flanks.accounts set removed_at = now() where credential_id = 2");
  EXPECT_EQ(value("select count(*) from flanks.user_assets where user_id = 'ben'"), "0");
}

}  // namespace flanks::testing
