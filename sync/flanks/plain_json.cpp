#include "sync/flanks/plain_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "sync/flanks/decimal.hpp"
#include "sync/flanks/json_text.hpp"

namespace flanks {

namespace {

constexpr std::size_t most_keys = 16;  // of one object

bool is_between(char c, unsigned from, unsigned to) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= from && byte <= to;
}

// Four hexadecimal digits; -1 when they are not.
int take_hex(std::string_view& rest) {
  if (rest.size() < 4) return -1;
  unsigned value = 0;
  const auto read = std::from_chars(rest.data(), rest.data() + 4, value, 16);
  if (read.ptr != rest.data() + 4) return -1;
  rest.remove_prefix(4);
  return static_cast<int>(value);
}

// What stands behind \u; -1 when that is no character, or U+0000.
int take_code_point(std::string_view& rest) {
  const int high = take_hex(rest);
  if (high < 0xD800 || high > 0xDFFF) return high == 0 ? -1 : high;
  if (high > 0xDBFF || !rest.starts_with("\\u")) return -1;
  rest.remove_prefix(2);
  const int low = take_hex(rest);
  if (low < 0xDC00 || low > 0xDFFF) return -1;
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

char* write_utf8(char* out, int code) {
  const auto put = [&out](int byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
    return out;
  }
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
  return out;
}

// The character of a short escape; 0 when there is none of that letter.
char unescaped(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

// One nested value, whatever it is.
class nested_skipper {
 public:
  nested_skipper(json_cursor& c, bool& verbatim) : c_(c), verbatim_(verbatim) {}

  bool skip_value(int depth) {
    switch (c_.peek()) {
      case '"':
        return skip_string();
      case '{':
        return depth <= deepest_plain && skip_object(depth);
      case '[':
        return depth <= deepest_plain && skip_list(depth);
      case 't':
        return c_.take_word("true");
      case 'f':
        return c_.take_word("false");
      case 'n':
        return c_.take_word("null");
      default:
        return skip_number();
    }
  }

 private:
  void skip_blanks() {
    if (c_.skip_blanks()) verbatim_ = false;
  }

  bool skip_number() {
    const auto number = c_.take_number();
    return number && fits_jsonb(*number);
  }

  bool skip_string() {
    const auto text = c_.take_string();
    if (!text) return false;
    if (!text->escaped) return true;
    verbatim_ = false;
    scratch_.resize(text->raw.size());
    return decode_string(text->raw, scratch_.data()).has_value();
  }

  bool skip_object(int depth) {
    std::array<std::string_view, most_keys> keys;
    std::size_t count = 0;
    c_.take('{');
    skip_blanks();
    if (c_.take('}')) return true;
    do {
      skip_blanks();
      const auto key = c_.take_string();
      if (!key || key->escaped || count == most_keys) return false;
      for (std::size_t i = 0; i < count; ++i) {
        if (keys[i] == key->raw) return false;
      }
      keys[count++] = key->raw;
      skip_blanks();
      if (!c_.take(':')) return false;
      skip_blanks();
      if (!skip_value(depth + 1)) return false;
      skip_blanks();
    } while (c_.take(','));
    return c_.take('}');
  }

  bool skip_list(int depth) {
    c_.take('[');
    skip_blanks();
    if (c_.take(']')) return true;
    do {
      skip_blanks();
      if (!skip_value(depth + 1)) return false;
      skip_blanks();
    } while (c_.take(','));
    return c_.take(']');
  }

  json_cursor& c_;
  bool& verbatim_;
  std::string scratch_;
};

}  // namespace

// One or more characters beyond ASCII (Unicode, table 3-7). False when they are not well formed.
bool json_cursor::skip_utf8() {
  while (at_ != end_ && static_cast<signed char>(*at_) < 0) {
    const auto left = end_ - at_;
    const auto lead = static_cast<unsigned char>(*at_);
    const auto follows = [&](std::ptrdiff_t i) { return is_between(at_[i], 0x80, 0xBF); };
    if (lead >= 0xC2 && lead <= 0xDF) {
      if (left < 2 || !follows(1)) return false;
      at_ += 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      const unsigned from = lead == 0xE0 ? 0xA0 : 0x80;  // not longer than it needs to be
      const unsigned to = lead == 0xED ? 0x9F : 0xBF;    // no surrogates
      if (left < 3 || !is_between(at_[1], from, to) || !follows(2)) return false;
      at_ += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      const unsigned from = lead == 0xF0 ? 0x90 : 0x80;
      const unsigned to = lead == 0xF4 ? 0x8F : 0xBF;  // up to U+10FFFF
      if (left < 4 || !is_between(at_[1], from, to) || !follows(2) || !follows(3)) return false;
      at_ += 4;
    } else {
      return false;
    }
  }
  // A control character is what is left.
  return at_ == end_ || static_cast<unsigned char>(*at_) >= 0x20;
}

std::optional<std::size_t> decode_string(std::string_view raw, char* out) {
  const char* const begin = out;
  while (!raw.empty()) {
    const std::size_t plain = std::min(raw.find('\\'), raw.size());
    out = std::copy_n(raw.data(), plain, out);
    raw.remove_prefix(plain);
    if (raw.empty()) break;
    if (raw.size() < 2) return std::nullopt;
    const char letter = raw[1];
    raw.remove_prefix(2);
    if (letter == 'u') {
      const int code = take_code_point(raw);
      if (code < 0) return std::nullopt;
      out = write_utf8(out, code);
    } else {
      *out = unescaped(letter);
      if (*out++ == '\0') return std::nullopt;
    }
  }
  return static_cast<std::size_t>(out - begin);
}

bool skip_nested(json_cursor& c, bool& verbatim) {
  return nested_skipper(c, verbatim).skip_value(1);
}

void append_compact(std::string& out, std::string_view nested) {
  std::string decoded;
  json_cursor c(nested);
  const char* const end = nested.data() + nested.size();
  while (c.at() != end) {
    c.skip_blanks();
    if (const char byte = c.peek(); byte != '"') {
      if (c.take(byte)) out.push_back(byte);
      continue;
    }
    const auto text = c.take_string();
    if (!text) return;
    if (!text->escaped) {
      append_json_string(out, text->raw, true);
      continue;
    }
    decoded.resize(text->raw.size());
    decoded.resize(decode_string(text->raw, decoded.data()).value_or(0));
    append_json_string(out, decoded, false);
  }
}

}  // namespace flanks
