// A circuit breaker: after so many failures in a row nothing is tried for a while, then a few are;
// one that succeeds closes it, and failing again doubles the pause. Pure: time is handed in.
#pragma once

#include <chrono>
#include <limits>

namespace flanks {

struct breaker_policy {
  int failures = 5;  // in a row, without one success, that open it
  int probes = 3;    // tried after a pause, before it is open or closed again
  std::chrono::seconds first_pause{60};
  std::chrono::seconds longest_pause{1800};
};

class breaker {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr int no_limit = std::numeric_limits<int>::max();

  explicit breaker(const breaker_policy& policy = {}) : policy_(policy) {}

  // How many may be tried now: no_limit while it is closed, none during a pause, the probes that
  // are left after it. A probe that never reports frees its place after the first pause's time.
  [[nodiscard]] int places(clock::time_point now);
  // One is tried. Call it only when there was a place.
  void take(clock::time_point now);
  // How long until there may be a place; zero when there is one.
  [[nodiscard]] std::chrono::seconds wait(clock::time_point now);

  void succeeded();
  // `opens`: false for a failure that counts but may not open it (the caller knows better).
  // Failures of what was tried before a pause began change nothing.
  void failed(clock::time_point now, bool opens = true);

  [[nodiscard]] bool closed() const { return phase_ == phase::closed; }
  [[nodiscard]] int failures_in_a_row() const { return in_a_row_; }
  // Of the present or last opening.
  [[nodiscard]] std::chrono::seconds pause() const { return pause_; }

 private:
  enum class phase : std::uint8_t { closed, open, probing };
  void open(clock::time_point now);

  breaker_policy policy_;
  phase phase_ = phase::closed;
  int in_a_row_ = 0;
  int probes_left_ = 0;
  std::chrono::seconds pause_{0};
  clock::time_point until_{};  // open: end of the pause; probing: when the probes count as lost
};

}  // namespace flanks
