// How one range of days is asked for: in windows that the provider can serve. Pure: failures in,
// windows out. Shared by mirror and verify.
#pragma once

#include <optional>
#include <vector>

#include "sync/failure.hpp"
#include "sync/types.hpp"

namespace flanks {

class window_split {
 public:
  window_split() = default;  // of nothing
  // `limit`: the largest window to begin with, in days; 0: none.
  explicit window_split(window whole, int limit = 0);

  [[nodiscard]] bool done() const { return todo_.empty(); }
  // Takes the oldest window that is left; not when done().
  [[nodiscard]] window next();
  // After the window that next() gave last has failed. True when smaller windows may do: then it
  // comes again in halves, and all that is left is cut into windows of at most the younger half's
  // size. False when it is a single day, or when the failure is no matter of size.
  [[nodiscard]] bool halve_after(const failure& f);
  // What halve_after() has made of the limit; nothing when it has not.
  [[nodiscard]] std::optional<int> reduced_limit() const;

 private:
  void cut_up(window days);
  [[nodiscard]] bool is_too_large(const failure& f);

  std::vector<window> todo_;  // the last one is next: oldest first, so that coverage grows
  window last_{};             // what next() gave
  day end_{};
  int limit_ = 0;
  bool halved_ = false;
  int slow_ = 0;  // how often it was halved because the provider was slow
};

}  // namespace flanks
