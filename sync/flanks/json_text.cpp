#include "sync/flanks/json_text.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace flanks {

void append_json_string(std::string& out, std::string_view text, bool plain) {
  out.push_back('"');
  if (plain) {
    out.append(text);
  } else {
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
      } else {
        out.push_back(c);
      }
    }
  }
  out.push_back('"');
}

bool replace_nul(std::string& text) {
  if (text.find('\0') == std::string::npos) return false;
  std::string replaced;
  replaced.reserve(text.size() + 2);
  for (const char c : text) {
    if (c == '\0') {
      replaced.append("\xEF\xBF\xBD");
    } else {
      replaced.push_back(c);
    }
  }
  text = std::move(replaced);
  return true;
}

}  // namespace flanks
