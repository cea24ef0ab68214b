#include "sync/fetch_plan.hpp"

#include "sync/window.hpp"

namespace flanks {

namespace {

fetch_plan of_items(const assignment& job, const credential_status& status, instant now) {
  fetch_plan plan;
  for (const plan_item& item : *job.items) {
    const fetch_decision decision = availability(status, item.what);
    if (decision.fetch) {
      const window days = open_if_current(item.days, day_of(now));
      plan.windows.push_back({item.what, days, item.item_id, job.why, comparing::values});
    } else {
      plan.rest.push_back({item.what, decision, item});
    }
  }
  return plan;
}

}  // namespace

fetch_plan plan_fetches(const assignment& job, const credential_status& status,
                        const sync_policy& policy, instant now) {
  if (job.items) return of_items(job, status, now);
  fetch_plan plan;
  for (const product what : job.products.empty() ? policy.products : job.products) {
    const product_coverage& covered = job.credential.of(what);
    const sweep again = sweep_due(job.credential, covered, now, policy);
    const fetch_decision decision =
        decide_fetch(status, covered, what, policy, day_of(now), again, job.force);
    if (!decision.fetch) {
      plan.rest.push_back({what, decision, std::nullopt});
      continue;
    }
    const bool sweeps = job.why == trigger::schedule && covered.last_sweep && again != sweep::none;
    const comparing how = again == sweep::full ? comparing::values : comparing::fingerprints;
    plan.windows.push_back(
        {what, decision.days, std::nullopt, sweeps ? trigger::sweep : job.why, how});
  }
  return plan;
}

}  // namespace flanks
