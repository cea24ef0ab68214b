// Comma-separated values as RFC 4180 describes them: quotes, doubled quotes, line breaks inside
// quotes, CRLF or LF.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flanks::csv {

// Both counted from 1; columns in characters.
struct place {
  int line = 1, column = 1;
};

struct record {
  int line = 1;  // where it begins
  std::vector<std::string> fields;
  std::vector<place> places;  // where each of them begins
};

// A byte that no text may hold.
struct flaw {
  place at;
  std::string what;
};

struct document {
  std::vector<record> records;  // empty lines are left out
  std::optional<int>
      broken_line;  // a quote that never ends, or text after one: reading ended there
};

// Bytes that are not UTF-8, and NUL: the first of each line.
[[nodiscard]] std::vector<flaw> flaws(std::string_view text);

// Takes a whole file; a UTF-8 byte order mark is passed over.
[[nodiscard]] document parse(std::string_view text);

}  // namespace flanks::csv
