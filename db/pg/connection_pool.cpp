#include "db/pg/connection_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "db/commands/migrate.hpp"

namespace flanks {

namespace asio = boost::asio;

// The connection is touched on its own thread only.
struct connection_thread {
  asio::thread_pool thread{1};
  std::unique_ptr<pg_connection> db;
};

// Waits in a coroutine's frame for its connection.
struct pg_connection_pool::waiter {
  waiter(pg_connection_pool& p, pool_use u)
      : pool(p), use(u), wake(p.loop_, asio::steady_timer::time_point::max()) {
    pool.waiting_.push_back(this);
    pool.tell(pool_figure::waiting, 1);
  }
  ~waiter() {
    std::erase(pool.waiting_, this);
    pool.tell(pool_figure::waiting, -1);
  }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  pg_connection_pool& pool;
  pool_use use;
  asio::steady_timer wake;
  connection_thread* granted = nullptr;
};

namespace {

// On the connection's thread: the work on a living connection, errors in our words.
void perform(connection_thread& l, const db_options& options, const step& s) {
  for (bool again = false;; again = true) {
    // Work that is not repeatable goes on with an open transaction: a new connection is of no use
    // to it.
    const bool fresh = s.repeatable && (l.db == nullptr || !l.db->alive() || l.db->superseded());
    if (fresh) {
      l.db.reset();
      l.db = std::make_unique<pg_connection>(options);
    }
    if (!l.db) {
      throw failure(s.stage, verdict::retry, "database_lost",
                    "the connection to the database was lost");
    }
    try {
      return s.work(*l.db);
    } catch (const sql_problem& problem) {
      const db_target target = l.db->target();
      l.db->rollback();
      if (problem.lost) l.db.reset();
      // One that said nothing for so long will not answer the same at once.
      const bool worth_it = problem.in_doubt || (!fresh && problem.silent_for.count() == 0);
      if (problem.lost && s.repeatable && worth_it && !again) continue;
      if (l.db) throw migrate::explained(*l.db, problem, s.stage);
      throw statement_failure(target, problem, s.stage);
    } catch (...) {
      l.db->rollback();
      throw;
    }
  }
}

void close_if_superseded(connection_thread& l) {
  asio::post(l.thread, [&l] {
    if (l.db && l.db->superseded()) l.db.reset();
  });
}

}  // namespace

pooled_connection::pooled_connection(std::shared_ptr<pg_connection_pool> pool,
                                     connection_thread& which, pool_use use)
    : pool_(std::move(pool)), thread_(which), use_(use) {}

pooled_connection::~pooled_connection() {
  if (!open_) {
    pool_->give_back(thread_, use_);
  } else {
    pool_->clean_then_give_back(pool_, thread_, use_);
  }
}

asio::awaitable<void> pooled_connection::run(std::vector<step> steps) {
  std::exception_ptr error;
  // Everything by reference: this frame outlives the job, because the job's end is what resumes it.
  auto hop = [&](auto handler) {
    auto guard = asio::make_work_guard(pool_->loop_);
    asio::post(thread_.thread,
               [&, guard = std::move(guard), handler = std::move(handler)]() mutable {
                 try {
                   for (const step& s : steps)
                     perform(thread_, pool_->options_, s);
                 } catch (...) {
                   error = std::current_exception();
                 }
                 open_ = thread_.db != nullptr && thread_.db->in_transaction();
                 const auto executor = asio::get_associated_executor(handler, pool_->loop_);
                 asio::post(executor, std::move(handler));
               });
  };
  auto done = asio::async_initiate<const asio::use_awaitable_t<>, void()>(hop, asio::use_awaitable);
  co_await std::move(done);
  if (error) std::rethrow_exception(error);
}

pg_connection_pool::pg_connection_pool(asio::any_io_executor loop, db_options options)
    : loop_(std::move(loop)), options_(std::move(options)) {
  const int count = std::max(options_.connections, 2);
  for (int i = 0; i < count; ++i) {
    threads_.push_back(std::make_unique<connection_thread>());
    free_.push_back(threads_.back().get());
  }
  first_login_ = options_.login->number();
  on_new_login_ = options_.login->when_replaced([this] { close_superseded(); });
  tell(pool_figure::connections, count);
}

pg_connection_pool::~pg_connection_pool() {
  close();
  tell(pool_figure::in_use, static_cast<int>(free_.size()) - static_cast<int>(threads_.size()));
  tell(pool_figure::connections, -static_cast<int>(threads_.size()));
}

void pg_connection_pool::tell(pool_figure which, int by) const {
  if (options_.observer != nullptr) options_.observer->changed(options_.pool, which, by);
}

void pg_connection_pool::close() {
  on_new_login_.reset();
  closed_ = true;
  for (const auto& l : threads_)
    l->thread.join();
  for (const auto& l : threads_)
    l->db.reset();
}

bool pg_connection_pool::may_take(pool_use use) const {
  return !free_.empty() && (use == pool_use::brief || held_.size() + 1 < threads_.size());
}

connection_thread& pg_connection_pool::take_free(pool_use use) {
  // The one used last: idle connections stay idle, and a burst's extra connections are not kept
  // warm.
  connection_thread* const taken = free_.back();
  free_.pop_back();
  tell(pool_figure::in_use, 1);
  if (use == pool_use::held) held_.push_back(taken);
  return *taken;
}

asio::awaitable<std::unique_ptr<pooled_connection>> pg_connection_pool::take(pool_use use) {
  const auto self = shared_from_this();
  const auto asked = std::chrono::steady_clock::now();
  const bool overtakes =
      std::any_of(waiting_.begin(), waiting_.end(), [&](const waiter* w) { return w->use == use; });
  if (!overtakes && may_take(use)) {
    connection_thread& taken = take_free(use);
    note_wait(asked);
    co_return std::make_unique<pooled_connection>(self, taken, use);
  }
  waiter me(*this, use);
  boost::system::error_code woken;
  auto wait = me.wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  co_await std::move(wait);
  // Only a cancelled coroutine wakes up without a connection.
  if (me.granted == nullptr) throw boost::system::system_error(asio::error::operation_aborted);
  note_wait(asked);
  co_return std::make_unique<pooled_connection>(self, *me.granted, use);
}

void pg_connection_pool::note_wait(std::chrono::steady_clock::time_point asked) const {
  if (options_.observer == nullptr) return;
  options_.observer->had_connection(options_.pool, std::chrono::steady_clock::now() - asked);
}

asio::awaitable<void> pg_connection_pool::run(const job& work, stage at) {
  auto taking = take(pool_use::brief);
  const std::unique_ptr<pooled_connection> hold = co_await std::move(taking);
  auto running = hold->run(work, at, true);
  co_await std::move(running);
}

void pg_connection_pool::keep_alive() {
  static constexpr statement still_here{"still_here", "select"};
  if (closed_) return;
  for (connection_thread* const held : held_) {
    asio::post(held->thread, [held] {
      if (!held->db || !held->db->in_transaction()) return;
      try {
        held->db->run(still_here);
      } catch (const sql_problem&) {  // the next step finds it out
        return;
      }
    });
  }
}

// The login has been replaced: what rests is closed, what is in hand when it is given back.
void pg_connection_pool::close_superseded() {
  if (closed_) return;
  for (connection_thread* const resting : free_)
    close_if_superseded(*resting);
}

void pg_connection_pool::give_back(connection_thread& which, pool_use use) {
  if (options_.login->number() != first_login_ && !closed_) close_if_superseded(which);
  if (use == pool_use::held) std::erase(held_, &which);
  free_.push_back(&which);
  tell(pool_figure::in_use, -1);
  if (!closed_) serve_waiters();
}

// A transaction may be open: it is rolled back on the connection's thread, then that is free.
void pg_connection_pool::clean_then_give_back(const std::shared_ptr<pg_connection_pool>& self,
                                              connection_thread& which, pool_use use) {
  if (closed_) return;
  asio::post(which.thread, [self, &which, use, guard = asio::make_work_guard(loop_)] {
    if (which.db) which.db->rollback();
    asio::post(self->loop_, [self, &which, use] { self->give_back(which, use); });
  });
}

void pg_connection_pool::serve_waiters() {
  for (auto it = waiting_.begin(); it != waiting_.end() && !free_.empty();) {
    waiter* const next = *it;
    if (!may_take(next->use)) {
      ++it;
      continue;
    }
    it = waiting_.erase(it);
    next->granted = &take_free(next->use);
    next->wake.cancel();
  }
}

}  // namespace flanks
