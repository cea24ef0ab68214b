// What an unknown word was probably meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/keys.hpp"

namespace flanks::config {

// The one of `known` that `word` is most likely a slip of the pen for; empty when none is near.
[[nodiscard]] std::string_view nearest_word(std::string_view word, name_list known);

// The known key or section that `path` most likely stands for: a slip of the pen in the same
// section, or the right name in the wrong one. Empty when nothing is near.
[[nodiscard]] std::string nearest_key(const std::string& path, const std::vector<key>& keys);

}  // namespace flanks::config
