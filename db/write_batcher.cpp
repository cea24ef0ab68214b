#include "db/write_batcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "db/backfill.hpp"
#include "db/leases.hpp"
#include "db/release.hpp"
#include "db/windows/run_log.hpp"
#include "db/windows/window_batch.hpp"

namespace flanks {

namespace asio = boost::asio;

namespace {

// What one transaction holds at most: it is not to keep its rows locked for long.
constexpr std::size_t most_requests = 256;
constexpr std::size_t most_bytes = 4 * 1024 * 1024;  // of the answers of windows

// Requests by kind.
struct group {
  std::vector<claim_request*> claims;
  std::vector<status_request*> statuses;
  std::vector<release_request*> releases;
  std::vector<runs_request*> runs;
  std::vector<items_request*> items;
  std::vector<window_request*> windows;

  void add(claim_request* r) {
    claims.push_back(r);
    if (r->items != nullptr) items.push_back(r->items);
  }
  void add(status_request* r) { statuses.push_back(r); }
  void add(release_request* r) { releases.push_back(r); }
  void add(runs_request* r) { runs.push_back(r); }
  void add(window_request* r) { windows.push_back(r); }
};

void add_to(group& all, const write_batcher::request& what) {
  std::visit([&](auto* r) { all.add(r); }, what);
}

bool is_done(const write_batcher::request& what) {
  return std::visit([](const auto* r) { return r->done; }, what);
}

void apply(pg_connection& db, const db_options& options, const group& all) {
  db.force_index_plans();
  leases::apply(db, std::span(all.statuses));
  flanks::apply(db, std::span(all.runs));
  leases::apply(db, std::span(all.releases));
  leases::apply(db, options, std::span(all.claims));
  backfill::apply(db, std::span(all.items));
  if (!all.windows.empty()) flanks::apply(db, all.windows);
}

// All of them or none: none when a statement fails. A connection that is lost is the connection's
// matter.
void try_commit(pg_connection& db, const db_options& options,
                const std::vector<write_batcher::request>& members) {
  group all;
  for (const auto& what : members) {
    std::visit([](auto* r) { r->done = false; }, what);
    add_to(all, what);
  }
  try {
    db.begin();
    apply(db, options, all);
    db.commit();
    return;
  } catch (const sql_problem& problem) {
    if (problem.lost) throw;
  } catch (const failure&) {
    // One of them is why, and says so when it is done by itself.
  }
  db.rollback();
  for (const auto& what : members)
    std::visit([](auto* r) { r->done = false; }, what);
}

void wait_for_row(pg_connection& db, const runs_request& r) {
  wait_for_credential(db, r.records.front().credential);
}
void wait_for_row(pg_connection&, const window_request&) {}  // waits by itself
template <class LeaseRequest>
void wait_for_row(pg_connection& db, const LeaseRequest& r) {
  leases::wait_for(db, std::span(&r.id, 1));
}

std::size_t bytes_of(const write_batcher::request& what) {
  const auto* const window = std::get_if<window_request*>(&what);
  return window == nullptr ? 0 : (*window)->bytes;
}

void commit_alone(pg_connection& db, const db_options& options,
                  const write_batcher::request& what) {
  group one;
  add_to(one, what);
  db.begin();
  std::visit([&](const auto* r) { wait_for_row(db, *r); }, what);
  apply(db, options, one);
  db.commit();
}

// A request that waits for a transaction to take it along.
class told_wait {
 public:
  explicit told_wait(const db_options& options) : options_(options) { tell(1); }
  ~told_wait() { tell(-1); }
  told_wait(const told_wait&) = delete;
  told_wait& operator=(const told_wait&) = delete;

 private:
  void tell(int by) const {
    if (options_.observer != nullptr)
      options_.observer->changed(options_.pool, pool_figure::waiting, by);
  }
  const db_options& options_;
};

// The same failure, as one of who asked at another stage. A failure is of the database here: others
// concern one request only.
std::exception_ptr at_stage(const std::exception_ptr& error, stage at) {
  try {
    std::rethrow_exception(error);
  } catch (const failure& f) {
    failure theirs = f;
    theirs.stage = at;
    return std::make_exception_ptr(theirs);
  } catch (...) {
    return error;
  }
}

}  // namespace

asio::awaitable<void> write_batcher::run(request what, stage at) {
  member me{what, at, {}, false, nullptr};
  waiting_.push_back(&me);
  if (idle_ == 0) {
    auto waiting = turn(me);
    co_await std::move(waiting);
  } else {
    --idle_;
    me.leads = true;
  }
  if (me.leads) {
    auto leading = lead(me);
    co_await std::move(leading);
  }
  if (me.error) std::rethrow_exception(me.error);
  if (is_done(what)) co_return;
  auto by_itself = alone(what, at);
  co_await std::move(by_itself);
}

// Until the transaction that it goes with is over, or it is to lead one. Cannot be cancelled: the
// transaction names what is in this frame.
asio::awaitable<void> write_batcher::turn(member& me) {
  const told_wait waiting(pool_->options());
  auto wait = [&](auto handler) {
    const auto executor = asio::get_associated_executor(handler, loop_);
    auto held = std::make_shared<decltype(handler)>(std::move(handler));
    me.resume = [held, executor, guard = asio::make_work_guard(loop_)] {
      asio::post(executor, std::move(*held));
    };
  };
  auto done =
      asio::async_initiate<const asio::use_awaitable_t<>, void()>(wait, asio::use_awaitable);
  co_await std::move(done);
}

asio::awaitable<void> write_batcher::lead(member& me) {
  std::unique_ptr<pooled_connection> hold;
  std::exception_ptr cancelled;
  try {
    auto taking = pool_->take(use_);
    hold = co_await std::move(taking);
    // What is ready to run on the loop may have something for this transaction as well.
    auto turning = asio::post(loop_, asio::use_awaitable);
    co_await std::move(turning);
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) {
    std::erase(waiting_, &me);
    hand_over();
    std::rethrow_exception(cancelled);
  }
  const std::vector<member*> members = take_batch(me);
  std::vector<request> requests;
  for (const member* m : members)
    requests.push_back(m->what);
  // A window waits for nobody but itself, and says why it could not be written.
  const bool window_alone = members.size() == 1 && std::holds_alternative<window_request*>(me.what);
  std::exception_ptr error;
  const job work = [&](pg_connection& db) {
    if (window_alone) {
      commit_alone(db, pool_->options(), me.what);
    } else {
      try_commit(db, pool_->options(), requests);
    }
  };
  try {
    auto running = hold->run(work, me.stage, true);
    co_await std::move(running);
  } catch (...) {
    error = std::current_exception();
  }
  hold.reset();
  for (member* m : members) {
    m->error = error && m != &me ? at_stage(error, m->stage) : error;
    if (m != &me) m->resume();
  }
  hand_over();
}

// What the leader takes with it: those that lead another transaction are taken by themselves.
std::vector<write_batcher::member*> write_batcher::take_batch(member& leader) {
  std::vector<member*> members{&leader};
  std::size_t bytes = bytes_of(leader.what);
  for (member* m : waiting_) {
    if (m->leads || members.size() == most_requests) continue;
    if (bytes + bytes_of(m->what) > most_bytes) break;
    bytes += bytes_of(m->what);
    members.push_back(m);
  }
  std::erase_if(waiting_, [&](const member* m) {
    return std::find(members.begin(), members.end(), m) != members.end();
  });
  return members;
}

void write_batcher::hand_over() {
  const auto next =
      std::find_if(waiting_.begin(), waiting_.end(), [](const member* m) { return !m->leads; });
  if (next == waiting_.end()) {
    ++idle_;
    return;
  }
  (*next)->leads = true;
  (*next)->resume();
}

// What the batch left undone. When it is not done now either, its lease is lost, or there is no
// such row: that is an answer, except for a status, after which more would be fetched.
asio::awaitable<void> write_batcher::alone(request what, stage at) {
  auto taking = pool_->take(use_);
  const std::unique_ptr<pooled_connection> hold = co_await std::move(taking);
  const job work = [&](pg_connection& db) { commit_alone(db, pool_->options(), what); };
  auto running = hold->run(work, at, true);
  co_await std::move(running);
  const auto* const status = std::get_if<status_request*>(&what);
  if (status == nullptr || (*status)->done) co_return;
  throw leases::lease_lost((*status)->id, ", its status was not stored");
}

}  // namespace flanks
