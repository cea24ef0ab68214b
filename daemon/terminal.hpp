// What people see: lines, tables, numbers, durations, colours where a terminal has them. Everything
// that the program prints goes through here. No knowledge of the domain.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace flanks::terminal {

// The text on one line, fit for a terminal: a blank for each character that steers one
// (is_steering, sync/text.hpp), U+FFFD for each byte that is no UTF-8.
[[nodiscard]] std::string printable(std::string_view text);
// The same JSON with \u in place of such characters, so that it can be printed and means the same.
[[nodiscard]] std::string printable_json(std::string_view json);

// Arguments of print() that are more than a piece of a line. Each must outlive the call.
struct lines {  // made printable line by line
  std::string_view text;
};
struct verbatim {  // printed as it is: our own escape sequences, what was made printable before
  std::string_view text;
};

// What becomes of an argument of print().
[[nodiscard]] inline std::string fit(std::string_view text) {
  return printable(text);
}
[[nodiscard]] std::string fit(lines text);
[[nodiscard]] inline std::string fit(verbatim text) {
  return std::string(text.text);
}
template <class T>
requires(std::is_arithmetic_v<T>) [[nodiscard]] T fit(T number) {
  return number;
}

// Keeps the first errno that standard output was refused with.
void note_failed_write(int error);
// Writes what is still buffered of standard output; the errno of its first failure, 0 for none.
[[nodiscard]] int finish_output();

// As fmt::print, with every argument that is text made printable: what comes from the provider, the
// database or a file cannot draw on the terminal. The format itself is ours.
template <class... T>
void print(std::FILE* out, fmt::format_string<decltype(fit(std::declval<const T&>()))...> format,
           const T&... arguments) {
  const auto formatted = [&](const auto&... fitted) {
    return fmt::vformat(format, fmt::make_format_args(fitted...));
  };
  const std::string text = formatted(fit(arguments)...);
  const std::size_t written = std::fwrite(text.data(), 1, text.size(), out);
  if (written < text.size() && out == stdout) note_failed_write(errno);
}

// On standard output.
template <class... T>
void print(fmt::format_string<decltype(fit(std::declval<const T&>()))...> format,
           const T&... arguments) {
  terminal::print(stdout, format, arguments...);
}

// One JSON document on a line of its own, on standard output.
void print_json(std::string_view json);

// Whether `stream` is a terminal that can redraw a line (not with TERM=dumb).
[[nodiscard]] bool is_live(std::FILE* stream);
// Whether colours are welcome there: a terminal, and NO_COLOR (no-color.org) is not set.
[[nodiscard]] bool has_colour(std::FILE* stream);
// Columns and lines of the terminal; 80 and 24 when it does not say.
[[nodiscard]] int width(std::FILE* stream);
[[nodiscard]] int height(std::FILE* stream);

// "12 345": groups of three, parted by a thin sign that copies well (a blank).
[[nodiscard]] std::string grouped(std::int64_t number);
// "1 row", "12 345 rows".
[[nodiscard]] std::string amount(std::int64_t number, std::string_view one);
// "0:42", "12:05", "3:07:00".
[[nodiscard]] std::string clock(std::chrono::seconds time);
// "just now", "42 s", "17 min", "5 h", "3 d".
[[nodiscard]] std::string rough(std::chrono::seconds time);
// "just now", "17 min ago"; "in 17 min" for a negative one.
[[nodiscard]] std::string ago(std::chrono::seconds age);

// Times for people, in the zone of this machine (or of $TZ), which is named. `iso` is a time as
// --json has it, "2026-11-28T10:22:07Z"; any other text stays as it is.
//   "2026-11-28 11:22 CET"
[[nodiscard]] std::string local(std::string_view iso);
//   "2026-11-28 11:22 CET (3 min ago)"
[[nodiscard]] std::string local_and_ago(std::string_view iso,
                                        std::chrono::system_clock::time_point now);
//   "3 min ago"
[[nodiscard]] std::string ago(std::string_view iso, std::chrono::system_clock::time_point now);
// The text with each "2026-11-28 10:22 UTC" in it as local() would write it.
[[nodiscard]] std::string localised(std::string_view text);

enum class colour : std::uint8_t { none, green, yellow, red, dim };
// The escape sequence that begins it, and the one that ends all; empty for none.
[[nodiscard]] std::string_view begin_of(colour c);
[[nodiscard]] std::string_view end_of(colour c);

enum class align : std::uint8_t { left, right };
struct heading {
  std::string title;
  align side = align::left;
  colour (*of_cell)(std::string_view cell) = nullptr;  // where colours are welcome
};

// Columns as wide as their widest cell, two blanks between them. Widths are counted in code points.
// Cells are made printable.
class table {
 public:
  explicit table(std::vector<heading> headings) : headings_(std::move(headings)) {}
  void add(std::vector<std::string> cells);
  [[nodiscard]] std::string text(bool coloured = false) const;
  // Coloured as `out` likes it.
  void print(std::FILE* out = stdout) const;
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<heading> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace flanks::terminal
