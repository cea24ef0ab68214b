// What doctor finds, for those who tell it in other words.
#pragma once

#include <vector>

#include "daemon/command_line.hpp"
#include "sync/finding.hpp"

namespace flanks {

// Everything that must be right before anything can be mirrored, in the order in which one needs
// the other. Asks the provider for a token, and changes nothing.
[[nodiscard]] std::vector<finding> examine(const invocation& asked);

}  // namespace flanks
