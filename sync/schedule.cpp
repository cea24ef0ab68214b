#include "sync/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "sync/refresh_times.hpp"
#include "sync/window.hpp"

namespace flanks {

namespace {

fetch_decision no(outcome why, std::string error_class, std::string explanation) {
  fetch_decision decision;
  decision.why_not = why;
  decision.error_class = std::move(error_class);
  decision.explanation = std::move(explanation);
  return decision;
}

// splitmix64: neighbours in, strangers out, so that consecutive ids land in slots far apart.
std::uint64_t scatter(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// Second of the interval in which a credential has its turn. Multiples of the golden ratio lie as
// evenly as can be, however many there are (Weyl).
std::int64_t slot_of(credential_id id, std::uint64_t salt, std::int64_t length) {
  const std::uint64_t turn = static_cast<std::uint64_t>(id.value) * 0x9e3779b97f4a7c15U + salt;
  const double share =
      static_cast<double>(turn >> 11) / static_cast<double>(std::uint64_t{1} << 53);
  return static_cast<std::int64_t>(share * static_cast<double>(length));
}

// Whether the credential's slot has come round since a quarter of the interval after `last`.
bool slot_passed(std::uint64_t slot, std::chrono::seconds interval, instant last, instant now) {
  const std::int64_t length = std::max<std::int64_t>(interval.count(), 1);
  const auto phase = static_cast<std::int64_t>(slot % static_cast<std::uint64_t>(length));
  const std::int64_t earliest = last.time_since_epoch().count() + length / 4;
  const std::int64_t since = ((earliest - phase) % length + length) % length;
  return now.time_since_epoch().count() >= earliest - since + length;
}

std::optional<window> covered_days(const product_coverage& covered) {
  if (!covered.from || !covered.to) return std::nullopt;
  return window{*covered.from, *covered.to};
}

// Whether the provider has no other data than at the last success. Any other time of its refresh,
// also an earlier one, is other data.
bool is_read(const credential_status& status, std::optional<instant> seen) {
  return status.last_update && status.last_update == seen;
}

// `list`: "card transactions", for people.
fetch_decision available(const credential_status& status, const product_status& said,
                         const std::string& list) {
  if (status.pending) {
    return no(outcome::not_available, "provider_pending",
              "the provider has not finished the first extraction of this credential");
  }
  if (said.errored.value_or(false)) {
    return no(outcome::failed, "provider_errored",
              fmt::format("the provider says that its last extraction of {} failed; "
                          "its data is not to be trusted",
                          list));
  }
  if (!said.created.value_or(true)) {
    return no(outcome::not_available, "provider_not_created",
              fmt::format("the provider has not extracted {} of this credential", list));
  }
  fetch_decision yes;
  yes.fetch = true;
  return yes;
}

}  // namespace

fetch_decision availability(const credential_status& status, product what) {
  return available(status, status.of(what), fmt::format("{} transactions", to_string(what)));
}

fetch_decision decide_fetch(const credential_status& status, const product_coverage& covered,
                            product what, const sync_policy& policy, day today, sweep again,
                            bool force) {
  fetch_decision decision = availability(status, what);
  if (!decision.fetch) return decision;
  // A full sweep asks for all of it, also for what the bank has refused.
  window all = history(today, policy.history_months);
  const bool probes = again == sweep::full;
  if (covered.history_days > 0 && !probes)
    all.from = std::max(all.from, today - std::chrono::days{covered.history_days - 1});
  decision.days = probes ? all : next_window(covered_days(covered), all, policy.overlap);
  if (again == sweep::recent) {
    decision.days.from =
        std::max(all.from, std::min(decision.days.from, today - policy.recent_sweep_days));
  }
  // Until it can be stored: the provider may have mended it.
  if (covered.unclean_from)
    decision.days.from = std::min(decision.days.from, std::max(all.from, *covered.unclean_from));
  const bool seen = is_read(status, covered.provider_seen);
  const bool whole = covered.from && *covered.from <= all.from;
  if (seen && whole && again == sweep::none && !force)
    return no(outcome::unchanged_upstream, "", "");
  return decision;
}

fetch_decision decide_fetch(const credential_status& status, product_kind what,
                            std::optional<instant> seen, bool force) {
  fetch_decision decision =
      available(status, status.of(what), fmt::format("the list of {}", table_of(what)));
  if (!decision.fetch || force) return decision;
  return is_read(status, seen) ? no(outcome::unchanged_upstream, "", "") : decision;
}

sweep sweep_due(const claimed_credential& credential, const product_coverage& covered, instant now,
                const sync_policy& policy) {
  const auto number = static_cast<std::uint64_t>(credential.id.value) ^ credential.slot_salt;
  if (!covered.last_sweep ||
      slot_passed(scatter(number ^ 0x66756c6cU), policy.sweep_interval, *covered.last_sweep, now))
    return sweep::full;
  // All history holds its recent part.
  const instant last =
      std::max(covered.last_recent_sweep.value_or(*covered.last_sweep), *covered.last_sweep);
  return slot_passed(scatter(number ^ 0x7265636eU), policy.recent_sweep_interval, last, now)
             ? sweep::recent
             : sweep::none;
}

std::chrono::seconds delay_to_slot(credential_id id, std::uint64_t salt,
                                   std::chrono::seconds interval, instant now, double jitter) {
  const std::int64_t length = std::max<std::int64_t>(interval.count(), 1);
  const std::int64_t phase = now.time_since_epoch().count() % length;
  std::int64_t delay = (slot_of(id, salt, length) - phase + length) % length;
  // A slot that comes round at once would mean two polls in a row.
  if (delay <= length / 100) {
    delay += length;
  } else if (delay <= length / 4) {
    delay += length / 2;
  }
  delay += static_cast<std::int64_t>(jitter * static_cast<double>(length) / 1000);
  return std::chrono::seconds{std::min(delay, length)};
}

std::chrono::seconds delay_to_poll(const claimed_credential& credential,
                                   const std::vector<instant>& refreshes, const sync_policy& policy,
                                   instant now, double jitter) {
  const auto poll = next_poll(refreshes, now, policy.interval, limit_of(policy).each());
  if (!poll)
    return delay_to_slot(credential.id, credential.slot_salt, policy.interval, now, jitter);
  // Where the provider refreshes many credentials at one moment, they are not all asked for at one.
  const auto apart =
      static_cast<std::int64_t>(jitter * static_cast<double>(policy.interval.count()) / 1440);
  return std::min(*poll - now + std::chrono::seconds{apart}, policy.interval);
}

std::chrono::seconds delay_after_failure(int failures, std::chrono::seconds interval,
                                         double jitter) {
  std::chrono::seconds full = std::clamp<std::chrono::seconds>(
      interval / 288, std::chrono::seconds{1}, std::chrono::minutes{5});
  for (int i = 1; i < failures && full < interval; ++i)
    full *= 3;
  full = std::min(full, interval);
  const std::chrono::seconds upper_half{
      static_cast<std::int64_t>(jitter * static_cast<double>(full.count()) / 2)};
  return std::max(std::chrono::seconds{1}, full / 2 + upper_half);
}

poll_limit limit_of(const sync_policy& policy) {
  const auto asked =
      static_cast<int>((one_day + policy.interval - std::chrono::seconds{1}) / policy.interval);
  const int wanted = std::max(policy.polls_per_day, asked);
  if (wanted <= kept_polls) return {wanted, one_day};
  // 24 hours are `asked` spans, or fewer.
  return {std::clamp(policy.polls_per_day / asked, 1, kept_polls),
          (one_day + std::chrono::seconds{asked - 1}) / asked};
}

std::vector<instant> with_poll(std::vector<instant> polls, instant now, const poll_limit& limit) {
  const instant end = now + std::chrono::seconds{1};
  const auto most = static_cast<std::size_t>(limit.polls);
  while (polls.size() > most)
    polls.erase(std::min_element(polls.begin(), polls.end()));
  if (polls.size() < most) {
    polls.push_back(end);
  } else {
    *std::min_element(polls.begin(), polls.end()) = end;
  }
  return polls;
}

// The next poll, and every one an interval after the one before: each must come a span after the
// poll that lies so many before it.
instant earliest_poll(std::vector<instant> polls, const poll_limit& limit,
                      std::chrono::seconds interval) {
  std::sort(polls.begin(), polls.end(), std::greater<>{});  // the last one first
  instant earliest{};
  const std::size_t known = std::min(polls.size(), static_cast<std::size_t>(limit.polls));
  for (std::size_t back = 0; back < known; ++back) {
    const int later = limit.polls - 1 - static_cast<int>(back);  // polls between, the next one too
    earliest = std::max(earliest, polls[back] + limit.span - interval * later);
  }
  return earliest;
}

credential_state state_of(const credential_status& status) {
  if (status.blocked) return credential_state::blocked;
  if (status.sca_required || status.reset_required || status.transaction_token_required) {
    return credential_state::action_required;
  }
  return status.pending ? credential_state::pending : credential_state::ok;
}

}  // namespace flanks
