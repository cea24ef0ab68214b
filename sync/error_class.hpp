// Every error class (failure::error_class): whose turn it is, and whether it counts against the
// provider. flanks.error_classes holds the same rows for SQL (migrations/0008_error_classes.sql);
// tests/pg/error_class_pgtest.cpp compares the two, and tests/style finds a class that is missing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace flanks {

enum class whose_turn : std::uint8_t {
  nobody,  // it mends itself; the operator's after the third failure in a row
  // Also a name without an address and a refused connection: until his name servers, his network
  // and flanks.base_url have been looked at, nobody can say that it is the provider.
  the_operator,
  the_provider,
  the_end_user,
};
[[nodiscard]] std::string_view to_string(whose_turn who);  // as flanks.error_classes.who_must_act

struct error_class_info {
  std::string_view name;
  whose_turn who = whose_turn::nobody;
  bool providers_fault = false;  // counts towards pausing a bank or the whole API
  std::string_view meaning;
  // What to do; a failure that knows more says it in its own hint (sync/failure.hpp).
  std::string_view hint;
};

// Without doubles. A status of HTTP that has no row belongs to its family: http_503 to http_5xx.
[[nodiscard]] std::span<const error_class_info> error_classes();
// Null for a name that is in no row and no family.
[[nodiscard]] const error_class_info* find_error_class(std::string_view name);
// As flanks.error_classes.who_must_act; empty for a name that find_error_class() does not know.
[[nodiscard]] std::string_view who_must_act(std::string_view error_class);

// error_class_info::hint; empty for a name that find_error_class() does not know.
[[nodiscard]] std::string_view hint_of(std::string_view error_class);

}  // namespace flanks
