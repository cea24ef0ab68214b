// Comma-separated values as RFC 4180 describes them: quotes, doubled quotes, line breaks inside
// quotes, CRLF or LF.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/text.hpp"

namespace flanks::csv {

struct record {
  int line = 1;  // where it begins
  std::vector<std::string> fields;
  std::vector<text_place> places;  // where each of them begins
};

struct document {
  std::vector<record> records;  // empty lines are left out
  std::optional<int>
      broken_line;  // a quote that never ends, or text after one: reading ended there
};

// Takes a whole file; a UTF-8 byte order mark is passed over.
[[nodiscard]] document parse(std::string_view text);

}  // namespace flanks::csv
