// Which window: one product of one credential, under a lease, over some days.
#pragma once

#include <optional>
#include <string>

#include "sync/store.hpp"

namespace flanks {

struct window_scope {
  credential_id credential;
  lease_id lease;
  product what = product::account;
  window days;
  std::optional<std::int64_t> item;  // of a backfill plan; done when this commits
  std::string query;                 // the filter that was sent, canonical; empty: none

  // Then what the provider does not show may merely not have passed: no evidence of its absence.
  [[nodiscard]] bool filtered() const { return !query.empty(); }
};

}  // namespace flanks
