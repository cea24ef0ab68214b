// Maps the fields of one record to the columns of a transaction, as record.hpp says. Private to
// record.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sync/flanks/record_fields.hpp"
#include "sync/flanks/record_walker.hpp"
#include "sync/flanks/unknown_fields.hpp"
#include "sync/transaction.hpp"

namespace flanks {

class record_handler : public record_walker<record_handler> {
 public:
  // From now on records are those of Aggregation v2, of one product.
  void read_listed(product of) { listed_ = of; }

  // A new record. `bytes` already lies in `arena`, where the columns may point into it.
  void begin(std::string_view bytes, text_arena& arena, transaction& row);
  // After the last event: what is still to be written, what is missing.
  void finish();

  // The _id when it is usable and came once, else empty.
  [[nodiscard]] std::string_view usable_id() const;
  // Fields without a column, of all records since it was last emptied.
  [[nodiscard]] unknown_tally& unknown_fields() { return unknown_fields_; }

 private:
  friend class record_walker<record_handler>;
  static constexpr std::uint8_t unknown = unknown_field;
  enum class value_kind : std::uint8_t { string, number, other };

  void field_key();
  void field_string(const decoded& value);
  void field_number(std::string_view digits);
  void field_word(std::string_view word, bool null);
  std::string& field_open(char bracket);
  void field_closed();

  void note_unknown(std::string_view json_type);
  void set_id(const decoded& value);
  [[nodiscard]] std::optional<std::string_view> fitting(const decoded& value);
  [[nodiscard]] std::string_view objection_to(value_kind got) const;
  void misfit(value_kind got);

  void set(std::string_view text) { row_->values[field_] = text; }
  [[nodiscard]] bool is(column c) const { return field_ == static_cast<std::uint8_t>(c); }
  [[nodiscard]] bool is_day() const { return is(column::operation_date) || is(column::value_date); }
  [[nodiscard]] bool is_decimal() const { return is(column::amount) || is(column::balance); }
  [[nodiscard]] bool is_transfer() const { return is(column::transfer); }
  [[nodiscard]] bool is_reference() const { return is_id(static_cast<column>(field_)); }
  [[nodiscard]] bool is_required() const {
    return is(column::id) || is(column::operation_date) || is(column::amount);
  }

  std::optional<product> listed_;
  transaction* row_ = nullptr;
  std::uint8_t field_ = 0;  // column of the current field of the record, or unknown
  std::uint32_t seen_ = 0;  // bit per column: the field came
  bool in_transfer_ = false;
  std::string transfer_;
  std::string decimal_;
  unknown_tally unknown_fields_;
};

}  // namespace flanks
