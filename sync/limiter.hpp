// How fast we may go: a token bucket for requests per second and one pause that all requests share
// (429, 503). Pure: time is handed in, nothing sleeps here.
#pragma once

#include <chrono>

namespace flanks {

class limiter {
 public:
  using clock = std::chrono::steady_clock;

  // `per_second` requests on the long run (0 or less: no limit), at most `burst` at once after a
  // rest.
  limiter(double per_second, double burst);

  // Takes the next place in the line and says when its turn is: `now` or later. Places are given in
  // the order of the calls. A place that is not used is lost, which only makes us slower.
  [[nodiscard]] clock::time_point reserve(clock::time_point now);

  // Nothing may start before `until`. A pause is never shortened. Who already has a place asks
  // paused() when its turn comes.
  void pause(clock::time_point until);
  [[nodiscard]] bool paused(clock::time_point now) const { return now < paused_until_; }

 private:
  clock::duration interval_;   // between two requests on the long run
  clock::duration tolerance_;  // how far ahead of that pace a burst may run
  clock::time_point next_;     // when the next place would be due at the long-run pace
  clock::time_point paused_until_;
};

}  // namespace flanks
