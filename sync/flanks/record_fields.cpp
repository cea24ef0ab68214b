#include "sync/flanks/record_fields.hpp"

#include <array>

namespace flanks {

namespace {

struct field_name {
  std::string_view name;
  column to;
};
// API contract, section 3; sorted by length, so that a key is compared with one to three names.
constexpr std::array<field_name, 18> fields{{{"_id", column::id},
                                             {"shop", column::shop},
                                             {"amount", column::amount},
                                             {"entity", column::entity},
                                             {"card_id", column::card_id},
                                             {"balance", column::balance},
                                             {"currency", column::currency},
                                             {"category", column::category},
                                             {"transfer", column::transfer},
                                             {"valueDate", column::value_date},
                                             {"account_id", column::account_id},
                                             {"cardNumber", column::card_number},
                                             {"description", column::description},
                                             {"liability_id", column::liability_id},
                                             {"portfolio_id", column::portfolio_id},
                                             {"operationDate", column::operation_date},
                                             {"investment_id", column::investment_id},
                                             {"productDescription", column::product_description}}};

constexpr std::size_t longest_name = fields.back().name.size();
// by_length[n]: the first field whose name has n or more bytes.
constexpr auto by_length = [] {
  std::array<std::uint8_t, longest_name + 2> first{};
  for (std::size_t n = 0; n < first.size(); ++n) {
    std::uint8_t i = 0;
    while (i < fields.size() && fields[i].name.size() < n)
      ++i;
    first[n] = i;
  }
  return first;
}();

}  // namespace

std::uint8_t column_of(std::string_view key) {
  if (key.size() > longest_name) return unknown_field;
  for (std::size_t i = by_length[key.size()]; i < by_length[key.size() + 1]; ++i) {
    if (fields[i].name == key) return static_cast<std::uint8_t>(fields[i].to);
  }
  return unknown_field;
}

std::uint8_t listed_column_of(std::string_view key, product of) {
  // The product's id columns come in the order of the products.
  static_assert(static_cast<int>(column::liability_id) - static_cast<int>(column::account_id) ==
                static_cast<int>(product::liability) - static_cast<int>(product::account));
  if (key == "transaction_id") return static_cast<std::uint8_t>(column::id);
  if (key == "product_id") return static_cast<std::uint8_t>(column_of_product(of));
  if (key == "date") return static_cast<std::uint8_t>(column::operation_date);
  for (const column c : {column::amount, column::currency, column::description, column::category}) {
    if (key == field_of(c)) return static_cast<std::uint8_t>(c);
  }
  return unknown_field;
}

column column_of_product(product of) {
  return static_cast<column>(static_cast<int>(column::account_id) + static_cast<int>(of));
}

std::string_view field_of(column c) {
  for (const field_name& f : fields) {
    if (f.to == c) return f.name;
  }
  return {};
}

}  // namespace flanks
