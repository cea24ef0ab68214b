#include "sync/retry.hpp"

#include <algorithm>
#include <array>
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

// It may be the connection's own trouble: closed while it rested, or with bytes of another answer.
bool may_be_the_connection(std::string_view error_class) {
  static constexpr std::array<std::string_view, 13> classes{
      "connection_reset", "connection_closed", "io_error",    "truncated",    "bad_response",
      "early_answer",     "repeated_answer",   "http_408",    "invalid_json", "unexpected_body",
      "empty_body",       "bad_status",        "idle_timeout"};
  return std::find(classes.begin(), classes.end(), error_class) != classes.end();
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
    return {next_step::pause, wait};
  }
  const bool rested = f.rested || so_far.rested;
  if (rested && !so_far.fresh_only && may_be_the_connection(f.error_class)) {
    so_far.fresh_only = true;
    return {next_step::again, milliseconds{0}};
  }
  if (f.verdict != verdict::retry) return {};
  ++so_far.failed;
  if (so_far.failed >= policy.tries || !budget.spend()) return {};
  return {next_step::again, full_jitter(policy, so_far.failed - 1, chance)};
}

}  // namespace flanks
