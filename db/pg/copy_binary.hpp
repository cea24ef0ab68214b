// Reads COPY's binary format as it comes out of the server, row by row (PostgreSQL 15, sql-copy
// "Binary Format": a header before the first row, then per row a count of fields, and per field a
// length and its bytes). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sync/types.hpp"

namespace flanks {

class copy_binary {
 public:
  // Takes what the server sent for one row; false for the mark after the last one.
  bool next(std::string_view bytes) {
    if (first_) bytes.remove_prefix(19 + number(bytes, 15));
    first_ = false;
    rest_ = bytes.size() < 6 ? std::string_view{} : bytes.substr(2);
    return !rest_.empty();
  }
  // The next field of the row; null has no data().
  std::string_view field() {
    const std::uint32_t size = number(rest_, 0);
    rest_.remove_prefix(4);
    if (size == UINT32_MAX) return {};
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  bool flag() { return field().at(0) != 0; }
  // Of type bigint, and not negative.
  std::uint64_t integer() {
    const std::string_view value = field();
    return std::uint64_t{number(value, 0)} << 32 | number(value, 4);
  }
  // Of the years that PostgreSQL and we have in common.
  day date() {
    const auto since_2000 = static_cast<std::int32_t>(number(field(), 0));
    return day{std::chrono::days{10'957 + since_2000}};
  }

 private:
  static std::uint32_t number(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
      value = (value << 8) | static_cast<unsigned char>(bytes.at(at + i));
    return value;
  }

  bool first_ = true;
  std::string_view rest_;
};

}  // namespace flanks
