#include "config/key_file.hpp"

#include <algorithm>
#include <cstdint>

namespace flanks::config {

namespace {

constexpr std::size_t key_size = 32;

bool is_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 4648, section 4.
int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// Digits of so many bits each; bits that fill no byte must be zero.
std::string packed(std::string_view text, int bits, int (*digit_of)(char)) {
  std::string out;
  std::uint32_t pending = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit < 0) return {};
    pending = pending << bits | static_cast<std::uint32_t>(digit);
    count += bits;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(static_cast<unsigned char>(pending >> count));
    pending &= (1U << count) - 1;
  }
  return pending == 0 ? out : std::string{};
}

}  // namespace

std::string key_bytes(std::string_view content) {
  if (content.size() == key_size && !is_text(content)) return std::string(content);
  if (content.ends_with('\n')) content.remove_suffix(1);
  if (content.ends_with('\r')) content.remove_suffix(1);
  if (content.size() == 2 * key_size) return packed(content, 4, hex_digit);
  // 32 bytes are 43 digits and one '='.
  if (content.size() == 44 && content.ends_with('='))
    return packed(content.substr(0, 43), 6, base64_digit);
  return {};
}

}  // namespace flanks::config
