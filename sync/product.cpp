#include "sync/product.hpp"

#include <algorithm>

namespace flanks {

namespace {

using type = column_type;

constexpr std::array<table_column, 15> account{{{"account_id"},
                                                {"external_id"},
                                                {"iban"},
                                                {"entity"},
                                                {"alias"},
                                                {"description"},
                                                {"balance", type::decimal},
                                                {"currency"},
                                                {"is_owner", type::flag},
                                                {"num_owners", type::whole},
                                                {"owners", type::json},
                                                {"type"},
                                                {"flanks_category"},
                                                {"provider_updated_at", type::moment},
                                                {"extra", type::json}}};
constexpr std::array<table_column, 12> card{{{"card_id"},
                                             {"external_id"},
                                             {"pan"},
                                             {"entity"},
                                             {"alias"},
                                             {"description"},
                                             {"balance", type::decimal},
                                             {"credit_limit", type::decimal},
                                             {"currency"},
                                             {"type"},
                                             {"provider_updated_at", type::moment},
                                             {"extra", type::json}}};
constexpr std::array<table_column, 15> investment{{{"investment_id"},
                                                   {"external_id"},
                                                   {"portfolio_id"},
                                                   {"entity"},
                                                   {"alias"},
                                                   {"description"},
                                                   {"isin"},
                                                   {"cusip"},
                                                   {"symbol"},
                                                   {"amount", type::decimal},
                                                   {"balance", type::decimal},
                                                   {"currency"},
                                                   {"type"},
                                                   {"provider_updated_at", type::moment},
                                                   {"extra", type::json}}};
constexpr std::array<table_column, 12> liability{{{"liability_id"},
                                                  {"external_id"},
                                                  {"entity"},
                                                  {"alias"},
                                                  {"description"},
                                                  {"type"},
                                                  {"balance", type::decimal},
                                                  {"available_balance", type::decimal},
                                                  {"credit_limit", type::decimal},
                                                  {"currency"},
                                                  {"provider_updated_at", type::moment},
                                                  {"extra", type::json}}};
constexpr std::array<table_column, 12> portfolio{{{"portfolio_id"},
                                                  {"external_id"},
                                                  {"entity"},
                                                  {"alias"},
                                                  {"description"},
                                                  {"type"},
                                                  {"balance", type::decimal},
                                                  {"currency"},
                                                  {"ref_account"},
                                                  {"ref_accounts", type::json},
                                                  {"provider_updated_at", type::moment},
                                                  {"extra", type::json}}};
constexpr std::array<table_column, 6> identity{{{"identity_id"},
                                                {"name"},
                                                {"document"},
                                                {"contact_info", type::json},
                                                {"address"},
                                                {"extra", type::json}}};
constexpr std::array<table_column, 6> holder{
    {{"holder_id"}, {"product_id"}, {"rel"}, {"name"}, {"document"}, {"extra", type::json}}};
constexpr std::array<table_column, 3> entity{{{"entity_id"}, {"name"}, {"extra", type::json}}};

struct product_table {
  std::string_view name;
  std::span<const table_column> columns;
};
// In the order of product_kind.
constexpr std::array<product_table, all_product_kinds.size()> tables{{{"accounts", account},
                                                                      {"cards", card},
                                                                      {"investments", investment},
                                                                      {"liabilities", liability},
                                                                      {"portfolios", portfolio},
                                                                      {"identities", identity},
                                                                      {"holders", holder}}};

}  // namespace

std::span<const table_column> columns_of(product_kind kind) {
  return tables.at(static_cast<std::size_t>(kind)).columns;
}

std::string_view table_of(product_kind kind) {
  return tables.at(static_cast<std::size_t>(kind)).name;
}

std::optional<std::size_t> find_column(std::span<const table_column> columns,
                                       std::string_view name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const table_column& column) { return column.name == name; });
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

std::span<const table_column> entity_columns() {
  return entity;
}

bool product_batch::incomplete() const {
  return std::any_of(rejected.begin(), rejected.end(),
                     [](const rejected_record& r) { return !r.stored_anyway; });
}

std::int64_t product_batch::elements() const {
  const auto refused = std::count_if(rejected.begin(), rejected.end(),
                                     [](const rejected_record& r) { return !r.stored_anyway; });
  return static_cast<std::int64_t>(records.size()) + duplicates + refused;
}

}  // namespace flanks
