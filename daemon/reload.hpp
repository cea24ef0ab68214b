// What a reload of the configuration (SIGHUP) changes, and what it does not.
#pragma once

#include <string>
#include <vector>

#include "config/secret_file.hpp"
#include "config/settings.hpp"

namespace flanks {

// Whether a new value of this key takes effect only when the daemon starts again.
[[nodiscard]] bool needs_restart(std::string_view key);

// The keys whose files hold another secret than before.
[[nodiscard]] std::vector<std::string> changed_secrets(const config::secrets& before,
                                                       const config::secrets& after);

// The end of a sentence for people: which keys have other values than `before`, the last ones that
// were loaded, which `secrets` do, and which keys differ from those that the daemon `started` with
// and need a restart.
[[nodiscard]] std::string reload_summary(const config::settings& started,
                                         const config::settings& before,
                                         const config::settings& after,
                                         const std::vector<std::string>& secrets);

}  // namespace flanks
