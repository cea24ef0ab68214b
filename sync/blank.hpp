// Which texts hold nothing that a person could see, and which characters those are. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace flanks {

// The character that a text begins with. `size` is 0 when the text is empty or does not begin with
// well-formed UTF-8 (Unicode 15, table 3-7); `code` is 0 then.
struct utf8_character {
  char32_t code = 0;
  std::size_t size = 0;  // bytes
};
[[nodiscard]] utf8_character first_character(std::string_view text);

// White_Space of Unicode 15, controls (C0, DEL, C1), and format characters that show nothing: soft
// hyphen, zero-width spaces and joiners, word joiner, direction marks, byte order mark.
[[nodiscard]] bool is_blank(char32_t code);

// Whether every character is blank: a text of none is. Bytes that are not UTF-8 are not blank.
[[nodiscard]] bool is_blank(std::string_view utf8);

}  // namespace flanks
