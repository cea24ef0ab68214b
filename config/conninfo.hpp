// libpq's connection strings as keywords and values (libpq, "Connection Strings"), in the grammar
// of its fe-connect.c. Pure; knows no keyword.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flanks::config {

struct conninfo {
  // Keyword and value, as they came.
  std::vector<std::pair<std::string, std::string>> pairs;
  // Why it cannot be read, without any part of it; empty: it can.
  std::string wrong;
};

// "host=db dbname='my db'".
[[nodiscard]] conninfo read_keywords(std::string_view text);

// What follows "postgresql://": [user[:password]@][host][:port][,...][/dbname][?key=value&...].
[[nodiscard]] conninfo read_uri(std::string_view text);

}  // namespace flanks::config
