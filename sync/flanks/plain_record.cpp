#include "sync/flanks/plain_record.hpp"

#include <algorithm>
#include <bit>

#include "sync/flanks/decimal.hpp"
#include "sync/flanks/json_text.hpp"
#include "sync/flanks/record.hpp"

namespace flanks {

using namespace std::string_view_literals;

namespace {

constexpr std::array required{column::id, column::operation_date, column::amount};

constexpr std::uint32_t bits_of_required = [] {
  std::uint32_t bits = 0;
  for (const column c : required)
    bits |= std::uint32_t{1} << static_cast<unsigned>(c);
  return bits;
}();

// The fields as they stand in a record, with their colon.
constexpr auto quoted_names = [] {
  std::array<known_string, field_names.size()> quoted;
  for (std::size_t i = 0; i < field_names.size(); ++i) {
    std::array<char, 24> text{'"'};
    const std::size_t size = field_names[i].copy(text.data() + 1, text.size() - 3);
    text[size + 1] = '"';
    text[size + 2] = ':';
    quoted[i] = known_string({text.data(), size + 3});
  }
  return quoted;
}();

}  // namespace

void plain_record::put(text_arena& arena, transaction& row, unknown_tally& unknown) const {
  const char* const copy = arena.copy(record_).data();
  for (std::uint32_t left = has_; left != 0; left &= left - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(left));
    const std::string_view value = values_[i];
    const bool moves = (moving_ >> i & 1) != 0;
    const char* const at = moves ? copy + (value.data() - record_.data()) : value.data();
    row.values[i] = std::string_view{at, value.size()};
  }
  if (!extra_.empty()) {
    char* const extra = arena.reserve(extra_.size() + 1);
    extra_.copy(extra, extra_.size());
    extra[extra_.size()] = '}';
    row.values[static_cast<std::size_t>(column::extra)] = {extra, extra_.size() + 1};
  }
  unknown.begin_record();
  for (std::size_t i = 0; i < unknown_count_; ++i)
    unknown.note(unknown_[i].key, unknown_[i].json_type);
}

FLANKS_IN_REGISTERS bool plain_record::read_key(json_cursor& c) {
  std::uint8_t& next = next_[std::min<std::size_t>(field_, next_.size() - 1)];
  if (!listed_ && c.take_known(quoted_names[next])) {
    field_ = next;
    key_ = {};
    return true;
  }
  const auto key = c.take_string();
  if (!key || key->escaped) return false;
  key_ = key->raw;
  field_ = listed_ ? listed_column_of(key_, *listed_) : column_of(key_);
  if (field_ != unknown_field && !listed_) next = field_;
  c.skip_blanks();
  return c.take(':');
}

FLANKS_IN_REGISTERS bool plain_record::read_field(json_cursor& c) {
  if (field_ == unknown_field) return go_on(c, read_unknown(c));
  const std::uint32_t bit = std::uint32_t{1} << field_;
  if ((seen_ & bit) != 0) return false;
  seen_ |= bit;
  switch (c.peek()) {
    case '"':
      return read_string(c);
    case 'n':
      return c.take_word("null");  // the column's null
    case '{':
      return field_ == static_cast<std::uint8_t>(column::transfer) && go_on(c, read_transfer(c));
    default:
      return read_number(c);
  }
}

FLANKS_IN_REGISTERS bool plain_record::read_string(json_cursor& c) {
  const auto text = c.take_string();
  if (!text) return false;
  const auto to = static_cast<column>(field_);
  if (!is_free_text(to) && text->escaped) return false;
  switch (to) {
    case column::id:
    case column::account_id:
    case column::card_id:
    case column::investment_id:
    case column::liability_id:
    case column::portfolio_id:
      return set_reference(text->raw);
    case column::operation_date:
    case column::value_date:
      return set_day(text->raw);
    case column::amount:
    case column::balance:
      return set_decimal(text->raw);
    case column::transfer:
      return false;
    default:
      break;
  }
  if (!text->escaped) {
    set(text->raw);
    return true;
  }
  const std::string_view said = decoded(*text);
  set_fixed(said);
  return said.data() != nullptr && !holds_secret(said);
}

FLANKS_IN_REGISTERS bool plain_record::read_number(json_cursor& c) {
  const auto number = c.take_number();
  if (!number) return false;
  switch (static_cast<column>(field_)) {
    case column::id:
    case column::operation_date:
    case column::value_date:
    case column::transfer:
      return false;
    case column::amount:
    case column::balance:
      // As it should be already (decimal.hpp), as nearly all are: JSON knows no plus sign and no
      // leading zeros.
      if (!number->exponent && number->digits.size() <= max_decimal_digits &&
          (number->digits[0] != '-' || number->digits[1] != '0')) {
        set(number->digits);
        return true;
      }
      return set_decimal(number->digits);
    default:
      return set_reference(number->digits);
  }
}

const char* plain_record::read_transfer(json_cursor c) {
  bool verbatim = true;
  const auto sent = take_nested(c, verbatim);
  if (!sent) return nullptr;
  if (verbatim) {
    set(*sent);
  } else {
    scratch_.clear();
    append_compact(scratch_, *sent);
    if (holds_secret(scratch_)) return nullptr;
    set_fixed(arena_->copy(scratch_));
  }
  return sent->data() + sent->size();
}

bool plain_record::note_unknown(std::string_view json_type) {
  if (unknown_count_ == unknown_.size()) return false;
  for (std::size_t i = 0; i < unknown_count_; ++i) {
    if (unknown_[i].key == key_) return false;
  }
  unknown_[unknown_count_++] = {key_, json_type};
  return true;
}

const char* plain_record::read_unknown(json_cursor c) {
  const char first = c.peek();
  const std::string_view json_type = first == '"'                   ? "string"sv
                                     : first == '{'                 ? "object"sv
                                     : first == '['                 ? "array"sv
                                     : first == 'n'                 ? "null"sv
                                     : first == 't' || first == 'f' ? "boolean"sv
                                                                    : "number"sv;
  bool verbatim = true;
  if (!note_unknown(json_type)) return nullptr;
  const auto sent = take_nested(c, verbatim);
  if (!sent) return nullptr;
  begin_extra();
  if (verbatim) {
    extra_.append(*sent);
  } else {
    append_compact(extra_, *sent);
    if (holds_secret(extra_)) return nullptr;
  }
  return sent->data() + sent->size();
}

// What an escaped string says; a null view when it cannot be said here.
std::string_view plain_record::decoded(const plain_string& text) {
  char* const out = arena_->reserve(text.raw.size());
  const auto size = decode_string(text.raw, out);
  return size ? std::string_view{out, *size} : std::string_view{};
}

void plain_record::begin_extra() {
  extra_.append(extra_.empty() ? "{" : ",");
  append_json_string(extra_, key_.data() == nullptr ? field_names[field_] : key_, true);
  extra_.push_back(':');
}

// Whether a text that begins with this byte of UTF-8 is surely not blank: blank.hpp knows no blank
// character that begins with another one than these.
FLANKS_IN_REGISTERS bool begins_visibly(std::string_view text) {
  const auto first = text.empty() ? 0U : static_cast<unsigned char>(text.front());
  return first > 0x20 && first != 0x7F && first != 0xC2 && first != 0xD8 &&
         (first < 0xE1 || first > 0xE3) && first != 0xEF;
}

FLANKS_IN_REGISTERS bool plain_record::set_reference(std::string_view text) {
  if (is_id(static_cast<column>(field_)) && (!begins_visibly(text) || text.size() > longest_id))
    return false;
  set(text);
  return true;
}

FLANKS_IN_REGISTERS bool plain_record::set_day(std::string_view text) {
  const std::string_view date = day_part(text);
  if (date.empty()) return false;
  set(date);
  if (text.size() > date.size()) {
    begin_extra();
    append_json_string(extra_, text, true);
  }
  return true;
}

FLANKS_IN_REGISTERS bool plain_record::set_decimal(std::string_view text) {
  const std::optional<std::string_view> plain = plain_decimal(text, scratch_);
  if (!plain) return false;
  if (plain->data() == text.data()) {
    set(text);
  } else {
    set_fixed(arena_->copy(*plain));
  }
  return true;
}

std::size_t plain_record::read(std::string_view bytes, text_arena& arena) {
  json_cursor c(bytes);
  arena_ = &arena;
  seen_ = has_ = moving_ = 0;
  field_ = unknown_field;
  unknown_count_ = 0;
  extra_.clear();
  if (!c.take('{')) return 0;
  c.skip_blanks();
  do {
    if (!read_key(c)) return 0;
    c.skip_blanks();
    if (!read_field(c)) return 0;
  } while (c.take_comma());
  if (!c.take('}')) return 0;
  if ((has_ & bits_of_required) != bits_of_required) return 0;
  record_ = bytes.substr(0, static_cast<std::size_t>(c.at() - bytes.data()));
  return record_.size();
}

}  // namespace flanks
