// How far a backfill is: one live line on a terminal, a plain line every few seconds elsewhere.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "sync/clock.hpp"

namespace flanks {

// Numbers so far. `items` are windows of the plan; those done in an earlier start are in both
// counts.
struct progress_numbers {
  std::int64_t items = 0;
  std::int64_t items_done = 0;    // ended, well or badly
  std::int64_t items_before = 0;  // done in an earlier start: not counted in the rate
  std::int64_t rows = 0;          // array elements received since this start
  std::int64_t failed = 0;        // items that failed
  std::chrono::milliseconds elapsed{0};
};

// One line without a line break, at most `columns` wide. The rate is rows a second since the start;
// the time left follows from the windows, and is "--:--" until one has ended.
[[nodiscard]] std::string live_line(const progress_numbers& n, int columns, bool colour);
// The same for a file: no bar, no cursor.
[[nodiscard]] std::string plain_line(const progress_numbers& n);

// Writes to `out` until it is cancelled: the live line ten times a second, or a plain line every
// five seconds.
boost::asio::awaitable<void> show_progress(const progress_numbers& numbers, std::FILE* out,
                                           engine_clock& clock);
// Clears the live line, so that what is printed next begins on a line of its own.
void clear_progress(std::FILE* out);

}  // namespace flanks
