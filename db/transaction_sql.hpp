// flanks.transactions in SQL: every statement that names its columns is put together here from
// sync/transaction.hpp, so that a new column is one line there (and one in the migration).
#pragma once

#include <string>
#include <string_view>

#include "sync/column.hpp"

namespace flanks {

// "text", "numeric", ...
[[nodiscard]] std::string_view sql_type(column_type type);

// The provider's columns without _id, in table order: "t.account_id, t.card_id, ...".
[[nodiscard]] std::string content_columns(std::string_view alias);
// `format` (fmt, with the name of the column) for each of those, joined by ", ".
[[nodiscard]] std::string for_each_content_column(std::string_view format);
// All columns of the table in the order in which jsonb keeps its keys (by length, then by bytes):
// to_jsonb() of them sorts nothing. "t._id, t.shop, ...".
[[nodiscard]] std::string all_columns(std::string_view alias);
// COPY ... FROM STDIN of rows in the format of append_copy_row().
[[nodiscard]] std::string copy_rows_into(std::string_view table);

}  // namespace flanks
