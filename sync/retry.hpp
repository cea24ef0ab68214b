// Whether and when to try a request again (design: at most 3 tries with full jitter under a retry
// budget of 10 % of requests; a rate limit pauses instead and uses up no try). Pure: chance is
// handed in, nothing sleeps here.
#pragma once

#include <chrono>

#include "sync/failure.hpp"
#include "sync/trace.hpp"

namespace flanks {

// Retries may be at most a share of all requests, so that a provider in trouble is not buried under
// them. A small floor lets a quiet daemon retry at all.
class retry_budget {
 public:
  explicit retry_budget(double share = 0.1, double floor = 5.0) : share_(share), floor_(floor) {}
  void count_request();
  // False when the budget is spent.
  [[nodiscard]] bool spend();

 private:
  double share_;
  double floor_;  // credit at the start, and half of the most that can be saved up
  double credit_ = floor_;
};

struct retry_policy {
  int tries = 3;  // of one request, the first included
  std::chrono::milliseconds base{500};
  std::chrono::milliseconds cap{20'000};
  int pauses = 20;                         // how often one request may wait for a rate limit
  std::chrono::seconds longest_wait{900};  // the sum of those waits
};

// What happened to one request of a caller so far, the token call that it needed included.
struct attempts {
  int failed = 0;
  int paused = 0;
  std::chrono::milliseconds waited{0};  // for its turns: the rate limit's, and pauses of everyone
  // The last answer, or the lack of one, was of a connection that had rested.
  bool rested = false;
  // From now on only over a new connection: one that had rested has failed already, or the request
  // may be sent only once.
  bool fresh_only = false;
  // It goes again because a pause is over, not because it failed.
  bool after_pause = false;
  trace_id trace;  // that all of its requests belong to
};

enum class next_step : std::uint8_t {
  give_up,  // the failure travels to the caller
  again,    // after `wait`, alone
  pause,    // everyone waits `wait`, then this request goes again
};
struct retry_decision {
  next_step what = next_step::give_up;
  // Giving up on a rate limit still says how long everyone should wait; else 0.
  std::chrono::milliseconds wait{0};
};

// Uniform in [0, min(cap, base * 2^failures)): spreads the herd. `chance` is in [0, 1).
[[nodiscard]] std::chrono::milliseconds full_jitter(const retry_policy& policy, int failures,
                                                    double chance);

// Decides after `f` and counts it in `so_far`. `chance` is uniform in [0, 1). What went wrong with
// a connection that had rested says nothing of the request: it goes again at once over a new one
// and uses up no try, once.
[[nodiscard]] retry_decision decide(const failure& f, attempts& so_far, retry_budget& budget,
                                    const retry_policy& policy, double chance);

}  // namespace flanks
