// Coroutines that belong together: nothing detached. The group owns their cancellation and is
// joined before it dies. Everything happens on one executor that one thread runs.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <list>

namespace flanks {

class task_group {
 public:
  explicit task_group(boost::asio::any_io_executor executor);
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  // All children have ended: join() was awaited, or none was spawned.
  ~task_group();

  // Starts `child`; it runs until it returns, throws or is cancelled.
  void spawn(boost::asio::awaitable<void> child);
  // Asks every child to end. Children that await a database connection end when that step is done.
  void cancel();
  [[nodiscard]] std::size_t size() const { return children_.size(); }

  // Waits until no child is left, and rethrows the first exception of a child that was not a
  // cancellation. When the caller is cancelled meanwhile, the children are cancelled and awaited
  // first, then operation_aborted is thrown.
  boost::asio::awaitable<void> join();
  // Waits until a child has ended since the last call, wake() was called, or `time` is over. Throws
  // when cancelled.
  boost::asio::awaitable<void> wait(std::chrono::steady_clock::duration time);
  // Ends a wait() in flight, or the next one at once.
  void wake();

 private:
  void ended(std::list<boost::asio::cancellation_signal>::iterator child, std::exception_ptr error);

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer changed_;
  bool woken_ = false;
  std::list<boost::asio::cancellation_signal> children_;
  std::exception_ptr first_error_;
};

// Awaited (by a name of its own: `const auto shield = shield_from_cancellation(); co_await
// shield;`), forgets a cancellation that came and puts aside those to come. For what must be
// brought to its end, such as giving back a lease.
[[nodiscard]] inline auto shield_from_cancellation() {
  return boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
}
// Whether `e` says that a coroutine was cancelled.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& e);

}  // namespace flanks
