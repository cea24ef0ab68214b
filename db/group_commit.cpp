#include "db/group_commit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "db/backfill.hpp"
#include "db/changed_windows.hpp"
#include "db/leases.hpp"
#include "db/quiet_windows.hpp"
#include "db/release.hpp"
#include "db/runs.hpp"

namespace flanks {

namespace asio = boost::asio;

namespace {

// What one transaction holds at most: it is not to keep its rows locked for long.
constexpr std::size_t group_limit = 256;

// Requests by kind.
struct group {
  std::vector<claim_request*> claims;
  std::vector<status_request*> statuses;
  std::vector<release_request*> releases;
  std::vector<runs_request*> runs;
  std::vector<items_request*> items;
  std::vector<window_request*> windows;
  std::vector<change_request*> changes;

  void add(claim_request* r) {
    claims.push_back(r);
    if (r->items != nullptr) items.push_back(r->items);
  }
  void add(status_request* r) { statuses.push_back(r); }
  void add(release_request* r) { releases.push_back(r); }
  void add(runs_request* r) { runs.push_back(r); }
  void add(window_request* r) { windows.push_back(r); }
  void add(change_request* r) { changes.push_back(r); }
};

void add_to(group& all, const group_commit::request& what) {
  std::visit([&](auto* r) { all.add(r); }, what);
}

bool settled(const group_commit::request& what) {
  return std::visit([](const auto* r) { return r->settled; }, what);
}

void settle(session& db, const db_options& options, const group& all) {
  db.go_by_key();
  leases::settle(db, std::span(all.statuses));
  flanks::settle(db, std::span(all.runs));
  leases::settle(db, std::span(all.releases));
  leases::settle(db, options, std::span(all.claims));
  backfill::settle(db, std::span(all.items));
  flanks::settle(db, std::span(all.windows));
  flanks::settle(db, std::span(all.changes));
}

// All of them or none: none when a statement fails. A connection that is lost is the lane's matter.
void settle_together(session& db, const db_options& options,
                     const std::vector<group_commit::request>& members) {
  group all;
  for (const auto& what : members) {
    std::visit([](auto* r) { r->settled = false; }, what);
    add_to(all, what);
  }
  try {
    db.begin();
    settle(db, options, all);
    db.commit();
    return;
  } catch (const sql_problem& problem) {
    if (problem.lost) throw;
  }
  db.rollback();
  for (const auto& what : members)
    std::visit([](auto* r) { r->settled = false; }, what);
}

void wait_for_row(session& db, const runs_request& r) {
  wait_for_credential(db, r.records.front().credential);
}
void wait_for_row(session&, const window_request&) {}
void wait_for_row(session&, const change_request&) {}
template <class LeaseRequest>
void wait_for_row(session& db, const LeaseRequest& r) {
  leases::wait_for(db, r.id);
}

void settle_alone(session& db, const db_options& options, const group_commit::request& what) {
  group one;
  add_to(one, what);
  db.begin();
  std::visit([&](const auto* r) { wait_for_row(db, *r); }, what);
  settle(db, options, one);
  db.commit();
}

}  // namespace

asio::awaitable<void> group_commit::run(request what, stage at) {
  member me{what, {}, false, nullptr};
  waiting_.push_back(&me);
  if (led_) {
    auto waiting = turn(me);
    co_await std::move(waiting);
  } else {
    led_ = me.leads = true;
  }
  if (me.leads) {
    auto leading = lead(me);
    co_await std::move(leading);
  }
  if (me.error) {
    try {
      std::rethrow_exception(me.error);
    } catch (const failure& f) {
      failure mine = f;  // the others throw theirs
      mine.at = at;
      throw mine;
    }
  }
  const bool window = std::holds_alternative<window_request*>(what) ||
                      std::holds_alternative<change_request*>(what);
  if (settled(what) || window) co_return;
  auto by_itself = alone(what, at);
  co_await std::move(by_itself);
}

// Until the transaction that it goes with is over, or it is to lead one. Cannot be cancelled: the
// transaction names what is in this frame.
asio::awaitable<void> group_commit::turn(member& me) {
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

asio::awaitable<void> group_commit::lead(member& me) {
  std::unique_ptr<lane_hold> hold;
  std::exception_ptr cancelled;
  try {
    auto taking = lanes_->take(lane_use::brief);
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
  // The leader is the first that waits: it was made one for that.
  const auto size = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), group_limit));
  const std::vector<member*> members(waiting_.begin(), waiting_.begin() + size);
  waiting_.erase(waiting_.begin(), waiting_.begin() + size);
  std::vector<request> requests;
  for (const member* m : members)
    requests.push_back(m->what);
  std::exception_ptr error;
  const job work = [&](session& db) { settle_together(db, lanes_->options(), requests); };
  try {
    auto running = hold->run(work, stage::database, true);
    co_await std::move(running);
  } catch (...) {
    error = std::current_exception();
  }
  hold.reset();
  for (member* m : members) {
    m->error = error;
    if (m != &me) m->resume();
  }
  hand_over();
}

void group_commit::hand_over() {
  led_ = !waiting_.empty();
  if (!led_) return;
  waiting_.front()->leads = true;
  waiting_.front()->resume();
}

// What the group left undone. When it is not done now either, its lease is lost, or there is no
// such row: that is an answer, except for a status, after which more would be fetched.
asio::awaitable<void> group_commit::alone(request what, stage at) {
  const job work = [&](session& db) { settle_alone(db, lanes_->options(), what); };
  auto running = lanes_->run(work, at);
  co_await std::move(running);
  const auto* const status = std::get_if<status_request*>(&what);
  if (status == nullptr || (*status)->settled) co_return;
  throw failure(stage::lease, verdict::later, "lease_lost",
                fmt::format("credential {}: the lease was lost, its status was not stored",
                            (*status)->id.value));
}

}  // namespace flanks
