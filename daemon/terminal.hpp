// What people see: tables, numbers, durations, colours where a terminal has them. No knowledge of
// the domain.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace flanks::terminal {

// Whether `stream` is a terminal that can redraw a line (not with TERM=dumb).
[[nodiscard]] bool is_live(std::FILE* stream);
// Whether colours are welcome there: a terminal, and NO_COLOR (no-color.org) is not set.
[[nodiscard]] bool has_colour(std::FILE* stream);
// Columns of the terminal; 80 when it does not say.
[[nodiscard]] int width(std::FILE* stream);

// "12 345": groups of three, parted by a thin sign that copies well (a blank).
[[nodiscard]] std::string grouped(std::int64_t number);
// "0:42", "12:05", "3:07:00".
[[nodiscard]] std::string clock(std::chrono::seconds time);
// "just now", "42 s", "17 min", "5 h", "3 d".
[[nodiscard]] std::string rough(std::chrono::seconds time);

enum class align : std::uint8_t { left, right };
struct heading {
  std::string title;
  align side = align::left;
};

// Columns as wide as their widest cell, two blanks between them. Widths are counted in code points.
// Control characters in cells become blanks, so that what a provider sent cannot draw on the
// terminal.
class table {
 public:
  explicit table(std::vector<heading> headings) : headings_(std::move(headings)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<heading> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace flanks::terminal
