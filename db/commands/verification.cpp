#include "db/commands/verification.hpp"

#include "db/commands/comparison.hpp"
#include "db/pg/connection_pool.hpp"

namespace flanks {

namespace {

constexpr statement covered_days{"proof_covered", R"(
select lower(r), case when r @> c.read_on then c.read_on else upper(r) - 1 end, coalesce(r @> c.read_on, false)
from flanks.coverage c, unnest(c.days) as u(r)
where c.credential_id = $1 and c.product = $2 and c.query = $3 order by 1)"};

constexpr statement write_proof{"insert_verification", R"(
insert into flanks.verifications (run_id, credential_id, product, window_from, window_to, outcome, compared, missing, extra,
  altered, quarantined, provider_updated_at, detail, started_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, nullif($13, ''), $14))"};

class pg_comparison final : public comparison_ledger {
 public:
  pg_comparison(std::shared_ptr<pg_connection_pool> pool, window_scope scope)
      : pool_(std::move(pool)), scope_(std::move(scope)) {}

  awaitable<void> apply(transaction_batch batch) override {
    // What they were is of no use here, only which they were.
    for (rejected_record& r : batch.rejected)
      r.raw = std::string();
    buffered_bytes_ += batch.bytes();
    buffered_.push_back(std::move(batch));
    if (buffered_bytes_ < answer_buffer_limit) co_return;
    auto flushing = flush();
    co_await std::move(flushing);
  }

  awaitable<comparison> compare(int limit) override {
    auto flushing = flush();
    co_await std::move(flushing);
    comparison found;
    const job comparing = [&](pg_connection& db) {
      found = window_->compare(limit);
      db.rollback();
    };
    auto compared = connection_->run(comparing, stage::database, false);
    co_await std::move(compared);
    connection_.reset();
    co_return found;
  }

 private:
  awaitable<void> flush() {
    if (connection_ == nullptr) {
      auto taking = pool_->take(pool_use::held);
      connection_ = co_await std::move(taking);
      const job opening = [&](pg_connection& db) { window_.emplace(db, scope_); };
      auto opened = connection_->run(opening, stage::database, true);
      co_await std::move(opened);
    }
    const job taking_in = [&](pg_connection&) { window_->take(buffered_); };
    auto taken = connection_->run(taking_in, stage::database, false);
    co_await std::move(taken);
    buffered_.clear();
    buffered_bytes_ = 0;
  }

  std::shared_ptr<pg_connection_pool> pool_;
  window_scope scope_;
  std::vector<transaction_batch> buffered_;
  std::size_t buffered_bytes_ = 0;
  std::optional<window_comparison> window_;        // names connection_
  std::unique_ptr<pooled_connection> connection_;  // rolls back when it is given back
};

class pg_proof_store final : public proof_store {
 public:
  pg_proof_store(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(std::move(loop), std::move(options))) {}
  ~pg_proof_store() override { pool_->close(); }

  awaitable<std::vector<window>> covered(credential_id id, product what) override {
    std::vector<window> days;
    const job work = [&](pg_connection& db) {
      days.clear();
      for (const auto& r :
           db.run(covered_days, sql_values(id, to_string(what), pool_->options().query))) {
        const auto from = day_from(r[0].c_str());
        const auto to = day_from(r[1].c_str());
        if (from && to) days.push_back({*from, *to, r[2].as<bool>()});
      }
    };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return days;
  }

  awaitable<std::unique_ptr<comparison_ledger>> open(credential_id id, lease_id lease, product what,
                                                     window days) override {
    window_scope scope{id, std::move(lease), what, days, std::nullopt, pool_->options().query};
    co_return std::make_unique<pg_comparison>(pool_, std::move(scope));
  }

  awaitable<void> record(proof_record r) override {
    std::optional<day> from, to;
    if (r.days) from = r.days->from, to = r.days->to;
    const comparison& c = r.found;
    const job work = [&](pg_connection& db) {
      db.run(write_proof,
             sql_values(r.run_id, r.credential, to_string(r.what), from, to, to_string(r.outcome),
                        c.compared, c.missing, c.extra, c.altered, c.quarantined, r.provider_update,
                        r.detail, r.started_at));
    };
    auto running = pool_->run(work, stage::write);
    co_await std::move(running);
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
};

}  // namespace

std::unique_ptr<proof_store> make_proof_store(boost::asio::any_io_executor loop,
                                              db_options options) {
  return std::make_unique<pg_proof_store>(std::move(loop), std::move(options));
}

}  // namespace flanks
