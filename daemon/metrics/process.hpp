// The process itself: what it uses of the machine, by the names that Prometheus's own clients give
// it, and whether its event loop keeps up.
#pragma once

#include "daemon/metrics/families.hpp"

namespace flanks {

class process_metrics {
 public:
  process_metrics();
  // A timer of the event loop was served so much late.
  void lagged(std::chrono::nanoseconds time) { lag_.Observe(in_seconds(time)); }
  void collect(families& to) const;

 private:
  prometheus::Registry registry_;
  prometheus::Histogram& lag_;
  double started_;  // read once: clocks that are read one after the other never give it twice
};

}  // namespace flanks
