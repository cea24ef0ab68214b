// What the daemon counts, and how it is told to Prometheus. No label ever holds a token, a user or
// a credential. What the numbers are is said in daemon/metrics/, a file a subject.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/pg/observer.hpp"
#include "sync/finding.hpp"
#include "sync/gauges.hpp"
#include "sync/request_observer.hpp"
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

// How the daemon itself is at one scrape.
struct daemon_view {
  bool ready = false;  // what /-/ready says
  // The reasons of /-/ready, and what flanks.mirror_problems has of this daemon.
  std::vector<finding> problems;
  int workers = 0;  // credentials that it may work on at once
  int in_hand = 0;  // credentials that it works on
  std::optional<std::chrono::system_clock::time_point> last_look;  // for due credentials
  std::int64_t log_lines_dropped = 0;                              // that were not taken in time
  // By how much other clocks are ahead of this machine's; none: not compared yet.
  std::optional<std::chrono::seconds> provider_ahead, database_ahead;
  bool reload_failed = false;  // the last reload of the configuration changed nothing
  std::chrono::system_clock::time_point configured_at;  // since when the configuration is in effect
};

// Everything belongs to the event loop's thread, but what db_observer says otherwise.
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
  // A request had its turn after so long.
  void waited(std::chrono::nanoseconds time);
  // The event loop served a timer so much late.
  void lagged(std::chrono::nanoseconds time);
  // Live as long as this object.
  [[nodiscard]] request_observer& requests();
  // By how much the provider's clock was ahead of this machine's at its last answer.
  [[nodiscard]] std::optional<std::chrono::seconds> provider_ahead() const;
  [[nodiscard]] db_observer& database();

  // The text format (version 0.0.4). Names every family, also those that have no number yet.
  [[nodiscard]] std::string text(const database_view& database, const rate_totals& rates,
                                 const daemon_view& daemon) const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace flanks
