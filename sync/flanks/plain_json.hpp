// The words of JSON as nearly all of it is written, read strictly and fast: what it accepts is JSON
// in valid UTF-8 (RFC 8259). It may give up on what is JSON too (an exponent of many digits,
// half a surrogate pair, U+0000, deep nesting), and on text that goes on behind the end of the
// bytes: then basic_parser decides. Nothing is converted.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace flanks {

struct plain_string {
  std::string_view raw;  // between the quotes
  bool escaped = false;  // it holds a backslash: decode_string() has the last word
};

struct plain_number {
  std::string_view digits;  // all of it, with sign, point and exponent
  bool exponent = false;
};

// A text of at most 24 bytes to compare with, all bytes at once: no call and, where it is the one
// that comes, nothing that the next step has to wait for.
class known_string {
 public:
  constexpr known_string() = default;
  constexpr explicit known_string(std::string_view text) : size_(text.size()) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const unsigned shift = 8 * (i % 8);
      words_[i / 8] |= std::uint64_t{static_cast<unsigned char>(text[i])} << shift;
      masks_[i / 8] |= std::uint64_t{0xFF} << shift;
    }
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  // Also false when fewer than 24 bytes are there.
  [[nodiscard]] bool begins(const char* at, const char* end) const {
    if (end - at < static_cast<std::ptrdiff_t>(sizeof words_)) return false;
    std::uint64_t wrong =
        ((word_at(at) ^ words_[0]) & masks_[0]) | ((word_at(at + 8) ^ words_[1]) & masks_[1]);
    if (masks_[2] != 0) wrong |= (word_at(at + 16) ^ words_[2]) & masks_[2];
    return wrong == 0;
  }

 private:
  // The first byte is the lowest, on any machine.
  static std::uint64_t word_at(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    return word;
  }

  std::array<std::uint64_t, 3> words_{}, masks_{};
  std::size_t size_ = 0;
};

// A cursor is read with everything inlined, so that it lives in registers: each step of it waits
// for the one before, and through memory it would wait five times as long. So nothing that stays a
// function of its own may get a reference to one that is read quickly.
#define FLANKS_IN_REGISTERS [[gnu::always_inline]] inline

// A value that may hold others, nested at most so deep.
inline constexpr int deepest_plain = 8;

class json_cursor {
 public:
  explicit json_cursor(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), block_end_(at_) {}

  [[nodiscard]] const char* at() const { return at_; }
  // At the end of what a copy of this cursor has read.
  void go_on(const char* at) { at_ = at; }
  // The byte that comes next; 0 when there is none.
  [[nodiscard]] char peek() const { return at_ == end_ ? '\0' : *at_; }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  // Whether there were any.
  bool skip_blanks() {
    if (at_ != end_ && static_cast<unsigned char>(*at_) > ' ') return false;  // as nearly always
    const char* const before = at_;
    while (at_ != end_ && is_blank(*at_))
      ++at_;
    return at_ != before;
  }

  // A string that is known: `quoted` with its quotes.
  bool take_known(const known_string& quoted) {
    if (!quoted.begins(at_, end_)) return false;
    at_ += quoted.size();
    return true;
  }
  // To the next key, over a comma and the blanks around it.
  bool take_comma() {
    constexpr std::array<char, 2> usual{',', '"'};
    if (end_ - at_ >= 2 && std::memcmp(at_, usual.data(), usual.size()) == 0) {
      ++at_;
      return true;
    }
    skip_blanks();
    if (!take(',')) return false;
    skip_blanks();
    return true;
  }
  // From the opening quote to behind the closing one.
  std::optional<plain_string> take_string();
  // With an exponent of at most three digits; and only when the byte behind it is there too.
  std::optional<plain_number> take_number();
  bool take_word(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size()) return false;
    if (std::string_view{at_, word.size()} != word) return false;
    at_ += word.size();
    return true;
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  // How many there were.
  std::ptrdiff_t skip_digits() {
    const char* const before = at_;
    while (at_ != end_ && is_digit(*at_))
      ++at_;
    return at_ - before;
  }
  bool skip_short_decimal();
  void skip_simple_text();
  void find_special();

  static constexpr std::ptrdiff_t short_decimal = 16;
  static constexpr std::ptrdiff_t block_size = 64;
  const char* at_;
  const char* end_;
  const char* block_end_;      // of the block that was searched last
  std::uint64_t special_ = 0;  // bit by byte of it: it ends simple text
};

// What an escaped string says, written to `out`, which has room for raw.size() bytes; how many it
// took. Nothing when it is no string, or holds U+0000 or half a surrogate pair.
[[nodiscard]] std::optional<std::size_t> decode_string(std::string_view raw, char* out);

// Behind one or more characters beyond ASCII (Unicode, table 3-7). Null when they are not well
// formed, or a control character follows.
[[nodiscard]] const char* skip_utf8(const char* at, const char* end);

// The value that comes next, an object or a list as well: the keys of each object all different and
// without escapes. Nothing when it is no such thing. `verbatim` turns false when its compact form
// (json_text.hpp) is another than what was sent.
[[nodiscard]] std::optional<std::string_view> take_nested(json_cursor c, bool& verbatim);
// Appends the compact form of what take_nested() accepted.
void append_compact(std::string& out, std::string_view nested);

// Bytes that a string holds as they are: no quote, no backslash, no control character, ASCII. Which
// of the next 64 bytes are none of these is found for all at once: strings are shorter than that,
// and where the next one ends must not wait for the end of this one.
FLANKS_IN_REGISTERS void json_cursor::skip_simple_text() {
#ifdef __SSE2__
  for (;;) {
    if (at_ >= block_end_) {
      if (end_ - at_ < block_size) break;
      find_special();
    }
    const std::uint64_t special = special_ >> (block_size - (block_end_ - at_));
    if (special != 0) {
      at_ += std::countr_zero(special);
      return;
    }
    at_ = block_end_;
  }
#endif
  while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<signed char>(*at_) >= 0x20)
    ++at_;
}

#ifdef __SSE2__
FLANKS_IN_REGISTERS void json_cursor::find_special() {
  const auto in_16_from = [this](std::ptrdiff_t i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_ + i));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    // As signed numbers the bytes of UTF-8 sequences are less than a blank too.
    const __m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const int found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), other));
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(found));
  };
  special_ = in_16_from(0) | in_16_from(16) << 16 | in_16_from(32) << 32 | in_16_from(48) << 48;
  block_end_ = at_ + block_size;
}
#endif

FLANKS_IN_REGISTERS std::optional<plain_string> json_cursor::take_string() {
  if (!take('"')) return std::nullopt;
  const char* const begin = at_;
  bool escaped = false;
  for (;;) {
    skip_simple_text();
    if (at_ == end_) return std::nullopt;
    if (*at_ == '"') {
      const std::string_view raw{begin, static_cast<std::size_t>(at_ - begin)};
      ++at_;
      return plain_string{raw, escaped};
    }
    if (*at_ == '\\') {
      if (end_ - at_ < 2) return std::nullopt;
      escaped = true;
      at_ += 2;
    } else {
      at_ = skip_utf8(at_, end_);
      if (at_ == nullptr) return std::nullopt;
    }
  }
}

// The digits of nearly all numbers lie within 16 bytes, and where they end must not be guessed
// digit by digit.
FLANKS_IN_REGISTERS bool json_cursor::skip_short_decimal() {
#ifdef __SSE2__
  if (end_ - at_ < short_decimal) return false;
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
  const __m128i from_zero = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(0x80 - '0')));
  const __m128i digit = _mm_cmplt_epi8(from_zero, _mm_set1_epi8(static_cast<char>(0x80 + 10)));
  const unsigned others = ~static_cast<unsigned>(_mm_movemask_epi8(digit));  // bit 16 is one
  const int whole = std::countr_zero(others);
  if (whole == 0 || (whole > 1 && *at_ == '0')) return false;
  if (at_[whole & 15] != '.' || whole > 12) return false;
  const int places = std::countr_zero(others >> (whole + 1));
  const int size = whole + 1 + places;
  if (places == 0 || size >= short_decimal || (at_[size] | 0x20) == 'e') return false;
  at_ += size;
  return true;
#else
  return false;
#endif
}

FLANKS_IN_REGISTERS std::optional<plain_number> json_cursor::take_number() {
  const char* const begin = at_;
  take('-');
  if (skip_short_decimal())
    return plain_number{{begin, static_cast<std::size_t>(at_ - begin)}, false};
  if (!take('0') && skip_digits() == 0) return std::nullopt;
  if (take('.') && skip_digits() == 0) return std::nullopt;
  const bool exponent = take('e') || take('E');
  if (exponent) {
    if (!take('+')) take('-');
    const std::ptrdiff_t digits = skip_digits();
    if (digits == 0 || digits > 3) return std::nullopt;
  }
  if (at_ == end_) return std::nullopt;
  return plain_number{{begin, static_cast<std::size_t>(at_ - begin)}, exponent};
}

}  // namespace flanks
