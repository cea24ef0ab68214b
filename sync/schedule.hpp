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
// of another customer of the provider do. `jitter` in [0, 1) moves it by at most 0.1 % of the
// interval. The result lies in (interval / 4, interval * 5 / 4 + 0.1 %].
[[nodiscard]] std::chrono::seconds delay_to_slot(credential_id id, std::uint64_t salt,
                                                 std::chrono::seconds interval, instant now,
                                                 double jitter);

// How long until the next turn after a success: by the rhythm of `refreshes` (sync/refresh_times),
// at most an interval; to the credential's slot when no refresh is known.
[[nodiscard]] std::chrono::seconds delay_to_poll(const claimed_credential& credential,
                                                 const std::vector<instant>& refreshes,
                                                 const sync_policy& policy, instant now,
                                                 double jitter);

// How long until the next turn after `failures` (>= 1) failed ones in a row: 5 minutes tripled each
// time, never more than the interval, with full jitter in its upper half.
[[nodiscard]] std::chrono::seconds delay_after_failure(int failures, std::chrono::seconds interval,
                                                       double jitter);

// Status calls of one credential in the 24 hours since the first of them.
struct poll_count {
  std::optional<instant> since;
  int polls = 0;
};
// With one more, at `now`.
[[nodiscard]] poll_count with_poll(poll_count before, instant now);
// How many there may be (sync.polls_per_day, or as many as the interval asks for).
[[nodiscard]] int most_polls(const sync_policy& policy);

// The state that the status call alone implies: pending, blocked, action_required or ok.
[[nodiscard]] credential_state state_of(const credential_status& status);

}  // namespace flanks
