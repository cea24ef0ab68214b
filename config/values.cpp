#include "config/values.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace flanks::config {

namespace {

using std::chrono::milliseconds;

struct scale {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<scale, 5> time_units{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<scale, 4> byte_units{
    {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}}};

// A whole number and one of `units`; nullopt for anything else, and for what does not fit.
template <std::size_t N>
std::optional<std::uint64_t> scaled(std::string_view text, const std::array<scale, N>& units,
                                    std::string_view without_unit) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{}) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.empty()) unit = without_unit;
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor)
      return std::nullopt;
    return count * factor;
  }
  return std::nullopt;
}

template <class Number>
complaint out_of_range(const Number& least, const Number& most) {
  return {fmt::format("must be between {} and {}", least, most), ""};
}

}  // namespace

std::string one_of(name_list names) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) all += i + 1 == names.size() ? " or " : ", ";
    all += names[i];
  }
  return all;
}

verdict_on_value read_integer(std::string_view text, int least, int most, int& into) {
  int value = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error == std::errc::result_out_of_range && end == last) return out_of_range(least, most);
  if (error != std::errc{} || end != last) return complaint{"is not a whole number", ""};
  if (value < least || value > most) return out_of_range(least, most);
  into = value;
  return std::nullopt;
}

verdict_on_value read_decimal(std::string_view text, double least, double most, double& into) {
  double value = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value, std::chars_format::fixed);
  if (error == std::errc::result_out_of_range && end == last) return out_of_range(least, most);
  if (error != std::errc{} || end != last || !std::isfinite(value))
    return complaint{"is not a decimal number", "write it like 2 or 0.5"};
  if (value < least || value > most) return out_of_range(least, most);
  into = value;
  return std::nullopt;
}

verdict_on_value read_flag(std::string_view text, bool& into) {
  if (text != "true" && text != "false") return complaint{"is neither true nor false", ""};
  into = text == "true";
  return std::nullopt;
}

verdict_on_value read_duration(std::string_view text, milliseconds unit, milliseconds least,
                               milliseconds most, milliseconds& into) {
  // 0 is the same in every unit.
  const auto count = scaled(text, time_units, text == "0" ? "s" : "");
  if (!count) {
    return complaint{"is not a duration",
                     "write a whole number and ms, s, m, h or d: 500ms, 30s, 24h, 30d"};
  }
  const milliseconds value{static_cast<milliseconds::rep>(*count)};
  if (value < least || value > most) {
    return complaint{
        fmt::format("must be between {} and {}", duration_text(least), duration_text(most)), ""};
  }
  if (value % unit != milliseconds::zero()) {
    return complaint{unit == milliseconds{1000} ? "must be whole seconds" : "must be whole days",
                     ""};
  }
  into = value;
  return std::nullopt;
}

verdict_on_value read_size(std::string_view text, std::uint64_t least, std::uint64_t most,
                           std::uint64_t& into) {
  const auto bytes = scaled(text, byte_units, "B");
  if (!bytes) {
    return complaint{"is not a size", "write a whole number and B, KiB, MiB or GiB: 64KiB, 1GiB"};
  }
  if (*bytes < least || *bytes > most) return out_of_range(size_text(least), size_text(most));
  into = *bytes;
  return std::nullopt;
}

std::string duration_text(milliseconds d) {
  const auto count = static_cast<std::uint64_t>(d.count());
  if (count == 0) return "0s";
  // Days only from two on: a day is better read as 24h.
  for (auto unit = time_units.rbegin(); unit != time_units.rend(); ++unit) {
    const bool one_day = unit->name == "d" && count == unit->factor;
    if (count % unit->factor == 0 && !one_day)
      return fmt::format("{}{}", count / unit->factor, unit->name);
  }
  return fmt::format("{}ms", count);
}

std::string size_text(std::uint64_t bytes) {
  for (auto unit = byte_units.rbegin(); unit != byte_units.rend(); ++unit) {
    if (bytes != 0 && bytes % unit->factor == 0)
      return fmt::format("{}{}", bytes / unit->factor, unit->name);
  }
  return fmt::format("{}B", bytes);
}

std::string decimal_text(double value) {
  // The shortest digits that read back to the same value, never with an exponent.
  std::array<char, 400> digits{};
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
  return error == std::errc{} ? std::string{digits.data(), end} : std::string{"0"};
}

}  // namespace flanks::config
