#include "sync/flanks/record_handler.hpp"

#include "sync/blank.hpp"
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

std::string& record_handler::field_open(char bracket) {
  note_unknown(bracket == '{' ? "object" : "array");
  in_transfer_ = bracket == '{' && is_transfer();
  if (in_transfer_) {
    transfer_.clear();
    return transfer_;
  }
  misfit(value_kind::other);
  begin_extra();
  return extra_;
}

void record_handler::field_closed() {
  if (in_transfer_) set(arena_->copy(transfer_));
}

void record_handler::field_word(std::string_view word, bool null) {
  note_unknown(null ? "null" : "boolean");
  // A null of a field that has a column is the column's null.
  if (null && field_ != unknown) return;
  misfit(value_kind::other);
  begin_extra();
  extra_.append(word);
}

void record_handler::field_string(const decoded& value) {
  note_unknown("string");
  if (field_ == unknown) {
    extra_string(value);
  } else if (is(column::id)) {
    set_id(value);
  } else if (is_free_text(static_cast<column>(field_))) {
    set(value.text);
  } else if (!is_required() && is_blank(value.text)) {
    extra_string(value);
  } else if (const std::optional<std::string_view> fits = fitting(value); fits) {
    set(*fits);
    if (is_day() && value.text.size() > fits->size()) extra_string(value);
  } else {
    misfit(value_kind::string);
    extra_string(value);
  }
}

void record_handler::field_number(std::string_view digits) {
  note_unknown("number");
  const bool fits_somewhere = field_ != unknown && !is(column::id) && !is_day() && !is_transfer();
  const std::optional<std::string_view> fits = fits_somewhere ? fitting({digits}) : std::nullopt;
  if (fits) {
    set(*fits);
    return;
  }
  misfit(value_kind::number);
  extra_number(digits);
}

void record_handler::set_id(const decoded& value) {
  if (value.nul) {
    flag("nul_in_id", "_id", "holds U+0000");
  } else if (value.masked) {
    flag("secret_in_id", "_id", "repeats a secret of ours");
  } else if (value.text.empty()) {
    flag("empty_id", "_id", "is empty");
  } else if (is_blank(value.text)) {
    flag("blank_id", "_id", "is blank");
  } else if (value.text.size() > longest_id) {
    flag("id_too_long", "_id", "has more than 256 bytes");
  } else {
    set(value.text);
  }
}

// The value as the column takes it; nothing when it cannot.
std::optional<std::string_view> record_handler::fitting(const decoded& value) {
  if (is_day()) {
    const std::string_view date = day_part(value.text);
    return date.empty() ? std::nullopt : std::optional(date);
  }
  if (is_decimal()) {
    const auto plain = plain_decimal(value.text, decimal_);
    if (!plain || plain->data() == value.text.data()) return plain;
    return arena_->copy(*plain);
  }
  if (is_transfer()) return std::nullopt;
  // An index of Postgres could not hold a longer one, and many products would be one under a mask.
  const bool unfit = is_reference() && (value.text.size() > longest_id || value.masked);
  return unfit ? std::nullopt : std::optional(value.text);
}

// Why a value of this JSON type does not fit the current field; empty where it is only kept as it
// is.
std::string_view record_handler::objection_to(value_kind got) const {
  if (is(column::id)) return got == value_kind::number ? "is a number" : "is not a string";
  if (is_day()) {
    if (got == value_kind::number) return "is a number, not a day";
    return got == value_kind::string ? "is not a day that exists" : "is not a day";
  }
  if (is_decimal()) {
    return got == value_kind::other ? "is not a number"
                                    : "is not a finite decimal number of at most 38 digits";
  }
  const bool too_long = is_reference() && got != value_kind::other;
  return too_long ? "has more than 256 bytes, or repeats a secret of ours" : "";
}

// The value does not fit its column: then the record has none there, or cannot be stored.
void record_handler::misfit(value_kind got) {
  if (field_ == unknown) return;
  const std::string_view what = objection_to(got);
  if (is(column::id)) {
    flag("id_not_a_string", key_, what);
  } else if (is(column::operation_date)) {
    flag("impossible_date", key_, what);
  } else if (is(column::amount)) {
    flag("bad_amount", key_, what);
  } else if (!what.empty()) {
    warn("bad_value", key_, what);
  }
}

}  // namespace flanks
