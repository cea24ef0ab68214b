// The content of a file with an encryption key.
#pragma once

#include <string>
#include <string_view>

namespace flanks::config {

// Its 32 bytes: as they are, or as base64 or hexadecimal text with or without a line break at the
// end. Empty when it is none of these. 32 characters of text alone are none: they would be a key
// of half the strength.
[[nodiscard]] std::string key_bytes(std::string_view content);

}  // namespace flanks::config
