// What the connections to the database do: statements by name, pools, waits.
#pragma once

#include <mutex>
#include <unordered_map>

#include "daemon/metrics/families.hpp"
#include "db/pg/observer.hpp"

namespace flanks {

class database_metrics final : public db_observer {
 public:
  database_metrics();
  void ran(const char* statement, std::chrono::nanoseconds took) override;
  void had_connection(const char* pool, std::chrono::nanoseconds waited) override;
  void changed(const char* pool, pool_figure which, int by) override;

  void collect(families& to) const { collect_into(to, registry_); }

 private:
  using gauge_family = prometheus::Family<prometheus::Gauge>;

  [[nodiscard]] gauge_family& figure(pool_figure which);

  prometheus::Registry registry_;
  histogram_family &statements_, &waits_;
  gauge_family &connections_, &in_use_, &waiting_;
  std::mutex lock_;  // of what follows: connections have threads of their own
  std::unordered_map<const char*, prometheus::Histogram*> by_statement_;
};

}  // namespace flanks
