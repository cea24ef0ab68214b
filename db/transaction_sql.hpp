// flanks.transactions in SQL: every statement that names its columns is put together here from
// sync/transaction.hpp.
//
// A new column of the provider's: `column` and `transaction_columns` (sync/transaction.hpp), its
// JSON field (sync/flanks/record_fields.hpp; the compiler finds both), and in one migration the
// column, the trigger void_content_hash, the views transactions_current and transactions_distinct,
// what stands in `extra` until then, and content_hash set to zeros (the hash covers every column:
// rows are hashed anew when they are next read). A column of ours: own_columns, and who sets it
// back.
#pragma once

#include <string>
#include <string_view>

#include "sync/column.hpp"

namespace flanks {

// "text", "numeric", ...
[[nodiscard]] std::string_view sql_type(column_type type);

// The provider's columns without _id, in table order: "t.account_id, t.card_id, ...".
[[nodiscard]] std::string content_columns(std::string_view alias);
// What two rows of one operation have in common whatever their ids: the provider's columns without
// its ids of operations and products, and without `extra`, which may hold ids too.
[[nodiscard]] std::string identity_columns(std::string_view alias);
// `format` (fmt, with the name of the column) for each of those, joined by ", ".
[[nodiscard]] std::string for_each_content_column(std::string_view format);
// All columns of the table in the order in which jsonb keeps its keys (by length, then by bytes):
// to_jsonb() of them sorts nothing. "t._id, t.shop, ...".
[[nodiscard]] std::string all_columns(std::string_view alias);
// COPY ... FROM STDIN of rows in the format of append_copy_row().
[[nodiscard]] std::string copy_rows_into(std::string_view table);

}  // namespace flanks
