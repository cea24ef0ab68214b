#include "sync/flanks/element_scanner.hpp"

#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace flanks {

namespace {

struct raw_masks {
  std::uint64_t quote = 0, backslash = 0, open = 0, close = 0, comma = 0;
};

#ifdef __SSE2__
std::uint64_t mask_of(__m128i equal) {
  return static_cast<std::uint32_t>(_mm_movemask_epi8(equal));
}

raw_masks look(const char* block) {
  raw_masks m;
  // '[' | 0x20 == '{' and ']' | 0x20 == '}', and no other byte maps there.
  const __m128i to_brace = _mm_set1_epi8(0x20);
  for (unsigned lane = 0; lane < 4; ++lane) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16 * lane));
    const __m128i braced = _mm_or_si128(bytes, to_brace);
    const unsigned shift = 16 * lane;
    m.quote |= mask_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'))) << shift;
    m.backslash |= mask_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))) << shift;
    m.comma |= mask_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(','))) << shift;
    m.open |= mask_of(_mm_cmpeq_epi8(braced, _mm_set1_epi8('{'))) << shift;
    m.close |= mask_of(_mm_cmpeq_epi8(braced, _mm_set1_epi8('}'))) << shift;
  }
  return m;
}
#else
raw_masks look(const char* block) {
  raw_masks m;
  for (unsigned i = 0; i < 64; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    const char c = block[i];
    if (c == '"') m.quote |= bit;
    if (c == '\\') m.backslash |= bit;
    if (c == ',') m.comma |= bit;
    if (c == '{' || c == '[') m.open |= bit;
    if (c == '}' || c == ']') m.close |= bit;
  }
  return m;
}
#endif

// Bit i of the result is the parity of the bits 0 to i: inside of a string or not.
std::uint64_t parity_so_far(std::uint64_t bits) {
  for (const unsigned shift : {1U, 2U, 4U, 8U, 16U, 32U})
    bits ^= bits << shift;
  return bits;
}

// The bytes that a backslash takes the meaning from. `carry`: the block before ended in one.
std::uint64_t escaped_bytes(std::uint64_t backslash, std::size_t size, bool& carry) {
  std::uint64_t escaped = carry ? 1 : 0;
  std::uint64_t left = backslash & ~escaped;
  carry = false;
  while (left != 0) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    if (i + 1 == size) {
      carry = true;
      break;
    }
    escaped |= std::uint64_t{2} << i;
    left &= ~(std::uint64_t{3} << i);
  }
  return escaped;
}

}  // namespace

std::size_t element_scanner::find_end(std::string_view bytes) {
  for (std::size_t start = 0; start < bytes.size(); start += 64) {
    const masks m = classify(bytes.data() + start, bytes.size() - start);
    const std::size_t found = find_in_block(m);
    if (found < 64) {
      *this = element_scanner{};
      return start + found;
    }
  }
  return npos;
}

std::size_t element_scanner::find_in_block(const masks& m) {
  if (depth_ > 1) {  // inside of an object or a list, as most blocks are
    if ((m.open | m.close) == 0) return 64;
    const int closing = std::popcount(m.close);
    if (depth_ - closing > 1) {
      depth_ += std::popcount(m.open) - closing;
      return 64;
    }
  }
  for (std::uint64_t left = m.open | m.close | m.comma; left != 0; left &= left - 1) {
    const std::uint64_t bit = left & (~left + 1);
    const auto offset = static_cast<std::size_t>(std::countr_zero(bit));
    if ((bit & m.open) != 0) {
      ++depth_;
    } else if ((bit & m.comma) != 0) {
      if (depth_ == 1) return offset;
    } else if (--depth_ == 0) {
      return offset;
    }
  }
  return 64;
}

element_scanner::masks element_scanner::classify(const char* block, std::size_t size) {
  char padded[64];
  if (size < 64) {
    std::memset(padded, ' ', sizeof padded);
    std::memcpy(padded, block, size);
    block = padded;
  } else {
    size = 64;
  }
  raw_masks raw = look(block);
  if (raw.backslash != 0 || escaped_) {
    raw.quote &= ~escaped_bytes(raw.backslash, size, escaped_);
  }
  const std::uint64_t inside = parity_so_far(raw.quote) ^ (in_string_ ? ~std::uint64_t{0} : 0);
  in_string_ = ((inside >> (size - 1)) & 1) != 0;
  return {raw.open & ~inside, raw.close & ~inside, raw.comma & ~inside};
}

}  // namespace flanks
