// Which of the provider's transactions are asked for: its query object without operationDate, which
// belongs to the window (API contract, "The query object"; config: sync.query). Pure values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flanks {

enum class filter_kind : std::uint8_t {
  text,    // regular expressions
  number,  // inclusive bounds, decimal digits
  date,    // inclusive bounds, YYYY-MM-DD
};
struct filterable_field {
  std::string_view name;
  filter_kind takes;
};
// Every field that may be named, in the contract's order; operationDate is not one of them.
[[nodiscard]] std::span<const filterable_field> filterable_fields();

// At least one of the two; both bounds belong to it.
struct filter_range {
  std::optional<std::string> gte, lte;
};

// An operation passes when one of them fits.
struct field_filter {
  std::string field;
  std::vector<std::string> patterns;  // of a text field
  std::vector<filter_range> ranges;   // of a number or a day
};

// An operation passes when it passes every field. Empty: everything passes.
struct query_filter {
  std::vector<field_filter> fields;
};

// The members of the JSON object without its braces, `"amount":[{"gte":-10}],"shop":["^A"]`; empty
// for an empty filter. Canonical: equal text, equal filter, whatever the order in the file. It is
// what is sent, and what flanks.coverage.query says that a range was verified for.
[[nodiscard]] std::string canonical_members(const query_filter& filter);

}  // namespace flanks
