// Writes compact JSON from events, piece by piece, exactly as it was sent: order, digits, text.
#pragma once

#include <string>
#include <string_view>

namespace flanks {

// Appends `text` (valid UTF-8) as a JSON string. `plain`: it is known to hold nothing to escape.
void append_json_string(std::string& out, std::string_view text, bool plain);

// Appends the comma that is due before the next key or element: none after '{', '[' or ':'.
inline void append_separator(std::string& out) {
  const char last = out.back();
  if (last != '{' && last != '[' && last != ':') out.push_back(',');
}

// Puts U+FFFD in the place of every U+0000. False when there was none.
bool replace_nul(std::string& text);

}  // namespace flanks
