#include "sync/window.hpp"

#include <algorithm>

namespace flanks {

day months_before(day d, int months) {
  using namespace std::chrono;
  const year_month_day date{d};
  const year_month_day same_day = date - std::chrono::months{months};
  if (same_day.ok()) return day{same_day};
  return day{year_month_day_last{same_day.year(), month_day_last{same_day.month()}}};
}

window history(day today, int months) {
  return {months_before(today, months), today, true};
}

window open_if_current(window w, day today) {
  if (w.to < today) return w;
  return {w.from, std::max(w.from, today), true};
}

window next_window(std::optional<window> covered, window all, std::chrono::days overlap) {
  if (!covered || covered->from > all.from) return all;
  const day resume = std::min(covered->to, all.to) - overlap;
  return {std::max(resume, all.from), all.to, all.open};
}

std::optional<std::pair<window, window>> halves(window w) {
  if (w.days() < 2) return std::nullopt;
  const day middle = w.from + std::chrono::days{w.days() / 2 - 1};
  return std::pair{window{w.from, middle}, window{middle + std::chrono::days{1}, w.to, w.open}};
}

std::vector<window> cut(window whole, int limit) {
  const int parts = (whole.days() + limit - 1) / limit;
  std::vector<window> windows;
  day from = whole.from;
  for (int left = parts; left > 0; --left) {
    const int days = static_cast<int>((whole.to - from).count() + 1) / left;
    windows.push_back({from, from + std::chrono::days{days - 1}});
    from += std::chrono::days{days};
  }
  windows.back().open = whole.open;
  return windows;
}

int grown(int limit, window history) {
  return limit >= history.days() / 2 ? 0 : limit * 2;
}

}  // namespace flanks
