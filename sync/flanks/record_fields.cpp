#include "sync/flanks/record_fields.hpp"

namespace flanks {

namespace {

constexpr bool all_names_are_known = [] {
  for (std::size_t i = 0; i < field_names.size(); ++i) {
    if (column_of(field_names[i]) != i) return false;
  }
  return true;
}();
static_assert(all_names_are_known);

// What may follow the day: a blank or T, then nothing but a time and an offset.
bool is_time(std::string_view rest) {
  if (rest.size() < 2 || (rest.front() != 'T' && rest.front() != ' ')) return false;
  return rest.find_first_not_of("0123456789:.,+-Z ", 1) == std::string_view::npos;
}

// YYYY-MM-DD of the 20th or 21st century and of a day that every month has: known without a
// calendar.
bool is_early_day(std::string_view text) {
  const auto digit = [text](std::size_t at) { return static_cast<unsigned>(text[at] - '0'); };
  const bool years = (text.starts_with("19") || text.starts_with("20")) && digit(2) <= 9 &&
                     digit(3) <= 9 && text[4] == '-' && text[7] == '-';
  const unsigned month = digit(5) * 10 + digit(6), date = digit(8) * 10 + digit(9);
  return years && digit(5) <= 1 && digit(6) <= 9 && month >= 1 && month <= 12 && digit(8) <= 2 &&
         digit(9) <= 9 && date >= 1 && date <= 28;
}

}  // namespace

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

std::string_view day_part(std::string_view text) {
  if (text.size() < 10 || (!is_early_day(text) && !day_from(text.substr(0, 10)))) return {};
  const std::string_view time = text.substr(10);
  return time.empty() || is_time(time) ? text.substr(0, 10) : std::string_view{};
}

column column_of_product(product of) {
  return static_cast<column>(static_cast<int>(column::account_id) + static_cast<int>(of));
}

std::string_view field_of(column c) {
  return c == column::extra ? std::string_view{} : field_names[static_cast<std::size_t>(c)];
}

}  // namespace flanks
