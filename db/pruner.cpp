#include "db/pruner.hpp"

#include "db/pg/connection_pool.hpp"

namespace flanks {

namespace {

class pg_pruner final : public pruner {
 public:
  pg_pruner(boost::asio::any_io_executor loop, db_options options)
      : pool_(std::make_shared<pg_connection_pool>(std::move(loop), std::move(options))) {}
  ~pg_pruner() override { pool_->close(); }

  boost::asio::awaitable<bool> claim() override {
    bool ours = false;
    const job work = [&](pg_connection& db) { ours = claim_pruning(db); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return ours;
  }

  boost::asio::awaitable<pruning::progress> step(pruning& pass) override {
    auto reached = pruning::progress::looked;
    const job work = [&](pg_connection& db) { reached = pass.step(db); };
    auto running = pool_->run(work, stage::database);
    co_await std::move(running);
    co_return reached;
  }

 private:
  std::shared_ptr<pg_connection_pool> pool_;
};

}  // namespace

std::unique_ptr<pruner> make_pruner(boost::asio::any_io_executor loop, db_options options) {
  options.pool = "retention";
  options.connections = 2;  // the least that a pool has; the second one is never opened
  return std::make_unique<pg_pruner>(std::move(loop), std::move(options));
}

}  // namespace flanks
