#include "sync/flanks/watchdog.hpp"

#include <boost/asio/steady_timer.hpp>

namespace flanks {

namespace asio = boost::asio;

struct watchdog::state : std::enable_shared_from_this<watchdog::state> {
  state(const asio::any_io_executor& executor, asio::ip::tcp::socket& guarded)
      : timer(executor), socket(&guarded) {}

  asio::steady_timer timer;
  asio::ip::tcp::socket* socket;  // null when the connection is gone
  clock::time_point total = clock::time_point::max();
  std::chrono::milliseconds total_limit{0};
  clock::time_point due = clock::time_point::max();
  const char* name = nullptr;  // of the wait that is on; null when there is none
  std::chrono::milliseconds allowed{0};
  const char* expired = nullptr;
  bool waiting = false;

  // The timer is not moved for every read: when it fires early it goes on to the deadline of then.
  void watch() {
    if (waiting && timer.expiry() <= due) return;
    waiting = true;
    timer.expires_at(due);
    timer.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->fired();
    });
  }

  void fired() {
    waiting = false;
    if (name == nullptr || socket == nullptr) return;
    if (clock::now() < due) {
      watch();
      return;
    }
    expired = name;
    boost::system::error_code ignored;
    socket->close(ignored);
  }
};

watchdog::watchdog(const asio::any_io_executor& executor, asio::ip::tcp::socket& guarded)
    : state_(std::make_shared<state>(executor, guarded)) {}

watchdog::~watchdog() {
  state_->socket = nullptr;
  state_->timer.cancel();
}

void watchdog::set_total(clock::time_point until) {
  state_->total = until;
  state_->total_limit = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
}

void watchdog::arm(const char* name, std::chrono::milliseconds limit) {
  state& s = *state_;
  const clock::time_point until = clock::now() + limit;
  const bool total_first = s.total < until;
  s.due = total_first ? s.total : until;
  s.name = total_first ? "total_timeout" : name;
  s.allowed = total_first ? s.total_limit : limit;
  s.expired = nullptr;
  s.watch();
}

void watchdog::rest() {
  state_->name = nullptr;
}

void watchdog::disarm() {
  rest();
  state_->waiting = false;
  state_->timer.cancel();
}

const char* watchdog::expired() const {
  return state_->expired;
}

std::chrono::milliseconds watchdog::limit() const {
  return state_->allowed;
}

void watchdog::extend_total(clock::duration by) {
  state_->total += by;
}

}  // namespace flanks
