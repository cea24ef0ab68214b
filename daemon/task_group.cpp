#include "daemon/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cassert>

namespace flanks {

namespace asio = boost::asio;

namespace {

// What ends when a child ends, or wake() was called: the timer is never meant to fire by itself.
void arm(asio::steady_timer& timer, std::chrono::steady_clock::duration time) {
  const auto now = std::chrono::steady_clock::now();
  const auto never = std::chrono::steady_clock::time_point::max();
  timer.expires_at(time >= never - now ? never : now + time);
}

asio::awaitable<void> wait_for(asio::steady_timer& timer) {
  boost::system::error_code ended;
  auto token = asio::redirect_error(asio::use_awaitable, ended);
  co_await timer.async_wait(token);
}

}  // namespace

task_group::task_group(asio::any_io_executor executor)
    : executor_(std::move(executor)), changed_(executor_) {}

task_group::~task_group() {
  assert(children_.empty());
}

void task_group::spawn(asio::awaitable<void> child) {
  const auto self = children_.emplace(children_.end());
  auto done = [this, self](std::exception_ptr error) { ended(self, error); };
  asio::co_spawn(executor_, std::move(child), asio::bind_cancellation_slot(self->slot(), done));
}

void task_group::cancel() {
  // A child may end, and leave the list, while its signal is being emitted.
  for (auto child = children_.begin(); child != children_.end();) {
    const auto here = child++;
    here->emit(asio::cancellation_type::terminal);
  }
}

void task_group::ended(std::list<asio::cancellation_signal>::iterator child,
                       std::exception_ptr error) {
  if (error && !first_error_ && !is_cancellation(error)) first_error_ = error;
  // The signal is still in use while a handler runs from within emit(): it goes when the handler is
  // over.
  auto remove = [this, child] {
    children_.erase(child);
    wake();
  };
  asio::post(executor_, remove);
}

void task_group::wake() {
  woken_ = true;
  changed_.cancel();
}

asio::awaitable<void> task_group::join() {
  bool cancelled = false;
  while (!children_.empty()) {
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      cancelled = true;
      cancel();
      const auto shield = shield_from_cancellation();
      co_await shield;
    }
    arm(changed_, std::chrono::steady_clock::duration::max());
    co_await wait_for(changed_);
  }
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
  if (first_error_) std::rethrow_exception(std::exchange(first_error_, nullptr));
}

asio::awaitable<void> task_group::wait(std::chrono::steady_clock::duration time) {
  if (!woken_) {
    arm(changed_, time);
    co_await wait_for(changed_);
  }
  woken_ = false;
}

bool is_cancellation(const std::exception_ptr& e) {
  if (!e) return false;
  try {
    std::rethrow_exception(e);
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace flanks
