#include "daemon/web/html.hpp"

#include <algorithm>
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

// A number that begins at `at`: where it ends, and its characters without blanks.
struct found_number {
  std::size_t end;
  std::string characters;
};

// In one piece, or in groups of four that a blank or a hyphen parts; the last group may be shorter.
found_number grouped_from(std::string_view text, std::size_t at, bool (*belongs)(char)) {
  found_number found{at, ""};
  std::size_t group = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (belongs(c)) {
      found.characters += c;
      found.end = i + 1;
      ++group;
      continue;
    }
    const bool parts =
        (c == ' ' || c == '-') && group == 4 && i + 1 < text.size() && belongs(text[i + 1]);
    if (!parts) break;
    group = 0;
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
