// flanks.unknown_fields: what the provider sends that has no column. Blocks; throws sql_problem.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "db/pg/connection.hpp"
#include "sync/transaction.hpp"

namespace flanks {

// What one response showed: (path, json type) -> records. At most `most` different ones.
class unknown_fields {
 public:
  void add(const std::vector<unknown_record_field>& fields);
  void add(const unknown_fields& others);
  // Writes what is new, and once a day that it still comes: so a replay writes nothing, and windows
  // that commit at the same time hardly ever wait for each other here. What is to be run last in
  // the window's own transaction; nothing when there were none. `endpoint` is the product, `limit`
  // how many new ones a day may add (limits.unknown_fields_per_day).
  [[nodiscard]] std::optional<call> write(std::string_view endpoint, int limit) const;

 private:
  static constexpr std::size_t most = 256;
  using key = std::pair<std::string, std::string>;
  void add(const key& which, std::int64_t records);

  std::map<key, std::int64_t> seen_;
};

}  // namespace flanks
