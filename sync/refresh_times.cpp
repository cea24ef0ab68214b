#include "sync/refresh_times.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace flanks {

namespace {

namespace chr = std::chrono;
using chr::seconds;

seconds median(std::vector<seconds> of) {
  const auto middle = of.begin() + static_cast<std::ptrdiff_t>(of.size() / 2);
  std::nth_element(of.begin(), middle, of.end());
  return *middle;
}

// Refreshes as steps of a period: how many cycles lie between each and the first one. A weekend
// without a refresh is three.
std::vector<std::int64_t> cycles_of(const std::vector<instant>& refreshes, seconds period) {
  std::vector<std::int64_t> cycles{0};
  for (std::size_t i = 1; i < refreshes.size(); ++i) {
    const seconds gap = refreshes[i] - refreshes[i - 1];
    cycles.push_back(cycles.back() + std::max<std::int64_t>(1, (gap + period / 2) / period));
  }
  return cycles;
}

// The median of the slopes between all pairs (Theil and Sen): one refresh that came at another time
// does not move it.
seconds slope_of(const std::vector<instant>& refreshes, const std::vector<std::int64_t>& cycles) {
  std::vector<seconds> slopes;
  for (std::size_t j = 1; j < refreshes.size(); ++j)
    for (std::size_t i = 0; i < j; ++i)
      slopes.push_back((refreshes[j] - refreshes[i]) / (cycles[j] - cycles[i]));
  return median(std::move(slopes));
}

// When to ask within a cycle: in spreads from where the refresh is expected, and in fractions of
// the period behind it. Of `polls` (>= 1) as many as there are.
struct cycle_plan {
  std::span<const double> near;  // in spreads
  std::span<const double> far;   // in periods
};
cycle_plan plan_of(int polls) {
  static constexpr std::array five{-0.6, 0.3, 1.2, 2.4, 6.0};
  static constexpr std::array four{-0.4, 0.6, 1.8, 5.0};
  static constexpr std::array three{-0.2, 0.9, 3.0};
  static constexpr std::array two{0.5, 2.5};
  static constexpr std::array one{1.5};
  static constexpr std::array middle{0.5};
  if (polls >= 6) return {five, middle};
  if (polls == 5) return {four, middle};
  if (polls == 4) return {three, middle};
  if (polls == 3) return {two, middle};
  if (polls == 2) return {two, {}};
  return {one, {}};
}

seconds times(double factor, seconds of) {
  return seconds{static_cast<std::int64_t>(factor * static_cast<double>(of.count()))};
}

}  // namespace

std::vector<instant> with_refresh(std::vector<instant> known, instant refresh, instant now) {
  if (refresh > now) return known;
  std::erase_if(known, [&](instant r) { return r >= refresh; });
  known.push_back(refresh);
  if (known.size() > kept_refreshes) known.erase(known.begin());
  return known;
}

refresh_rhythm::refresh_rhythm(const std::vector<instant>& refreshes, seconds period)
    : period_(period), spread_(std::max(seconds{1}, period / 48)), last_(refreshes.back()) {
  if (refreshes.size() < 3) return;
  std::vector<seconds> gaps;
  for (std::size_t i = 1; i < refreshes.size(); ++i)
    gaps.push_back(refreshes[i] - refreshes[i - 1]);
  seconds usual = std::max(seconds{1}, median(gaps));
  // What is about what the operator expects is just that, plus a drift.
  if (chr::abs(usual - period) <= period / 16) usual = period;
  const std::vector<std::int64_t> cycles = cycles_of(refreshes, usual);
  // Half of the drift that they show: the other half is chance, more likely than not. More than
  // half an hour a day is another time of day.
  const seconds drift = slope_of(refreshes, cycles) - usual;
  period_ = usual + (chr::abs(drift) <= usual / 48 ? drift / 2 : seconds{0});
  // Where the line through them stands: of the last ones only, so that a new time of day is
  // believed when it has come twice.
  const auto offset_of = [&](std::size_t i) {
    return refreshes[i] - refreshes.front() - period_ * cycles[i];
  };
  std::vector<seconds> offsets;
  for (std::size_t i = refreshes.size() - 3; i < refreshes.size(); ++i)
    offsets.push_back(offset_of(i));
  const seconds offset = median(offsets);
  last_ = refreshes.front() + offset + period_ * cycles.back();
  std::vector<seconds> errors;
  for (std::size_t i = 0; i < refreshes.size(); ++i)
    errors.push_back(chr::abs(offset_of(i) - offset));
  spread_ =
      std::max(seconds{1}, std::clamp(median(std::move(errors)) * 2, usual / 480, usual / 12));
}

std::optional<instant> next_poll(const std::vector<instant>& refreshes, instant now,
                                 seconds interval, seconds each) {
  if (refreshes.empty()) return std::nullopt;
  const refresh_rhythm rhythm(refreshes, interval);
  // What is refreshed more often than we may ask is asked for as often as we may.
  each = std::max(each, seconds{1});
  if (rhythm.period() < each) return now + each;
  const cycle_plan plan = plan_of(static_cast<int>((rhythm.period() + each / 2) / each));
  const instant earliest = now + std::clamp(rhythm.period() / 288, seconds{1}, each);
  // What is left of the cycle of the last refresh: a look between it and the next one.
  if (!plan.far.empty()) {
    const instant between = rhythm.expected(0) + rhythm.period() / 2;
    if (between >= earliest) return between;
  }
  const auto passed = (now - rhythm.expected(0)) / rhythm.period();
  for (int cycle = std::max<int>(1, static_cast<int>(passed));; ++cycle) {
    const instant expected = rhythm.expected(cycle);
    for (const double at : plan.near)
      if (const instant poll = expected + times(at, rhythm.spread()); poll >= earliest) return poll;
    for (const double at : plan.far)
      if (const instant poll = expected + times(at, rhythm.period()); poll >= earliest) return poll;
  }
}

}  // namespace flanks
