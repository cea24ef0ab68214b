// What the configuration says that views and other daemons of the database must know too:
// flanks_internal.settings.
#pragma once

#include <chrono>

#include "db/pg/options.hpp"

namespace flanks {

struct stored_settings {
  std::chrono::seconds stale_after{0};  // config: sync.stale_after
  bool notify_changes = false;          // config: sync.notify_changes
};

// Writes it where it says something else. Blocks; opens a connection of its own. Throws `failure`.
void write_settings(const db_options& options, const stored_settings& settings);

}  // namespace flanks
