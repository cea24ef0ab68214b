// Ends a wait at its deadline by closing the socket under it: one timer a connection, armed with
// the name of the wait. Not a race of two coroutines: `a || timer` of Boost 1.81 waits for the
// timer when `a` fails.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>

namespace flanks {

class watchdog {
 public:
  using clock = std::chrono::steady_clock;

  watchdog(const boost::asio::any_io_executor& executor, boost::asio::ip::tcp::socket& guarded);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  // The request as a whole must be done by then, whatever each wait is allowed.
  void set_total(clock::time_point until);
  // The wait that begins now. `name` is a literal: "connect_timeout", ...
  void arm(const char* name, std::chrono::milliseconds limit);
  // That wait is over. Cheap: the timer goes on and finds nobody waiting.
  void rest();
  // Nobody will wait for a while: the timer ends too.
  void disarm();
  // The wait that ran out, or null.
  [[nodiscard]] const char* expired() const;
  // What it was allowed.
  [[nodiscard]] std::chrono::milliseconds limit() const;

  // Time that the request spends waiting for us, not for the provider, does not count.
  void extend_total(clock::duration by);

 private:
  struct state;
  std::shared_ptr<state> state_;  // shared with the timer's handler
};

}  // namespace flanks
