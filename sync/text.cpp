#include "sync/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flanks {

namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

}  // namespace

std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  if (text.empty()) return 0;
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = lead == 0xE0 ? byte(1) >= 0xA0 : lead == 0xED ? byte(1) < 0xA0 : true;
    return second && tail(1) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = lead == 0xF0 ? byte(1) >= 0x90 : lead == 0xF4 ? byte(1) < 0x90 : true;
    return second && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

char32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  char32_t point = byte(0) & (0x7FU >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i)
    point = point << 6 | (byte(i) & 0x3FU);
  return point;
}

std::optional<std::size_t> first_not_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  return text;
}

std::vector<text_flaw> text_flaws(std::string_view text) {
  std::vector<text_flaw> found;
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return {{{1, 1}, "it is UTF-16, not UTF-8"}};
  text = without_byte_order_mark(text);
  text_place at;
  bool told = false;  // of this line
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (!told && length == 0) {
      found.push_back({at, fmt::format("the byte 0x{:02X} is not UTF-8 (Latin-1?)", byte)});
    } else if (!told && byte == 0) {
      found.push_back({at, "a NUL byte"});
    }
    told = told || length == 0 || byte == 0;
    ++at.column;
    if (byte == '\n') at = {at.line + 1, 1}, told = false;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return found;
}

std::string secret_objection(std::string_view content) {
  if (content.starts_with("\xef\xbb\xbf")) return "begins with a byte order mark";
  if (content.starts_with("\xff\xfe") || content.starts_with("\xfe\xff"))
    return "is UTF-16, not UTF-8";
  return content.find('\0') == std::string_view::npos ? "" : "holds a NUL byte";
}

bool is_steering(std::string_view character) {
  const char32_t c = code_point(character);
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

std::string cleaned(std::string_view text, std::string_view instead) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const std::string_view character = text.substr(0, length);
    if (length == 0) {
      out += replacement_character;
    } else {
      out += is_steering(character) ? instead : character;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string_view clipped(std::string_view text, std::size_t limit) {
  std::size_t end = std::min(text.size(), limit);
  while (end < text.size() && end > 0 && (text[end] & '\xC0') == '\x80')
    --end;
  return text.substr(0, end);
}

std::string plural(std::int64_t count, std::string_view one, std::string_view many) {
  if (count == 1) return std::string(one);
  return many.empty() ? std::string(one) + "s" : std::string(many);
}

std::string counted(std::int64_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + plural(count, one, many);
}

}  // namespace flanks
