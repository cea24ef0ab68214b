// What `support` tells of the database: versions, states, failures, sizes. No token, user, account,
// amount or text of a person or of the provider is in it. Blocks; opens a connection of its own.
#pragma once

#include <string>
#include <vector>

#include "db/pg/options.hpp"

namespace flanks {

struct support_table {
  std::string name;  // "failures of the last 7 days"
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // "-" for null
  std::string trouble;                         // why it could not be read; empty: it was
};

// Each is read by itself: one that cannot be read leaves the others. Throws `failure` when the
// database cannot be opened at all.
[[nodiscard]] std::vector<support_table> read_support(const db_options& options);

}  // namespace flanks
