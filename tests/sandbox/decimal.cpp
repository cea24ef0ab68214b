// Exact comparison of decimals by their digits: a double would call 0.1 and 0.1000000000000000055
// equal.
#include <algorithm>

#include "tests/sandbox/query.hpp"

namespace sandbox {
namespace {

// value = 0.digits * 10^exponent, no leading or trailing zeros; zero has no digits.
struct parts {
  bool negative = false;
  std::string digits;
  long exponent = 0;
};

parts take_apart(std::string_view text) {
  parts out;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    out.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const auto mark = text.find_first_of("eE");
  if (mark != std::string_view::npos) {
    auto power = text.substr(mark + 1);
    if (!power.empty() && power[0] == '+') power.remove_prefix(1);
    std::from_chars(power.data(), power.data() + power.size(), out.exponent);
    text = text.substr(0, mark);
  }
  const auto point = std::min(text.find('.'), text.size());
  out.digits = text.substr(0, point);
  out.exponent += static_cast<long>(point);
  if (point < text.size()) out.digits += text.substr(point + 1);
  const auto first = std::min(out.digits.find_first_not_of('0'), out.digits.size());
  out.digits.erase(0, first);
  out.exponent -= static_cast<long>(first);
  out.digits.erase(out.digits.find_last_not_of('0') + 1);
  return out;
}

int sign_of(const parts& p) {
  return p.digits.empty() ? 0 : p.negative ? -1 : 1;
}

}  // namespace

int compare_decimals(std::string_view a, std::string_view b) {
  const parts left = take_apart(a);
  const parts right = take_apart(b);
  const int sign = sign_of(left);
  if (sign != sign_of(right)) return sign < sign_of(right) ? -1 : 1;
  if (sign == 0) return 0;
  if (left.exponent != right.exponent) return left.exponent < right.exponent ? -sign : sign;
  const int order = left.digits.compare(right.digits);
  return order == 0 ? 0 : order < 0 ? -sign : sign;
}

}  // namespace sandbox
