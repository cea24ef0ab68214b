// The story of one credential against a scripted provider and a store that remembers: order,
// retries, halving, what is recorded, what stays open. The real database and network are met in
// tests/pg and tests/e2e.
#include "sync/mirror.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <map>

namespace flanks {
namespace {

namespace asio = boost::asio;
namespace chr = std::chrono;
using namespace std::chrono_literals;
using testing::ElementsAre;

const day today = *day_from("2026-11-22");

transaction_batch batch_of(int rows) {
  transaction_batch batch;
  for (int i = 0; i < rows; ++i) {
    transaction t;
    t.values[0] = batch.text.copy("id-" + std::to_string(i));
    batch.transactions.push_back(t);
  }
  return batch;
}

failure of(verdict then, const std::string& name, int http = 0) {
  failure f(stage::answer, then, name, "the provider said " + name);
  f.http_status = http;
  return f;
}

// Answers from a script: per call a failure, or a number of rows.
class scripted_api final : public flanks_api {
 public:
  struct step {
    std::optional<failure> fails;
    int rows = 0;
    bool rested = false, repeats = false;
  };
  credential_status said;
  std::optional<failure> status_fails;
  std::deque<step> script;
  std::vector<std::string> asked;
  bool windows = true;
  std::optional<failure> windows_unknown;
  std::vector<connection_use> over;

  awaitable<bool> takes_windows(const access&) override {
    if (windows_unknown) throw *windows_unknown;
    co_return windows;
  }
  awaitable<credential_status> status(const access&) override {
    if (status_fails) throw *status_fails;
    co_return said;
  }
  awaitable<response_summary> transactions(const access&, product what, window days,
                                           connection_use use, batch_sink& sink) override {
    over.push_back(use);
    asked.push_back(std::string(to_string(what)) + " " + to_string(days.from) + ".." +
                    to_string(days.to));
    step next;
    if (!script.empty()) {
      next = script.front();
      script.pop_front();
    }
    if (next.rows > 0) {
      transaction_batch batch = batch_of(next.rows);
      co_await sink.take(std::move(batch));
    }
    if (next.fails) throw *next.fails;
    response_summary summary;
    summary.elements = next.rows;
    summary.rested_connection = next.rested;
    summary.repeats = next.repeats;
    co_return summary;
  }
  std::map<product_kind, failure> products_fail;
  std::vector<product_kind> listed;
  awaitable<product_batch> products(const access&, product_kind kind, connection_use) override {
    listed.push_back(kind);
    const auto fails = products_fail.find(kind);
    if (fails != products_fail.end()) throw failure{fails->second};
    co_return product_batch{};
  }
  awaitable<product_batch> entities(const trace_id&) override { co_return product_batch{}; }
  awaitable<void> authenticate() override { co_return; }
  awaitable<void> close() override { co_return; }
};

// What reached the database.
struct memory {
  std::vector<std::string> stored;  // "account 2024-11-22..2026-11-22 rows item"
  std::vector<run_record> runs;
  std::vector<comparing> compared;  // what each window was compared with
  std::vector<std::string> failed_items, skipped_items;
  std::vector<product_run> products_stored, products_recorded;
  std::optional<failure> recording_fails;
  int abandoned = 0;
  std::vector<window_evidence> evidence;
  std::vector<std::int64_t> parts_before;  // committed of the same piece
  flanks::outcome outcome = flanks::outcome::ok;
  std::deque<failure> commit_fails;
};

class memory_ledger final : public window_ledger {
 public:
  memory_ledger(memory& m, product what, window days, std::optional<std::int64_t> item)
      : memory_(m), what_(what), days_(days), item_(item) {}
  awaitable<void> apply(transaction_batch batch) override {
    rows_ += batch.elements();
    co_return;
  }
  awaitable<run_record> commit(run_record record, window_evidence evidence,
                               absent_rows& absent) override {
    if (!memory_.commit_fails.empty()) {
      const failure f = memory_.commit_fails.front();
      memory_.commit_fails.pop_front();
      throw failure{f};
    }
    std::string line = std::string(to_string(what_)) + " " + to_string(days_.from) + ".." +
                       to_string(days_.to) + " " + std::to_string(rows_);
    if (item_) line += " item " + std::to_string(*item_);
    if (evidence.all_history) line += " sweep";
    if (!evidence.last_part) line += " part";
    if (evidence.window_days) line += " size " + std::to_string(*evidence.window_days);
    if (evidence.history_days) line += " history " + std::to_string(*evidence.history_days);
    ++absent.stored;
    memory_.evidence.push_back(evidence);
    memory_.parts_before.push_back(absent.stored - 1);
    record.outcome = memory_.outcome;
    memory_.stored.push_back(line);
    record.counts.fetched = record.counts.inserted = rows_;
    co_return record;
  }
  awaitable<void> abandon() override {
    ++memory_.abandoned;
    co_return;
  }

 private:
  memory& memory_;
  product what_;
  window days_;
  std::optional<std::int64_t> item_;
  std::int64_t rows_ = 0;
};

class memory_store final : public store {
 public:
  explicit memory_store(memory& m) : memory_(m) {}
  awaitable<std::int64_t> unheld_due(chr::milliseconds) override { co_return 0; }
  awaitable<std::vector<claimed_credential>> claim_due(int, chr::milliseconds) override {
    co_return std::vector<claimed_credential>{};
  }
  awaitable<std::optional<claimed_credential>> claim(credential_id) override {
    co_return std::nullopt;
  }
  awaitable<bool> renew(credential_id, lease_id) override { co_return true; }
  awaitable<void> note_problem(mirror_problem, std::optional<failure>) override { co_return; }
  awaitable<void> forget_problems() override { co_return; }
  awaitable<void> release(credential_id, lease_id, next_attempt) override { co_return; }
  awaitable<void> release_untouched(credential_id, lease_id) override { co_return; }
  awaitable<std::optional<chr::seconds>> next_due() override { co_return std::nullopt; }
  awaitable<bool> record_status(credential_id, lease_id, credential_status) override {
    co_return news;
  }
  bool news = true;
  awaitable<void> record_runs(std::vector<run_record> records) override {
    if (memory_.recording_fails) throw failure{*memory_.recording_fails};
    for (run_record& record : records)
      memory_.runs.push_back(std::move(record));
    co_return;
  }
  awaitable<std::unique_ptr<window_ledger>> open_window(credential_id, lease_id, product what,
                                                        window days,
                                                        std::optional<std::int64_t> item,
                                                        comparing how) override {
    memory_.compared.push_back(how);
    co_return std::make_unique<memory_ledger>(memory_, what, days, item);
  }
  awaitable<product_run> store_products(credential_id, lease_id, product_batch, product_run run,
                                        removal_limits) override {
    memory_.products_stored.push_back(run);
    co_return run;
  }
  awaitable<void> record_product_run(product_run run) override {
    memory_.products_recorded.push_back(run);
    co_return;
  }
  awaitable<std::vector<succession_pair>> follow_successions(credential_id) override {
    co_return std::vector<succession_pair>{};
  }
  awaitable<std::chrono::seconds> clock_ahead() override { co_return std::chrono::seconds{0}; }
  awaitable<bool> claim_entities() override { co_return false; }
  awaitable<void> store_entities(product_batch) override { co_return; }
  awaitable<void> fail_entities(std::string) override { co_return; }
  awaitable<backfill_plan> plan_backfill(selection, window, bool, bool) override {
    co_return backfill_plan{};
  }
  awaitable<backfill_plan> preview_backfill(selection, window, bool, bool) override {
    co_return backfill_plan{};
  }
  awaitable<std::vector<credential_id>> backfill_credentials(std::int64_t, credential_id,
                                                             int) override {
    co_return std::vector<credential_id>{};
  }
  awaitable<backfill_claim> claim_for(std::int64_t, credential_id) override {
    co_return backfill_claim{};
  }
  awaitable<void> fail_item(std::int64_t item, std::string error) override {
    memory_.failed_items.push_back(std::to_string(item) + ": " + error);
    co_return;
  }
  awaitable<void> skip_item(std::int64_t item, std::string) override {
    memory_.skipped_items.push_back(std::to_string(item));
    co_return;
  }
  awaitable<std::int64_t> finish_backfill(std::int64_t) override { co_return 0; }
  awaitable<chosen_credentials> resolve(selection) override { co_return chosen_credentials{}; }

 private:
  memory& memory_;
};

class still_clock final : public engine_clock {
 public:
  std::vector<chr::milliseconds> slept;
  [[nodiscard]] instant now() const override { return instant{today + 9h}; }
  [[nodiscard]] chr::steady_clock::time_point steady() const override { return {}; }
  awaitable<void> sleep(chr::milliseconds time) override {
    slept.push_back(time);
    co_return;
  }
  double random() override { return 0.5; }
};

class silent final : public mirror_observer {
 public:
  std::int64_t elements = 0;
  int not_recorded = 0;
  std::function<void()> when_listed = [] {};
  void unrecorded(credential_id, const failure&) override { ++not_recorded; }
  void listed(const product_run&) override { when_listed(); }
  void received(std::int64_t n) override { elements += n; }
  void ended(const run_record&) override {}
};

class mirror_story : public testing::Test {
 protected:
  mirror_story() {
    api.said.last_update = instant{today + 4h};
    for (product_status& p : api.said.transactions)
      p = {.created = true, .errored = false};
    policy.products = {product::account};
    job.credential.id = credential_id{7};
    for (product_coverage& c : job.credential.coverage)
      c.last_sweep = instant{today - 24h};
    job.run_id = "run";
  }

  credential_report tell() {
    asio::io_context loop;
    std::optional<credential_report> report;
    const mirror_tools tools{api, db, clock, observer, policy};
    auto done = [&](std::exception_ptr error, credential_report r) {
      if (error) std::rethrow_exception(error);
      report = std::move(r);
    };
    asio::co_spawn(loop, mirror(tools, job), done);
    loop.run();
    return *report;
  }

  memory kept;
  scripted_api api;
  memory_store db{kept};
  still_clock clock;
  silent observer;
  sync_policy policy;
  assignment job;
};

TEST_F(mirror_story, first_time_stores_all_history_as_a_sweep) {
  api.script = {{{}, 3}};
  const credential_report r = tell();
  EXPECT_TRUE(r.ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2024-11-22..2026-11-22 3 sweep"));
  EXPECT_EQ(r.counts.inserted, 3);
  EXPECT_EQ(observer.elements, 3);
  EXPECT_TRUE(kept.runs.empty()) << "a stored window's record is written by its own commit";
}

TEST_F(mirror_story, nothing_newer_upstream_asks_for_no_transactions) {
  auto& c = job.credential.coverage[0];
  c.from = day_from("2024-01-01");
  c.to = day_from("2026-11-21");
  c.provider_seen = api.said.last_update;
  EXPECT_TRUE(tell().ok());
  EXPECT_TRUE(api.asked.empty());
  EXPECT_TRUE(kept.runs.empty());
}

TEST_F(mirror_story, a_product_that_is_not_there_is_written_down_when_that_is_new) {
  api.said.transactions[static_cast<std::size_t>(product::account)].created = false;
  EXPECT_TRUE(tell().ok());
  ASSERT_EQ(kept.runs.size(), 1U);
  EXPECT_EQ(kept.runs[0].outcome, outcome::not_available);
  db.news = false;
  EXPECT_TRUE(tell().ok());
  EXPECT_EQ(kept.runs.size(), 1U);
  job.why = trigger::manual;
  EXPECT_TRUE(tell().ok());
  EXPECT_EQ(kept.runs.size(), 2U) << "who asks for it is answered";
}

TEST_F(mirror_story, failure_after_some_rows_forgets_them_and_tries_the_whole_window_again) {
  api.script = {{of(verdict::retry, "truncated"), 2}, {{}, 5}};
  const credential_report r = tell();
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(kept.abandoned, 1);
  EXPECT_THAT(kept.stored, ElementsAre("account 2024-11-22..2026-11-22 5 sweep"));
  EXPECT_EQ(clock.slept.size(), 1U);
}

TEST_F(mirror_story, nothing_at_the_first_time_is_believed_over_a_connection_of_its_own_only) {
  api.script = {{{}, 0, true, true}, {{}, 3}};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(api.over, ElementsAre(connection_use::any, connection_use::fresh));
  EXPECT_THAT(kept.stored, ElementsAre("account 2024-11-22..2026-11-22 3 sweep"));
  EXPECT_TRUE(clock.slept.empty());
}

TEST_F(mirror_story, an_answer_that_the_store_doubts_is_asked_for_over_a_connection_of_its_own) {
  api.script = {{{}, 2, true}, {{}, 5}};
  kept.commit_fails = {unconfirmed_answer(job.credential.id, "account transactions")};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(api.over, ElementsAre(connection_use::any, connection_use::fresh));
  EXPECT_THAT(kept.stored, ElementsAre("account 2024-11-22..2026-11-22 5 sweep"));
  // What the store judges by comes from the answer.
  api.script = {{{}, 2, true}};
  tell();
  EXPECT_FALSE(kept.evidence.front().rested_connection);
  EXPECT_TRUE(kept.evidence.back().rested_connection);
}

TEST_F(mirror_story, three_answers_that_break_off_give_up_and_store_nothing) {
  const scripted_api::step bad{of(verdict::retry, "truncated"), 2};
  api.script = {bad, bad, bad, {{}, 5}};
  const credential_report r = tell();
  EXPECT_EQ(r.failed, 1);
  EXPECT_EQ(r.error, "the provider said truncated");
  EXPECT_TRUE(kept.stored.empty());
  ASSERT_EQ(kept.runs.size(), 1U);
  EXPECT_EQ(kept.runs[0].outcome, outcome::failed);
  EXPECT_EQ(kept.runs[0].error_class, "truncated");
  EXPECT_EQ(kept.runs[0].requests, 3);
}

TEST_F(mirror_story, an_answer_that_never_began_has_used_up_the_tries_of_the_client) {
  api.script = {{of(verdict::retry, "http_500", 500), 0}, {{}, 5}};
  const credential_report r = tell();
  EXPECT_EQ(r.failed, 1);
  EXPECT_EQ(api.asked.size(), 1U);
  EXPECT_EQ(kept.runs.at(0).http_status, 500);
}

TEST_F(mirror_story,
       a_full_sweep_and_a_backfill_compare_with_the_values_and_a_daily_window_does_not) {
  product_coverage& c = job.credential.coverage[0];
  c.from = today - std::chrono::days{700};
  c.to = today;
  c.last_success = c.last_recent_sweep = c.last_sweep;
  const auto compared_with = [&] {
    kept.compared.clear();
    EXPECT_TRUE(tell().ok());
    return kept.compared.at(0);
  };
  EXPECT_EQ(compared_with(), comparing::fingerprints);
  c.last_sweep = instant{today - std::chrono::days{400}};
  EXPECT_EQ(compared_with(), comparing::values);
  c.last_sweep = instant{today - 24h};
  job.items = {plan_item{1, product::account, {today, today}}};
  EXPECT_EQ(compared_with(), comparing::values);
}

TEST_F(mirror_story, what_cannot_be_recorded_is_a_failure_of_the_credential) {
  auto& c = job.credential.coverage[0];
  c.from = day_from("2024-01-01");
  c.to = day_from("2026-11-21");
  c.provider_seen = api.said.last_update;
  kept.recording_fails = failure(stage::database, verdict::later, "database_disk_full", "full");
  const credential_report r = tell();
  EXPECT_FALSE(r.ok()) << "there was nothing to fetch, and nobody would know";
  EXPECT_EQ(r.error, "full");
  EXPECT_EQ(observer.not_recorded, 1);
}

TEST_F(mirror_story, too_large_is_asked_for_in_halves_oldest_first) {
  api.script = {{of(verdict::halve, "http_413", 413), 0}, {{}, 1}, {{}, 2}};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2024-11-22..2025-11-21 1 part size 366",
                                       "account 2025-11-22..2026-11-22 2 sweep size 366"));
}

TEST_F(mirror_story, a_short_history_is_read_from_its_beginning_and_remembered_with_its_last_part) {
  policy.history_months = 0;
  job.items = {plan_item{1, product::account, {today - std::chrono::days{3}, today}}};
  const failure refused = of(verdict::halve, "window_refused", 400);
  // 4 days; the younger 2; the older 2; the younger of those; the oldest; the last one again
  api.script = {{refused, 0}, {{}, 2}, {refused, 0}, {{}, 1}, {refused, 0}, {{}, 1}};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2026-11-21..2026-11-22 2 part",
                                       "account 2026-11-20..2026-11-20 1 part",
                                       "account 2026-11-20..2026-11-20 1 item 1 sweep history 3"));
  job.items.reset();
  job.credential.coverage[0].history_days = 3;
  kept.stored.clear();
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre(testing::HasSubstr("sweep history 0")))
      << "a bank that serves all again";
}

TEST_F(mirror_story, without_windows_on_the_other_side_all_history_is_planned_as_such) {
  product_coverage& c = job.credential.coverage[0];
  c.from = today - std::chrono::days{735};
  c.to = today;
  c.last_success = c.last_recent_sweep = c.last_sweep;
  c.window_days = 90;
  api.script = {{{}, 3}, {{}, 3}, {{}, 3}};
  const auto stored = [&] {
    kept.stored.clear();
    EXPECT_TRUE(tell().ok());
    return kept.stored;
  };
  EXPECT_THAT(stored(), ElementsAre("account 2026-10-23..2026-11-22 3"));
  api.windows = false;
  EXPECT_THAT(stored(), ElementsAre("account 2024-11-22..2026-11-22 3"))
      << "compared by fingerprints: no sweep, and nothing is learned of the size of windows";
  EXPECT_EQ(kept.compared.back(), comparing::fingerprints);
  c.last_sweep = instant{today - std::chrono::days{400}};
  EXPECT_THAT(stored(), ElementsAre("account 2024-11-22..2026-11-22 3 sweep"));
  EXPECT_EQ(kept.compared.back(), comparing::values);
}

TEST_F(mirror_story,
       without_windows_on_the_other_side_a_part_is_asked_for_as_a_part_and_never_less) {
  api.windows = false;
  job.items = {plan_item{1, product::account, {today - std::chrono::days{9}, today}}};
  api.script = {{of(verdict::later, "too_large", 413), 0}};
  EXPECT_EQ(tell().failed, 1);
  api.script = {{of(verdict::retry, "first_byte_timeout"), 0}};
  EXPECT_EQ(tell().failed, 1);
  EXPECT_THAT(api.asked,
              ElementsAre("account 2026-11-13..2026-11-22", "account 2026-11-13..2026-11-22"));
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2026-11-13..2026-11-22 0 item 1"));
}

TEST_F(mirror_story, whether_there_are_windows_must_be_known) {
  api.windows_unknown = of(verdict::retry, "http_500", 500);
  job.items = {plan_item{1, product::account, {today, today}}};
  EXPECT_EQ(tell().failed, 1);
  EXPECT_TRUE(api.asked.empty());
  EXPECT_THAT(kept.failed_items, testing::SizeIs(1));
  ASSERT_EQ(kept.runs.size(), 1U);
  EXPECT_EQ(kept.runs[0].error_class, "http_500");
}

TEST_F(mirror_story, a_slow_provider_is_asked_for_smaller_windows) {
  const scripted_api::step slow{of(verdict::retry, "first_byte_timeout"), 0};
  api.script = {slow, {{}, 1}, {{}, 1}};
  EXPECT_TRUE(tell().ok());
  EXPECT_EQ(kept.stored.size(), 2U);
}

TEST_F(mirror_story, a_dead_provider_is_not_asked_for_ever_smaller_windows) {
  const scripted_api::step dead{of(verdict::retry, "first_byte_timeout"), 0};
  api.script = std::deque<scripted_api::step>(50, dead);
  EXPECT_EQ(tell().failed, 1);
  EXPECT_EQ(api.asked.size(), 4U);
}

TEST_F(mirror_story, a_wait_that_is_not_for_the_answer_makes_no_window_smaller) {
  for (const char* wait : {"rate_grant_timeout", "connection_wait_timeout", "connect_timeout"}) {
    const std::size_t before = api.asked.size();
    api.script = {{of(verdict::later, wait), 0}};
    EXPECT_EQ(tell().failed, 1) << wait;
    EXPECT_EQ(api.asked.size(), before + 1) << wait;
  }
}

TEST_F(mirror_story, one_failing_product_does_not_stop_the_next) {
  policy.products = {product::account, product::card};
  api.script = {{of(verdict::later, "html"), 0}, {{}, 4}};
  const credential_report r = tell();
  EXPECT_EQ(r.failed, 1);
  EXPECT_THAT(kept.stored, ElementsAre("card 2024-11-22..2026-11-22 4 sweep"));
}

TEST_F(mirror_story, gone_or_refused_asks_nothing_more) {
  policy.products = {product::account, product::card};
  api.script = {{of(verdict::park, "not_found", 404), 0}};
  const credential_report r = tell();
  EXPECT_TRUE(r.not_found);
  EXPECT_EQ(api.asked.size(), 1U);
}

TEST_F(mirror_story, status_that_fails_leaves_every_item_of_the_plan_open) {
  api.status_fails = of(verdict::retry, "http_500", 500);
  job.items = {plan_item{1, product::account, {today, today}},
               plan_item{2, product::card, {today, today}}};
  const credential_report r = tell();
  EXPECT_EQ(r.failed, 1);
  EXPECT_THAT(kept.failed_items,
              ElementsAre("1: the provider said http_500", "2: the provider said http_500"));
  ASSERT_EQ(kept.runs.size(), 1U);
  EXPECT_FALSE(kept.runs[0].what);
}

TEST_F(mirror_story, backfill_fetches_exactly_the_items_and_finishes_one_only_with_its_last_half) {
  const window days{*day_from("2026-01-01"), *day_from("2026-01-04")};
  job.items = {plan_item{1, product::account, days}};
  api.script = {{of(verdict::halve, "http_413", 413), 0}, {{}, 1}, {{}, 2}};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2026-01-01..2026-01-02 1 part size 2",
                                       "account 2026-01-03..2026-01-04 2 item 1 size 2"));
}

TEST_F(mirror_story, backfill_of_a_pending_credential_stays_open_and_of_a_missing_product_closes) {
  const window days{today, today};
  job.items = {plan_item{1, product::card, days}};
  api.said.pending = true;
  EXPECT_EQ(tell().not_available, 1);
  EXPECT_EQ(kept.failed_items.size(), 1U);
  EXPECT_TRUE(api.asked.empty());
  api.said.pending = false;
  api.said.transactions[static_cast<std::size_t>(product::card)].created = false;
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.skipped_items, ElementsAre("1"));
}

// ---- its products

TEST_F(mirror_story, products_follow_the_transactions_and_keep_the_providers_refresh) {
  tell();
  EXPECT_THAT(api.listed, testing::ElementsAreArray(all_product_kinds));
  ASSERT_EQ(kept.products_stored.size(), all_product_kinds.size());
  EXPECT_EQ(kept.products_stored[0].provider_update, api.said.last_update);
  EXPECT_EQ(kept.products_stored[0].run_id, "run");
}

TEST_F(mirror_story, only_lists_that_the_provider_refreshed_are_asked_for) {
  for (auto& seen : job.credential.products_seen)
    seen = api.said.last_update;
  job.credential.products_seen[static_cast<std::size_t>(product_kind::card)] =
      *api.said.last_update - 1s;
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(api.listed, ElementsAre(product_kind::card));
  EXPECT_TRUE(kept.products_recorded.empty());
  api.listed.clear();
  job.force = true;
  tell();
  EXPECT_EQ(api.listed.size(), all_product_kinds.size()) << "a sync asks for all";
  api.listed.clear();
  job.force = false;
  job.credential.coverage[0].last_sweep.reset();
  tell();
  EXPECT_EQ(api.listed.size(), all_product_kinds.size()) << "a sweep asks for all";
}

TEST_F(mirror_story, what_a_reload_changes_waits_for_the_next_credential) {
  sync_policy other = policy;
  std::reverse(other.product_kinds.begin(), other.product_kinds.end());
  observer.when_listed = [&] { policy = other; };
  tell();
  EXPECT_THAT(api.listed, testing::ElementsAreArray(all_product_kinds));
  api.listed.clear();
  tell();
  EXPECT_THAT(api.listed, testing::ElementsAreArray(other.product_kinds));
}

TEST_F(mirror_story, a_failing_list_is_recorded_and_stops_no_other) {
  api.products_fail.emplace(product_kind::account, of(verdict::later, "http_500", 500));
  const credential_report r = tell();
  EXPECT_EQ(r.failed, 1);
  EXPECT_EQ(r.error, "the provider said http_500");
  EXPECT_EQ(kept.products_stored.size(), all_product_kinds.size() - 1);
  ASSERT_EQ(kept.products_recorded.size(), 1U);
  EXPECT_EQ(kept.products_recorded[0].outcome, outcome::failed);
  EXPECT_EQ(kept.products_recorded[0].error_class, "http_500");
}

TEST_F(mirror_story, not_created_is_not_asked_for_and_errored_is_a_failure) {
  api.said.products[static_cast<std::size_t>(product_kind::identity)].created = false;
  api.said.products[static_cast<std::size_t>(product_kind::holder)].errored = true;
  const credential_report r = tell();
  EXPECT_EQ(r.failed, 1);
  EXPECT_EQ(api.listed.size(), all_product_kinds.size() - 2);
  ASSERT_EQ(kept.products_recorded.size(), 2U);
  EXPECT_EQ(kept.products_recorded[0].outcome, outcome::not_available);
  EXPECT_EQ(kept.products_recorded[1].outcome, outcome::failed);
}

TEST_F(mirror_story, a_404_of_one_list_never_means_that_the_credential_is_gone) {
  api.products_fail.emplace(product_kind::identity, of(verdict::park, "not_found", 404));
  credential_report r = tell();
  EXPECT_TRUE(r.ok() && !r.not_found) << "the status did not say that it was extracted";
  EXPECT_EQ(kept.products_recorded.at(0).outcome, outcome::not_available);
  EXPECT_EQ(kept.products_stored.back().what, product_kind::holder);
  api.said.products[static_cast<std::size_t>(product_kind::identity)].created = true;
  r = tell();
  EXPECT_FALSE(r.not_found);
  EXPECT_EQ(r.failed, 1);
}

TEST_F(mirror_story, lists_that_are_switched_off_and_those_of_other_products_are_left_alone) {
  policy.product_kinds.clear();
  tell();
  EXPECT_TRUE(api.listed.empty());
  policy.product_kinds = {product_kind::account, product_kind::card, product_kind::holder};
  job.products = {product::card};
  tell();
  EXPECT_THAT(api.listed, ElementsAre(product_kind::card));
}

TEST_F(mirror_story, after_a_lost_lease_no_other_window_is_asked_for) {
  failure lost(stage::lease, verdict::later, "lease_lost", "gone");
  api.script = {{lost, 0}};
  EXPECT_TRUE(tell().lease_lost);
  EXPECT_EQ(api.asked.size(), 1U);
}

TEST_F(mirror_story, a_size_that_worked_is_where_the_next_fetch_starts_and_grows_again) {
  job.credential.coverage[0].window_days = 366;
  api.script = {{{}, 1}, {{}, 2}};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2024-11-22..2025-11-21 1 part",
                                       "account 2025-11-22..2026-11-22 2 sweep size 0"));
}

TEST_F(mirror_story, a_window_smaller_than_the_size_proves_nothing_about_it) {
  auto& c = job.credential.coverage[0];
  c.from = day_from("2024-01-01");
  c.to = today;
  c.window_days = 60;
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2026-10-23..2026-11-22 0"));
}

TEST_F(mirror_story, halves_that_fail_again_are_halved_again_and_the_rest_with_them) {
  const window days{*day_from("2026-01-01"), *day_from("2026-01-08")};
  job.items = {plan_item{1, product::account, days}};
  const scripted_api::step large{of(verdict::halve, "http_413", 413), 0};
  api.script = {large, large, {{}, 1}, {{}, 1}, {{}, 1}, {{}, 1}};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.stored, ElementsAre("account 2026-01-01..2026-01-02 1 part size 2",
                                       "account 2026-01-03..2026-01-04 1 part size 2",
                                       "account 2026-01-05..2026-01-06 1 part size 2",
                                       "account 2026-01-07..2026-01-08 1 item 1 size 2"));
  EXPECT_THAT(kept.parts_before, ElementsAre(0, 1, 2, 3)) << "what is absent is handed on";
}

TEST_F(mirror_story, what_is_absent_is_never_handed_on_to_another_product) {
  policy.products = {product::account, product::card};
  EXPECT_TRUE(tell().ok());
  EXPECT_THAT(kept.parts_before, ElementsAre(0, 0));
}

TEST_F(mirror_story, absence_proves_something_about_the_days_that_history_holds) {
  EXPECT_TRUE(tell().ok());
  ASSERT_EQ(kept.evidence.size(), 1U);
  EXPECT_EQ(kept.evidence[0].provable, (window{*day_from("2024-11-24"), today, true}));
}

TEST_F(mirror_story, a_suspicious_window_is_reported) {
  kept.outcome = outcome::suspicious;
  const credential_report r = tell();
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.suspicious, 1);
}

}  // namespace
}  // namespace flanks
