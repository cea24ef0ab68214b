#include "sync/flanks/record_handler.hpp"

#include "sync/flanks/decimal.hpp"
#include "sync/flanks/record.hpp"
#include "sync/flanks/record_fields.hpp"

namespace flanks {

void record_handler::begin(std::string_view bytes, text_arena& arena, transaction& row) {
  begin_record(bytes, arena);
  row_ = &row;
  seen_ = 0;
  in_transfer_ = false;
  unknown_fields_.begin_record();
}

void record_handler::finish() {
  const std::string_view extra = closed_extra();
  if (!extra.empty()) row_->values[static_cast<std::size_t>(column::extra)] = arena_->copy(extra);
  const auto require = [&](column c, std::string_view reason) {
    if (row_->is_null(c)) {
      flag(reason, field_of(c), "is missing or null");
    }
  };
  require(column::id, "missing_id");
  require(column::operation_date, "missing_date");
  require(column::amount, "missing_amount");
}

std::string_view record_handler::usable_id() const {
  const std::string_view id = row_->id();
  return reason() == "duplicate_key" || id.data() == nullptr ? std::string_view{} : id;
}

void record_handler::field_key() {
  field_ = listed_ ? listed_column_of(key_, *listed_) : column_of(key_);
  if (field_ == unknown) {
    note_key(key_);
    return;
  }
  const std::uint32_t bit = std::uint32_t{1} << field_;
  if ((seen_ & bit) != 0) flag("duplicate_key", key_, "came twice");
  seen_ |= bit;
}

void record_handler::note_unknown(std::string_view json_type) {
  if (field_ == unknown) unknown_fields_.note(key_, json_type);
}

void record_handler::field_word(std::string_view word, bool null) {
  note_unknown(null ? "null" : "boolean");
  // A null of a field that has a column is the column's null.
  if (!null || field_ == unknown) misfit(word);
}

std::string& record_handler::field_open(char bracket) {
  note_unknown(bracket == '{' ? "object" : "array");
  in_transfer_ = bracket == '{' && is_transfer();
  if (in_transfer_) {
    transfer_.clear();
    return transfer_;
  }
  if (is_decimal() || is_day() || field_ == 0) misfit("");
  begin_extra();
  return extra_;
}

void record_handler::field_closed() {
  if (in_transfer_) set(arena_->copy(transfer_));
}

void record_handler::field_string(const decoded& value) {
  note_unknown("string");
  if (field_ == unknown || is_transfer()) {
    extra_string(value);
  } else if (field_ == static_cast<std::uint8_t>(column::id)) {
    set_id(value);
  } else if (field_ <= static_cast<std::uint8_t>(column::portfolio_id)) {
    set_reference(value.text);
  } else if (is_day()) {
    set_day(value);
  } else if (is_decimal()) {
    if (value.text.empty() && field_ == static_cast<std::uint8_t>(column::balance)) {
      extra_string(value);
    } else {
      set_decimal(value.text);
    }
  } else {
    set(value.text);
  }
}

void record_handler::field_number(std::string_view digits) {
  note_unknown("number");
  if (field_ == unknown || is_transfer()) {
    check_number(digits);
    begin_extra();
    extra_.append(digits);
  } else if (field_ == static_cast<std::uint8_t>(column::id)) {
    flag("id_not_a_string", "_id", "is a number");
  } else if (is_day()) {
    flag("impossible_date", key_, "is a number, not a day");
  } else if (is_decimal()) {
    set_decimal(digits);
  } else {
    set_reference(digits);
  }
}

void record_handler::set_id(const decoded& value) {
  if (value.nul) {
    flag("nul_in_id", "_id", "holds U+0000");
  } else if (value.text.empty()) {
    flag("empty_id", "_id", "is empty");
  } else if (value.text.size() > longest_id) {
    flag("id_too_long", "_id", "has more than 256 bytes");
  } else {
    set(value.text);
  }
}

void record_handler::set_reference(std::string_view text) {
  if (field_ <= static_cast<std::uint8_t>(column::portfolio_id) && text.size() > longest_id) {
    flag("id_too_long", key_, "has more than 256 bytes");  // an index of Postgres could not hold it
  }
  set(text);
}

void record_handler::set_day(const decoded& value) {
  if (value.text.empty() && field_ == static_cast<std::uint8_t>(column::value_date)) {
    extra_string(value);
    return;
  }
  const std::string_view date = day_part(value.text);
  if (date.empty()) {
    flag("impossible_date", key_, "is not a day that exists");
    return;
  }
  set(date);
  if (value.text.size() > date.size()) extra_string(value);
}

void record_handler::set_decimal(std::string_view text) {
  const std::optional<std::string_view> plain = plain_decimal(text, decimal_);
  if (!plain) {
    const bool amount = field_ == static_cast<std::uint8_t>(column::amount);
    flag(amount ? "bad_amount" : "bad_balance", key_,
         "is not a finite decimal number of at most 38 digits");
    return;
  }
  set(plain->data() == text.data() ? text : arena_->copy(*plain));
}

void record_handler::misfit(std::string_view json) {
  if (field_ == static_cast<std::uint8_t>(column::id)) {
    flag("id_not_a_string", "_id", "is not a string");
  } else if (is_day()) {
    flag("impossible_date", key_, "is not a day");
  } else if (is_decimal()) {
    const bool amount = field_ == static_cast<std::uint8_t>(column::amount);
    flag(amount ? "bad_amount" : "bad_balance", key_, "is not a number");
  }
  if (json.empty()) return;
  begin_extra();
  extra_.append(json);
}

bool record_handler::is_day() const {
  return field_ == static_cast<std::uint8_t>(column::operation_date) ||
         field_ == static_cast<std::uint8_t>(column::value_date);
}

bool record_handler::is_decimal() const {
  return field_ == static_cast<std::uint8_t>(column::amount) ||
         field_ == static_cast<std::uint8_t>(column::balance);
}

}  // namespace flanks
