#include "db/ledger.hpp"

#include <fmt/format.h>

#include "db/text_format.hpp"

namespace flanks {

namespace {

// What may wait in memory before a lane is taken, and what one COPY holds.
constexpr std::size_t buffer_limit = 1024 * 1024;

std::size_t bytes_of(const transaction_batch& batch) {
  std::size_t bytes = batch.text.bytes() + batch.transactions.size() * sizeof(transaction);
  for (const rejected_record& r : batch.rejected)
    bytes += sizeof r + r.raw.size() + r.detail.size();
  return bytes;
}

failure not_as_expected(const window_scope& scope) {
  return failure(stage::commit, verdict::retry, "database_race",
                 fmt::format("credential {}: {} rows were touched while an answer came that "
                             "would have brought nothing; it is read again",
                             scope.credential.value, to_string(scope.what)));
}

class pg_ledger final : public window_ledger {
 public:
  pg_ledger(std::shared_ptr<lane_pool> lanes, window_groups groups,
            std::unique_ptr<open_windows::place> place, window_scope scope)
      : place_(std::move(place)),
        lanes_(std::move(lanes)),
        groups_(groups),
        scope_(std::move(scope)) {}

  awaitable<void> apply(transaction_batch batch) override {
    refuse_after_failure();
    buffered_bytes_ += bytes_of(batch);
    buffered_.push_back(std::move(batch));
    if (buffered_bytes_ < buffer_limit) co_return;
    auto flushing = flush();
    co_await std::move(flushing);
  }

  awaitable<run_record> commit(run_record record, window_evidence evidence,
                               absent_rows& absent) override {
    refuse_after_failure();
    if (lane_ == nullptr) {
      window_request asked{scope_, buffered_, evidence, random_uuid(), record};
      if (is_plain(asked, absent)) {
        failed_ = true;
        auto settling = settle_with_others(asked);
        const bool settled = co_await std::move(settling);
        if (settled) co_return std::move(asked.record);
        failed_ = false;
      }
    }
    // Never taken for an answer without records.
    if (evidence.as_expected) throw not_as_expected(scope_);
    failed_ = true;  // until it is known to be well
    bool in_doubt = false;
    absent_rows left = absent;  // touched on the lane, and ours only when it is committed
    const job committing = [&](session&) {
      try {
        writer_->commit(std::move(record), evidence, left);
      } catch (const sql_problem& problem) {
        if (!problem.in_doubt) throw;
        in_doubt = true;
      }
    };
    const step last{committing, stage::commit, false};
    auto writing = write(&last);
    co_await std::move(writing);
    if (in_doubt) {
      auto resolving = resolve_doubt();
      co_await std::move(resolving);
    }
    absent = std::move(left);
    lane_.reset();
    co_return writer_->finished();
  }

  awaitable<void> abandon() override {
    failed_ = true;
    buffered_.clear();
    if (lane_ == nullptr) co_return;
    const job undo = [](session& db) { db.rollback(); };
    std::exception_ptr ignored;  // a lost connection has rolled back by itself
    try {
      auto undoing = lane_->run(undo, stage::write, false);
      co_await std::move(undoing);
    } catch (const failure&) {
      ignored = std::current_exception();
    }
    lane_.reset();
  }

 private:
  void refuse_after_failure() const {
    if (failed_) {
      throw failure(stage::write, verdict::later, "ledger_closed",
                    "this window has failed or is committed already");
    }
  }

  // Where it can be. What surely brings something is not compared first.
  awaitable<bool> settle_with_others(window_request& asked) {
    if (!asked.evidence.brings_something) {
      auto comparing = groups_.quiet.run(&asked, stage::commit);
      co_await std::move(comparing);
      if (asked.settled) co_return true;
      if (!asked.differs) co_return false;
    }
    change_request changing{asked, false, std::nullopt};
    auto writing = groups_.changed.run(&changing, stage::commit);
    co_await std::move(writing);
    co_return changing.settled;
  }

  awaitable<void> flush() {
    failed_ = true;
    auto writing = write(nullptr);
    co_await std::move(writing);
    buffered_.clear();
    buffered_bytes_ = 0;
    failed_ = false;
  }

  // What is buffered, and after it `last`, in one visit to the lane; the window is opened first
  // where it is not.
  awaitable<void> write(const step* last) {
    const job opening = [&](session& db) { writer_.emplace(db, scope_); };
    const job writing = [&](session&) { writer_->write(buffered_); };
    std::vector<step> steps;
    if (lane_ == nullptr) {
      auto taking = lanes_->take(lane_use::held);
      lane_ = co_await std::move(taking);
      steps.push_back({opening, stage::database, true});
    }
    steps.push_back({writing, stage::write, false});
    if (last != nullptr) steps.push_back(*last);
    auto running = lane_->run(std::move(steps));
    co_await std::move(running);
  }

  // The connection went during COMMIT: asks a new one how it ended.
  awaitable<void> resolve_doubt() {
    bool happened = false;
    const job asking = [&](session& db) {
      db.begin();
      happened = was_committed(db, scope_.credential, writer_->sync_run_id());
      db.rollback();
    };
    auto asked = lane_->run(asking, stage::commit, true);
    co_await std::move(asked);
    if (!happened) {
      throw failure(stage::commit, verdict::retry, "database_lost",
                    "the connection to the database was lost during commit; nothing was stored");
    }
  }

  std::unique_ptr<open_windows::place> place_;  // given back when all else is gone
  std::shared_ptr<lane_pool> lanes_;
  window_groups groups_;
  window_scope scope_;
  std::vector<transaction_batch> buffered_;
  std::size_t buffered_bytes_ = 0;
  std::optional<window_writer> writer_;  // names lane_'s session; touches nothing when it dies
  std::unique_ptr<lane_hold> lane_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<window_ledger> make_ledger(std::shared_ptr<lane_pool> lanes, window_groups groups,
                                           std::unique_ptr<open_windows::place> place,
                                           window_scope scope) {
  return std::make_unique<pg_ledger>(std::move(lanes), groups, std::move(place), std::move(scope));
}

}  // namespace flanks
