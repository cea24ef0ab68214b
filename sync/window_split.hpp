// How one range of days is asked for: in windows that the provider can serve. Pure: failures in,
// windows out. Shared by mirror and verify.
#pragma once

#include <optional>
#include <vector>

#include "sync/failure.hpp"
#include "sync/types.hpp"

namespace flanks {

// An answer that is too large or too slow says how much is served at once: the same days are asked
// for in smaller windows, oldest first, so that coverage grows. A refusal of the days asked for
// (error class window_refused) may also mean that the bank's history does not go back so far: then
// the younger half is asked for first, and what is refused down to a single day is beyond history.
class window_split {
 public:
  window_split() = default;  // of nothing
  // `limit`: the largest window to begin with, in days; 0: none.
  explicit window_split(window whole, int limit = 0);

  [[nodiscard]] bool done() const { return todo_.empty(); }
  // Takes the window to ask for next; not when done().
  [[nodiscard]] window next();
  // The window that next() gave last was answered.
  void served();
  // It has failed. True when other windows may do: then what is left holds its days, unless they
  // are beyond history. False when the failure is no matter of days.
  [[nodiscard]] bool split_after(const failure& f);
  // What splitting has made of the limit; nothing when it has not, or when that is not known before
  // the last window was answered.
  [[nodiscard]] std::optional<int> reduced_limit() const;
  // The first day of the bank's history, when days before it were refused; and the window that was
  // answered last, which begins with it.
  [[nodiscard]] std::optional<day> history_begins() const { return history_begins_; }
  [[nodiscard]] window last_served() const { return last_served_; }

 private:
  [[nodiscard]] bool halve();
  [[nodiscard]] bool leave_out();
  void cut_up_rest();
  [[nodiscard]] bool is_too_large(const failure& f);

  std::vector<window> todo_;  // the last one is next
  window last_{};             // what next() gave
  window last_served_{};
  int most_served_ = 0;  // days, of one window
  int limit_ = 0;
  bool halved_ = false;
  bool refused_ = false;
  std::optional<day> history_begins_;
  int slow_ = 0;  // how often it was halved because the provider was slow
};

}  // namespace flanks
