// What many coroutines ask at once is done together, and each gets its own answer.
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class together : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    for (int i = 0; i < 20; ++i)
      ids_.push_back(add("u", "token-" + std::to_string(i)));
  }

  // Starts `work` beside what runs already; run_all() goes on until all have ended.
  template <class Result>
  void start(awaitable<Result> work) {
    const std::size_t nr = errors_.size();
    errors_.emplace_back();
    boost::asio::co_spawn(loop_, std::move(work),
                          [this, nr](std::exception_ptr e, auto&&...) { errors_[nr] = e; });
  }
  void run_all() {
    loop_.restart();
    loop_.run();
  }
  // The failure of the coroutine that was started as number `nr`.
  failure failure_nr(std::size_t nr) {
    return failure_of([&] {
      if (errors_.at(nr)) std::rethrow_exception(errors_[nr]);
    });
  }
  int failed() const {
    return static_cast<int>(std::count_if(errors_.begin(), errors_.end(),
                                          [](const std::exception_ptr& e) { return bool(e); }));
  }
  std::vector<claimed_credential> claim_all() {
    std::vector<claimed_credential> all = run(store_->claim_due(100));
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return all;
  }
  run_record failed_run(const claimed_credential& c) {
    run_record record = record_for(c);
    record.outcome = outcome::failed;
    record.error_class = "http_500";
    record.error_message = "it broke";
    return record;
  }
  static next_attempt in_an_hour() {
    next_attempt next{};
    next.state = credential_state::ok;
    next.delay = std::chrono::hours{1};
    return next;
  }

  std::vector<credential_id> ids_;
  std::vector<std::exception_ptr> errors_;
};

TEST_F(together, many_releases_take_few_transactions) {
  const auto all = claim_all();
  ASSERT_THAT(all, SizeIs(20));
  for (const auto& c : all)
    start(store_->release(c.id, c.lease, in_an_hour()));
  run_all();
  EXPECT_EQ(failed(), 0);
  EXPECT_EQ(value("select count(*) from flanks.sync_status where state = 'ok' and lag is not null"),
            "20");
  EXPECT_EQ(value("select count(*) from flanks_internal.leases where lease_id is null and "
                  "next_due_at > now() + interval '50 minutes'"),
            "20");
  // Who leads lets the others that are ready ask first.
  EXPECT_EQ(value("select count(distinct xmin::text) from flanks_internal.leases"), "1");
}

TEST_F(together, one_that_fails_fails_alone) {
  const auto all = claim_all();
  for (const auto& c : all) {
    run_record record = failed_run(c);
    if (c.id == ids_[7]) record.run_id = "not a uuid";
    start(store_->record_run(std::move(record)));
  }
  run_all();
  EXPECT_EQ(failed(), 1);
  const failure f = failure_nr(7);
  EXPECT_EQ(f.stage, stage::write);
  EXPECT_THAT(f.what(),
              AllOf(StartsWith("insert_runs failed in database"),
                    EndsWith("invalid input syntax for type uuid: \"not a uuid\" (22P02)")));
  EXPECT_EQ(value("select count(*) from flanks.sync_runs"), "19");
  EXPECT_EQ(value("select count(*) from flanks.credentials where last_error = 'it broke'"), "19");
}

TEST_F(together, who_waits_for_a_lock_keeps_nobody_waiting) {
  const auto all = claim_all();
  pg_connection other(options_);
  other.begin();
  other.run(
      statement{"test", "select from flanks_internal.leases where credential_id = $1 for update"},
      sql_values(ids_[3]));
  int done = 0;
  const auto give_back = [&](const claimed_credential& c) -> awaitable<void> {
    auto releasing = store_->release(c.id, c.lease, in_an_hour());
    co_await std::move(releasing);
    // All but the one that is locked: now it is let go.
    if (++done == 19) other.rollback();
  };
  for (const auto& c : all)
    start(give_back(c));
  run_all();
  EXPECT_EQ(failed(), 0);
  EXPECT_EQ(done, 20);
  EXPECT_EQ(value("select count(*) from flanks_internal.leases where lease_id is null"), "20");
}

TEST_F(together, a_lost_lease_concerns_its_own_only) {
  const auto all = claim_all();
  sql("update flanks_internal.leases set lease_id = gen_random_uuid() where credential_id = " +
      std::to_string(ids_[5].value));
  credential_status status;
  status.bank = "Banco";
  for (const auto& c : all)
    start(store_->record_status(c.id, c.lease, status));
  for (const auto& c : all)
    start(store_->release(c.id, c.lease, in_an_hour()));
  run_all();
  EXPECT_EQ(failed(), 1);
  EXPECT_EQ(failure_nr(5).error_class, "lease_lost");
  EXPECT_EQ(value("select count(*) from flanks.credentials where bank = 'Banco' and state = 'ok'"),
            "19");
  EXPECT_THAT(rows("select credential_id from flanks_internal.leases where lease_id is not null"),
              ElementsAre(std::to_string(ids_[5].value)));
}

TEST_F(together, claims_of_many_go_to_one_worker_each) {
  const auto other = make_store(loop_.get_executor(), options_);
  int mine = 0, theirs = 0;
  const auto claim_into = [](store& from, credential_id id, int& count) -> awaitable<void> {
    const auto got = co_await from.claim(id);
    if (got && got->id == id) ++count;
  };
  for (const credential_id id : ids_) {
    start(claim_into(*store_, id, mine));
    start(claim_into(*other, id, theirs));
    start(claim_into(*store_, id, mine));
  }
  run_all();
  EXPECT_EQ(failed(), 0);
  EXPECT_EQ(mine + theirs, 20);
}

TEST_F(together, equal_status_takes_no_lock_and_no_transaction_id) {
  const auto all = claim_all();
  run(store_->record_status(all[0].id, all[0].lease, credential_status{}));
  // Ids are the whole cluster's, and its own workers take some at times: one round without is
  // proof.
  int rounds_without = 0;
  for (int round = 0; round < 10 && rounds_without == 0; ++round) {
    const std::string next = value("select pg_snapshot_xmax(pg_current_snapshot())");
    run(store_->record_status(all[0].id, all[0].lease, credential_status{}));
    if (value("select pg_snapshot_xmax(pg_current_snapshot())") == next) ++rounds_without;
  }
  EXPECT_EQ(rounds_without, 1);
}

TEST_F(together, a_connection_that_dies_is_replaced_and_nothing_is_written_twice) {
  const auto all = claim_all();
  run(store_->record_run(failed_run(all[0])));
  sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
      "and pid <> pg_backend_pid()");
  for (const auto& c : all)
    start(store_->record_run(failed_run(c)));
  run_all();
  EXPECT_EQ(failed(), 0);
  EXPECT_EQ(value("select count(*) from flanks.sync_runs"), "21");
}

TEST_F(together, claim_and_release_untouched_move_no_index_entry) {
  const auto moved = [&] {
    sql("select pg_stat_force_next_flush()");
    return value(
        "select n_tup_upd - n_tup_hot_upd from pg_stat_user_tables where relname = 'leases'");
  };
  sql("vacuum flanks_internal.leases");
  const auto statistics_of_lanes = [&] {
    // A backend tells its statistics when it ends.
    store_.reset();
    wait_until_alone();
    store_ = make_store(loop_.get_executor(), options_);
  };
  const auto all = claim_all();
  for (const auto& c : all)
    start(store_->release_untouched(c.id, c.lease));
  run_all();
  statistics_of_lanes();
  EXPECT_EQ(moved(), "0");
  EXPECT_THAT(claim_all(), SizeIs(20));
}

TEST_F(together, pause_and_resume_in_flight_hold_after_release_and_after_a_death) {
  const claimed_credential released = claim(ids_[0]), died = claim(ids_[1]),
                           resumed = claim(ids_[2]);
  registry book(options_);
  for (const credential_id id : {ids_[0], ids_[1], ids_[2]})
    book.pause(id, "holiday");
  book.resume(ids_[2]);
  run(store_->release_untouched(released.id, released.lease));
  sql("update flanks_internal.leases set expires_at = now() where lease_id is not null");
  const auto due = claim_all();
  EXPECT_THAT(due, SizeIs(18));
  EXPECT_EQ(due.front().id, ids_[2]);
  EXPECT_NE(due.front().lease, resumed.lease);
}

TEST_F(together, a_removed_one_in_flight_is_released_by_nobody_and_never_due) {
  const claimed_credential c = claim(ids_[0]);
  registry(options_).remove(c.id);
  start(store_->release(c.id, c.lease, in_an_hour()));
  start(store_->record_run(failed_run(c)));
  run_all();
  EXPECT_EQ(failed(), 0);
  EXPECT_THAT(claim_all(), SizeIs(19));
}

TEST_F(together, one_in_flight_is_due_when_its_lease_ends) {
  sql("update flanks_internal.leases set next_due_at = now() + interval '1 hour' where "
      "credential_id <> 1");
  options_.lease_time = std::chrono::seconds{40};
  store_ = make_store(loop_.get_executor(), options_);
  EXPECT_EQ(run(store_->next_due()), std::chrono::seconds{0});
  const claimed_credential c = claim(ids_[0]);
  EXPECT_THAT(run(store_->claim_due(5)), IsEmpty());
  const auto due = run(store_->next_due());
  ASSERT_TRUE(due);
  EXPECT_GT(due->count(), 30);
  EXPECT_LE(due->count(), 40);
  EXPECT_THAT(
      rows("select running, next_run_at <= now() from flanks.sync_status where credential_id = 1"),
      ElementsAre("t|t"));
}

}  // namespace flanks::testing
