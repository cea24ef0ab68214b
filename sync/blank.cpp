#include "sync/blank.hpp"

#include <algorithm>
#include <array>

#include "sync/text.hpp"

namespace flanks {

namespace {

struct code_range {
  char32_t first, last;
};

constexpr std::array blank_ranges{
    code_range{0x0000, 0x0020}, code_range{0x007F, 0x00A0}, code_range{0x00AD, 0x00AD},
    code_range{0x061C, 0x061C}, code_range{0x1680, 0x1680}, code_range{0x180E, 0x180E},
    code_range{0x2000, 0x200F}, code_range{0x2028, 0x202F}, code_range{0x205F, 0x206F},
    code_range{0x3000, 0x3000}, code_range{0xFEFF, 0xFEFF},
};

}  // namespace

bool is_blank(char32_t code) {
  return std::any_of(blank_ranges.begin(), blank_ranges.end(),
                     [code](const code_range& r) { return r.first <= code && code <= r.last; });
}

bool is_blank(std::string_view utf8) {
  while (!utf8.empty()) {
    const std::size_t length = character_length(utf8);
    if (length == 0 || !is_blank(code_point(utf8.substr(0, length)))) return false;
    utf8.remove_prefix(length);
  }
  return true;
}

}  // namespace flanks
