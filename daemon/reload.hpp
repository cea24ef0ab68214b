// What a reload of the configuration (SIGHUP) changes, and what it does not.
#pragma once

#include <string>

#include "config/settings.hpp"

namespace flanks {

// Whether a new value of this key takes effect only when the daemon starts again.
[[nodiscard]] bool needs_restart(std::string_view key);

// The end of a sentence for people: which keys have other values than `before`, the last ones that were
// loaded, and which differ from those that the daemon `started` with and need a restart.
[[nodiscard]] std::string reload_summary(const config::settings& started,
                                         const config::settings& before,
                                         const config::settings& after);

}  // namespace flanks
