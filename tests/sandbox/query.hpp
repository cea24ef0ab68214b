// The query object of the API contract, section 3: all fields must match, within a field any filter
// of its list may match, bounds are inclusive. Strict: what the contract does not name is refused.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tests/sandbox/data.hpp"
#include "tests/sandbox/ledger.hpp"

namespace boost::json {
class value;
}

namespace sandbox {

// One line of a ValidationError.
struct complaint {
  std::string error_type;
  std::string field;
};

class query {
 public:
  query();
  ~query();
  query(query&&) noexcept;
  query& operator=(query&&) noexcept;

  // A query from its JSON value, or what is wrong with it.
  static std::variant<query, std::vector<complaint>> read(const boost::json::value& from);

  // All of these days.
  static query of(day_range days);

  // The days outside of which nothing can match.
  [[nodiscard]] day_range days() const;
  // True when days() says everything: no record need be looked at.
  [[nodiscard]] bool only_days() const;
  [[nodiscard]] bool matches(const record& candidate) const;
  // The same of a record's JSON text. A day that cannot be read is none.
  [[nodiscard]] bool matches(std::string_view candidate) const;

  struct filters;

 private:
  std::unique_ptr<filters> filters_;
};

// -1, 0 or 1: compares two decimals in any JSON spelling ("1E+2", "-0.00"), exactly.
[[nodiscard]] int compare_decimals(std::string_view a, std::string_view b);

}  // namespace sandbox
