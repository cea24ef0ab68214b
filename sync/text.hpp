// Text of others (provider, database, files) made fit to be stored and shown. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flanks {

// Length in bytes of the well-formed UTF-8 character that `text` begins with (Unicode 15, table
// 3-7); 0 when there is none.
[[nodiscard]] std::size_t character_length(std::string_view text);

// Where the first byte is that is no part of a well-formed UTF-8 character.
[[nodiscard]] std::optional<std::size_t> first_not_utf8(std::string_view text);

// Without U+FEFF at its beginning.
[[nodiscard]] std::string_view without_byte_order_mark(std::string_view text);

// Both counted from 1; columns in characters.
struct text_place {
  int line = 1, column = 1;
};
// A byte that no text of people may hold.
struct text_flaw {
  text_place at;
  std::string what;
};
// Bytes that are not UTF-8, and NUL: the first of each line.
[[nodiscard]] std::vector<text_flaw> text_flaws(std::string_view text);

// What no secret begins with or holds: an editor's mark of an encoding, NUL. The end of a sentence
// that begins with its file; empty when there is nothing.
[[nodiscard]] std::string secret_objection(std::string_view content);

// The code point of one well-formed UTF-8 character.
[[nodiscard]] char32_t code_point(std::string_view character);

// Whether one well-formed UTF-8 character steers what is shown in place of being shown: a control
// character (C0, DEL, C1), a mark of the bidirectional algorithm (Bidi_Control of Unicode), or a
// line or paragraph separator.
[[nodiscard]] bool is_steering(std::string_view character);

// Well-formed UTF-8: each byte that is part of no character becomes U+FFFD, each steering character
// becomes `instead` (may be empty).
[[nodiscard]] std::string cleaned(std::string_view text, std::string_view instead);

// `one` for 1, else `many`; without `many`, `one` and an "s".
[[nodiscard]] std::string plural(std::int64_t count, std::string_view one,
                                 std::string_view many = "");
// "1 window", "2 windows", "3 entities".
[[nodiscard]] std::string counted(std::int64_t count, std::string_view one,
                                  std::string_view many = "");

// The first `limit` bytes of well-formed UTF-8, without half a character at the end.
[[nodiscard]] std::string_view clipped(std::string_view text, std::size_t limit);

}  // namespace flanks
