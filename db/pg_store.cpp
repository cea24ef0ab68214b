#include "db/pg_store.hpp"

#include <utility>

#include "db/backfill.hpp"
#include "db/entities.hpp"
#include "db/leases.hpp"
#include "db/mirror_problems.hpp"
#include "db/pg/clock.hpp"
#include "db/pg/connection_pool.hpp"
#include "db/pg/text_format.hpp"
#include "db/product_writer.hpp"
#include "db/successions.hpp"
#include "db/windows/ledger.hpp"
#include "db/write_batcher.hpp"

namespace flanks {

namespace {

// Every method is the same three lines: a job or a request by reference, the hop, the result. (One
// full expression with co_await holds only names: house rule for g++ 12.)
class pg_store final : public store {
 public:
  pg_store(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(loop, std::move(options))),
        permits_(std::make_shared<window_permits>(loop, pool_->options().open_windows)),
        small_(loop, pool_, pool_use::brief, 1),
        // Two: while one transaction writes, another one compares.
        windows_(loop, pool_, pool_use::held, 2) {}
  ~pg_store() override { pool_->close(); }

  awaitable<std::vector<claimed_credential>> claim_due(int limit,
                                                       std::chrono::milliseconds age) override {
    const auto sent = std::chrono::steady_clock::now();
    std::vector<claimed_credential> result;
    const job work = [&](pg_connection& db) {
      result = leases::claim_due(db, pool_->options(), limit, age);
    };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    for (claimed_credential& c : result)
      c.claimed_at = sent;
    co_return result;
  }

  awaitable<std::int64_t> unheld_due(std::chrono::milliseconds age) override {
    std::int64_t result = 0;
    const job work = [&](pg_connection& db) { result = leases::unheld_due(db, age); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<std::optional<claimed_credential>> claim(credential_id id) override {
    const auto sent = std::chrono::steady_clock::now();
    claim_request asked{id, nullptr, false, {}};
    auto running = small_.run(&asked, stage::database);
    co_await std::move(running);
    if (asked.result) asked.result->claimed_at = sent;
    co_return std::move(asked.result);
  }

  awaitable<bool> renew(credential_id id, lease_id lease) override {
    bool result = false;
    const job work = [&](pg_connection& db) {
      result = leases::renew(db, pool_->options(), id, lease);
    };
    pool_->keep_alive();
    auto running = pool_->run(work, stage::lease);
    co_await std::move(running);
    co_return result;
  }

  awaitable<void> release(credential_id id, lease_id lease, next_attempt next) override {
    release_request asked{id, std::move(lease), std::move(next), false};
    auto running = small_.run(&asked, stage::lease);
    co_await std::move(running);
  }

  awaitable<void> release_untouched(credential_id id, lease_id lease) override {
    release_request asked{id, std::move(lease), std::nullopt, false};
    auto running = small_.run(&asked, stage::lease);
    co_await std::move(running);
  }

  awaitable<std::optional<std::chrono::seconds>> next_due() override {
    std::optional<std::chrono::seconds> result;
    const job work = [&](pg_connection& db) { result = leases::next_due(db); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<std::chrono::seconds> clock_ahead() override {
    std::chrono::seconds ahead{};
    const job work = [&](pg_connection& db) { ahead = pg_clock_ahead(db); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return ahead;
  }

  awaitable<void> note_problem(mirror_problem which, std::optional<failure> what) override {
    const job work = [&](pg_connection& db) {
      mirror_problems::note(db, pool_->options(), which, what);
    };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
  }

  awaitable<void> forget_problems() override {
    const job work = [&](pg_connection& db) { mirror_problems::forget(db, pool_->options()); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
  }

  awaitable<bool> record_status(credential_id id, lease_id lease,
                                credential_status status) override {
    status_request asked{id, std::move(lease), std::move(status), false, false};
    auto running = small_.run(&asked, stage::write);
    co_await std::move(running);
    co_return asked.availability_changed;
  }

  awaitable<void> record_runs(std::vector<run_record> records) override {
    if (records.empty()) co_return;
    runs_request asked{std::move(records), {}, false};
    for (std::size_t i = 0; i < asked.records.size(); ++i)
      asked.ids.push_back(random_uuid());  // once: repeating the job writes no second row
    auto running = small_.run(&asked, stage::write);
    co_await std::move(running);
  }

  awaitable<std::unique_ptr<window_ledger>> open_window(credential_id id, lease_id lease,
                                                        product what, window days,
                                                        std::optional<std::int64_t> item,
                                                        comparing how) override {
    auto taking = permits_->take();
    auto permit = co_await std::move(taking);
    window_scope scope{
        id, std::move(lease), what, days, item, pool_->options().query, how == comparing::values};
    co_return make_ledger(pool_, windows_, std::move(permit), std::move(scope));
  }

  awaitable<product_run> store_products(credential_id id, lease_id lease, product_batch batch,
                                        product_run run, removal_limits limits) override {
    run.credential = id;
    products::product_request asked{lease, batch, std::move(run), limits, random_uuid()};
    const job work = [&](pg_connection& db) { products::store(db, asked); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
    co_return std::move(*asked.written);
  }

  awaitable<void> record_product_run(product_run run) override {
    const std::string product_run_id = random_uuid();
    const job work = [&](pg_connection& db) { products::record(db, run, product_run_id); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<std::vector<succession_pair>> follow_successions(credential_id id) override {
    std::vector<succession_pair> opened;
    const job work = [&](pg_connection& db) { opened = successions::follow(db, id); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
    co_return opened;
  }

  awaitable<bool> claim_entities() override {
    bool result = false;
    const job work = [&](pg_connection& db) { result = entities::claim(db); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<void> store_entities(product_batch batch) override {
    const job work = [&](pg_connection& db) { entities::store(db, batch); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<void> fail_entities(std::string error) override {
    const job work = [&](pg_connection& db) { entities::fail(db, error); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<backfill_plan> plan_backfill(selection who, window days, bool explicit_days,
                                         bool restart) override {
    backfill_plan result;
    const job work = [&](pg_connection& db) {
      result = backfill::plan(db, who, days, explicit_days, restart);
    };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<backfill_plan> preview_backfill(selection who, window days, bool explicit_days,
                                            bool restart) override {
    backfill_plan result;
    const job work = [&](pg_connection& db) {
      result = backfill::preview(db, who, days, explicit_days, restart);
    };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<std::vector<credential_id>> backfill_credentials(std::int64_t backfill_id,
                                                             credential_id after,
                                                             int limit) override {
    std::vector<credential_id> result;
    const job work = [&](pg_connection& db) {
      result = backfill::credentials(db, backfill_id, after, limit);
    };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

  awaitable<backfill_claim> claim_for(std::int64_t backfill_id, credential_id id) override {
    const auto sent = std::chrono::steady_clock::now();
    items_request items{backfill_id, id, false, {}};
    claim_request asked{id, &items, false, {}};
    auto running = small_.run(&asked, stage::database);
    co_await std::move(running);
    if (asked.result) asked.result->claimed_at = sent;
    co_return backfill_claim{std::move(asked.result), std::move(items.result)};
  }

  awaitable<void> fail_item(std::int64_t item_id, std::string error) override {
    const job work = [&](pg_connection& db) { backfill::fail_item(db, item_id, error); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<void> skip_item(std::int64_t item_id, std::string reason) override {
    const job work = [&](pg_connection& db) { backfill::skip_item(db, item_id, reason); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
  }

  awaitable<std::int64_t> finish_backfill(std::int64_t backfill_id) override {
    std::int64_t result = 0;
    const job work = [&](pg_connection& db) { result = backfill::finish(db, backfill_id); };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
    co_return result;
  }

  awaitable<chosen_credentials> resolve(selection who) override {
    chosen_credentials result;
    const job work = [&](pg_connection& db) { result = backfill::resolve(db, who); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return result;
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
  std::shared_ptr<window_permits> permits_;
  write_batcher small_;    // a row or two each
  write_batcher windows_;  // beside them, so that no claim waits for rows
};

}  // namespace

std::unique_ptr<store> make_store(boost::asio::any_io_executor loop, db_options options) {
  return std::make_unique<pg_store>(std::move(loop), std::move(options));
}

}  // namespace flanks
