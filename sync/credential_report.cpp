#include "sync/credential_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sync/error_class.hpp"
#include "sync/refresh_times.hpp"
#include "sync/schedule.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace chr = std::chrono;

void credential_report::add(const failure& f) {
  ++failed;
  if (error.empty()) {
    error = f.what();
    hint = f.hint;
    error_class = f.error_class;
  }
  if (f.verdict == verdict::stop && !stopped_by) stopped_by = f;
  lease_lost = lease_lost || f.stage == stage::lease;
  not_found = not_found || (f.error_class == "not_found" && f.http_status == 404);
  unauthorized = unauthorized || f.error_class == "unauthorized";
  if (f.retry_after) retry_after = f.retry_after;
  if (is_unreachable(f)) unreachable = f;
}

std::string waiting_words(const credential_status& status) {
  switch (state_of(status)) {
    case credential_state::blocked:
      return "the login no longer works at the bank: the end user must connect again";
    case credential_state::pending:
      return "the provider is still reading it for the first time";
    case credential_state::action_required:
      break;
    default:
      return "";
  }
  std::string wanted;
  const auto add = [&](bool asked, std::string_view what) {
    if (asked) wanted += fmt::format("{}{}", wanted.empty() ? "" : " and ", what);
  };
  add(status.reset_required, "enter a new password");
  add(status.sca_required, "pass the bank's authentication");
  add(status.transaction_token_required, "authorise the reading of transactions");
  return "the end user must " + (wanted.empty() ? "act at the bank" : wanted);
}

std::string_view waiting_class(const credential_status& status) {
  switch (state_of(status)) {
    case credential_state::blocked:
      return "blocked";
    case credential_state::pending:
      return "provider_pending";
    case credential_state::action_required:
      return status.reset_required               ? "reset_required"
             : status.sca_required               ? "sca_required"
             : status.transaction_token_required ? "transaction_token_required"
                                                 : "action_required";
    default:
      return "";
  }
}

std::string quarantine_words(std::int64_t records) {
  return fmt::format(
      "{} in quarantine; the rest is stored",
      counted(records, "record could not be stored and is", "records could not be stored and are"));
}

std::string quarantine_hint(credential_id id) {
  return fmt::format("{} and credential_id = {}", hint_of("quarantined"), id.value);
}

next_attempt after(const credential_report& report, const claimed_credential& credential,
                   const sync_policy& policy, instant now, double jitter) {
  next_attempt next;
  next.error = report.error;
  next.hint = report.hint;
  next.error_class = report.error_class;
  next.failed = !report.ok();
  if (report.partial()) {
    next.error = quarantine_words(report.quarantined());
    next.error_class = "quarantined";
    next.hint = quarantine_hint(credential.id);
  }
  // Only an answer about the credential ends what a 404 began: a provider in trouble says nothing.
  next.not_found = report.not_found || (!report.answered && credential.not_found_since);
  next.state = report.state;
  if (next.failed &&
      (next.state == credential_state::ok || next.state == credential_state::pending)) {
    next.state = credential_state::error;
  }
  // A first 404 may be the provider's mistake; one on a later day is believed (design, section 5).
  if (report.not_found && credential.not_found_since &&
      day_of(*credential.not_found_since) < day_of(now)) {
    next.state = credential_state::gone;
  }
  if (next.failed && !report.answered && credential.state == credential_state::gone)
    next.state = credential_state::gone;
  const poll_limit limit = limit_of(policy);
  std::vector<instant> polls = credential.polls;
  if (report.is_poll()) {
    polls = with_poll(std::move(polls), now, limit);
    next.polls = polls;
  }
  std::vector<instant> refreshes = credential.refreshes;
  if (report.provider_update)
    refreshes = with_refresh(std::move(refreshes), *report.provider_update, now);
  if (refreshes != credential.refreshes) next.refreshes = refreshes;
  const chr::seconds to_poll = delay_to_poll(credential, refreshes, policy, now, jitter);
  next.delay = next.failed
                   ? delay_after_failure(credential.failures_in_a_row + 1, policy.interval, jitter)
                   : to_poll;
  // The first extraction takes minutes, not a day.
  if (!next.failed && report.pending) {
    const int tried = std::max(1, static_cast<int>(polls.size()));
    next.delay = std::min(next.delay, delay_after_failure(tried, policy.interval, jitter));
  }
  // What only time or a person heals is asked about once an interval, not every few minutes.
  // A refusal is believed to concern the credential when it comes again while others get through.
  const bool parked =
      report.unauthorized && credential.failures_in_a_row > 0 && !report.client_in_doubt;
  if (report.not_found || parked)
    next.delay = delay_to_slot(credential.id, credential.slot_salt, policy.interval, now, jitter);
  // Refused keys or a wrong schema say nothing about the credential: asked again soon, and not
  // counted against it.
  if (report.stopped_by) {
    next.failed = false;
    next.delay = std::chrono::minutes{2};
    if (report.is_poll()) {
      const int tried = static_cast<int>(polls.size());
      next.delay = std::max(next.delay, delay_after_failure(tried, policy.interval, jitter));
    }
  }
  next.delay = std::max(next.delay, earliest_poll(polls, limit, policy.interval) - now);
  if (report.retry_after) next.delay = std::max(next.delay, *report.retry_after);
  return next;
}

}  // namespace flanks
