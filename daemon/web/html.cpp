#include "daemon/web/html.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "sync/text.hpp"

namespace flanks::web {

namespace {

constexpr std::size_t least_digits = 10, shown_digits = 4;
constexpr const char* mask = "\u2022\u2022\u2022\u2022";  // four bullets

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_word(char c) {
  return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}

bool is_lower_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

std::size_t run_of(std::string_view text, std::size_t at, bool (*belongs)(char)) {
  std::size_t end = at;
  while (end < text.size() && belongs(text[end]))
    ++end;
  return end - at;
}

// The length of what may part two groups of a number, one or two of them; 0: nothing does.
std::size_t gap_at(std::string_view text, std::size_t at) {
  constexpr std::array<std::string_view, 10> parting{" ",   "-",      "_",      ".",      "/",
                                                     "%20", "\u00A0", "\u202F", "\u2007", "\u2009"};
  std::size_t length = 0;
  for (int times = 0; times < 2; ++times) {
    const std::string_view rest = text.substr(std::min(at + length, text.size()));
    const auto one = std::find_if(parting.begin(), parting.end(),
                                  [&](std::string_view p) { return rest.starts_with(p); });
    if (one == parting.end()) break;
    length += one->size();
  }
  return length;
}

// The number of `digits` digits at `at`, neither more nor fewer; -1: there is none.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
  if (at > text.size() || run_of(text, at, is_digit) != digits) return -1;
  int value = 0;
  for (const char c : text.substr(at, digits))
    value = value * 10 + (c - '0');
  return value;
}

bool is_within(int value, int least, int most) {
  return value >= least && value <= most;
}

bool parts_date(std::string_view text, std::size_t at) {
  return at < text.size() && (text[at] == '-' || text[at] == '/' || text[at] == '.');
}

// The length of 2026-11-28, 28.11.2026 or 2026-11; 0: none is there.
std::size_t date_shape_at(std::string_view text, std::size_t at) {
  const auto is_year = [&](std::size_t i) { return is_within(number_at(text, i, 4), 1900, 2199); };
  const auto is_month = [&](std::size_t i) { return is_within(number_at(text, i, 2), 1, 12); };
  const auto is_day = [&](std::size_t i) { return is_within(number_at(text, i, 2), 1, 31); };
  if (is_day(at) && parts_date(text, at + 2) && is_month(at + 3) && parts_date(text, at + 5) &&
      is_year(at + 6))
    return 10;
  if (!is_year(at) || !parts_date(text, at + 4) || !is_month(at + 5)) return 0;
  return parts_date(text, at + 7) && is_day(at + 8) ? 10 : 7;
}

// The same, and not the beginning of a longer number; another date may follow it.
std::size_t date_at(std::string_view text, std::size_t at) {
  const std::size_t length = date_shape_at(text, at);
  const std::size_t end = at + length;
  if (length == 0 || end + 1 >= text.size()) return length;
  const bool goes_on = (parts_date(text, end) || text[end] == '_') && is_digit(text[end + 1]);
  return goes_on && date_at(text, end + 1) == 0 ? 0 : length;
}

// The length of 192.168.100.200; 0: none is there.
std::size_t address_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (end >= text.size() || text[end++] != '.')) return 0;
    const std::size_t digits = run_of(text, end, is_digit);
    if (digits == 0 || digits > 3 || number_at(text, end, digits) > 255) return 0;
    end += digits;
  }
  const bool goes_on = end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1]);
  return goes_on ? 0 : end - at;
}

// Letters among the digits: letters before a number, as in an IBAN, make it no name of a trace.
bool is_mixed(std::string_view hex) {
  const std::size_t digit = std::min(hex.find_first_of("0123456789"), hex.size());
  return hex.find_first_of("abcdef", digit) != std::string_view::npos;
}

// The length of a trace id or the like: 16 hexadecimal digits or more, or a UUID; 0: none is there.
std::size_t trace_at(std::string_view text, std::size_t at) {
  constexpr std::array<std::size_t, 5> groups{8, 4, 4, 4, 12};
  std::size_t end = at + run_of(text, at, is_lower_hex);
  if (end - at < 16) {
    end = at;
    for (const std::size_t group : groups) {
      if (end > at && (end >= text.size() || text[end++] != '-')) return 0;
      if (run_of(text, end, is_lower_hex) != group) return 0;
      end += group;
    }
  }
  if (end < text.size() && is_word(text[end])) return 0;
  return is_mixed(text.substr(at, end - at)) ? end - at : 0;
}

// What looks like a number of an account and is none.
std::size_t kept_at(std::string_view text, std::size_t at) {
  if (at > 0 && is_digit(text[at - 1])) return 0;
  if (at == 0 || !is_word(text[at - 1])) {
    if (const std::size_t trace = trace_at(text, at)) return trace;
  }
  if (!is_digit(text[at])) return 0;
  const std::size_t date = date_at(text, at);
  return date > 0 ? date : address_at(text, at);
}

// A number that begins at `at`: where it ends, and its characters without what parts them.
struct found_number {
  std::size_t end;
  std::string characters;
};

// In one piece, or in groups of two to six that something parts; the last one may be longer, and
// after four one alone.
found_number grouped_from(std::string_view text, std::size_t at, bool (*belongs)(char)) {
  std::size_t group = run_of(text, at, belongs);
  found_number found{at + group, std::string(text.substr(at, group))};
  while (group >= 2 && group <= 6) {
    const std::size_t gap = gap_at(text, found.end);
    const std::size_t begin = found.end + gap;
    const std::size_t next = gap == 0 ? 0 : run_of(text, begin, belongs);
    if (next == 0 || (next == 1 && group != 4) || date_at(text, begin) > 0) break;
    const std::string_view more = text.substr(begin, next);
    // A word behind the number; the second group of an IBAN may be the bank's letters.
    if (found.characters.size() > 4 && std::all_of(more.begin(), more.end(), is_upper)) break;
    found.characters += more;
    found.end = begin + next;
    group = next;
  }
  return found;
}

// ISO 13616: a country, two check digits, 11 to 30 letters and digits.
std::optional<found_number> iban_at(std::string_view text, std::size_t at) {
  if (text.size() - at < 15) return std::nullopt;
  if (!is_upper(text[at]) || !is_upper(text[at + 1]) || !is_digit(text[at + 2]) ||
      !is_digit(text[at + 3]))
    return std::nullopt;
  found_number found = grouped_from(text, at, [](char c) { return is_upper(c) || is_digit(c); });
  const auto digits = std::count_if(found.characters.begin(), found.characters.end(), is_digit);
  if (found.characters.size() < 15 || found.characters.size() > 34 || digits < 8)
    return std::nullopt;
  return found;
}

std::optional<found_number> digits_at(std::string_view text, std::size_t at) {
  if (!is_digit(text[at])) return std::nullopt;
  found_number found = grouped_from(text, at, [](char c) { return is_digit(c) || c == '*'; });
  if (found.characters.size() < least_digits) return std::nullopt;
  return found;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : cleaned(text, " ")) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string masked(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t kept = kept_at(text, i)) {
      out += text.substr(i, kept);
      i += kept;
      continue;
    }
    const bool begins = i == 0 || !is_word(text[i - 1]);
    auto found = begins ? iban_at(text, i) : std::nullopt;
    if (!found && (i == 0 || !is_digit(text[i - 1]))) found = digits_at(text, i);
    if (found) {
      out += mask + found->characters.substr(found->characters.size() - shown_digits);
      i = found->end;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_word(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace flanks::web
