// What an unknown key was probably meant to be.
#pragma once

#include <string>
#include <vector>

#include "config/keys.hpp"

namespace flanks::config {

// The known key or section that `path` most likely stands for: a slip of the pen in the same
// section, or the right name in the wrong one. Empty when nothing is near.
[[nodiscard]] std::string nearest_key(const std::string& path, const std::vector<key>& keys);

}  // namespace flanks::config
