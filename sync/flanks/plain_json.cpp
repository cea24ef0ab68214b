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

// One nested value, whatever it is. Each step gets a cursor and gives back where the value ends;
// null when it is none.
class nested_skipper {
 public:
  explicit nested_skipper(bool& verbatim) : verbatim_(verbatim) {}

  const char* skip_value(json_cursor c, int depth) {
    switch (c.peek()) {
      case '"':
        return skip_string(c);
      case '{':
        return depth <= deepest_plain ? skip_object(c, depth) : nullptr;
      case '[':
        return depth <= deepest_plain ? skip_list(c, depth) : nullptr;
      case 't':
        return c.take_word("true") ? c.at() : nullptr;
      case 'f':
        return c.take_word("false") ? c.at() : nullptr;
      case 'n':
        return c.take_word("null") ? c.at() : nullptr;
      default:
        return skip_number(c);
    }
  }

 private:
  struct key_seen {
    const char* at;
    std::size_t size;
  };

  void skip_blanks(json_cursor& c) {
    if (c.skip_blanks()) verbatim_ = false;
  }

  static const char* skip_number(json_cursor c) {
    const auto number = c.take_number();
    if (!number) return nullptr;
    const bool small = !number->exponent && number->digits.size() < 100;  // fits anywhere
    return small || fits_jsonb(number->digits) ? c.at() : nullptr;
  }

  FLANKS_IN_REGISTERS bool take_string(json_cursor& c) {
    const auto text = c.take_string();
    return text && (!text->escaped || can_decode(text->raw));
  }
  const char* skip_string(json_cursor c) { return take_string(c) ? c.at() : nullptr; }
  bool can_decode(std::string_view raw) {
    verbatim_ = false;
    scratch_.resize(raw.size());
    return decode_string(raw, scratch_.data()).has_value();
  }

  const char* skip_object(json_cursor c, int depth) {
    std::array<key_seen, most_keys> keys;  // the first `count` of them
    std::size_t count = 0;
    c.take('{');
    skip_blanks(c);
    if (c.take('}')) return c.at();
    do {
      skip_blanks(c);
      const auto key = c.take_string();
      if (!key || key->escaped || count == most_keys) return nullptr;
      for (std::size_t i = 0; i < count; ++i) {
        if (std::string_view{keys[i].at, keys[i].size} == key->raw) return nullptr;
      }
      keys[count++] = {key->raw.data(), key->raw.size()};
      skip_blanks(c);
      if (!c.take(':')) return nullptr;
      skip_blanks(c);
      if (c.peek() == '"') {  // as nearly always
        if (!take_string(c)) return nullptr;
      } else {
        const char* const end = skip_value(c, depth + 1);
        if (end == nullptr) return nullptr;
        c.go_on(end);
      }
      skip_blanks(c);
    } while (c.take(','));
    return c.take('}') ? c.at() : nullptr;
  }

  const char* skip_list(json_cursor c, int depth) {
    c.take('[');
    skip_blanks(c);
    if (c.take(']')) return c.at();
    do {
      skip_blanks(c);
      const char* const end = skip_value(c, depth + 1);
      if (end == nullptr) return nullptr;
      c.go_on(end);
      skip_blanks(c);
    } while (c.take(','));
    return c.take(']') ? c.at() : nullptr;
  }

  bool& verbatim_;
  std::string scratch_;
};

}  // namespace

const char* skip_utf8(const char* at, const char* end) {
  while (at != end && static_cast<signed char>(*at) < 0) {
    const auto left = end - at;
    const auto lead = static_cast<unsigned char>(*at);
    const auto follows = [&](std::ptrdiff_t i) { return is_between(at[i], 0x80, 0xBF); };
    if (lead >= 0xC2 && lead <= 0xDF) {
      if (left < 2 || !follows(1)) return nullptr;
      at += 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      const unsigned from = lead == 0xE0 ? 0xA0 : 0x80;  // not longer than it needs to be
      const unsigned to = lead == 0xED ? 0x9F : 0xBF;    // no surrogates
      if (left < 3 || !is_between(at[1], from, to) || !follows(2)) return nullptr;
      at += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      const unsigned from = lead == 0xF0 ? 0x90 : 0x80;
      const unsigned to = lead == 0xF4 ? 0x8F : 0xBF;  // up to U+10FFFF
      if (left < 4 || !is_between(at[1], from, to) || !follows(2) || !follows(3)) return nullptr;
      at += 4;
    } else {
      return nullptr;
    }
  }
  // A control character is what is left.
  return at == end || static_cast<unsigned char>(*at) >= 0x20 ? at : nullptr;
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

std::optional<std::string_view> take_nested(json_cursor c, bool& verbatim) {
  const char* const begin = c.at();
  const char* const end = nested_skipper(verbatim).skip_value(c, 1);
  if (end == nullptr) return std::nullopt;
  return std::string_view{begin, static_cast<std::size_t>(end - begin)};
}

void append_compact(std::string& out, std::string_view nested) {
  std::string decoded;
  json_cursor c(nested);
  const char* const end = nested.data() + nested.size();
  while (c.at() != end) {
    c.skip_blanks();
    const char* const begin = c.at();
    if (c.peek() != '"') {
      const char* const word_end = std::find_if(
          begin, end, [](char b) { return b == '"' || static_cast<unsigned char>(b) <= ' '; });
      out.append(begin, word_end);
      c.go_on(word_end);
      continue;
    }
    const auto text = c.take_string();
    if (!text) return;
    if (!text->escaped) {
      out.append(begin, c.at());
      continue;
    }
    decoded.resize(text->raw.size());
    decoded.resize(decode_string(text->raw, decoded.data()).value_or(0));
    append_json_string(out, decoded, false);
  }
}

}  // namespace flanks
