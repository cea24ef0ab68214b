#include "daemon/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

#include "sync/text.hpp"

namespace flanks::terminal {

namespace {

// Code points, by counting what is not a continuation byte.
std::size_t points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string padded(const std::string& text, std::size_t width, align side) {
  const std::string room(width - std::min(points(text), width), ' ');
  return side == align::right ? room + text : text + room;
}

// A time of UTC that is written in `form` and no more; nothing for another text.
std::optional<std::time_t> time_of(std::string_view text, const char* form) {
  std::tm parts{};
  const std::string whole(text);
  const char* const end = ::strptime(whole.c_str(), form, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

std::string written(std::time_t at) {
  std::tm parts{};
  ::localtime_r(&at, &parts);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M %Z", &parts);
  return std::string(text.data(), length);
}

int& first_error() {
  static int error = 0;
  return error;
}

}  // namespace

void note_failed_write(int error) {
  if (first_error() == 0) first_error() = error == 0 ? EIO : error;
}

int finish_output() {
  errno = 0;
  if (std::fflush(stdout) != 0) note_failed_write(errno);
  if (std::ferror(stdout) != 0) note_failed_write(errno);
  return first_error();
}

std::string printable(std::string_view text) {
  return cleaned(text, " ");
}

std::string printable_json(std::string_view json) {
  std::string out;
  while (!json.empty()) {
    const std::size_t length = character_length(json);
    const std::string_view character = json.substr(0, length);
    if (length == 0) {
      out += "\\ufffd";
    } else if (is_steering(character)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(code_point(character)));
    } else {
      out += character;
    }
    json.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string fit(lines all) {
  std::string out;
  for (std::string_view text = all.text; !text.empty();) {
    const std::size_t end = text.find('\n');
    out += printable(text.substr(0, end));
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  return out;
}

void print_json(std::string_view json) {
  print("{}\n", verbatim{printable_json(json)});
}

bool is_live(std::FILE* stream) {
  const char* const term = std::getenv("TERM");
  return isatty(fileno(stream)) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

bool has_colour(std::FILE* stream) {
  const char* const no_color = std::getenv("NO_COLOR");
  return is_live(stream) && (no_color == nullptr || *no_color == '\0');
}

int width(std::FILE* stream) {
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

int height(std::FILE* stream) {
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  return 24;
}

std::string_view begin_of(colour c) {
  switch (c) {
    case colour::green:
      return "\033[32m";
    case colour::yellow:
      return "\033[33m";
    case colour::red:
      return "\033[1;31m";
    case colour::dim:
      return "\033[2m";
    case colour::none:
      return "";
  }
  return "";
}

std::string_view end_of(colour c) {
  return c == colour::none ? "" : "\033[0m";
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t sign = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) {
    at -= 3;
    digits.insert(at, " ");
  }
  return digits;
}

std::string amount(std::int64_t number, std::string_view one) {
  return grouped(number) + " " + plural(number, one);
}

std::string clock(std::chrono::seconds time) {
  const auto s = std::max<std::int64_t>(time.count(), 0);
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string rough(std::chrono::seconds time) {
  const auto s = std::max<std::int64_t>(time.count(), 0);
  if (s < 5) return "just now";
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min", s / 60);
  if (s < 172800) return fmt::format("{} h", s / 3600);
  return fmt::format("{} d", s / 86400);
}

std::string ago(std::chrono::seconds age) {
  const bool ahead = age.count() <= -5;
  const std::string words = rough(ahead ? -age : age);
  if (words == "just now") return words;
  return ahead ? "in " + words : words + " ago";
}

std::string local(std::string_view iso) {
  const std::optional<std::time_t> at = time_of(iso, "%Y-%m-%dT%H:%M:%SZ");
  return at ? written(*at) : std::string(iso);
}

std::string ago(std::string_view iso, std::chrono::system_clock::time_point now) {
  const std::optional<std::time_t> at = time_of(iso, "%Y-%m-%dT%H:%M:%SZ");
  if (!at) return std::string(iso);
  return ago(std::chrono::seconds{std::chrono::system_clock::to_time_t(now) - *at});
}

std::string local_and_ago(std::string_view iso, std::chrono::system_clock::time_point now) {
  if (!time_of(iso, "%Y-%m-%dT%H:%M:%SZ")) return std::string(iso);
  return fmt::format("{} ({})", local(iso), ago(iso, now));
}

std::string localised(std::string_view text) {
  constexpr std::string_view form = "2026-11-28 10:22 UTC";
  std::string out;
  while (text.size() >= form.size()) {
    const std::optional<std::time_t> at =
        text.substr(form.size() - 4).starts_with(" UTC")
            ? time_of(text.substr(0, form.size()), "%Y-%m-%d %H:%M UTC")
            : std::nullopt;
    out += at ? written(*at) : std::string(text.substr(0, 1));
    text.remove_prefix(at ? form.size() : 1);
  }
  return out.append(text);
}

void table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells)
    cell = printable(cell);
  rows_.push_back(std::move(cells));
}

void table::print(std::FILE* out) const {
  terminal::print(out, "{}", verbatim{text(has_colour(out))});
}

std::string table::text(bool coloured) const {
  std::vector<std::size_t> widths;
  for (const heading& h : headings_)
    widths.push_back(points(h.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], points(row[i]));
  }
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells, bool painted) {
    std::string out;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto of_cell = headings_[i].of_cell;
      const colour c = painted && of_cell != nullptr ? of_cell(cells[i]) : colour::none;
      const std::string cell = padded(cells[i], widths[i], headings_[i].side);
      out += fmt::format("{}{}{}  ", begin_of(c), cell, end_of(c));
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  };
  std::vector<std::string> titles;
  for (const heading& h : headings_)
    titles.push_back(h.title);
  line(titles, false);
  for (const auto& row : rows_)
    line(row, coloured);
  return text;
}

}  // namespace flanks::terminal
