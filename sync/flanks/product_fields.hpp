// The provider's names of the fields of products that have a column (API contract, section 3).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "sync/product.hpp"

namespace flanks {

// The lists of records that are read whole: the kinds of product, and the banks.
struct product_list {
  std::optional<product_kind> kind;  // none: the banks (/v0/bank/available)

  [[nodiscard]] std::span<const table_column> columns() const {
    return kind ? columns_of(*kind) : entity_columns();
  }
};

// Where the value of a field goes, as an index of columns(); nothing when it has no column.
[[nodiscard]] std::optional<std::size_t> column_of(const product_list& list, std::string_view key);

// "/v0/bank/credentials/account", ...
[[nodiscard]] std::string_view products_endpoint(product_kind kind);
inline constexpr std::string_view entities_endpoint = "/v0/bank/available";

}  // namespace flanks
