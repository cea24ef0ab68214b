// The two schedules that a simulation compares: ours, and one poll a day at a fixed time.
#pragma once

#include <memory>
#include <random>

#include "sync/mirror.hpp"
#include "tests/unit/refresh_simulation.hpp"

namespace flanks {

// What the daemon does: after() decides about every poll, with the defaults of the configuration.
[[nodiscard]] inline poll_schedule learned_schedule(const simulated_provider& provider) {
  auto known = std::make_shared<std::vector<claimed_credential>>(
      static_cast<std::size_t>(provider.credentials));
  auto random = std::make_shared<std::mt19937_64>(provider.seed);
  return [known, random](int number, instant told, instant now) {
    claimed_credential& credential = known->at(static_cast<std::size_t>(number));
    credential.id = credential_id{number + 1};
    credential_report report;
    report.answered = true;
    report.provider_update = told;
    const double jitter = std::uniform_real_distribution<double>{0, 1}(*random);
    const next_attempt next = after(report, credential, sync_policy{}, now, jitter);
    if (next.polls) credential.polls = *next.polls;
    if (next.refreshes) credential.refreshes = *next.refreshes;
    return now + next.delay;
  };
}

// Every credential at its slot, once an interval.
[[nodiscard]] inline poll_schedule fixed_schedule(const simulated_provider&) {
  return [](int number, instant, instant now) {
    return now + delay_to_slot(credential_id{number + 1}, 0, sync_policy{}.interval, now, 0);
  };
}

}  // namespace flanks
