// A backfill: makes or resumes the stored plan, works through its credentials, says what came of
// it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/progress.hpp"
#include "daemon/task_group.hpp"
#include "daemon/worker.hpp"

namespace flanks {

// What is asked for on the command line.
struct backfill_request {
  selection who;
  window days;
  bool explicit_days = false;  // --from was given: the window belongs to what identifies the plan
  bool restart = false;
  int concurrency;  // credentials at once
};

// One line of the summary: a product, over all credentials.
struct product_totals {
  std::int64_t windows = 0, failed = 0, not_available = 0;
  row_counts counts;
};

// A credential that did not complete.
struct incomplete_credential {
  credential_id id;
  std::string error, hint;
};

struct backfill_result {
  backfill_plan plan;
  std::map<product, product_totals> products;
  std::vector<incomplete_credential> incomplete;  // in the order in which they ended
  std::int64_t open_items = 0;                    // left for the next start
  std::int64_t complete = 0;  // credentials that got through, partial ones included
  bool interrupted = false;
  std::optional<failure>
      unreachable;  // the provider could not be reached, and no credential got through
  std::optional<failure> stopped_by;  // an operator must act before anything can go on
  std::chrono::milliseconds took{0};
};

class backfill {
 public:
  backfill(worker_tools tools, backfill_request request);

  // Throws failure when the plan cannot be made or the database goes away for good.
  boost::asio::awaitable<backfill_result> run();
  // No new credential; what is in hand has stop_grace to end.
  void stop();
  // For the live line; valid as long as this object.
  [[nodiscard]] const progress_numbers& numbers() const { return numbers_; }

 private:
  // Counts windows and rows as they come, and logs them.
  class counter final : public logging_observer {
   public:
    counter(backfill& owner, log& events)
        : logging_observer(events, config::log_level::debug), owner_(owner) {}
    void received(std::int64_t elements) override;
    void ended(const run_record& record) override;

   private:
    backfill& owner_;
  };

  boost::asio::awaitable<void> work_through();
  boost::asio::awaitable<void> start(credential_id id);
  boost::asio::awaitable<void> one(credential_id id);
  boost::asio::awaitable<backfill_claim> claim_patiently(credential_id id);
  boost::asio::awaitable<void> drain();
  void finished(credential_id id, std::size_t items,
                const std::optional<credential_report>& report);

  worker_tools tools_;
  backfill_request request_;
  counter counter_;
  task_group group_;
  backfill_result result_;
  progress_numbers numbers_;
  std::map<credential_id, std::set<product>>
      in_hand_;  // products that have ended, of credentials that have not
  std::string run_id_;
  bool stopping_ = false;
};

}  // namespace flanks
