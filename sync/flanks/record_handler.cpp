#include "sync/flanks/record_handler.hpp"

#include <algorithm>

#include "sync/flanks/decimal.hpp"
#include "sync/flanks/json_text.hpp"
#include "sync/flanks/record.hpp"
#include "sync/flanks/record_fields.hpp"

namespace flanks {

namespace {

// What may follow the day: a blank or T, then nothing but a time and an offset.
bool is_time(std::string_view rest) {
  if (rest.size() < 2 || (rest.front() != 'T' && rest.front() != ' ')) return false;
  return rest.find_first_not_of("0123456789:.,+-Z ", 1) == std::string_view::npos;
}

}  // namespace

void record_handler::begin(std::string_view bytes, text_arena& arena, transaction& row) {
  record_ = bytes;
  arena_ = &arena;
  row_ = &row;
  depth_ = 0;
  seen_ = 0;
  collecting_ = false;
  out_ = nullptr;
  extra_.clear();
  keys_.clear();
  levels_.clear();
  reason_ = {};
  had_nul_ = false;
}

void record_handler::finish() {
  if (!extra_.empty()) {
    extra_.push_back('}');
    row_->values[static_cast<std::size_t>(column::extra)] = arena_->copy(extra_);
  }
  const auto require = [&](column c, std::string_view reason) {
    if (row_->is_null(c)) {
      flag(reason, field_of(c), "is missing or null");
    }
  };
  require(column::id, "missing_id");
  require(column::operation_date, "missing_date");
  require(column::amount, "missing_amount");
}

void record_handler::flag(std::string_view reason, std::string_view field, std::string_view what) {
  if (bad()) return;
  reason_ = reason;
  detail_.assign(field).append(" ").append(what);
}

std::string_view record_handler::usable_id() const {
  const std::string_view id = row_->id();
  return reason_ == "duplicate_key" || id.data() == nullptr ? std::string_view{} : id;
}

bool record_handler::collect(text_view part) {
  if (!collecting_) collected_.clear();
  collecting_ = true;
  collected_.append(part.data(), part.size());
  return true;
}

record_handler::decoded record_handler::complete(text_view part, std::size_t size) {
  const char* const from = part.data();
  const bool inside = from >= record_.data() && from < record_.data() + record_.size();
  if (!collecting_ && inside && part.size() == size) return {{from, size}, true, false};
  collect(part);
  collecting_ = false;
  const bool nul = replace_nul(collected_);
  had_nul_ = had_nul_ || nul;
  return {arena_->copy(collected_), false, nul};
}

bool record_handler::on_key(text_view part, std::size_t size, error_code&) {
  const decoded key = complete(part, size);
  if (depth_ == 1) {
    key_ = key.text;
    key_plain_ = key.plain;
    field_ = column_of(key_);
    if (field_ == unknown) {
      note_key(key_);
    } else {
      const std::uint32_t bit = std::uint32_t{1} << field_;
      if ((seen_ & bit) != 0) flag("duplicate_key", key_, "came twice");
      seen_ |= bit;
    }
    return true;
  }
  note_key(key.text);
  append_separator(*out_);
  append_json_string(*out_, key.text, key.plain);
  out_->push_back(':');
  return true;
}

bool record_handler::on_string(text_view part, std::size_t size, error_code&) {
  const decoded value = complete(part, size);
  if (depth_ == 1) {
    field_string(value);
  } else if (depth_ > 1) {
    append_separator(*out_);
    append_json_string(*out_, value.text, value.plain);
  } else {
    flag("not_an_object", "the record", "is a string");
  }
  return true;
}

bool record_handler::on_number(text_view part) {
  std::string_view digits{part.data(), part.size()};
  if (collecting_) {
    collect(part);
    collecting_ = false;
    digits = arena_->copy(collected_);
  }
  if (depth_ == 1) {
    field_number(digits);
  } else if (depth_ > 1) {
    check_number(digits);
    append_separator(*out_);
    out_->append(digits);
  } else {
    flag("not_an_object", "the record", "is a number");
  }
  return true;
}

bool record_handler::on_word(std::string_view word, bool null) {
  if (depth_ == 1) {
    // A null of a field that has a column is the column's null.
    if (!null || field_ == unknown) misfit(word);
  } else if (depth_ > 1) {
    append_separator(*out_);
    out_->append(word);
  } else {
    flag("not_an_object", "the record", "is true, false or null");
  }
  return true;
}

bool record_handler::open(char bracket) {
  ++depth_;
  if (bracket == '{') levels_.push_back(keys_.size());
  if (depth_ == 1) {
    if (bracket == '[') {
      flag("not_an_object", "the record", "is a list");
      field_ = unknown;
      out_ = &extra_;
      extra_.assign("[");
      depth_ = 2;  // what it holds is checked, and thrown away with the row
    }
    return true;
  }
  if (depth_ > deepest_record) flag("too_deep", "the record", "is nested too deeply");
  if (depth_ > 2) {
    append_separator(*out_);
  } else if (bracket == '{' && field_ == static_cast<std::uint8_t>(column::transfer)) {
    out_ = &transfer_;
    transfer_.clear();
  } else {
    if (is_decimal() || is_day() || field_ == 0) misfit("");
    out_ = &extra_;
    begin_extra();
  }
  out_->push_back(bracket);
  return true;
}

bool record_handler::close(char bracket) {
  --depth_;
  if (depth_ == 0) return true;
  out_->push_back(bracket);
  if (depth_ == 1 && out_ == &transfer_) set(arena_->copy(transfer_));
  return true;
}

bool record_handler::on_object_end(std::size_t, error_code&) {
  check_keys();
  return close('}');
}

void record_handler::field_string(const decoded& value) {
  if (field_ == unknown || field_ == static_cast<std::uint8_t>(column::transfer)) {
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
  if (field_ == unknown || field_ == static_cast<std::uint8_t>(column::transfer)) {
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
  const std::string_view text = value.text;
  const bool timed = text.size() > 10;
  if (!day_from(text.substr(0, 10)) || (timed && !is_time(text.substr(10)))) {
    flag("impossible_date", key_, "is not a day that exists");
    return;
  }
  set(text.substr(0, 10));
  if (timed) extra_string(value);
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

void record_handler::begin_extra() {
  extra_.push_back(extra_.empty() ? '{' : ',');
  append_json_string(extra_, key_, key_plain_);
  extra_.push_back(':');
}

void record_handler::extra_string(const decoded& value) {
  begin_extra();
  append_json_string(extra_, value.text, value.plain);
}

void record_handler::check_number(std::string_view digits) {
  if (!fits_jsonb(digits)) flag("bad_number", key_, "is a number that the database cannot hold");
}

void record_handler::note_key(std::string_view key) {
  keys_.push_back(key);
}

// jsonb keeps the last of two equal keys: one of the values would be lost.
void record_handler::check_keys() {
  const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(levels_.back());
  levels_.pop_back();
  std::sort(begin, keys_.end());
  const auto twice = std::adjacent_find(begin, keys_.end());
  if (twice != keys_.end()) flag("duplicate_key", twice->substr(0, 100), "came twice");
  keys_.erase(begin, keys_.end());
}

}  // namespace flanks
