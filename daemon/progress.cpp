#include "daemon/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/terminal.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

double seconds(const progress_numbers& n) {
  return std::max(static_cast<double>(n.elapsed.count()) / 1000.0, 0.001);
}

std::string rate(const progress_numbers& n) {
  return terminal::grouped(static_cast<std::int64_t>(static_cast<double>(n.rows) / seconds(n))) +
         " rows/s";
}

std::string time_left(const progress_numbers& n) {
  const std::int64_t done = n.items_done - n.items_before;
  if (done <= 0) return "--:--";
  const double left =
      seconds(n) / static_cast<double>(done) * static_cast<double>(n.items - n.items_done);
  return terminal::clock(chr::seconds{static_cast<std::int64_t>(left + 0.5)});
}

std::string bar(const progress_numbers& n, int width) {
  const std::int64_t of = std::max<std::int64_t>(n.items, 1);
  const auto full = static_cast<std::size_t>(std::min(n.items_done, of) * width / of);
  return std::string(full, '#') + std::string(static_cast<std::size_t>(width) - full, '.');
}

}  // namespace

std::string live_line(const progress_numbers& n, int columns, bool colour) {
  const std::string tail =
      fmt::format("{}/{}  {}  {}  ETA {}", n.items_done, counted(n.items, "window"),
                  terminal::amount(n.rows, "row"), rate(n), time_left(n));
  const std::string failed = n.failed > 0 ? fmt::format("  {} failed", n.failed) : "";
  const int room = columns - static_cast<int>(tail.size() + failed.size()) - 5;
  std::string line;
  if (room >= 10) line = fmt::format("[{}] ", bar(n, std::min(room, 30)));
  line += tail;
  if (static_cast<int>(line.size() + failed.size()) >= columns)
    return line.substr(0, static_cast<std::size_t>(columns - 1));
  return line + (colour && n.failed > 0 ? "\033[31m" + failed + "\033[0m" : failed);
}

std::string plain_line(const progress_numbers& n) {
  const std::int64_t percent = n.items == 0 ? 100 : n.items_done * 100 / n.items;
  return fmt::format("backfill {}%: {} of {}, {}, {}, ETA {}, {} failed", percent, n.items_done,
                     counted(n.items, "window"), counted(n.rows, "row"), rate(n), time_left(n),
                     n.failed);
}

boost::asio::awaitable<void> show_progress(const progress_numbers& numbers, std::FILE* out,
                                           engine_clock& clock) {
  // The cursor rests at the line's beginning: what the log writes meanwhile takes its place, and
  // the next one is drawn below.
  const bool live = terminal::is_live(out);
  const chr::milliseconds period{live ? 100 : 5000};
  const auto begin = clock.steady();
  for (;;) {
    co_await clock.sleep(period);
    progress_numbers now = numbers;
    now.elapsed = chr::duration_cast<chr::milliseconds>(clock.steady() - begin);
    const std::string line =
        live ? "\r\033[K" + live_line(now, terminal::width(out), terminal::has_colour(out)) + "\r"
             : plain_line(now) + "\n";
    std::fputs(line.c_str(), out);
    std::fflush(out);
  }
}

void clear_progress(std::FILE* out) {
  if (!terminal::is_live(out)) return;
  std::fputs("\r\033[K", out);
  std::fflush(out);
}

}  // namespace flanks
