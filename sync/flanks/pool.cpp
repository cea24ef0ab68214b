#include "sync/flanks/pool.hpp"

#include <fmt/format.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace flanks {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

namespace {

// Servers close what rests for a minute or so; closing first saves a request that would fail.
constexpr std::chrono::seconds longest_rest{45};

bool is_quiet(connection& resting) {
  char unasked = 0;
  return resting.peek(unasked) == unread::nothing;
}

}  // namespace

// A place in the line. When the turn comes the place is taken out of the line and granted; whoever
// leaves with a granted turn that he did not use gives it to the next.
struct connection_pool::waiter {
  waiter(connection_pool& owner, std::chrono::milliseconds timeout)
      : pool(owner), timer(owner.executor_, timeout) {
    place = pool.line_.insert(pool.line_.end(), this);
  }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() {
    if (!granted) {
      pool.line_.erase(place);
    } else if (!used) {
      pool.release();
    }
  }

  connection_pool& pool;
  asio::steady_timer timer;
  std::list<waiter*>::iterator place;
  bool granted = false;
  bool used = false;
};

connection_pool::connection_pool(asio::any_io_executor executor, int limit)
    : executor_(std::move(executor)), free_(std::max(limit, 1)) {}

asio::awaitable<connection_pool::slot> connection_pool::acquire(std::chrono::milliseconds timeout) {
  if (free_ > 0) {
    --free_;
    co_return slot{*this};
  }
  waiter mine(*this, timeout);
  boost::system::error_code woken;
  auto token = asio::redirect_error(asio::use_awaitable, woken);
  co_await mine.timer.async_wait(token);
  if (mine.granted) {
    mine.used = true;
    co_return slot{*this};
  }
  if (woken) throw boost::system::system_error(asio::error::operation_aborted);
  throw failure{stage::connect, verdict::later, "connection_wait_timeout",
                fmt::format("no connection to the provider became free within {} s",
                            std::chrono::floor<std::chrono::seconds>(timeout).count())};
}

void connection_pool::release() {
  if (line_.empty()) {
    ++free_;
    return;
  }
  waiter* const next = line_.front();
  line_.pop_front();
  next->granted = true;
  next->timer.cancel();
}

std::unique_ptr<connection> connection_pool::take_resting() {
  const auto oldest = clock_type::now() - longest_rest;
  while (!resting_.empty() && resting_.front().since < oldest)
    resting_.pop_front();
  while (!resting_.empty()) {
    std::unique_ptr<connection> last = std::move(resting_.back().idle);
    resting_.pop_back();
    if (is_quiet(*last)) return last;
  }
  return nullptr;
}

bool connection_pool::note_answer(std::uint64_t hash) {
  return std::exchange(answers_[hash % answers_.size()], hash) == hash;
}

void connection_pool::rest(std::unique_ptr<connection> idle) {
  if (is_quiet(*idle)) resting_.push_back({std::move(idle), clock_type::now()});
}

asio::awaitable<void> connection_pool::close(std::chrono::milliseconds limit) {
  const auto until = clock_type::now() + limit;
  while (!resting_.empty()) {
    const std::unique_ptr<connection> last = std::move(resting_.front().idle);
    resting_.pop_front();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock_type::now());
    const std::chrono::milliseconds share = std::max(left, std::chrono::milliseconds{0});
    co_await last->shutdown(share);
  }
}

}  // namespace flanks
