// Writes JSON text by appending to a string: fast, and without a document in memory.
#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sandbox {

using day = std::chrono::sys_days;

template <std::integral T>
void append_number(std::string& out, T value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

// `width` hexadecimal digits, the low ones of `value`.
void append_hex(std::string& out, std::uint64_t value, int width);

// The body of a JSON string, without its quotes: UTF-8 stays UTF-8, control characters are escaped.
[[nodiscard]] std::string escaped(std::string_view raw);
// The same, but pure ASCII: everything else as \uXXXX, surrogate pairs included. `raw` is valid
// UTF-8.
[[nodiscard]] std::string escaped_ascii(std::string_view raw);
// With its quotes.
void append_quoted(std::string& out, std::string_view raw);

// "YYYY-MM-DD", without quotes.
void append_day(std::string& out, day d);
[[nodiscard]] std::string day_text(day d);
// Reads exactly "YYYY-MM-DD" of a day that exists.
[[nodiscard]] std::optional<day> read_day(std::string_view text);

}  // namespace sandbox
