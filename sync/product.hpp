// What a credential has, apart from its transactions: accounts, cards, ..., who holds them, who is
// behind the login; and the list of banks. One generic record: values by column, text all the way.
// This file knows neither JSON nor SQL.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sync/column.hpp"
#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

// The provider's columns of the table of a kind, in table order: the identification first, `extra`
// (a JSON object of every field that has no column) last.
[[nodiscard]] std::span<const table_column> columns_of(product_kind kind);
// "accounts", "cards", ...
[[nodiscard]] std::string_view table_of(product_kind kind);
// Where `name` is among them; nothing when it is not.
[[nodiscard]] std::optional<std::size_t> find_column(std::span<const table_column> columns,
                                                     std::string_view name);
// The columns of flanks.entities: entity_id, name, extra.
[[nodiscard]] std::span<const table_column> entity_columns();

// One record. SQL null is nullopt.
struct product_record {
  std::vector<std::optional<std::string>> values;  // by column
  std::string raw;                                 // its bytes as they came

  [[nodiscard]] const std::string& id() const { return *values.front(); }
};

// One whole response: a complete, well-formed, 2xx answer. The ids are all different.
struct product_batch {
  std::vector<product_record> records;
  std::vector<rejected_record> rejected;
  std::int64_t duplicates = 0;     // records that came again, equal
  std::int64_t bytes = 0;          // of the body
  bool rested_connection = false;  // it came over one that has served another request
  bool proves_absence = true;      // what is not in it is not there (product_status)

  // Array elements in the response.
  [[nodiscard]] std::int64_t elements() const;
  // Some record could not be stored: what is missing may be it.
  [[nodiscard]] bool incomplete() const;
};

}  // namespace flanks
