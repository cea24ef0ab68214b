#include "sync/blank.hpp"

#include <algorithm>
#include <array>

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

// How many bytes follow the lead byte, and the range that the first of them is in; none for a byte
// that begins no character.
struct tail {
  std::size_t bytes = 0;
  unsigned char least = 0x80, most = 0xBF;
};

tail tail_of(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return {1};
  if (lead == 0xE0) return {2, 0xA0};
  if (lead == 0xED) return {2, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {2};
  if (lead == 0xF0) return {3, 0x90};
  if (lead == 0xF4) return {3, 0x80, 0x8F};
  if (lead >= 0xF1 && lead <= 0xF3) return {3};
  return {};
}

}  // namespace

utf8_character first_character(std::string_view text) {
  if (text.empty()) return {};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const tail rest = tail_of(byte(0));
  if (rest.bytes == 0 || text.size() <= rest.bytes) return {};
  if (byte(1) < rest.least || byte(1) > rest.most) return {};
  char32_t code = byte(0) & (0x3FU >> rest.bytes);
  for (std::size_t i = 1; i <= rest.bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  return {code, rest.bytes + 1};
}

bool is_blank(char32_t code) {
  return std::any_of(blank_ranges.begin(), blank_ranges.end(),
                     [code](const code_range& r) { return r.first <= code && code <= r.last; });
}

bool is_blank(std::string_view utf8) {
  while (!utf8.empty()) {
    const utf8_character next = first_character(utf8);
    if (next.size == 0 || !is_blank(next.code)) return false;
    utf8.remove_prefix(next.size);
  }
  return true;
}

}  // namespace flanks
