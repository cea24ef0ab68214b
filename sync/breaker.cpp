#include "sync/breaker.hpp"

#include <algorithm>

namespace flanks {

int breaker::places(clock::time_point now) {
  if (phase_ == phase::closed) return no_limit;
  const bool pause_over = phase_ == phase::open && now >= until_;
  const bool probes_lost = phase_ == phase::probing && probes_left_ == 0 && now >= until_;
  if (pause_over || probes_lost) {
    phase_ = phase::probing;
    probes_left_ = policy_.probes;
  }
  return phase_ == phase::probing ? probes_left_ : 0;
}

void breaker::take(clock::time_point now) {
  if (phase_ != phase::probing) return;
  probes_left_ = std::max(probes_left_ - 1, 0);
  until_ = now + policy_.first_pause;
}

std::chrono::seconds breaker::wait(clock::time_point now) {
  if (places(now) > 0) return std::chrono::seconds{0};
  return std::max(std::chrono::ceil<std::chrono::seconds>(until_ - now), std::chrono::seconds{1});
}

void breaker::succeeded() {
  phase_ = phase::closed;
  in_a_row_ = 0;
  pause_ = std::chrono::seconds{0};
}

void breaker::failed(clock::time_point now, bool opens) {
  if (phase_ == phase::open) return;
  ++in_a_row_;
  // Every probe must fail before it is believed: the first may have been a bad one.
  const bool all_probes_failed =
      phase_ == phase::probing && probes_left_ == 0 && in_a_row_ >= policy_.probes;
  const bool enough = phase_ == phase::closed && in_a_row_ >= policy_.failures && opens;
  if (all_probes_failed || enough) open(now);
}

void breaker::open(clock::time_point now) {
  pause_ = std::min(std::max(2 * pause_, policy_.first_pause), policy_.longest_pause);
  phase_ = phase::open;
  in_a_row_ = 0;  // from here on the probes are counted
  until_ = now + pause_;
}

}  // namespace flanks
