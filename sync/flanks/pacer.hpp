// Lets requests go one after the other, as fast as the shared rate limit allows. What may go is
// decided in sync/limiter.hpp; this is the line of those who wait, and who asks for grants.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <optional>

#include "sync/failure.hpp"
#include "sync/limiter.hpp"
#include "sync/provider_options.hpp"
#include "sync/rate_grants.hpp"
#include "sync/rate_observer.hpp"

namespace flanks {

// How long a request may wait for the database to answer: rate_grant_timeout.
struct pacer_timeouts {
  std::chrono::milliseconds grant = api_timeouts{}.rate_grant;
};

class pacer {
 public:
  // `shared` and `told` must outlive it. Everything happens on `executor`, which must be one
  // thread.
  pacer(boost::asio::any_io_executor executor, double per_second, rate_grants& shared,
        rate_observer& told, const pacer_timeouts& timeouts);

  // Returns when a request may be sent; in the order of the calls. Throws failure when `patience`
  // is over (rate_limit_wait_timeout), at once when a pause would last longer (rate_limited), and
  // what the database said when an operator must act; operation_aborted when cancelled.
  boost::asio::awaitable<void> take_turn(std::chrono::milliseconds patience);

  // The provider said so with `answer`: no process sends for as long as `wait`.
  void pause(std::chrono::milliseconds wait, const failure& answer);

  // Returns when no question is under way. No turn may be waited for.
  boost::asio::awaitable<void> close();

 private:
  using clock = limiter::clock;
  struct waiter;
  struct told_pause {
    clock::time_point until;
    int http_status = 0;
  };

  void ask(clock::time_point now);
  boost::asio::awaitable<void> ask_all();
  [[nodiscard]] std::optional<limiter::question> next_question(clock::time_point now);
  boost::asio::awaitable<rate_grant> send(limiter::question what);
  boost::asio::awaitable<rate_pause> write_pause();
  void wake_first();
  void answered(const rate_grant& answer);
  void unanswered(const failure& why);
  void note_pause(clock::time_point now, pause_notice notice);
  void pause_ends(clock::time_point at);
  [[nodiscard]] clock::time_point patience_of(const waiter& who) const;
  void give_up(const waiter& who, clock::time_point now) const;

  boost::asio::any_io_executor executor_;
  double per_second_;
  limiter limiter_;
  rate_grants& shared_;
  rate_observer& told_;
  pacer_timeouts timeouts_;
  std::list<waiter*> line_;
  bool asking_ = false;
  boost::asio::steady_timer idle_;                 // cancelled when no question is under way
  std::optional<told_pause> unwritten_;            // that the database does not know yet
  std::optional<clock::time_point> silent_since_;  // the first question without an answer
  std::optional<failure> trouble_;                 // how the last question failed
  std::optional<clock::time_point> paused_since_;  // what was told
  boost::asio::steady_timer pause_end_;
};

}  // namespace flanks
