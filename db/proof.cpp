#include "db/proof.hpp"

#include "db/comparison.hpp"
#include "db/lane.hpp"

namespace flanks {

namespace {

// What may wait in memory before a lane is taken, and what one COPY holds.
constexpr std::size_t proof_buffer_limit = 1024 * 1024;

constexpr statement covered_days{"proof_covered", R"(
select lower(r), upper(r) - 1 from flanks.coverage c, unnest(c.days) as u(r)
where c.credential_id = $1 and c.product = $2 and c.query = $3 order by 1)"};

constexpr statement write_proof{"insert_verification", R"(
insert into flanks.verifications (run_id, credential_id, product, window_from, window_to, outcome, compared, missing, extra,
  altered, quarantined, provider_updated_at, detail, started_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, nullif($13, ''), $14))"};

std::size_t waiting_bytes(const transaction_batch& batch) {
  return batch.text.bytes() + batch.transactions.size() * sizeof(transaction) +
         batch.rejected.size() * sizeof(rejected_record);
}

class pg_comparison final : public comparison_ledger {
 public:
  pg_comparison(std::shared_ptr<lane_pool> lanes, window_scope scope)
      : lanes_(std::move(lanes)), scope_(std::move(scope)) {}

  awaitable<void> apply(transaction_batch batch) override {
    // What they were is of no use here, only which they were.
    for (rejected_record& r : batch.rejected)
      r.raw = std::string();
    buffered_bytes_ += waiting_bytes(batch);
    buffered_.push_back(std::move(batch));
    if (buffered_bytes_ < proof_buffer_limit) co_return;
    auto flushing = flush();
    co_await std::move(flushing);
  }

  awaitable<comparison> compare(int limit) override {
    auto flushing = flush();
    co_await std::move(flushing);
    comparison found;
    const job comparing = [&](session& db) {
      found = window_->compare(limit);
      db.rollback();
    };
    auto compared = lane_->run(comparing, stage::database, false);
    co_await std::move(compared);
    lane_.reset();
    co_return found;
  }

 private:
  awaitable<void> flush() {
    if (lane_ == nullptr) {
      auto taking = lanes_->take(lane_use::held);
      lane_ = co_await std::move(taking);
      const job opening = [&](session& db) { window_.emplace(db, scope_); };
      auto opened = lane_->run(opening, stage::database, true);
      co_await std::move(opened);
    }
    const job taking_in = [&](session&) { window_->take(buffered_); };
    auto taken = lane_->run(taking_in, stage::database, false);
    co_await std::move(taken);
    buffered_.clear();
    buffered_bytes_ = 0;
  }

  std::shared_ptr<lane_pool> lanes_;
  window_scope scope_;
  std::vector<transaction_batch> buffered_;
  std::size_t buffered_bytes_ = 0;
  std::optional<window_comparison> window_;  // names lane_'s session
  std::unique_ptr<lane_hold> lane_;          // rolls back when it is given back
};

class pg_proof_store final : public proof_store {
 public:
  pg_proof_store(boost::asio::any_io_executor loop, db_options options)
      : lanes_(std::make_shared<lane_pool>(std::move(loop), std::move(options))) {}
  ~pg_proof_store() override { lanes_->close(); }

  awaitable<std::vector<window>> covered(credential_id id, product what) override {
    std::vector<window> days;
    const job work = [&](session& db) {
      days.clear();
      for (const auto& r :
           db.run(covered_days, sql_values(id, to_string(what), lanes_->options().query))) {
        const auto from = day_from(r[0].c_str());
        const auto to = day_from(r[1].c_str());
        if (from && to) days.push_back({*from, *to});
      }
    };
    auto running = lanes_->run(work, stage::database);
    co_await std::move(running);
    co_return days;
  }

  awaitable<std::unique_ptr<comparison_ledger>> open(credential_id id, lease_id lease, product what,
                                                     window days) override {
    window_scope scope{id, std::move(lease), what, days, std::nullopt, lanes_->options().query};
    co_return std::make_unique<pg_comparison>(lanes_, std::move(scope));
  }

  awaitable<void> record(proof_record r) override {
    std::optional<day> from, to;
    if (r.days) from = r.days->from, to = r.days->to;
    const comparison& c = r.found;
    const job work = [&](session& db) {
      db.run(write_proof, sql_values(r.run_id, r.credential, to_string(r.what), from, to,
                                     to_string(r.how), c.compared, c.missing, c.extra, c.altered,
                                     c.quarantined, r.provider_update, r.detail, r.started_at));
    };
    auto running = lanes_->run(work, stage::write);
    co_await std::move(running);
  }

 private:
  std::shared_ptr<lane_pool> lanes_;
};

}  // namespace

std::unique_ptr<proof_store> make_proof_store(boost::asio::any_io_executor loop,
                                              db_options options) {
  return std::make_unique<pg_proof_store>(std::move(loop), std::move(options));
}

}  // namespace flanks
