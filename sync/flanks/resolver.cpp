#include "sync/flanks/resolver.hpp"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "sync/failure.hpp"

namespace flanks {

namespace asio = boost::asio;
using asio::ip::tcp;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds fresh_for{60};
constexpr std::chrono::seconds try_again_after{10};  // when a lookup failed and old addresses serve

}  // namespace

struct address_book::state {
  explicit state(const asio::any_io_executor& executor) : resolver(executor) {}

  tcp::resolver resolver;
  addresses known;
  clock_type::time_point fresh_until = clock_type::time_point::min();
  bool running = false;
  boost::system::error_code error;
  std::list<asio::steady_timer*> waiting;

  void done(boost::system::error_code failed, const tcp::resolver::results_type& results) {
    running = false;
    error = failed;
    if (!failed) {
      known.clear();
      for (const auto& entry : results)
        known.push_back(entry.endpoint());
    }
    fresh_until = clock_type::now() + (failed ? try_again_after : fresh_for);
    for (asio::steady_timer* const each : waiting)
      each->cancel();
  }
};

namespace {

// A timer that is in the list of those to wake while it lives.
class waiter {
 public:
  waiter(const asio::any_io_executor& executor, std::list<asio::steady_timer*>& list,
         std::chrono::milliseconds timeout)
      : timer(executor, timeout), list_(list), place_(list.insert(list.end(), &timer)) {}
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() { list_.erase(place_); }

  asio::steady_timer timer;

 private:
  std::list<asio::steady_timer*>& list_;
  std::list<asio::steady_timer*>::iterator place_;
};

}  // namespace

address_book::address_book(asio::any_io_executor executor, origin where)
    : executor_(std::move(executor)),
      where_(std::move(where)),
      state_(std::make_shared<state>(executor_)) {}

address_book::~address_book() {
  state_->resolver.cancel();
}

void address_book::start_lookup() {
  state_->running = true;
  const std::string port = std::to_string(where_.port);
  state_->resolver.async_resolve(
      where_.host, port, tcp::resolver::numeric_service,
      [shared = state_](boost::system::error_code error, const tcp::resolver::results_type& found) {
        shared->done(error, found);
      });
}

asio::awaitable<address_book::addresses> address_book::find(std::chrono::milliseconds timeout) {
  if (where_.is_address) {
    co_return addresses{tcp::endpoint{asio::ip::make_address(where_.host), where_.port}};
  }
  const std::shared_ptr<state> shared = state_;
  if (clock_type::now() < shared->fresh_until && !shared->known.empty()) co_return shared->known;
  if (!shared->running) start_lookup();

  waiter wait(executor_, shared->waiting, timeout);
  boost::system::error_code woken;
  auto token = asio::redirect_error(asio::use_awaitable, woken);
  co_await wait.timer.async_wait(token);
  const bool still_running = shared->running;
  if (still_running && woken) throw boost::system::system_error(asio::error::operation_aborted);
  if (!shared->known.empty()) {
    if (still_running) shared->fresh_until = clock_type::now() + try_again_after;
    co_return shared->known;
  }
  const std::string why = still_running ? fmt::format("no answer within {} ms", timeout.count())
                                        : shared->error.message();
  throw failure{stage::resolve, verdict::retry,
                still_running ? "resolve_timeout" : "resolve_failed",
                fmt::format("cannot find the address of {}: {}", where_.host, why)};
}

}  // namespace flanks
