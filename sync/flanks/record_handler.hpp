// What basic_parser calls while it walks through one record: maps fields to columns as record.hpp
// says. Private to record.cpp.
#pragma once

#include <boost/json/basic_parser.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/flanks/record_fields.hpp"
#include "sync/transaction.hpp"

namespace flanks {

class record_handler {
 public:
  using error_code = boost::json::error_code;
  using text_view = boost::json::string_view;

  // A new record. `bytes` already lies in `arena`, where the columns may point into it.
  void begin(std::string_view bytes, text_arena& arena, transaction& row);
  // After the last event: what is still to be written, what is missing.
  void finish();

  [[nodiscard]] bool bad() const { return !reason_.empty(); }
  [[nodiscard]] std::string_view reason() const { return reason_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] bool had_nul() const { return had_nul_; }
  // The _id when it is usable and came once, else empty.
  [[nodiscard]] std::string_view usable_id() const;
  // Notes what is wrong; the first one counts.
  void flag(std::string_view reason, std::string_view field, std::string_view what);

  // What basic_parser asks for.
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return open('{'); }
  bool on_object_end(std::size_t, error_code&);
  bool on_array_begin(error_code&) { return open('['); }
  bool on_array_end(std::size_t, error_code&) { return close(']'); }
  bool on_key_part(text_view part, std::size_t, error_code&) { return collect(part); }
  bool on_key(text_view part, std::size_t size, error_code&);
  bool on_string_part(text_view part, std::size_t, error_code&) { return collect(part); }
  bool on_string(text_view part, std::size_t size, error_code&);
  bool on_number_part(text_view part, error_code&) { return collect(part); }
  bool on_int64(std::int64_t, text_view part, error_code&) { return on_number(part); }
  bool on_uint64(std::uint64_t, text_view part, error_code&) { return on_number(part); }
  bool on_double(double, text_view part, error_code&) { return on_number(part); }
  bool on_bool(bool value, error_code&) { return on_word(value ? "true" : "false", false); }
  bool on_null(error_code&) { return on_word("null", true); }
  bool on_comment_part(text_view, error_code&) { return true; }
  bool on_comment(text_view, error_code&) { return true; }

 private:
  // A decoded string and whether its source held nothing to escape (then it points into the
  // record).
  struct decoded {
    std::string_view text;
    bool plain = true;
    bool nul = false;
  };
  static constexpr std::uint8_t unknown = unknown_field;

  bool collect(text_view part);
  decoded complete(text_view part, std::size_t size);
  bool on_number(text_view part);
  bool on_word(std::string_view word, bool null);
  bool open(char bracket);
  bool close(char bracket);

  // A value of a field of the record itself.
  void field_string(const decoded& value);
  void field_number(std::string_view digits);
  void set_id(const decoded& value);
  void set_reference(std::string_view text);
  void set_day(const decoded& value);
  void set_decimal(std::string_view text);
  void misfit(std::string_view json);

  void set(std::string_view text) { row_->values[field_] = text; }
  [[nodiscard]] bool is_day() const;
  [[nodiscard]] bool is_decimal() const;
  void begin_extra();  // the key of the current field, ready for its value
  void extra_string(const decoded& value);
  void check_number(std::string_view digits);
  void note_key(std::string_view key);
  void check_keys();

  std::string_view record_;
  text_arena* arena_ = nullptr;
  transaction* row_ = nullptr;

  int depth_ = 0;           // of brackets that are open
  std::uint8_t field_ = 0;  // column of the current field of the record, or unknown
  bool key_plain_ = true;
  std::string_view key_;    // of the current field of the record
  std::uint32_t seen_ = 0;  // bit per column: the field came
  std::string collected_;   // parts of a string or number that did not come in one piece
  bool collecting_ = false;
  std::string* out_ = nullptr;  // where the nested value is written: transfer_ or extra_
  std::string transfer_, extra_;
  std::string decimal_;
  std::vector<std::string_view> keys_;  // of the objects that are open, outermost first
  std::vector<std::size_t> levels_;     // where in keys_ each open object begins

  std::string_view reason_;
  std::string detail_;
  bool had_nul_ = false;
};

}  // namespace flanks
