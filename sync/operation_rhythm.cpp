#include "sync/operation_rhythm.hpp"

#include <algorithm>

namespace flanks {

namespace {

constexpr int shortest = 90;      // days
constexpr std::size_t least = 5;  // days with operations

}  // namespace

operation_rhythm::operation_rhythm(window days)
    : from_(days.from), first_(to_string(days.from)), end_(to_string(days.to)) {
  if (days.days() >= shortest) has_.resize(static_cast<std::size_t>(days.days()));
}

// Most operations come on the day of the one before.
void operation_rhythm::add(std::string_view operation_date) {
  if (operation_date == previous_) return;
  previous_ = operation_date;
  if (operation_date < first_ || operation_date > end_) return;
  if (operation_date > last_day_) last_day_ = operation_date;
  if (has_.empty()) return;
  const auto on = day_from(operation_date);
  if (on) has_[static_cast<std::size_t>((*on - from_).count())] = true;
}

std::optional<int> operation_rhythm::usual_gap() const {
  std::vector<int> gaps;
  std::optional<std::size_t> before;
  for (std::size_t i = 0; i < has_.size(); ++i) {
    if (!has_[i]) continue;
    if (before) gaps.push_back(static_cast<int>(i - *before));
    before = i;
  }
  if (gaps.size() + 1 < least) return std::nullopt;
  const auto tenth = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() * 9 / 10);
  std::nth_element(gaps.begin(), tenth, gaps.end());
  return *tenth;
}

}  // namespace flanks
