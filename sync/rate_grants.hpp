// The rate limit that all processes of one database share: grants of places in time, and the pause
// that the provider asked for. Everything is told in time from now, so that clocks need not agree.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

namespace flanks {

// What the provider asked for with 429, or with 503 and Retry-After.
struct rate_pause {
  std::chrono::microseconds left{0};  // 0: there is none
  int http_status = 0;                // of the answer that asked for it
  std::string told;                   // the process that was answered, for people: host:pid
};

// `places` requests, one each 1/per_second; nobody else has a place in the time that they take.
struct rate_grant {
  int places = 0;
  // The first place; up to some microseconds negative: it is due.
  std::chrono::microseconds starts_in{0};
  rate_pause pause;
};

// Throws `failure` like store. Belongs to the event loop's thread; one question at a time.
class rate_grants {
 public:
  virtual ~rate_grants() = default;
  // `places` at least 1, `per_second` above 0. The time of a grant begins after that of all grants
  // before, and after the pause.
  virtual boost::asio::awaitable<rate_grant> take(int places, double per_second) = 0;
  // Nobody sends for as long as `wait`; a longer pause stays. Gives the one that holds now.
  virtual boost::asio::awaitable<rate_pause> pause(std::chrono::milliseconds wait,
                                                   int http_status) = 0;
  virtual boost::asio::awaitable<rate_pause> paused() = 0;
};

// Of this process alone, where there is no database.
[[nodiscard]] std::unique_ptr<rate_grants> make_local_rate_grants();

}  // namespace flanks
