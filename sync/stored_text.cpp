#include "sync/stored_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace flanks {

namespace {

constexpr int deepest = 64;

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  if (c < 0x10000) return put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F));
  put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
}

// As escape_json() of PostgreSQL 15.
void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view from = "\b\f\n\r\t\"\\", to = "bfnrt\"\\";
  out.push_back('"');
  for (const char c : text) {
    const std::size_t at = from.find(c);
    if (at != std::string_view::npos) {
      out.push_back('\\');
      out.push_back(to[at]);
    } else if (static_cast<unsigned char>(c) < ' ') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

// As numeric_out() of PostgreSQL 15 writes what numeric_in() read.
std::optional<std::string> numeric_text(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  const std::size_t e = digits.find_first_of("eE");
  int exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view text = digits.substr(e + 1);
    if (text.starts_with('+')) text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (exponent < -1000 || exponent > 1000) return std::nullopt;
    digits = digits.substr(0, e);
  }
  const std::size_t point = std::min(digits.find('.'), digits.size());
  std::string whole(digits.substr(0, point));
  std::string part(point < digits.size() ? digits.substr(point + 1) : std::string_view{});
  if (exponent > 0) {
    const auto moved = std::min(static_cast<std::size_t>(exponent), part.size());
    whole += part.substr(0, moved);
    whole.append(static_cast<std::size_t>(exponent) - moved, '0');
    part.erase(0, moved);
  } else if (exponent < 0) {
    const auto places = static_cast<std::size_t>(-exponent);
    if (whole.size() < places) whole.insert(0, places - whole.size(), '0');
    part.insert(0, whole.substr(whole.size() - places));
    whole.erase(whole.size() - places);
  }
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  if (whole.empty()) whole = "0";
  const auto has_value = [](const std::string& s) {
    return s.find_first_not_of('0') != std::string::npos;
  };
  std::string out = negative && (has_value(whole) || has_value(part)) ? "-" : "";
  out += whole;
  if (!part.empty()) out.append(1, '.').append(part);
  return out;
}

class jsonb_writer {
 public:
  explicit jsonb_writer(std::string_view in) : in_(in) {}

  std::optional<std::string> whole() {
    std::string out;
    if (!value(out, 0)) return std::nullopt;
    skip_space();
    if (at_ != in_.size()) return std::nullopt;
    return out;
  }

 private:
  void skip_space() { at_ = std::min(in_.find_first_not_of(" \t\r\n", at_), in_.size()); }
  bool take(char c) {
    skip_space();
    if (at_ == in_.size() || in_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool value(std::string& out, int depth) {
    if (depth > deepest) return false;
    skip_space();
    if (at_ == in_.size()) return false;
    if (in_[at_] == '{') return object(out, depth);
    if (in_[at_] == '[') return array(out, depth);
    if (in_[at_] == '"') {
      std::string text;
      if (!string(text)) return false;
      append_quoted(out, text);
      return true;
    }
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!in_.substr(at_).starts_with(word)) continue;
      out += word;
      at_ += word.size();
      return true;
    }
    const std::size_t end = std::min(in_.find_first_not_of("+-.0123456789eE", at_), in_.size());
    const auto number = numeric_text(in_.substr(at_, end - at_));
    if (end == at_ || !number) return false;
    out += *number;
    at_ = end;
    return true;
  }

  bool array(std::string& out, int depth) {
    ++at_;
    out.push_back('[');
    for (bool first = true; !take(']'); first = false) {
      if (!first && !take(',')) return false;
      if (!first) out += ", ";
      if (!value(out, depth + 1)) return false;
    }
    out.push_back(']');
    return true;
  }

  bool object(std::string& out, int depth) {
    ++at_;
    std::vector<std::pair<std::string, std::string>> members;
    for (bool first = true; !take('}'); first = false) {
      if (!first && !take(',')) return false;
      auto& [key, text] = members.emplace_back();
      skip_space();
      if (!string(key) || !take(':') || !value(text, depth + 1)) return false;
    }
    // Of equal keys the last one counts.
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
      return a.first.size() != b.first.size() ? a.first.size() < b.first.size() : a.first < b.first;
    });
    out.push_back('{');
    bool first = true;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i + 1 < members.size() && members[i].first == members[i + 1].first) continue;
      if (!std::exchange(first, false)) out += ", ";
      append_quoted(out, members[i].first);
      out += ": ";
      out += members[i].second;
    }
    out.push_back('}');
    return true;
  }

  bool hex4(std::uint32_t& c) {
    if (in_.size() - at_ < 4) return false;
    const char* const begin = in_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + 4, c, 16);
    at_ += 4;
    return error == std::errc{} && end == begin + 4;
  }

  bool string(std::string& text) {
    if (at_ == in_.size() || in_[at_] != '"') return false;
    ++at_;
    while (at_ < in_.size() && in_[at_] != '"') {
      const std::size_t end = std::min(in_.find_first_of("\"\\", at_), in_.size());
      text.append(in_.substr(at_, end - at_));
      at_ = end;
      if (at_ < in_.size() && in_[at_] == '\\' && !escape(text)) return false;
    }
    if (at_ == in_.size()) return false;
    ++at_;
    return true;
  }

  bool escape(std::string& text) {
    if (in_.size() - at_ < 2) return false;
    const char c = in_[at_ + 1];
    at_ += 2;
    if (c != 'u') {
      constexpr std::string_view names = "bfnrt\"\\/", meant = "\b\f\n\r\t\"\\/";
      const std::size_t which = names.find(c);
      if (which == std::string_view::npos) return false;
      text.push_back(meant[which]);
      return true;
    }
    std::uint32_t unit = 0;
    if (!hex4(unit)) return false;
    if (unit >= 0xD800 && unit < 0xDC00 && in_.substr(at_).starts_with("\\u")) {
      std::uint32_t low = 0;
      at_ += 2;
      if (!hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
      unit = 0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00));
    }
    append_utf8(text, unit);
    return true;
  }

  std::string_view in_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string> jsonb_text(std::string_view json) {
  return jsonb_writer(json).whole();
}

std::uint64_t values_hash_of_row(const transaction& t, const content_key& key) {
  return std::max(hash_of(t, key).low, std::uint64_t{1});
}

std::uint64_t values_hash_of_record(const transaction& t, const content_key& key) {
  const bool plain = t.is_null(column::transfer) && t.is_null(column::extra);
  if (plain) return std::max(t.hash.low, std::uint64_t{1});
  transaction stored = t;
  std::optional<std::string> transfer, extra;
  const auto write_out = [&](column c, std::optional<std::string>& text) {
    if (t.is_null(c)) return;
    text = jsonb_text(t[c]);
    if (text) stored.values[static_cast<std::size_t>(c)] = *text;
  };
  write_out(column::transfer, transfer);
  write_out(column::extra, extra);
  return values_hash_of_row(stored, key);
}

}  // namespace flanks
