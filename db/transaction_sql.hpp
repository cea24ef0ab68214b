// flanks.transactions in SQL: every statement that names its columns is put together here from
// sync/transaction.hpp.
//
// A new column, of the provider's or of ours: docs/architecture.md lists every place.
#pragma once

#include <string>
#include <string_view>

#include "sync/column.hpp"

// Since when the stored version of a row was valid, for the revision of it: when it was written,
// but not before the versions before it ended. (Of two transactions that write a row one after the
// other, the later one may have begun first; without this both versions would be valid for a
// while.) `id`, `updated_at`: expressions.
#define FLANKS_VALID_FROM(id, updated_at) \
  "greatest(" updated_at                  \
  ", (select max(e.replaced_at) from flanks.transaction_revisions e where e._id = " id "))"

namespace flanks {

// "text", "numeric", ...
[[nodiscard]] std::string_view sql_type(column_type type);

// The provider's columns without _id, in the order of `column`: "t.account_id, t.card_id, ...".
[[nodiscard]] std::string content_columns(std::string_view alias);
// What two rows of one operation have in common whatever their ids: the provider's columns without
// its ids of operations and products, and without `extra`, which may hold ids too.
[[nodiscard]] std::string identity_columns(std::string_view alias);
// The provider's columns in which equal values may differ in their digits, as text.
[[nodiscard]] std::string notation_columns(std::string_view alias);
// `format` (fmt, with the name of the column) for each of the provider's columns without _id,
// joined by ", ".
[[nodiscard]] std::string for_each_content_column(std::string_view format);
// All columns of the table in the order in which jsonb keeps its keys (by length, then by bytes):
// to_jsonb() of them sorts nothing. "t._id, t.shop, ...".
[[nodiscard]] std::string all_columns(std::string_view alias);
// COPY ... FROM STDIN of rows in the format of append_copy_row().
[[nodiscard]] std::string copy_rows_into(std::string_view table);

}  // namespace flanks
