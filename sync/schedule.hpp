// Who is due when, and which products of a credential are fetched. Pure decisions: values in,
// values out.
#pragma once

#include <string>

#include "sync/policy.hpp"
#include "sync/store.hpp"
#include "sync/types.hpp"

namespace flanks {

// What is read again although nothing says that it must.
enum class sweep : std::uint8_t { none, recent, full };

// Whether to fetch one product now, and if not, why not.
struct fetch_decision {
  bool fetch = false;
  window days{};                         // when fetch
  outcome why_not = outcome::ok;         // unchanged_upstream, not_available or failed otherwise
  std::string error_class, explanation;  // of why_not; empty for unchanged_upstream
};

// A scheduled fetch (API contract, section 2: pending, created, errored, last_update_timestamp).
// `force` fetches even when the provider has nothing newer than the last success.
[[nodiscard]] fetch_decision decide_fetch(const credential_status& status,
                                          const product_coverage& covered, product what,
                                          const sync_policy& policy, day today, sweep again,
                                          bool force);
// Whether the provider can answer for this product at all; `fetch` is true when it can. `days` is
// left alone.
[[nodiscard]] fetch_decision availability(const credential_status& status, product what);

// The same for a list of products: `seen` is the watermark of its last success.
[[nodiscard]] fetch_decision decide_fetch(const credential_status& status, product_kind what,
                                          std::optional<instant> seen, bool force);

// Which sweep of one product is due. Every credential has its own stable slot in either interval,
// so that credentials that arrived on one day are not all swept on one day; a slot that comes
// within a quarter of the interval after the last sweep is left out. So the distance of two sweeps
// lies in (interval / 4, interval * 5 / 4], plus the time until somebody asks.
[[nodiscard]] sweep sweep_due(const claimed_credential& credential, const product_coverage& covered,
                              instant now, const sync_policy& policy);

// How long until the credential's own slot in the interval comes round. It follows from its id and
// the salt of this installation: a million of them spread evenly and stay spread, and not as those
// of another customer of the provider do. One whose slot is near is asked once between, half an
// interval away from it. `jitter` in [0, 1) moves it by at most 0.1 % of the interval. The result
// lies in (interval / 4, interval].
[[nodiscard]] std::chrono::seconds delay_to_slot(credential_id id, std::uint64_t salt,
                                                 std::chrono::seconds interval, instant now,
                                                 double jitter);

// How long until the next turn after a success: by the rhythm of `refreshes` (sync/refresh_times),
// at most an interval; to the credential's slot when no refresh is known.
[[nodiscard]] std::chrono::seconds delay_to_poll(const claimed_credential& credential,
                                                 const std::vector<instant>& refreshes,
                                                 const sync_policy& policy, instant now,
                                                 double jitter);

// How long until the next turn after `failures` (>= 1) failed ones in a row: 5 minutes (1/288 of an
// interval that is shorter than a day) tripled each time, never more than the interval, with full
// jitter in its upper half.
[[nodiscard]] std::chrono::seconds delay_after_failure(int failures, std::chrono::seconds interval,
                                                       double jitter);

// Polls of a credential that are remembered, at most.
inline constexpr int kept_polls = 24;

// How often the schedule may ask for a credential: at most `polls` times in any `span`.
struct poll_limit {
  int polls;  // in [1, kept_polls]
  std::chrono::seconds span;

  [[nodiscard]] std::chrono::seconds each() const { return span / polls; }
  bool operator==(const poll_limit&) const = default;
};
// What keeps sync.polls_per_day in any 24 hours, or as many as sync.interval asks for. Up to
// kept_polls of them are counted in 24 hours; more are counted in a share of 24 hours that is not
// longer than the interval, and not more than kept_polls in it.
[[nodiscard]] poll_limit limit_of(const sync_policy& policy);

// `polls`, in any order, and one that ended at `now`: in the place of the oldest when as many are
// remembered as the limit needs. (Only one instant of a stored array changes.) Rounded up to the
// next second, as `now` was rounded down.
[[nodiscard]] std::vector<instant> with_poll(std::vector<instant> polls, instant now,
                                             const poll_limit& limit);
// The earliest instant of the next poll that keeps the limit and leaves room for one poll an
// interval after it. For polls that all kept to this, it is at most an interval (and the second of
// the rounding) after the last one.
[[nodiscard]] instant earliest_poll(std::vector<instant> polls, const poll_limit& limit,
                                    std::chrono::seconds interval);

// The state that the status call alone implies: pending, blocked, action_required or ok.
[[nodiscard]] credential_state state_of(const credential_status& status);

}  // namespace flanks
