// Which days to ask for. Pure arithmetic on calendar days: no clock, no time zone.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "sync/types.hpp"

namespace flanks {

// The same day of the month `months` (>= 0) earlier; the month's last day where that day does not
// exist (2024-03-31 minus 1 month is 2024-02-29).
[[nodiscard]] day months_before(day d, int months);

// All history: from `months` calendar months before `today` on, without an end.
[[nodiscard]] window history(day today, int months);

// The same window; open when it reaches today, or lies ahead (promise P4).
[[nodiscard]] window open_if_current(window w, day today);

// The window of the next fetch (promise P4), `all` being all history as of today. Begins `overlap`
// days before the end of what is covered, however long ago that was. All of it when nothing is
// covered, or when what is covered does not reach back to its beginning. Coverage that ends in the
// future (a clock that was set back) counts up to today.
[[nodiscard]] window next_window(std::optional<window> covered, window all,
                                 std::chrono::days overlap);

// The two halves of a window that was too large to serve; nothing when it is a single day. The
// halves meet without a gap: the second begins on the day after the first ends, and is open when
// the whole is.
[[nodiscard]] std::optional<std::pair<window, window>> halves(window w);

// The fewest windows of at most `limit` (>= 1) days that make up `whole`, of even length, oldest
// first; they meet without a gap, and the last is open when the whole is. Two of them are its
// halves.
[[nodiscard]] std::vector<window> cut(window whole, int limit);

// The window size to start with after one of `limit` days was served: twice that, or 0 (no limit)
// when that is all history.
[[nodiscard]] int grown(int limit, window history);

}  // namespace flanks
