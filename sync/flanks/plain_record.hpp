// The record as nearly all are, read in one pass: an object whose fields fit their columns. It has
// no opinion on any other: those go through record_handler, which knows every rule and says what is
// wrong. What both accept, both read alike. Private to record.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sync/flanks/plain_json.hpp"
#include "sync/flanks/record_fields.hpp"
#include "sync/flanks/secret_mask.hpp"
#include "sync/flanks/unknown_fields.hpp"
#include "sync/transaction.hpp"

namespace flanks {

class plain_record {
 public:
  // From now on records are those of Aggregation v2, of one product.
  void read_listed(product of) { listed_ = of; }
  // A record that holds one of these secrets behind escapes is unusual: so says read(). Whether one
  // stands in the bytes as it is, the caller asks first.
  void set_mask(const secret_mask* mask) { mask_ = mask; }

  // Reads the record that `bytes` begin with; how many bytes it has. 0: it is unusual, or not
  // whole, or no record at all. What it says may be longer than what it decodes to: that is in
  // `arena`.
  [[nodiscard]] std::size_t read(std::string_view bytes, text_arena& arena);
  // Makes what read() has found the transaction `row`, which is new, with its text in `arena`.
  // The bytes of read() must still be there.
  void put(text_arena& arena, transaction& row, unknown_tally& unknown) const;

 private:
  struct unknown_field_seen {
    std::string_view key, json_type;
  };

  // With its colon.
  bool read_key(json_cursor& c);
  bool read_field(json_cursor& c);
  // From a copy of the cursor: where the value ends, or null.
  const char* read_unknown(json_cursor c);
  bool read_string(json_cursor& c);
  bool read_number(json_cursor& c);
  const char* read_transfer(json_cursor c);
  static bool go_on(json_cursor& c, const char* end) {
    if (end != nullptr) c.go_on(end);
    return end != nullptr;
  }
  bool note_unknown(std::string_view json_type);
  [[nodiscard]] bool holds_secret(std::string_view decoded) const {
    return mask_ != nullptr && mask_->occurs_in(decoded);
  }

  bool set_day(std::string_view text);
  bool set_decimal(std::string_view text);
  bool set_reference(std::string_view text);
  std::string_view decoded(const plain_string& text);
  void begin_extra();

  // The value of the current field: a view into the bytes, which move with the record.
  FLANKS_IN_REGISTERS void set(std::string_view text) {
    set_fixed(text);
    moving_ |= std::uint32_t{1} << field_;
  }
  // The same for what lies in the arena already.
  FLANKS_IN_REGISTERS void set_fixed(std::string_view text) {
    values_[field_] = text;
    has_ |= std::uint32_t{1} << field_;
  }

  std::optional<product> listed_;
  const secret_mask* mask_ = nullptr;
  text_arena* arena_ = nullptr;
  std::string_view record_;
  std::uint8_t field_ = 0;  // column of the current field, or unknown_field
  std::string_view key_;    // its name; null: that of the column
  // Records show their fields in the same order: which one came behind each column the last time.
  // The last stands for the beginning and for fields without a column.
  std::array<std::uint8_t, column_count> next_{};
  std::uint32_t seen_ = 0;    // bit per column: the field came
  std::uint32_t has_ = 0;     // bit per column: it has a value, which is not null
  std::uint32_t moving_ = 0;  // bit per column: its value points into record_
  std::array<std::string_view, column_count> values_{};  // of those that have one
  std::array<unknown_field_seen, 16> unknown_{};
  std::size_t unknown_count_ = 0;
  std::string extra_;    // without the closing brace; empty: none
  std::string scratch_;  // of one value
};

}  // namespace flanks
