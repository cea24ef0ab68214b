#include "tests/sandbox/json_text.hpp"

namespace sandbox {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

void append_unit(std::string& out, std::uint32_t unit) {
  out += "\\u";
  append_hex(out, unit, 4);
}

// Escapes what JSON demands; false when the byte can stand as it is.
bool append_escape(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return true;
    case '\\':
      out += "\\\\";
      return true;
    case '\n':
      out += "\\n";
      return true;
    case '\r':
      out += "\\r";
      return true;
    case '\t':
      out += "\\t";
      return true;
    case '\b':
      out += "\\b";
      return true;
    case '\f':
      out += "\\f";
      return true;
    default:
      break;
  }
  if (c >= 0x20) return false;
  append_unit(out, c);
  return true;
}

}  // namespace

void append_hex(std::string& out, std::uint64_t value, int width) {
  for (int shift = (width - 1) * 4; shift >= 0; shift -= 4)
    out += hex_digits[(value >> shift) & 15U];
}

std::string escaped(std::string_view raw) {
  std::string out;
  out.reserve(raw.size() + 8);
  for (const char c : raw)
    if (!append_escape(out, static_cast<unsigned char>(c))) out += c;
  return out;
}

std::string escaped_ascii(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size();) {
    const auto lead = static_cast<unsigned char>(raw[i]);
    if (lead < 0x80) {
      if (!append_escape(out, lead)) out += raw[i];
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    std::uint32_t point = lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < raw.size(); ++k)
      point = (point << 6) | (static_cast<unsigned char>(raw[i + k]) & 0x3FU);
    if (point >= 0x10000) {
      append_unit(out, 0xD800 + ((point - 0x10000) >> 10));
      append_unit(out, 0xDC00 + ((point - 0x10000) & 0x3FFU));
    } else {
      append_unit(out, point);
    }
    i += length;
  }
  return out;
}

void append_quoted(std::string& out, std::string_view raw) {
  out += '"';
  out += escaped(raw);
  out += '"';
}

void append_day(std::string& out, day d) {
  const std::chrono::year_month_day date{d};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto month = static_cast<unsigned>(date.month());
  const auto of_month = static_cast<unsigned>(date.day());
  const auto digit = [](unsigned value) { return static_cast<char>('0' + value % 10); };
  const char text[10] = {digit(year / 1000),
                         digit(year / 100),
                         digit(year / 10),
                         digit(year),
                         '-',
                         digit(month / 10),
                         digit(month),
                         '-',
                         digit(of_month / 10),
                         digit(of_month)};
  out.append(text, sizeof text);
}

std::string day_text(day d) {
  std::string out;
  append_day(out, d);
  return out;
}

std::optional<day> read_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t from, std::size_t size) {
    int value = 0;
    const char* end = text.data() + from + size;
    const auto read = std::from_chars(text.data() + from, end, value);
    return read.ec == std::errc{} && read.ptr == end && text[from] != '-' ? value : -1;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int of_month = number(8, 2);
  if (year < 1 || month < 1 || of_month < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(of_month)}};
  if (!date.ok()) return std::nullopt;
  return day{date};
}

}  // namespace sandbox
