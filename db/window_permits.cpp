#include "db/window_permits.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace flanks {

namespace asio = boost::asio;

// Waits in a coroutine's frame for its permit.
struct window_permits::waiter {
  explicit waiter(window_permits& o) : of(o), wake(o.loop_, asio::steady_timer::time_point::max()) {
    of.waiting_.push_back(this);
  }
  ~waiter() { std::erase(of.waiting_, this); }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  window_permits& of;
  asio::steady_timer wake;
  std::unique_ptr<permit> granted;
};

asio::awaitable<std::unique_ptr<window_permits::permit>> window_permits::take() {
  const auto self = shared_from_this();
  if (free_ > 0) {
    --free_;
    co_return std::make_unique<permit>(self);
  }
  waiter me(*this);
  boost::system::error_code woken;
  auto wait = me.wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  co_await std::move(wait);
  // Only a cancelled coroutine wakes up without a permit.
  if (!me.granted) throw boost::system::system_error(asio::error::operation_aborted);
  co_return std::move(me.granted);
}

void window_permits::give_back() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  waiter* const next = waiting_.front();
  waiting_.pop_front();
  next->granted = std::make_unique<permit>(shared_from_this());
  next->wake.cancel();
}

}  // namespace flanks
