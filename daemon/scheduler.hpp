// The daemon's day: claims what is due, as many credentials together as there is room for, works on
// at most `concurrency` at once, sleeps until something is due again. It decides nothing about a
// credential: sync/schedule.hpp does.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>

#include "daemon/problem_teller.hpp"
#include "daemon/task_group.hpp"
#include "daemon/worker.hpp"
#include "sync/finding.hpp"

namespace flanks {

struct scheduler_options {
  int concurrency;                 // credentials at once (config: sync.concurrency)
  std::chrono::milliseconds poll;  // the longest sleep between two looks (config: sync.poll)
  bool once = false;  // end when all that was due at the beginning has been worked on, once each
};

// What a scheduler has seen since it began.
struct scheduler_totals {
  std::int64_t credentials = 0, failed = 0, partial = 0, interrupted = 0;
  row_counts counts;
  // The provider could not be reached, and no credential got through.
  std::optional<failure> unreachable;
  std::optional<failure>
      stopped_by;  // an operator must act; cleared when a credential gets through
};

class scheduler {
 public:
  // `policy` and `options` are read at every look, so that a reload takes effect without a restart.
  scheduler(worker_tools tools, const scheduler_options& options);

  // Ends after stop() when all work in hand has ended, or with `once` when nothing is due. Throws
  // only what is a bug.
  boost::asio::awaitable<void> run();
  // An operator has acted: ends the pause after a failure that only that could mend.
  void look_again();
  // Somebody else had an answer of the database: what a claim met may be over.
  void database_answers();
  // No new work; what is in hand has stop_grace to end, then it is abandoned cleanly (no half
  // window is ever stored).
  void stop();

  [[nodiscard]] const scheduler_totals& totals() const { return totals_; }
  // When the database last answered a look for due work: what the watchdog is fed by.
  [[nodiscard]] std::chrono::steady_clock::time_point last_progress() const { return progress_; }
  // Credentials that are worked on.
  [[nodiscard]] std::size_t in_hand() const { return group_.size(); }
  // Why nothing can be claimed just now, for /-/ready: names nobody; nothing when all is well.
  [[nodiscard]] std::optional<finding> trouble() const;
  // The same in full, for those who may read names.
  [[nodiscard]] const std::optional<failure>& claim_trouble() const { return trouble_; }
  // One line for people: what is going on.
  [[nodiscard]] std::string summary() const;

 private:
  boost::asio::awaitable<void> work_until_stopped();
  boost::asio::awaitable<bool> look();
  [[nodiscard]] bool worth_a_claim(int places, std::chrono::steady_clock::time_point now);
  boost::asio::awaitable<bool> claim(int places);
  boost::asio::awaitable<bool> look_for_unclaimable(std::chrono::milliseconds age);
  void in_trouble(const failure& f);
  void leave_out_worked(std::vector<claimed_credential>& due);
  void start(std::vector<claimed_credential> due);
  boost::asio::awaitable<void> one(claimed_credential credential, std::string run_id);
  boost::asio::awaitable<void> postpone(claimed_credential credential, std::chrono::seconds wait);
  boost::asio::awaitable<void> drain();
  boost::asio::awaitable<void> tell_problems();
  boost::asio::awaitable<std::chrono::milliseconds> time_to_next_look();
  void count(const credential_report& report);

  worker_tools tools_;
  const scheduler_options& options_;
  provider_health health_;
  task_group group_;
  task_group telling_;  // what keeps the whole mirror from its work, into the database
  problem_teller fetching_, claiming_;
  scheduler_totals totals_;
  std::chrono::steady_clock::time_point progress_;
  std::chrono::steady_clock::time_point paused_until_{};
  // The last claim was filled: there may be more. If it was not, nothing is due before
  // quiet_until_.
  bool backlog_ = true;
  std::chrono::steady_clock::time_point quiet_until_{};
  std::optional<std::chrono::steady_clock::time_point> free_since_;  // the first free place
  std::chrono::steady_clock::time_point banks_due_{};  // when to ask whether their list is due
  int stops_ = 0;                                      // times in a row that nothing could go on
  bool stopping_ = false;
  std::optional<failure> ended_by_;  // with `once`: why it could not go on
  std::optional<failure> trouble_;   // why nothing can be claimed just now
  std::chrono::steady_clock::time_point begun_;
  std::unordered_set<std::int64_t> worked_;  // with `once`: claimed already
  // Since when credentials are due that nobody holds, but none of them can be claimed.
  std::optional<std::chrono::steady_clock::time_point> unclaimable_since_;
};

// A random (version 4) UUID as text: names one run in flanks.sync_runs.
[[nodiscard]] std::string new_run_id();

}  // namespace flanks
