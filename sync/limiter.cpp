#include "sync/limiter.hpp"

#include <algorithm>

namespace flanks {

namespace {

limiter::clock::duration seconds_to_ticks(double seconds) {
  return std::chrono::duration_cast<limiter::clock::duration>(
      std::chrono::duration<double>(seconds));
}

}  // namespace

limiter::limiter(double per_second, double burst)
    : interval_(per_second > 0 ? seconds_to_ticks(1.0 / per_second) : clock::duration::zero()),
      tolerance_(per_second > 0 ? seconds_to_ticks((std::max(burst, 1.0) - 1.0) / per_second)
                                : clock::duration::zero()),
      next_(clock::time_point::min()),
      paused_until_(clock::time_point::min()) {}

limiter::clock::time_point limiter::reserve(clock::time_point now) {
  // The generic cell rate algorithm: one number instead of a bucket that must be refilled.
  const clock::time_point earliest = std::max(now, paused_until_);
  if (interval_ == clock::duration::zero()) return earliest;
  const clock::time_point due = std::max(next_, earliest);
  next_ = due + interval_;
  return std::max(earliest, due - tolerance_);
}

void limiter::pause(clock::time_point until) {
  paused_until_ = std::max(paused_until_, until);
}

}  // namespace flanks
