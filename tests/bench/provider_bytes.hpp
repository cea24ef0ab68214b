// What the provider sends, made from a seed: the same bytes in every run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flanks::bench {

struct response_bytes {
  std::string body;  // one JSON array of records
  std::int64_t records = 0;
};

// `oddities`: one record in a few with escapes, times in days, fields without a column, and so on;
// else the plain records of most banks.
[[nodiscard]] response_bytes make_response(std::int64_t records, bool oddities);
// The same with a blank behind every ',' and ':', as Python writes JSON.
[[nodiscard]] response_bytes spaced(const response_bytes& compact);

// As they come from the network: pieces of 64 KiB.
[[nodiscard]] std::vector<std::string_view> pieces_of(const response_bytes& response);

}  // namespace flanks::bench
