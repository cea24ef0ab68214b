// Which texts hold nothing that a person could see, and which characters those are. Pure.
#pragma once

#include <string_view>

namespace flanks {

// White_Space of Unicode 15, controls (C0, DEL, C1), and format characters that show nothing: soft
// hyphen, zero-width spaces and joiners, word joiner, direction marks, byte order mark.
[[nodiscard]] bool is_blank(char32_t code);

// Whether every character is blank: a text of none is. Bytes that are not UTF-8 are not blank.
[[nodiscard]] bool is_blank(std::string_view utf8);

}  // namespace flanks
