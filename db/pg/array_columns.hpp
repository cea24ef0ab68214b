// Rows as parameters: one array a column, for `unnest($1::bigint[], $2::text[], ...)`.
#pragma once

#include <vector>

#include "db/pg/connection.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {

class array_columns {
 public:
  // One row; every row has the same columns.
  void add(const sql_values& row) {
    columns_.resize(row.get().size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::optional<std::string>& value = row.get()[i];
      columns_[i].add(value ? std::string_view(*value) : std::string_view());
    }
  }
  [[nodiscard]] bool empty() const { return columns_.empty(); }
  // The arrays, in the order of the columns. Ends them.
  [[nodiscard]] sql_values take() {
    sql_values arrays;
    for (array_literal& column : columns_)
      arrays.add(column.take());
    return arrays;
  }

 private:
  std::vector<array_literal> columns_;
};

}  // namespace flanks
