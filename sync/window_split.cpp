#include "sync/window_split.hpp"

#include <algorithm>

#include "sync/window.hpp"

namespace flanks {

namespace {

// A provider that is merely slow serves a smaller window; one that is dead serves none, and must
// not keep us busy with ever smaller ones.
constexpr int halvings_for_slowness = 3;

// A wait for the answer. Those for a connection, a turn or the database are no shorter for a
// smaller window.
bool timed_out(const failure& f) {
  return f.error_class == "first_byte_timeout" || f.error_class == "idle_timeout" ||
         f.error_class == "total_timeout";
}

}  // namespace

window_split::window_split(window whole, int limit) : end_(whole.to), limit_(limit) {
  cut_up(whole);
}

window window_split::next() {
  last_ = todo_.back();
  todo_.pop_back();
  return last_;
}

bool window_split::halve_after(const failure& f) {
  if (!is_too_large(f)) return false;
  const auto parts = halves(last_);
  if (!parts) return false;
  limit_ = parts->second.days();
  halved_ = true;
  cut_up({last_.from, end_});
  return true;
}

std::optional<int> window_split::reduced_limit() const {
  return halved_ ? std::optional{limit_} : std::nullopt;
}

void window_split::cut_up(window days) {
  todo_ = limit_ == 0 ? std::vector{days} : cut(days, limit_);
  std::reverse(todo_.begin(), todo_.end());
}

bool window_split::is_too_large(const failure& f) {
  if (f.verdict == verdict::halve) return true;
  return timed_out(f) && slow_++ < halvings_for_slowness;
}

}  // namespace flanks
