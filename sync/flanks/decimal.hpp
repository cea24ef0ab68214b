// A decimal number as the provider wrote it -> plain decimal text for Postgres numeric. Text to
// text: no float on the way.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flanks {

inline constexpr int max_decimal_digits = 38;

// Reads [+-]digits[.digits][(e|E)[+-]digits] and nothing else (no NaN, no Infinity, no hex, no
// blanks, no thousands separators). Returns the same value in plain notation: the digits and the
// scale as sent ("2.50" stays "2.50"), an exponent worked out as Postgres does it ("1E+2" is "100",
// "1.50e1" is "15.0", "1e-7" is "0.0000001"), no plus sign, no leading zeros, no negative zero.
// So one value in one scale has one text, and its hash does not change with the notation.
// Nothing when it is not such a number, or has more than 38 digits in plain notation (leading zeros
// of the integer part do not count). The view points into `text`, or into `work` when the notation
// had to be changed.
[[nodiscard]] std::optional<std::string_view> plain_decimal(std::string_view text,
                                                            std::string& work);

// Whether a JSON number may go into jsonb, which stores it as numeric: an exponent of more than
// three digits would blow up in the database, far beyond what the provider sent.
[[nodiscard]] bool fits_jsonb(std::string_view number);

}  // namespace flanks
