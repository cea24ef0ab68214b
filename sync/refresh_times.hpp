// When the provider will refresh a credential next, told from when it last did, and when to ask
// whether it has. Pure: instants in, instants out.
#pragma once

#include <optional>
#include <vector>

#include "sync/types.hpp"

namespace flanks {

// Refreshes that are remembered of a credential, at most.
inline constexpr std::size_t kept_refreshes = 8;

// `known`, oldest first, and the refresh that a status call has just told of. One that lies ahead
// of `now` (a provider whose clock is wrong) says nothing; one that is older than the last takes
// the place of those after it.
[[nodiscard]] std::vector<instant> with_refresh(std::vector<instant> known, instant refresh,
                                                instant now);

// How the provider refreshes a credential: once a period, about then.
class refresh_rhythm {
 public:
  // Of refreshes that with_refresh() keeps, at least one. `period` counts as long as there are too
  // few to tell.
  refresh_rhythm(const std::vector<instant>& refreshes, std::chrono::seconds period);

  [[nodiscard]] std::chrono::seconds period() const { return period_; }
  // How far from what is expected the refreshes are, as a rule: in [period / 480, period / 12], and
  // at least a second.
  [[nodiscard]] std::chrono::seconds spread() const { return spread_; }
  // The `cycle`th refresh after the last one that is known; 0 is where that one was expected.
  [[nodiscard]] instant expected(int cycle) const { return last_ + period_ * cycle; }

 private:
  std::chrono::seconds period_, spread_;
  instant last_;
};

// When to ask next for a credential of which no refresh newer than the last of `refreshes` is known
// at `now`: around the time at which the next one is expected, most densely just after it, then
// less and less often; once between two refreshes, for one that nobody expects. On average not more
// often than once in `each`, as long as the rhythm holds; always later than `now`. All times are
// shares of the interval and of the period. Nothing when no refresh is known.
[[nodiscard]] std::optional<instant> next_poll(const std::vector<instant>& refreshes, instant now,
                                               std::chrono::seconds interval,
                                               std::chrono::seconds each);

}  // namespace flanks
