#include "db/windows/ledger.hpp"

#include <array>
#include <optional>

#include "db/pg/text_format.hpp"
#include "db/windows/window_batch.hpp"

namespace flanks {

namespace {

class pg_ledger final : public window_ledger {
 public:
  pg_ledger(std::shared_ptr<pg_connection_pool> pool, write_batcher& windows,
            std::unique_ptr<window_permits::permit> permit, window_scope scope)
      : permit_(std::move(permit)),
        pool_(std::move(pool)),
        windows_(windows),
        scope_(std::move(scope)) {}

  awaitable<void> apply(transaction_batch batch) override {
    refuse_after_failure();
    request_.bytes += batch.bytes();
    buffered_.push_back(std::move(batch));
    if (request_.bytes < answer_buffer_limit) co_return;
    failed_ = true;
    auto writing = write(nullptr);
    co_await std::move(writing);
    failed_ = false;
    buffered_.clear();
    request_.bytes = 0;
  }

  awaitable<run_record> commit(run_record record, window_evidence evidence,
                               absent_rows& absent) override {
    refuse_after_failure();
    failed_ = true;  // until it is known to be well; and there is nothing after it
    request_.record = std::move(record);
    request_.evidence = evidence;
    request_.absent = absent;  // ours only when it is committed
    if (request_.streamed) {
      auto finishing = finish_streamed();
      co_await std::move(finishing);
    } else {
      auto writing = windows_.run(&request_, stage::commit);
      co_await std::move(writing);
    }
    absent = std::move(request_.written->absent);
    co_return std::move(request_.written->record);
  }

  awaitable<void> abandon() override {
    failed_ = true;
    buffered_.clear();
    if (connection_ == nullptr) co_return;
    const job undo = [](pg_connection& db) { db.rollback(); };
    std::exception_ptr ignored;  // a lost connection has rolled back by itself
    try {
      auto undoing = connection_->run(undo, stage::write, false);
      co_await std::move(undoing);
    } catch (const failure&) {
      ignored = std::current_exception();
    }
    connection_.reset();
  }

 private:
  void refuse_after_failure() const {
    if (failed_) {
      throw failure(stage::write, verdict::later, "ledger_closed",
                    "this window has failed or is committed already");
    }
  }

  // What is buffered, and after it `last`, in one visit to the connection; the window is opened
  // first where it is not.
  awaitable<void> write(const step* last) {
    const std::array requests{&request_};
    const job opening = [&](pg_connection& db) {
      db.begin();
      db.force_index_plans();
      batch_.emplace(db, requests);
      batch_->open();
    };
    const job writing = [&](pg_connection&) { batch_->write(); };
    std::vector<step> steps;
    if (connection_ == nullptr) {
      auto taking = pool_->take(pool_use::held);
      connection_ = co_await std::move(taking);
      request_.streamed = true;
      steps.push_back({opening, stage::database, true});
    }
    steps.push_back({writing, stage::write, false});
    if (last != nullptr) steps.push_back(*last);
    auto running = connection_->run(std::move(steps));
    co_await std::move(running);
  }

  awaitable<void> finish_streamed() {
    bool in_doubt = false;
    const job finishing = [&](pg_connection& db) {
      batch_->finish();
      try {
        db.commit();
      } catch (const sql_problem& problem) {
        if (!problem.in_doubt) throw;
        in_doubt = true;
      }
    };
    const step last{finishing, stage::commit, false};
    auto writing = write(&last);
    co_await std::move(writing);
    if (in_doubt) {
      auto asking = ask_how_it_ended();
      co_await std::move(asking);
    }
    connection_.reset();
  }

  // The connection went during COMMIT: asks on a new one.
  awaitable<void> ask_how_it_ended() {
    const std::array requests{&request_};
    const job asking = [&](pg_connection& db) {
      db.begin();
      find_committed(db, requests);
      db.rollback();
    };
    auto asked = connection_->run(asking, stage::commit, true);
    co_await std::move(asked);
    if (!request_.done) {
      throw failure(stage::commit, verdict::retry, "database_lost",
                    "the connection to the database was lost during commit; nothing was stored");
    }
  }

  std::unique_ptr<window_permits::permit> permit_;  // given back when all else is gone
  std::shared_ptr<pg_connection_pool> pool_;
  write_batcher& windows_;
  window_scope scope_;
  std::vector<transaction_batch> buffered_;
  window_request request_{.scope = scope_, .answer = buffered_, .sync_run_id = random_uuid()};
  std::optional<window_batch> batch_;  // names connection_'s; touches nothing when it dies
  std::unique_ptr<pooled_connection> connection_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<window_ledger> make_ledger(std::shared_ptr<pg_connection_pool> pool,
                                           write_batcher& windows,
                                           std::unique_ptr<window_permits::permit> permit,
                                           window_scope scope) {
  return std::make_unique<pg_ledger>(std::move(pool), windows, std::move(permit), std::move(scope));
}

}  // namespace flanks
