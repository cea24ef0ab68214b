#include "sync/retry.hpp"

#include <algorithm>
#include <cmath>

namespace flanks {

using std::chrono::milliseconds;

namespace {

milliseconds scaled(milliseconds limit, double chance) {
  return milliseconds{static_cast<milliseconds::rep>(static_cast<double>(limit.count()) * chance)};
}

bool is_rate_limit(const failure& f) {
  return f.http_status == 429 || (f.http_status == 503 && f.retry_after);
}

// What the provider asked for, or a growing guess, and up to a tenth more so that not everyone
// comes back at the same instant.
milliseconds pause_for(const failure& f, int paused, double chance) {
  const milliseconds asked = f.retry_after ? milliseconds{*f.retry_after}
                                           : milliseconds{1000} * (1 << std::min(paused, 6));
  return asked + scaled(std::max(asked / 10, milliseconds{250}), chance);
}

}  // namespace

void retry_budget::count_request() {
  credit_ = std::min(credit_ + share_, 2 * floor_);
}

bool retry_budget::spend() {
  if (credit_ < 1) return false;
  credit_ -= 1;
  return true;
}

milliseconds full_jitter(const retry_policy& policy, int failures, double chance) {
  const double grown = static_cast<double>(policy.base.count()) * std::exp2(std::min(failures, 30));
  const double limit = std::min(grown, static_cast<double>(policy.cap.count()));
  return scaled(milliseconds{static_cast<milliseconds::rep>(limit)}, chance);
}

retry_decision decide(const failure& f, attempts& so_far, retry_budget& budget,
                      const retry_policy& policy, double chance) {
  if (is_rate_limit(f)) {
    const milliseconds wait = pause_for(f, so_far.paused, chance);
    const bool too_long = so_far.waited + wait > policy.longest_wait;
    if (so_far.paused >= policy.pauses || too_long) return {next_step::give_up, wait};
    ++so_far.paused;
    so_far.waited += wait;
    return {next_step::pause, wait};
  }
  if (f.then != verdict::retry) return {};
  ++so_far.failed;
  if (so_far.failed >= policy.tries || !budget.spend()) return {};
  return {next_step::again, full_jitter(policy, so_far.failed - 1, chance)};
}

}  // namespace flanks
