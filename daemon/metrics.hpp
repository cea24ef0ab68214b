// What the daemon counts, and how it is told to Prometheus: names, HELP, labels. No label ever
// holds a token, a user or a credential.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "sync/gauges.hpp"
#include "sync/store.hpp"

namespace flanks {

// What the database said for one scrape.
struct database_view {
  bool up = false;                        // it answered
  const mirror_gauges* gauges = nullptr;  // null: none are known; not told when it is not up
};

// How requests of this process had to wait.
struct rate_totals {
  std::int64_t pauses = 0;             // that the provider asked this process for
  std::chrono::nanoseconds waited{0};  // for their turns, all requests together
  std::optional<std::chrono::system_clock::time_point> paused_until;
};

class metrics {
 public:
  metrics();
  ~metrics();
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;

  // One line of flanks.sync_runs, of flanks.product_runs: since this object was made.
  void count(const run_record& record);
  void count(const product_run& run);
  // What happened to a credential could not be written down.
  void count_unrecorded();

  // The text format (version 0.0.4).
  [[nodiscard]] std::string text(const database_view& database, const rate_totals& rates) const;

 private:
  struct counters;
  std::unique_ptr<counters> counters_;
};

}  // namespace flanks
