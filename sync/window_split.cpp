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

window_split::window_split(window whole, int limit) : todo_{whole}, limit_(limit) {
  cut_up_rest();
}

window window_split::next() {
  last_ = todo_.back();
  todo_.pop_back();
  return last_;
}

void window_split::served() {
  last_served_ = last_;
  most_served_ = std::max(most_served_, last_.days());
  if (!refused_) return;
  // What is as long as this one and refused all the same is refused for its age.
  limit_ = most_served_;
  cut_up_rest();
}

bool window_split::split_after(const failure& f) {
  if (f.error_class == "window_refused") return leave_out();
  return is_too_large(f) && halve();
}

bool window_split::halve() {
  const auto parts = halves(last_);
  if (!parts) return false;
  limit_ = parts->second.days();
  halved_ = true;
  todo_.push_back(last_);
  cut_up_rest();
  return true;
}

bool window_split::leave_out() {
  const auto parts = halves(last_);
  if (!parts && most_served_ == 0) return false;
  refused_ = true;
  if (parts) {
    todo_.push_back(parts->first);
    todo_.push_back(parts->second);
    std::sort(todo_.begin(), todo_.end());
  } else {
    history_begins_ = last_.to + std::chrono::days{1};
    todo_.clear();
  }
  return true;
}

std::optional<int> window_split::reduced_limit() const {
  if (halved_) return limit_;
  if (!refused_ || history_begins_ || !done()) return std::nullopt;
  return std::max(most_served_, last_.days());
}

// Those that were refused come youngest first, all others oldest first.
void window_split::cut_up_rest() {
  if (limit_ == 0) return;
  std::vector<window> smaller;
  for (const window& w : todo_) {
    std::vector<window> parts = cut(w, limit_);
    if (!refused_) std::reverse(parts.begin(), parts.end());
    smaller.insert(smaller.end(), parts.begin(), parts.end());
  }
  todo_ = std::move(smaller);
}

bool window_split::is_too_large(const failure& f) {
  if (f.verdict == verdict::halve) return true;
  return timed_out(f) && slow_++ < halvings_for_slowness;
}

}  // namespace flanks
