// Plans of a backfill: found again by equal arguments, done with their rows, gone on after a crash.
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class backfill_plans : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    a_ = add("ana", "t1");
    b_ = add("ben", "t2");
  }
  backfill_plan plan(const selection& who, bool restart = false, window days = may,
                     bool explicit_days = false) {
    return run(store_->plan_backfill(who, days, explicit_days, restart));
  }
  void finish_item(credential_id id, const plan_item& item) {
    const claimed_credential c = claim(id);
    auto window = run(
        store_->open_window(id, c.lease, item.what, item.days, item.item_id, comparing::values));
    commit(*window, record_for(c, item.what, item.days), all_history);
    release(c);
  }
  std::vector<plan_item> open_items(std::int64_t backfill_id) {
    const backfill_claim claimed = run(store_->claim_for(backfill_id, a_));
    if (claimed.credential) release(*claimed.credential);
    return claimed.items;
  }
  credential_id a_, b_;
};

TEST_F(backfill_plans, one_item_for_each_credential_and_product) {
  const backfill_plan p = plan({});
  EXPECT_EQ(p.items, 8);
  EXPECT_EQ(p.credentials, 2);
  EXPECT_FALSE(p.resumed);
  EXPECT_THAT(run(store_->backfill_credentials(p.backfill_id, credential_id{0}, 10)),
              ElementsAre(a_, b_));
  EXPECT_THAT(run(store_->backfill_credentials(p.backfill_id, a_, 10)), ElementsAre(b_));
  const auto items = open_items(p.backfill_id);
  ASSERT_THAT(items, SizeIs(4));
  EXPECT_EQ(items[0].what, product::account);
  EXPECT_EQ(items[3].what, product::liability);
  EXPECT_EQ(items[0].days, may);
}

TEST_F(backfill_plans, a_credential_is_claimed_with_what_is_open_then) {
  const backfill_plan p = plan({});
  const backfill_claim claimed = run(store_->claim_for(p.backfill_id, a_));
  ASSERT_TRUE(claimed.credential);
  EXPECT_EQ(claimed.credential->id, a_);
  EXPECT_THAT(claimed.items, SizeIs(4));
  const backfill_claim second = run(store_->claim_for(p.backfill_id, a_));
  EXPECT_FALSE(second.credential) << "it is under a lease";
  EXPECT_THAT(second.items, SizeIs(4)) << "so many are left undone";
}

TEST_F(backfill_plans, what_is_open_of_one_credential_is_found_without_reading_the_others) {
  sql("select count(flanks.register_credential('u' || n, 'token-' || n)) from generate_series(1, "
      "500) n");
  const backfill_plan p = plan({});
  EXPECT_EQ(p.items, 2008);
  for (int i = 0; i < 3; ++i)
    finish_item(a_, open_items(p.backfill_id).at(0));
  store_.reset();  // its connections tell what they did before they end
  wait_until_alone();
  const std::string read =
      value("select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'backfill_items'");
  EXPECT_LT(std::stoll(read), 200);
}

TEST_F(backfill_plans, same_command_resumes_with_the_days_it_began_with) {
  const backfill_plan first = plan({});
  finish_item(a_, open_items(first.backfill_id).at(1));
  const window later{may.from + std::chrono::days{1}, may.to + std::chrono::days{1}};
  const backfill_plan again = plan({}, false, later);
  EXPECT_TRUE(again.resumed);
  EXPECT_EQ(again.backfill_id, first.backfill_id);
  EXPECT_EQ(again.days, may);
  EXPECT_EQ(again.items, 8);
  EXPECT_EQ(again.items_done, 1);
  EXPECT_THAT(open_items(again.backfill_id), SizeIs(3));
}

TEST_F(backfill_plans, other_arguments_or_restart_make_another_plan) {
  const backfill_plan all = plan({});
  selection ana;
  ana.users = {user_id{"ana"}};
  ana.products = {product::card};
  const backfill_plan one = plan(ana);
  EXPECT_NE(one.backfill_id, all.backfill_id);
  EXPECT_EQ(one.items, 1);
  EXPECT_NE(plan({}, false, may, true).backfill_id, all.backfill_id);
  const backfill_plan anew = plan({}, true);
  EXPECT_FALSE(anew.resumed);
  EXPECT_NE(anew.backfill_id, all.backfill_id);
  EXPECT_TRUE(plan(ana).resumed);
}

TEST_F(backfill_plans, finished_plan_starts_anew) {
  selection who;
  who.credentials = {a_};
  who.products = {product::account, product::card};
  const backfill_plan p = plan(who);
  EXPECT_EQ(run(store_->finish_backfill(p.backfill_id)), 2);
  finish_item(a_, open_items(p.backfill_id).at(0));
  run(store_->skip_item(open_items(p.backfill_id).at(0).item_id.value(), "no cards"));
  EXPECT_EQ(run(store_->finish_backfill(p.backfill_id)), 0);
  EXPECT_FALSE(plan(who).resumed);
  EXPECT_EQ(value("select count(*) from flanks.coverage"), "1");
}

TEST_F(backfill_plans, all_done_but_not_closed_by_a_crash_starts_anew) {
  selection who;
  who.credentials = {a_};
  who.products = {product::account};
  const backfill_plan p = plan(who);
  finish_item(a_, open_items(p.backfill_id).at(0));
  const backfill_plan next = plan(who);
  EXPECT_FALSE(next.resumed);
  EXPECT_EQ(value("select count(*) from flanks_internal.backfills where finished_at is not null"),
            "1");
}

TEST_F(backfill_plans, item_is_not_done_when_its_window_is_not_committed) {
  const backfill_plan p = plan({});
  const plan_item item = open_items(p.backfill_id).at(0);
  const claimed_credential c = claim(a_);
  auto window =
      run(store_->open_window(a_, c.lease, item.what, item.days, item.item_id, comparing::values));
  run(window->apply(batch_of({{"x"}})));
  window.reset();
  run(store_->fail_item(item.item_id.value(), "the bank is away"));
  EXPECT_THAT(open_items(p.backfill_id), SizeIs(4));
  EXPECT_EQ(value("select last_error from flanks_internal.backfill_items where attempts = 1"),
            "the bank is away");
}

TEST_F(backfill_plans, preview_writes_nothing_and_says_the_same) {
  const backfill_plan p = run(store_->preview_backfill({}, may, false, false));
  EXPECT_EQ(p.items, 8);
  EXPECT_EQ(value("select count(*) from flanks_internal.backfills"), "0");
}

TEST_F(backfill_plans, a_paused_credential_is_planned_only_where_it_is_named) {
  const backfill_plan before = plan({});
  registry(options_).pause(a_, "holiday");
  registry(options_).pause(a_, "");
  EXPECT_EQ(value("select pause_reason from flanks.credentials where paused"), "holiday");
  EXPECT_THAT(run(store_->backfill_credentials(before.backfill_id, credential_id{0}, 10)),
              ElementsAre(b_));
  const backfill_plan again = plan({});
  EXPECT_TRUE(again.resumed);
  EXPECT_EQ(again.items, 4);
  EXPECT_EQ(again.paused, 1);
  EXPECT_EQ(run(store_->finish_backfill(again.backfill_id)), 4) << "those of the other";
  EXPECT_EQ(run(store_->preview_backfill({}, may, false, false)).items, 4);
  selection who;
  who.users = {user_id{"ana"}};
  EXPECT_EQ(plan(who).items, 0);
  EXPECT_THAT(run(store_->resolve(who)).paused, ElementsAre(a_));
  who.credentials = {a_};
  const backfill_plan named = plan(who);
  EXPECT_EQ(named.items, 4);
  EXPECT_EQ(named.paused, 0);
  EXPECT_THAT(run(store_->backfill_credentials(named.backfill_id, credential_id{0}, 10)),
              ElementsAre(a_));
}

TEST_F(backfill_plans, unknown_names_are_refused) {
  selection who;
  who.users = {user_id{"nobody"}};
  const failure f = failure_of([&] { plan(who); });
  EXPECT_EQ(f.stage, stage::configuration);
  EXPECT_STREQ(f.what(), "user \"nobody\" is not registered");
  who.users.clear();
  who.credentials = {credential_id{77}};
  EXPECT_THAT(failure_of([&] { (void)run(store_->resolve(who)); }).what(),
              HasSubstr("credential 77"));
  EXPECT_THAT(run(store_->resolve({})).ids, ElementsAre(a_, b_));
}

}  // namespace flanks::testing
