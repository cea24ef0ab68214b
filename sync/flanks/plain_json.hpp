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

// A text of at most 24 bytes to compare with, word by word: no call and, where it is the one that
// comes, nothing that the next step has to wait for.
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
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i < words_.size(); ++i)
      wrong |= (word_at(at + 8 * i) ^ words_[i]) & masks_[i];
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

// A value that may hold others, nested at most so deep.
inline constexpr int deepest_plain = 8;

class json_cursor {
 public:
  explicit json_cursor(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] const char* at() const { return at_; }
  // The byte that comes next; 0 when there is none.
  [[nodiscard]] char peek() const { return at_ == end_ ? '\0' : *at_; }
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  // Whether there were any.
  bool skip_blanks() {
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
  // From the opening quote to behind the closing one.
  std::optional<plain_string> take_string();
  // With an exponent of at most three digits; and only when the byte behind it is there too.
  std::optional<std::string_view> take_number();
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
  void skip_simple_text();
  bool skip_utf8();

  const char* at_;
  const char* end_;
};

// What an escaped string says, written to `out`, which has room for raw.size() bytes; how many it
// took. Nothing when it is no string, or holds U+0000 or half a surrogate pair.
[[nodiscard]] std::optional<std::size_t> decode_string(std::string_view raw, char* out);

// Goes to behind an object or a list, the keys of each object all different and without escapes.
// False when it is no such thing. `verbatim` turns false when its compact form (json_text.hpp) is
// another than what was sent.
[[nodiscard]] bool skip_nested(json_cursor& c, bool& verbatim);
// Appends the compact form of what skip_nested() accepted.
void append_compact(std::string& out, std::string_view nested);

// Bytes that a string holds as they are: no quote, no backslash, no control character, ASCII.
inline void json_cursor::skip_simple_text() {
#ifdef __SSE2__
  while (end_ - at_ >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    // As signed numbers the bytes of UTF-8 sequences are less than a blank too.
    const __m128i other = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const int found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), other));
    if (found != 0) {
      at_ += std::countr_zero(static_cast<unsigned>(found));
      return;
    }
    at_ += 16;
  }
#endif
  while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<signed char>(*at_) >= 0x20)
    ++at_;
}

inline std::optional<plain_string> json_cursor::take_string() {
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
    } else if (!skip_utf8()) {
      return std::nullopt;
    }
  }
}

inline std::optional<std::string_view> json_cursor::take_number() {
  const char* const begin = at_;
  take('-');
  if (!take('0') && skip_digits() == 0) return std::nullopt;
  if (take('.') && skip_digits() == 0) return std::nullopt;
  if (take('e') || take('E')) {
    if (!take('+')) take('-');
    const std::ptrdiff_t exponent = skip_digits();
    if (exponent == 0 || exponent > 3) return std::nullopt;
  }
  if (at_ == end_) return std::nullopt;
  return std::string_view{begin, static_cast<std::size_t>(at_ - begin)};
}

}  // namespace flanks
