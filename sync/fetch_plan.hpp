// What is fetched of one credential now, and what is not and why. A pure decision; mirror() carries
// it out.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sync/mirror.hpp"

namespace flanks {

// What is planned as one window; for a backfill with the plan's item that it finishes.
struct planned_window {
  product what;
  window days;
  std::optional<std::int64_t> item;
  trigger why;
  comparing how;
};

// What is left out; for a backfill with the plan's item that asked for it.
struct left_out {
  product what;
  fetch_decision why;
  std::optional<plan_item> item;
};

struct fetch_plan {
  std::vector<planned_window> windows;
  std::vector<left_out> rest;
};

// The plan's items, where there are any; else what follows from coverage, status and the time of
// the last sweeps.
[[nodiscard]] fetch_plan plan_fetches(const assignment& job, const credential_status& status,
                                      const sync_policy& policy, instant now);

}  // namespace flanks
