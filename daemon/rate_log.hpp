// What operators are told of waits for the rate limit and for the provider's pauses: a line when
// one begins and one when it is over, and numbers for the metrics.
#pragma once

#include "daemon/log.hpp"
#include "daemon/metrics.hpp"
#include "sync/rate_observer.hpp"

namespace flanks {

class rate_log final : public rate_observer {
 public:
  rate_log(log& events, metrics& counted) : events_(events), counted_(counted) {}

  void paused(const pause_notice& notice, bool began) override;
  void pause_over(std::chrono::milliseconds lasted) override;
  void waited(std::chrono::nanoseconds time) override {
    totals_.waited += time;
    counted_.waited(time);
  }
  void unreachable(const failure& why) override;
  void reachable() override;

  [[nodiscard]] const rate_totals& totals() const { return totals_; }

 private:
  log& events_;
  metrics& counted_;
  rate_totals totals_;
};

}  // namespace flanks
