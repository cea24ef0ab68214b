#include "db/pg_store.hpp"

#include <array>
#include <utility>

#include "db/backfill.hpp"
#include "db/entities.hpp"
#include "db/group_commit.hpp"
#include "db/lane.hpp"
#include "db/leases.hpp"
#include "db/ledger.hpp"
#include "db/product_writer.hpp"
#include "db/text_format.hpp"

namespace flanks {

namespace {

// Every method is the same three lines: a job or a request by reference, the hop, the result. (One
// full expression with co_await holds only names: house rule for g++ 12.)
class pg_store final : public store {
 public:
  pg_store(boost::asio::any_io_executor loop, db_options options)
      : lanes_(std::make_shared<lane_pool>(loop, std::move(options))),
        windows_(std::make_shared<open_windows>(loop, lanes_->options().open_windows)),
        group_(loop, lanes_),
        quiet_(loop, lanes_),
        changed_{group_commit(loop, lanes_), group_commit(loop, lanes_)} {}
  ~pg_store() override { lanes_->close(); }

  awaitable<std::vector<claimed_credential>> claim_due(int limit,
                                                       std::chrono::milliseconds age) override {
    const auto sent = std::chrono::steady_clock::now();
    std::vector<claimed_credential> result;
    const job work = [&](session& db) {
      result = leases::claim_due(db, lanes_->options(), limit, age);
    };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    for (claimed_credential& c : result)
      c.claimed_at = sent;
    co_return result;
  }

  awaitable<std::int64_t> unheld_due(std::chrono::milliseconds age) override {
    std::int64_t result = 0;
    const job work = [&](session& db) { result = leases::unheld_due(db, age); };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<std::optional<claimed_credential>> claim(credential_id id) override {
    const auto sent = std::chrono::steady_clock::now();
    claim_request asked{id, nullptr, false, {}};
    auto running = group_.run(&asked, stage::database);
    co_await std::move(running);
    if (asked.result) asked.result->claimed_at = sent;
    co_return std::move(asked.result);
  }

  awaitable<bool> renew(credential_id id, lease_id lease) override {
    bool result = false;
    const job work = [&](session& db) { result = leases::renew(db, lanes_->options(), id, lease); };
    lanes_->keep_alive();
    auto running = lanes_->run(work, stage::lease);
    co_await std::move(running);
    co_return result;
  }

  awaitable<void> release(credential_id id, lease_id lease, next_attempt next) override {
    release_request asked{id, std::move(lease), std::move(next), false};
    auto running = group_.run(&asked, stage::lease);
    co_await std::move(running);
  }

  awaitable<void> release_untouched(credential_id id, lease_id lease) override {
    release_request asked{id, std::move(lease), std::nullopt, false};
    auto running = group_.run(&asked, stage::lease);
    co_await std::move(running);
  }

  awaitable<std::optional<std::chrono::seconds>> next_due() override {
    std::optional<std::chrono::seconds> result;
    const job work = [&](session& db) { result = leases::next_due(db); };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<void> record_status(credential_id id, lease_id lease,
                                credential_status status) override {
    status_request asked{id, std::move(lease), std::move(status), false};
    auto running = group_.run(&asked, stage::write);
    co_await std::move(running);
  }

  awaitable<void> record_runs(std::vector<run_record> records) override {
    if (records.empty()) co_return;
    runs_request asked{std::move(records), {}, false};
    for (std::size_t i = 0; i < asked.records.size(); ++i)
      asked.ids.push_back(random_uuid());  // once: repeating the job writes no second row
    auto running = group_.run(&asked, stage::write);
    co_await std::move(running);
  }

  awaitable<std::unique_ptr<window_ledger>> open_window(credential_id id, lease_id lease,
                                                        product what, window days,
                                                        std::optional<std::int64_t> item) override {
    auto taking = windows_->take();
    auto place = co_await std::move(taking);
    window_scope scope{id, std::move(lease), what, days, item, lanes_->options().query};
    const auto half = static_cast<std::size_t>(id.value) % changed_.size();
    const window_groups groups{quiet_, changed_.at(half)};
    co_return make_ledger(lanes_, groups, std::move(place), std::move(scope));
  }

  awaitable<product_run> store_products(credential_id id, lease_id lease, product_batch batch,
                                        product_run run) override {
    const std::string product_run_id = random_uuid();
    run.credential = id;
    product_run result;
    bool again = false;  // the connection died during COMMIT: it may have happened
    const job work = [&](session& db) {
      const bool repeated = std::exchange(again, true);
      result = products::store(db, lease, batch, run, product_run_id, repeated);
    };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
    co_return result;
  }

  awaitable<void> record_product_run(product_run run) override {
    const std::string product_run_id = random_uuid();
    const job work = [&](session& db) { products::record(db, run, product_run_id); };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<bool> claim_entities() override {
    bool result = false;
    const job work = [&](session& db) { result = entities::claim(db); };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<void> store_entities(product_batch batch) override {
    const job work = [&](session& db) { entities::store(db, batch); };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<void> fail_entities(std::string error) override {
    const job work = [&](session& db) { entities::fail(db, error); };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<backfill_plan> plan_backfill(selection who, window days, bool explicit_days,
                                         bool restart) override {
    backfill_plan result;
    const job work = [&](session& db) {
      result = backfill::plan(db, who, days, explicit_days, restart);
    };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<backfill_plan> preview_backfill(selection who, window days, bool explicit_days,
                                            bool restart) override {
    backfill_plan result;
    const job work = [&](session& db) {
      result = backfill::preview(db, who, days, explicit_days, restart);
    };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<std::vector<credential_id>> backfill_credentials(std::int64_t backfill_id,
                                                             credential_id after,
                                                             int limit) override {
    std::vector<credential_id> result;
    const job work = [&](session& db) {
      result = backfill::credentials(db, backfill_id, after, limit);
    };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<backfill_claim> claim_for(std::int64_t backfill_id, credential_id id) override {
    const auto sent = std::chrono::steady_clock::now();
    items_request items{backfill_id, id, false, {}};
    claim_request asked{id, &items, false, {}};
    auto running = group_.run(&asked, stage::database);
    co_await std::move(running);
    if (asked.result) asked.result->claimed_at = sent;
    co_return backfill_claim{std::move(asked.result), std::move(items.result)};
  }

  awaitable<void> fail_item(std::int64_t item_id, std::string error) override {
    const job work = [&](session& db) { backfill::fail_item(db, item_id, error); };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<void> skip_item(std::int64_t item_id, std::string reason) override {
    const job work = [&](session& db) { backfill::skip_item(db, item_id, reason); };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<std::int64_t> finish_backfill(std::int64_t backfill_id) override {
    std::int64_t result = 0;
    const job work = [&](session& db) { result = backfill::finish(db, backfill_id); };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
    co_return result;
  }

  awaitable<std::vector<credential_id>> resolve(selection who) override {
    std::vector<credential_id> result;
    const job work = [&](session& db) { result = backfill::resolve(db, who); };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

 private:
  std::shared_ptr<lane_pool> lanes_;
  std::shared_ptr<open_windows> windows_;
  group_commit group_;
  group_commit quiet_;  // windows that bring nothing; beside the others
  // Windows that bring rows, by credential: while one transaction writes, another one compares.
  std::array<group_commit, 2> changed_;
};

}  // namespace

std::unique_ptr<store> make_store(boost::asio::any_io_executor loop, db_options options) {
  return std::make_unique<pg_store>(std::move(loop), std::move(options));
}

}  // namespace flanks
