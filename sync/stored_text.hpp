// How PostgreSQL writes out what it stores of a transaction, so that a row of the table can be
// compared with a record of the provider without asking the database. Pure. Numbers, days and texts
// are written as they came (numeric keeps its scale); JSON is not: jsonb sorts keys, drops equal
// ones and spaces, and writes numbers out (PostgreSQL 15, 8.14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sync/transaction.hpp"

namespace flanks {

// The text of `json` once it is a jsonb. Nothing when it is no JSON, or too deep. Where it errs,
// the database is asked (window_batch): it costs time and nothing else.
[[nodiscard]] std::optional<std::string> jsonb_text(std::string_view json);

// A hash of a row's values under the content key: of a record that is hashed under it, as
// PostgreSQL would write it out ...
[[nodiscard]] std::uint64_t values_hash_of_record(const transaction& t, const content_key& key);
// ... and of a row as it has written it out. Never 0.
[[nodiscard]] std::uint64_t values_hash_of_row(const transaction& t, const content_key& key);

}  // namespace flanks
