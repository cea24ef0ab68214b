// Who may work on what, and when: two stores on one database.
#include <fmt/format.h>

#include "sync/mirror.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class lease : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    other_ = make_store(loop_.get_executor(), options_);
  }
  void TearDown() override {
    other_.reset();
    database_test::TearDown();
  }
  std::unique_ptr<store> other_;
};

TEST_F(lease, each_due_credential_goes_to_one_worker_only) {
  for (int i = 0; i < 20; ++i)
    add("u", "token-" + std::to_string(i));
  std::vector<claimed_credential> mine, theirs;
  // At the same time, on two connections.
  const auto claim_into = [](store& s, std::vector<claimed_credential>& out) -> awaitable<void> {
    for (int i = 0; i < 4; ++i) {
      auto some = co_await s.claim_due(3);
      for (auto& c : some)
        out.push_back(std::move(c));
    }
  };
  boost::asio::co_spawn(loop_, claim_into(*store_, mine),
                        [](std::exception_ptr e) { EXPECT_FALSE(e); });
  boost::asio::co_spawn(loop_, claim_into(*other_, theirs),
                        [](std::exception_ptr e) { EXPECT_FALSE(e); });
  loop_.restart();
  loop_.run();
  std::set<std::int64_t> ids;
  for (const auto& c : mine)
    ids.insert(c.id.value);
  for (const auto& c : theirs)
    ids.insert(c.id.value);
  EXPECT_EQ(ids.size(), mine.size() + theirs.size());
  EXPECT_THAT(ids, SizeIs(20));
}

TEST_F(lease, claim_brings_token_state_and_coverage) {
  const credential_id id = add("u", "the-token");
  store_window(id, {{"a"}}, product::card);
  const claimed_credential c = claim(id);
  EXPECT_EQ(c.credentials_token.reveal(), "the-token");
  EXPECT_EQ(c.state, credential_state::ok);
  EXPECT_EQ(c.of(product::card).from, may.from);
  EXPECT_TRUE(c.of(product::card).last_success);
  EXPECT_FALSE(c.of(product::account).last_success);
  EXPECT_FALSE(c.of(product::account).last_sweep);
}

TEST_F(lease, held_one_cannot_be_claimed_and_an_expired_one_can) {
  const credential_id id = add("u", "t");
  const claimed_credential c = claim(id);
  EXPECT_FALSE(run(other_->claim(id)));
  EXPECT_THAT(run(other_->claim_due(5)), IsEmpty());
  sql("update flanks_internal.leases set expires_at = now(), next_due_at = now()");
  EXPECT_FALSE(run(store_->renew(id, c.lease)));
  const auto taken = run(other_->claim_due(5));
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_NE(taken[0].lease, c.lease);
  // The one that lost it changes nothing.
  next_attempt next{};
  next.state = credential_state::error;
  next.failed = true;
  run(store_->release(id, c.lease, next));
  EXPECT_EQ(value("select state from flanks.credentials"), "new");
  EXPECT_TRUE(run(other_->renew(id, taken[0].lease)));
}

TEST_F(lease, release_says_when_it_is_due_and_counts_failures) {
  const credential_id id = add("u", "t");
  for (int i = 1; i <= 2; ++i) {
    const claimed_credential c = claim(id);
    EXPECT_EQ(c.failures_in_a_row, i - 1);
    next_attempt next{};
    next.state = credential_state::error;
    next.delay = std::chrono::seconds{90};
    next.failed = next.not_found = true;
    next.error = "it broke";
    next.hint = "mend it";
    run(store_->release(id, c.lease, next));
  }
  EXPECT_THAT(
      rows("select state, failures_in_a_row, last_error, last_error_hint, "
           "next_run_at - now() between '80s' and '90s', who_must_act from flanks.sync_status"),
      ElementsAre("error|2|it broke|mend it|t|nobody"));
  const auto due = run(store_->next_due());
  ASSERT_TRUE(due);
  EXPECT_GT(due->count(), 80);
  const claimed_credential c = claim(id);
  EXPECT_TRUE(c.not_found_since);
  release(c);
  EXPECT_THAT(
      rows("select state, failures_in_a_row, last_error, lag is not null from flanks.sync_status"),
      ElementsAre("ok|0|-|t"));
  EXPECT_EQ(value("select not_found_since from flanks.credentials"), "-");
}

TEST_F(lease, release_untouched_leaves_it_due_as_it_was) {
  const credential_id id = add("u", "t");
  sql("update flanks_internal.leases set next_due_at = '2026-01-02'");
  const auto c = run(store_->claim_due(1)).at(0);
  run(store_->release_untouched(id, c.lease));
  EXPECT_EQ(value("select next_due_at from flanks_internal.leases"), "2026-01-02 00:00:00+00");
  EXPECT_EQ(run(store_->next_due()), std::chrono::seconds{0});
}

TEST_F(lease, nothing_registered_is_never_due) {
  EXPECT_FALSE(run(store_->next_due()));
  EXPECT_FALSE(run(store_->claim(credential_id{7})));
}

TEST_F(lease, paused_one_is_not_due_and_stays_so_when_it_is_released) {
  const credential_id id = add("u", "t");
  const claimed_credential c = claim(id);
  registry(options_).pause(id, "holiday");
  release(c);
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty());
  EXPECT_FALSE(run(store_->next_due()));
  EXPECT_THAT(rows("select state, what_next, next_run_at from flanks.sync_status"),
              ElementsAre("paused|nothing until it is resumed (holiday)|-"));
  registry(options_).resume(id);
  EXPECT_THAT(run(store_->claim_due(5)), SizeIs(1));
}

TEST_F(lease, status_is_written_only_when_it_differs_and_only_under_the_lease) {
  const credential_id id = add("u", "t");
  const claimed_credential c = claim(id);
  credential_status status;
  status.bank = "Banco";
  status.sca_required = true;
  status.last_update = refreshed_at;
  status.transactions[1].created = true;
  status.transactions[1].errored = false;
  run(store_->record_status(id, c.lease, status));
  const std::string version = value("select xmin from flanks.credentials");
  run(store_->record_status(id, c.lease, status));
  EXPECT_EQ(value("select xmin from flanks.credentials"), version);
  EXPECT_THAT(
      rows(
          "select bank, sca_required, provider_updated_at, product_status from flanks.credentials"),
      ElementsAre(
          "Banco|t|2026-06-01 00:00:00+00|{\"card\": {\"created\": true, \"errored\": false}}"));
  const lease_id stranger{"99999999-9999-4999-8999-999999999999"};
  EXPECT_EQ(failure_of([&] { run(store_->record_status(id, stranger, status)); }).stage,
            stage::lease);
}

TEST_F(lease, failed_run_is_recorded_with_all_it_knows) {
  const claimed_credential c = claim(add("u", "t"));
  run_record record = record_for(c);
  record.outcome = outcome::failed;
  record.error_class = "http_500";
  record.error_stage = "answer";
  record.error_message = "the bank said no";
  record.error_hint = "wait";
  record.http_status = 500;
  record.trace_id = "tr-1";
  record.requests = 3;
  run(store_->record_run(record));
  EXPECT_THAT(rows("select outcome, product, window_from, http_status, trace_id, provider_code, "
                   "requests, error_message "
                   "from flanks.sync_runs"),
              ElementsAre("failed|account|2026-05-01|500|tr-1|-|3|the bank said no"));
  EXPECT_THAT(rows("select last_error, last_error_class, last_success_at from flanks.credentials"),
              ElementsAre("the bank said no|http_500|-"));
  record = record_for(c);
  record.what.reset();
  record.outcome = outcome::not_available;
  run(store_->record_run(record));
  EXPECT_EQ(value("select count(*) from flanks.sync_runs where outcome = 'not_available' and "
                  "product is null"),
            "1");
}

// What a crash of the server leaves of unlogged tables.
TEST_F(lease, after_a_crash_nobody_claims_before_the_lost_leases_have_run_out) {
  const credential_id id = add("ana", "t-1");
  const claimed_credential lost = claim(id);
  (void)add("ana", "t-2");
  registry(options_).pause(add("ana", "t-3"), "holiday");
  sql("truncate flanks_internal.leases, flanks_internal.leases_kept");
  EXPECT_FALSE(run(store_->renew(id, lost.lease)));
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty()) << "restores them";
  EXPECT_EQ(value("select count(*) from flanks_internal.leases l join flanks_internal.schedule s "
                  "using (credential_id) where l.next_due_at = s.next_due_at and lease_id is null"),
            "3");
  EXPECT_EQ(
      value(fmt::format("select claims_from between now() + interval '{} s' - interval '30 s' "
                        "and now() + interval '{} s' from flanks_internal.leases_kept",
                        options_.lease_time.count(), options_.lease_time.count())),
      "t");
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty());
  EXPECT_EQ(run(store_->claim(id)), std::nullopt);
  EXPECT_EQ(run(store_->unheld_due(std::chrono::milliseconds{0})), 0) << "nothing is in their way";
  sql("update flanks_internal.leases_kept set claims_from = now()");
  EXPECT_THAT(run(store_->claim_due(5)), SizeIs(2)) << "the paused one is not due";
}

TEST_F(lease, a_pause_holds_through_a_crash) {
  const credential_id id = add("ana", "t-1");
  sql("truncate flanks_internal.leases, flanks_internal.leases_kept");
  registry(options_).pause(id, "holiday");
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty());
  sql("update flanks_internal.leases_kept set claims_from = now()");
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty());
  registry(options_).resume(id);
  EXPECT_THAT(run(store_->claim_due(5)), SizeIs(1));
}

// Six polls in a row, each at the instant at which the last one says that the next may come; the
// seventh waits for the first, whatever has been restarted in between.
TEST_F(lease, the_polls_of_a_day_are_remembered_over_a_restart_and_a_crash) {
  const sync_policy policy;
  const credential_id id = add("u", "t");
  const instant first{std::chrono::sys_days{std::chrono::year{2026} / 11 / 16}};
  instant now = first;
  next_attempt next{};
  for (int i = 0; i < 6; ++i) {
    const claimed_credential c = claim(id);
    EXPECT_THAT(c.polls, SizeIs(i));
    credential_report report;
    report.answered = true;
    next = after(report, c, policy, now = first + std::chrono::minutes{i}, 0);
    run(store_->release(id, c.lease, next));
    if (i % 2 == 0) store_ = make_store(loop_.get_executor(), options_);
  }
  const std::chrono::seconds wait = first + std::chrono::hours{24} - now;
  EXPECT_GE(next.delay, wait);
  sql("truncate flanks_internal.leases, flanks_internal.leases_kept");
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty()) << "restores them";
  sql("update flanks_internal.leases_kept set claims_from = now()");
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty()) << "it is not due";
  EXPECT_GE(run(store_->next_due()), wait - std::chrono::seconds{60});
  EXPECT_THAT(claim(id).polls, SizeIs(6)) << "an operator may ask all the same";
}

TEST_F(lease, a_poll_whose_end_was_never_recorded_counts_when_its_lease_is_taken_over) {
  const credential_id id = add("u", "t");
  (void)claim(id);
  sql("update flanks_internal.leases set expires_at = now(), next_due_at = now()");
  const auto taken = run(other_->claim_due(5));
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_THAT(taken[0].polls, SizeIs(1));
}

TEST_F(lease, a_release_of_the_lease_alone_counts_the_poll_too) {
  const credential_id id = add("u", "t");
  const claimed_credential c = claim(id);
  credential_report report;
  report.answered = true;
  next_attempt next = after(report, c, {}, instant{std::chrono::seconds{1'795'000'000}}, 0);
  next.lease_only = true;
  run(store_->release(id, c.lease, next));
  EXPECT_THAT(claim(id).polls, ElementsAre(instant{std::chrono::seconds{1'795'000'001}}));
}

}  // namespace flanks::testing
