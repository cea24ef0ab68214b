#include "db/transaction_sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "sync/transaction.hpp"

namespace flanks {

namespace {

// Those that are ours.
constexpr std::array<std::string_view, 9> own_columns{
    "credential_id",  "product",      "first_seen_at", "updated_at",  "removed_at",
    "removal_reason", "successor_id", "aged_out_at",   "content_hash"};

}  // namespace

std::string_view sql_type(column_type type) {
  switch (type) {
    case column_type::text:
      return "text";
    case column_type::decimal:
      return "numeric";
    case column_type::whole:
      return "integer";
    case column_type::flag:
      return "boolean";
    case column_type::moment:
      return "timestamptz";
    case column_type::date:
      return "date";
    case column_type::json:
      return "jsonb";
  }
  return "text";
}

std::string for_each_content_column(std::string_view format) {
  std::string text;
  for (const table_column& c : transaction_columns) {
    if (c.name == name_of(column::id)) continue;
    if (!text.empty()) text += ", ";
    text += fmt::format(fmt::runtime(format), c.name);
  }
  return text;
}

std::string content_columns(std::string_view alias) {
  return for_each_content_column(fmt::format("{}.{{}}", alias));
}

std::string identity_columns(std::string_view alias) {
  std::string text;
  for (const table_column& c : transaction_columns) {
    if (c.name.ends_with("_id") || c.name == name_of(column::extra)) continue;
    text += fmt::format("{}{}.{}", text.empty() ? "" : ", ", alias, c.name);
  }
  return text;
}

std::string notation_columns(std::string_view alias) {
  std::string text;
  for (const table_column& c : transaction_columns) {
    if (c.type != column_type::decimal && c.type != column_type::json) continue;
    text += fmt::format("{}{}.{}::text", text.empty() ? "" : ", ", alias, c.name);
  }
  return text;
}

std::string all_columns(std::string_view alias) {
  std::vector<std::string_view> names(own_columns.begin(), own_columns.end());
  for (const table_column& c : transaction_columns)
    names.push_back(c.name);
  std::sort(names.begin(), names.end(), [](std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  std::string text;
  for (const std::string_view name : names)
    text += fmt::format("{}{}.{}", text.empty() ? "" : ", ", alias, name);
  return text;
}

std::string copy_rows_into(std::string_view table) {
  return fmt::format("copy {} (credential_id, product, content_hash, _id, {}) from stdin", table,
                     for_each_content_column("{}"));
}

}  // namespace flanks
