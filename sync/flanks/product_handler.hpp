// Maps the fields of one record to the columns of its list, as products.hpp says. Private to
// products.cpp.
#pragma once

#include <string>
#include <string_view>

#include "sync/flanks/product_fields.hpp"
#include "sync/flanks/record_walker.hpp"
#include "sync/product.hpp"

namespace flanks {

class product_handler : public record_walker<product_handler> {
 public:
  // A new record. `bytes` already lies in `arena`; both must outlive it.
  void begin(std::string_view bytes, text_arena& arena, const product_list& list,
             product_record& row);
  // After the last event: the identification, what is missing.
  void finish();
  // The identification when it is usable, else empty.
  [[nodiscard]] std::string_view usable_id() const;

 private:
  friend class record_walker<product_handler>;

  void field_key();
  void field_string(const decoded& value);
  void field_number(std::string_view digits);
  void field_word(std::string_view word, bool null);
  std::string& field_open(char bracket);
  void field_closed();

  [[nodiscard]] column_type type() const { return list_->columns()[*field_].type; }
  [[nodiscard]] bool is_id() const { return field_ && *field_ == 0; }
  void set(std::string_view text) { row_->values[*field_] = std::string{text}; }
  void set_id(std::string_view text);
  [[nodiscard]] std::optional<std::string> fitting_string(std::string_view text);
  [[nodiscard]] std::optional<std::string> fitting_number(std::string_view digits);
  void misfit(std::string_view what);
  void identify_holder();

  const product_list* list_ = nullptr;
  product_record* row_ = nullptr;
  std::optional<std::size_t> field_;  // column of the current field
  bool is_fallback_ = false;          // it is _id, and the list has an identification of its own
  std::optional<std::string> fallback_;
  bool in_column_ = false;
  std::string nested_, decimal_;
};

}  // namespace flanks
