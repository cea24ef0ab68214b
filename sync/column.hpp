// A column of a table that holds what the provider sends: its name and what its text means.
#pragma once

#include <cstdint>
#include <string_view>

namespace flanks {

enum class column_type : std::uint8_t {
  text,
  decimal,  // digits as sent, valid for Postgres numeric
  whole,    // a 32-bit integer
  flag,     // "true" or "false"
  moment,   // "YYYY-MM-DDTHH:MM:SS[.mmm]Z"
  date,     // "YYYY-MM-DD", a day that exists
  json,     // compact, digits as sent
};

struct table_column {
  std::string_view name;
  column_type type = column_type::text;
};

}  // namespace flanks
