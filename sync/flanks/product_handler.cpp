#include "sync/flanks/product_handler.hpp"

#include <fmt/format.h>

#include <charconv>

#include "sync/blank.hpp"
#include "sync/types.hpp"

namespace flanks {

namespace {

// A string that is a row's key may not grow beyond what an index of Postgres can hold.
constexpr std::size_t longest_part = 512;
constexpr std::string_view too_long_a_number =
    "is not a finite decimal number of at most 38 digits";

template <class Integer>
std::optional<Integer> integer_of(std::string_view digits) {
  Integer value{};
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

// Unix seconds; larger than 1e11 means milliseconds (API contract, section 2). Nothing when it is
// no moment that both sides can name.
std::optional<std::string> moment_of(std::string_view digits) {
  const auto number = integer_of<std::int64_t>(digits);
  if (!number || *number <= 0) return std::nullopt;
  const bool in_ms = *number > 100'000'000'000;
  const std::int64_t ms = in_ms ? *number % 1000 : 0;
  const std::int64_t seconds = in_ms ? *number / 1000 : *number;
  if (seconds > 100'000'000'000) return std::nullopt;
  std::string text = to_string(instant{std::chrono::seconds{seconds}});
  if (ms != 0) text.insert(text.size() - 1, fmt::format(".{:03}", ms));
  return text;
}

}  // namespace

void product_handler::begin(std::string_view bytes, text_arena& arena, const product_list& list,
                            product_record& row) {
  begin_record(bytes, arena);
  list_ = &list;
  row_ = &row;
  row.values.assign(list.columns().size(), std::nullopt);
  field_.reset();
  is_fallback_ = false;
  fallback_.reset();
  in_column_ = false;
}

void product_handler::finish() {
  if (list_->kind == product_kind::holder) {
    identify_holder();
  } else if (!row_->values[0]) {
    row_->values[0] = fallback_;
  } else if (fallback_ && fallback_ != row_->values[0]) {
    key_ = "_id";
    key_plain_ = true;
    begin_extra();
    append_json_string(extra_, *fallback_, false);
  }
  const std::string_view extra = closed_extra();
  if (!extra.empty()) row_->values.back() = std::string{extra};
  if (!row_->values[0]) flag("missing_id", "the record", "has no identification");
}

std::string_view product_handler::usable_id() const {
  if (reason() == "duplicate_key") return {};
  const auto& id = row_->values[0] ? row_->values[0] : fallback_;
  return id ? std::string_view{*id} : std::string_view{};
}

void product_handler::field_key() {
  note_key(key_);
  field_ = column_of(*list_, key_);
  is_fallback_ = key_ == "_id" && !field_ && list_->kind != product_kind::holder;
}

void product_handler::field_string(const decoded& value) {
  if (is_fallback_ || is_id()) {
    if (value.nul) flag("nul_in_id", key_, "holds U+0000");
    if (value.masked) flag("secret_in_id", key_, "repeats a secret of ours");
    set_id(value.text);
  } else if (field_ && type() == column_type::text) {
    set(value.text);
  } else if (const auto fits = fitting_string(value.text); fits) {
    set(*fits);
  } else {
    if (!is_blank(value.text)) misfit(too_long_a_number);
    extra_string(value);
  }
}

void product_handler::field_number(std::string_view digits) {
  if (is_fallback_ || is_id()) {
    set_id(digits);
  } else if (const auto fits = fitting_number(digits); fits) {
    set(*fits);
  } else {
    misfit(too_long_a_number);
    extra_number(digits);
  }
}

void product_handler::field_word(std::string_view word, bool null) {
  if (null && (field_ || is_fallback_)) return;  // the column's null
  if (field_ && type() == column_type::flag) {
    set(word);
    return;
  }
  misfit("is not a number");
  begin_extra();
  extra_.append(word);
}

std::string& product_handler::field_open(char) {
  in_column_ = field_ && type() == column_type::json;
  if (in_column_) {
    nested_.clear();
    return nested_;
  }
  misfit("is not a number");
  begin_extra();
  return extra_;
}

void product_handler::field_closed() {
  if (in_column_) set(nested_);
}

void product_handler::set_id(std::string_view text) {
  if (text.empty()) {
    flag("empty_id", key_, "is empty");
  } else if (is_blank(text)) {
    flag("blank_id", key_, "is blank");
  } else if (text.size() > longest_id) {
    flag("id_too_long", key_, "has more than 256 bytes");
  } else {
    (is_id() ? row_->values[0] : fallback_) = std::string{text};
  }
}

std::optional<std::string> product_handler::fitting_string(std::string_view text) {
  if (!field_ || type() != column_type::decimal || text.empty()) return std::nullopt;
  const std::optional<std::string_view> plain = plain_decimal(text, decimal_);
  return plain ? std::optional(std::string{*plain}) : std::nullopt;
}

std::optional<std::string> product_handler::fitting_number(std::string_view digits) {
  if (!field_) return std::nullopt;
  switch (type()) {
    case column_type::text:
      return std::string{digits};
    case column_type::decimal:
      return fitting_string(digits);
    case column_type::whole:
      return integer_of<std::int32_t>(digits) ? std::optional(std::string{digits}) : std::nullopt;
    case column_type::moment:
      return moment_of(digits);
    case column_type::date:
    case column_type::flag:
    case column_type::json:
      break;
  }
  return std::nullopt;
}

// The value of a field that does not fit its column, which is null then: it stays in `extra`. Of an
// amount of money that is worth a warning.
void product_handler::misfit(std::string_view what) {
  if (is_fallback_ || is_id()) {
    flag("id_not_a_string", key_, "is not a string");
  } else if (field_ && type() == column_type::decimal) {
    warn("bad_value", key_, what);
  }
}

// The provider gives holders no identification. A person is told by the document, where there is
// one, else by the name; the relation is part of it, so that a change of it overwrites nothing.
void product_handler::identify_holder() {
  const auto columns = list_->columns();
  const auto part = [&](std::string_view name) {
    const auto& value = row_->values[*find_column(columns, name)];
    return value ? std::string_view{*value} : std::string_view{};
  };
  const bool by_document = !is_blank(part("document"));
  const std::string_view person = by_document ? part("document") : part("name");
  if (is_blank(person)) {
    flag("missing_holder", "the record", "has neither a document nor a name");
    return;
  }
  std::string id = "[";
  for (const std::string_view text :
       {part("product_id"), part("rel"), std::string_view{by_document ? "document" : "name"},
        person}) {
    if (text.size() > longest_part) flag("id_too_long", "the holder", "has more than 512 bytes");
    append_separator(id);
    append_json_string(id, text, false);
  }
  row_->values[0] = id + "]";
}

}  // namespace flanks
