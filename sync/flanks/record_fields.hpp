// The provider's names of the fields that have a column (API contract, section 3).
#pragma once

#include <cstdint>
#include <string_view>

#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

inline constexpr std::uint8_t unknown_field = 0xFF;

// The column of a field, as a number; unknown_field when it has none.
[[nodiscard]] std::uint8_t column_of(std::string_view key);
// The same for a record of Aggregation v2 (API contract, section 5), whose product_id is the id of
// an `of`.
[[nodiscard]] std::uint8_t listed_column_of(std::string_view key, product of);
// account_id of an account, and so on.
[[nodiscard]] column column_of_product(product of);
// The field of a column; empty for `extra`.
[[nodiscard]] std::string_view field_of(column c);

}  // namespace flanks
