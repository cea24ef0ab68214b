// The third chapter of a credential's story: one planned window, in as many windows as the provider
// makes us split it into, each tried until it is stored or given up.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "sync/fetch_plan.hpp"
#include "sync/mirror.hpp"
#include "sync/window_split.hpp"

namespace flanks {

// One request of a planned window: all of it, or as much as the provider can serve at once.
struct sub_window {
  window days;
  bool last;
};

// How one attempt at a window ended badly.
struct attempt_failure {
  failure what;
  // The answer had begun, or the database failed: the client has not tried again, so we may. Before
  // that it has used up its own tries.
  bool ours_to_retry = false;
};

// A run record of this credential that begins now.
[[nodiscard]] run_record new_record(const assignment& job, const engine_clock& clock);

// Writes down that it failed, in report, log and database. Throws `failure` when the database
// cannot take it.
[[nodiscard]] boost::asio::awaitable<void> record_failure(mirror_tools tools,
                                                          credential_report& report,
                                                          run_record record, const failure& f);

// All windows of one credential, one after the other: what one of them learns (whether the provider
// takes a part of history) holds for the next. References outlive it.
class window_story {
 public:
  window_story(mirror_tools tools, const assignment& job, const credential_status& status,
               credential_report& report);

  // Adds to the report; throws as mirror() does.
  [[nodiscard]] boost::asio::awaitable<void> fetch(planned_window whole);

 private:
  [[nodiscard]] window all_history() const;
  [[nodiscard]] window_evidence evidence_of(const planned_window& p, const sub_window& now) const;
  boost::asio::awaitable<std::optional<failure>> ask_for_windows();
  boost::asio::awaitable<std::optional<failure>> fetch_window(planned_window p, sub_window now);
  boost::asio::awaitable<std::optional<attempt_failure>> attempt_window(planned_window p,
                                                                        sub_window now,
                                                                        connection_use over);
  [[nodiscard]] run_record record_of(const planned_window& p, const sub_window& now) const;
  void stored(const run_record& record);
  boost::asio::awaitable<void> give_up(const planned_window& p, const sub_window& now,
                                       const failure& failed);

  mirror_tools t_;
  const assignment& job_;
  access to_{job_.credential.credentials_token, job_.trace};
  const credential_status& status_;
  credential_report& report_;
  bool has_windows_ = true;  // the provider takes a part of history
  window_split split_;       // of the planned window in hand
  absent_rows absent_;       // what its parts so far have not shown
  int requests_ = 0;         // for the window in hand, failed attempts included
};

}  // namespace flanks
