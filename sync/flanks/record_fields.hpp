// The provider's names of the fields that have a column (API contract, section 3).
#pragma once

#include <cstdint>
#include <string_view>

#include "sync/transaction.hpp"

namespace flanks {

inline constexpr std::uint8_t unknown_field = 0xFF;

// The column of a field, as a number; unknown_field when it has none.
[[nodiscard]] std::uint8_t column_of(std::string_view key);
// The field of a column; empty for `extra`.
[[nodiscard]] std::string_view field_of(column c);

}  // namespace flanks
