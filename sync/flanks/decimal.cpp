#include "sync/flanks/decimal.hpp"

#include <algorithm>
#include <cstdint>

namespace flanks {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& rest) {
  std::size_t n = 0;
  while (n < rest.size() && is_digit(rest[n]))
    ++n;
  const std::string_view digits = rest.substr(0, n);
  rest.remove_prefix(n);
  return digits;
}

bool take_sign(std::string_view& rest, bool& negative) {
  negative = !rest.empty() && rest.front() == '-';
  const bool signed_ = negative || (!rest.empty() && rest.front() == '+');
  if (signed_) rest.remove_prefix(1);
  return signed_;
}

struct parts {
  bool plus = false;
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  std::int64_t exponent = 0;
  bool has_exponent = false;
};

// Exponents stop growing at a million: far beyond any number that is accepted, and no overflow.
bool read_exponent(std::string_view& rest, parts& p) {
  p.has_exponent = true;
  rest.remove_prefix(1);
  bool negative = false;
  take_sign(rest, negative);
  const std::string_view digits = take_digits(rest);
  for (const char c : digits) {
    p.exponent = std::min<std::int64_t>(p.exponent * 10 + (c - '0'), 1'000'000);
  }
  if (negative) p.exponent = -p.exponent;
  return !digits.empty();
}

std::optional<parts> split(std::string_view rest) {
  parts p;
  p.plus = take_sign(rest, p.negative) && !p.negative;
  p.whole = take_digits(rest);
  if (p.whole.empty()) return std::nullopt;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    p.fraction = take_digits(rest);
    if (p.fraction.empty()) return std::nullopt;
  }
  if (!rest.empty() && (rest.front() == 'e' || rest.front() == 'E') && !read_exponent(rest, p)) {
    return std::nullopt;
  }
  if (!rest.empty()) return std::nullopt;
  return p;
}

bool all_zero(std::string_view digits) {
  return digits.find_first_not_of('0') == std::string_view::npos;
}

// Moves the decimal point: `digits` with `scale` digits behind the point, in plain notation.
std::string_view write_plain(bool negative, std::string_view digits, std::int64_t scale,
                             std::string& work) {
  const auto size = static_cast<std::int64_t>(digits.size());
  work.clear();
  if (negative) work.push_back('-');
  if (scale <= 0) {
    work.append(digits).append(static_cast<std::size_t>(-scale), '0');
  } else if (scale < size) {
    const auto whole = static_cast<std::size_t>(size - scale);
    work.append(digits.substr(0, whole)).append(".").append(digits.substr(whole));
  } else {
    work.append("0.").append(static_cast<std::size_t>(scale - size), '0').append(digits);
  }
  return work;
}

// Whether `text` is as it should be already, as nearly all are: no sign but a minus, no exponent, a
// leading zero only of 0.x and with no minus, and few enough digits however they are counted.
bool is_plain(std::string_view text) {
  const bool negative = text.starts_with('-');
  const std::size_t first = negative ? 1 : 0;
  if (text.size() - first > max_decimal_digits) return false;
  std::size_t at = first;
  while (at < text.size() && is_digit(text[at]))
    ++at;
  const std::size_t whole = at - first;
  if (whole == 0 || (text[first] == '0' && (negative || whole > 1))) return false;
  if (at == text.size()) return true;
  if (text[at] != '.') return false;
  const std::size_t point = at++;
  while (at < text.size() && is_digit(text[at]))
    ++at;
  return at == text.size() && at > point + 1;
}

}  // namespace

std::optional<std::string_view> plain_decimal(std::string_view text, std::string& work) {
  if (is_plain(text)) return text;
  const std::optional<parts> read = split(text);
  if (!read) return std::nullopt;
  const bool zero = all_zero(read->whole) && all_zero(read->fraction);
  const bool leading_zero = read->whole.size() > 1 && read->whole.front() == '0';
  if (!read->has_exponent && !read->plus && !leading_zero && !(zero && read->negative)) {
    const std::size_t whole = read->whole == "0" ? 0 : read->whole.size();
    if (whole + read->fraction.size() > max_decimal_digits) return std::nullopt;
    return text;
  }

  std::string digits{read->whole};
  digits.append(read->fraction);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  const std::int64_t scale = static_cast<std::int64_t>(read->fraction.size()) - read->exponent;
  if (zero) {
    if (scale > max_decimal_digits) return std::nullopt;
    return write_plain(false, scale > 0 ? "" : "0", std::max<std::int64_t>(scale, 0), work);
  }
  const auto significant = static_cast<std::int64_t>(digits.size());
  const std::int64_t plain = scale <= 0 ? significant - scale : std::max(significant, scale);
  if (plain > max_decimal_digits) return std::nullopt;
  return write_plain(read->negative, digits, scale, work);
}

bool fits_jsonb(std::string_view number) {
  const std::size_t e = number.find_first_of("eE");
  if (e == std::string_view::npos) return number.size() <= 1000;
  std::string_view exponent = number.substr(e + 1);
  bool negative = false;
  take_sign(exponent, negative);
  exponent.remove_prefix(std::min(exponent.find_first_not_of('0'), exponent.size()));
  return e <= 1000 && exponent.size() <= 3;
}

}  // namespace flanks
