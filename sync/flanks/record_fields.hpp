// The provider's names of the fields that have a column (API contract, section 3).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

inline constexpr std::uint8_t unknown_field = 0xFF;
// In the order of the columns; `extra` has none.
inline constexpr std::array<std::string_view, column_count - 1> field_names{"_id",
                                                                            "account_id",
                                                                            "card_id",
                                                                            "investment_id",
                                                                            "liability_id",
                                                                            "portfolio_id",
                                                                            "operationDate",
                                                                            "valueDate",
                                                                            "amount",
                                                                            "currency",
                                                                            "balance",
                                                                            "description",
                                                                            "productDescription",
                                                                            "category",
                                                                            "shop",
                                                                            "entity",
                                                                            "cardNumber",
                                                                            "transfer"};

// The column of a field, as a number; unknown_field when it has none.
[[nodiscard]] constexpr std::uint8_t column_of(std::string_view key);
// The same for a record of Aggregation v2 (API contract, section 5), whose product_id is the id of
// an `of`.
[[nodiscard]] std::uint8_t listed_column_of(std::string_view key, product of);
// account_id of an account, and so on.
[[nodiscard]] column column_of_product(product of);
// The day that the text of a date begins with, when it is one that exists and nothing but a time
// follows; else empty.
[[nodiscard]] std::string_view day_part(std::string_view text);
// The field of a column; empty for `extra`.
[[nodiscard]] std::string_view field_of(column c);

// Asked for every field of every record: one jump by length, then comparisons of lengths that the
// compiler knows, which take no call.
constexpr std::uint8_t column_of(std::string_view key) {
  const auto is = [key]<std::size_t N>(const char(&name)[N]) {
    return std::char_traits<char>::compare(key.data(), name, N - 1) == 0;
  };
  const auto number = [](bool found, column c) {
    return found ? static_cast<std::uint8_t>(c) : unknown_field;
  };
  switch (key.size()) {
    case 3:
      return number(is("_id"), column::id);
    case 4:
      return number(is("shop"), column::shop);
    case 6:
      return is("amount") ? number(true, column::amount) : number(is("entity"), column::entity);
    case 7:
      return is("balance") ? number(true, column::balance) : number(is("card_id"), column::card_id);
    case 8:
      if (is("currency")) return number(true, column::currency);
      return is("category") ? number(true, column::category)
                            : number(is("transfer"), column::transfer);
    case 9:
      return number(is("valueDate"), column::value_date);
    case 10:
      return is("account_id") ? number(true, column::account_id)
                              : number(is("cardNumber"), column::card_number);
    case 11:
      return number(is("description"), column::description);
    case 12:
      return is("liability_id") ? number(true, column::liability_id)
                                : number(is("portfolio_id"), column::portfolio_id);
    case 13:
      return is("operationDate") ? number(true, column::operation_date)
                                 : number(is("investment_id"), column::investment_id);
    case 18:
      return number(is("productDescription"), column::product_description);
    default:
      return unknown_field;
  }
}

}  // namespace flanks
