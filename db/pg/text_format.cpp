#include "db/pg/text_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "sync/text.hpp"

namespace flanks {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void append_hex(std::string& out, std::uint64_t value, int nibbles) {
  for (int shift = (nibbles - 1) * 4; shift >= 0; shift -= 4) {
    out.push_back(hex_digits[static_cast<std::size_t>((value >> shift) & 0xF)]);
  }
}

std::uint64_t big_endian(const char* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i)
    value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return value;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<int>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace

std::string storable_text(std::string_view text, std::size_t limit) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const std::size_t size = std::max<std::size_t>(length, 1);
    if (out.size() + size > limit) break;
    if (length == 0 || text[0] == '\0') {
      out.push_back('?');
    } else {
      out.append(text.substr(0, size));
    }
    text.remove_prefix(size);
  }
  return out;
}

std::string random_uuid() {
  std::random_device source;
  const auto half = [&] { return (static_cast<std::uint64_t>(source()) << 32) | source(); };
  content_hash bits{half(), half()};
  bits.high = (bits.high & ~std::uint64_t{0xF000}) | 0x4000;  // version 4, RFC 4122
  bits.low = (bits.low >> 2) | (std::uint64_t{2} << 62);
  return uuid_text(bits);
}

std::string uuid_text(const content_hash& hash) {
  std::string text;
  append_uuid(text, hash);
  return text;
}

content_hash uuid_from_text(std::string_view text) {
  content_hash hash;
  int digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const int value = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    std::uint64_t& half = digits++ < 16 ? hash.high : hash.low;
    half = half << 4 | static_cast<std::uint64_t>(value);
  }
  return hash;
}

void append_copy_field(std::string& out, std::string_view value) {
  if (value.data() == nullptr) {
    out += "\\N";
    return;
  }
  std::size_t plain = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (static_cast<unsigned char>(c) > '\r' && c != '\\') continue;
    const char escaped = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c;
    if (escaped == c && c != '\\') continue;
    out.append(value.substr(plain, i - plain));
    out.push_back('\\');
    out.push_back(escaped);
    plain = i + 1;
  }
  out.append(value.substr(plain));
}

void append_copy_row(std::string& out, credential_id credential, product what,
                     const transaction& t) {
  fmt::format_to(std::back_inserter(out), "{}\t{}\t", credential.value, to_string(what));
  append_uuid(out, t.hash);
  for (const std::string_view value : t.values) {
    out.push_back('\t');
    append_copy_field(out, value);
  }
  out.push_back('\n');
}

void append_uuid(std::string& out, const content_hash& hash) {
  append_hex(out, hash.high >> 32, 8);
  out.push_back('-');
  append_hex(out, hash.high >> 16, 4);
  out.push_back('-');
  append_hex(out, hash.high, 4);
  out.push_back('-');
  append_hex(out, hash.low >> 48, 4);
  out.push_back('-');
  append_hex(out, hash.low, 12);
}

content_hash uuid_from_bytes(const char* bytes) {
  return {big_endian(bytes), big_endian(bytes + 8)};
}

std::string to_json(const transaction& t) {
  std::string out = "{";
  for (std::size_t i = 0; i < column_count; ++i) {
    const auto c = static_cast<column>(i);
    if (t.is_null(c)) continue;
    if (out.size() > 1) out.push_back(',');
    append_json_string(out, name_of(c));
    out.push_back(':');
    const bool is_json = c == column::transfer || c == column::extra;
    if (is_json) {
      out.append(t[c]);
    } else {
      append_json_string(out, t[c]);
    }
  }
  out.push_back('}');
  return out;
}

void array_literal::separate() {
  if (text_.size() > 1) text_.push_back(',');
}

void array_literal::add(std::string_view value) {
  separate();
  if (value.data() == nullptr) {
    text_ += "NULL";
    return;
  }
  text_.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') text_.push_back('\\');
    text_.push_back(c);
  }
  text_.push_back('"');
}

void array_literal::add_bytes(std::string_view bytes) {
  separate();
  text_ += "\"\\\\x";
  for (const char c : bytes)
    append_hex(text_, static_cast<unsigned char>(c), 2);
  text_.push_back('"');
}

void array_literal::add(std::int64_t value) {
  separate();
  text_ += std::to_string(value);
}

std::string array_literal::take() {
  text_.push_back('}');
  return std::move(text_);
}

}  // namespace flanks
