// What operators are told of waits for the rate limit and for the provider's pauses: a line when
// one begins and one when it is over, and numbers for the metrics.
#pragma once

#include "daemon/hourly_counts.hpp"
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
    requests_.add(this_hour());
  }
  void unreachable(const failure& why) override;
  void reachable() override;

  [[nodiscard]] const rate_totals& totals() const { return totals_; }
  // Requests that had their turn.
  [[nodiscard]] const hourly_counts& requests() const { return requests_; }

 private:
  static hourly_counts::hour this_hour() {
    return std::chrono::floor<std::chrono::hours>(std::chrono::system_clock::now());
  }

  log& events_;
  metrics& counted_;
  rate_totals totals_;
  hourly_counts requests_{this_hour()};
};

}  // namespace flanks
