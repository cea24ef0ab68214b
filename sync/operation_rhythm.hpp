// On which days a list has operations, and how long it usually goes without one. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/types.hpp"

namespace flanks {

class operation_rhythm {
 public:
  explicit operation_rhythm(window days);
  // Of an operation: YYYY-MM-DD. Those outside the days, or ahead of the day of asking, do not
  // count.
  void add(std::string_view operation_date);
  // The latest day that counts; empty when there is none.
  [[nodiscard]] const std::string& last_day() const { return last_day_; }
  // Nine of ten gaps between two days with operations are no longer than this, in days. Nothing
  // when there are too few to tell: days of at least a quarter of a year, and five with operations.
  [[nodiscard]] std::optional<int> usual_gap() const;

 private:
  day from_;
  std::string first_, end_, last_day_, previous_;
  std::vector<bool> has_;  // by day of the window; empty when that is too short
};

}  // namespace flanks
