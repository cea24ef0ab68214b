// What basic_parser calls while it walks through one record, whatever its fields mean: tells the
// fields of the record itself from what is nested in them, writes what is nested as compact JSON
// with order, text and digits as they came, and finds keys that came twice. The fields are handed
// to `Fields`, which derives from it:
//
//   void field_key();                          key_ is the key of a field that begins
//   void field_string(const decoded& value);   its value, one of these four
//   void field_number(std::string_view digits);
//   void field_word(std::string_view word, bool null);        true, false, null
//   std::string& field_open(char bracket);     an object or a list: where to write it
//   void field_closed();                       it is written whole
#pragma once

#include <algorithm>
#include <boost/json/basic_parser.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/flanks/decimal.hpp"
#include "sync/flanks/json_text.hpp"
#include "sync/flanks/record.hpp"
#include "sync/flanks/secret_mask.hpp"
#include "sync/transaction.hpp"

namespace flanks {

template <class Fields>
class record_walker {
 public:
  using error_code = boost::json::error_code;
  using text_view = boost::json::string_view;

  [[nodiscard]] bool bad() const { return !reason_.empty(); }
  [[nodiscard]] std::string_view reason() const { return reason_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  // Notes why the record cannot be stored; the first reason counts. `reason` must live on.
  void flag(std::string_view reason, std::string_view field, std::string_view what) {
    if (bad()) return;
    reason_ = reason;
    detail_.assign(field).append(" ").append(what);
  }
  // Notes what is stored other than it came; the first reason counts, all are told.
  void warn(std::string_view reason, std::string_view field, std::string_view what) {
    if (warning_.empty()) warning_ = reason;
    if (!warning_detail_.empty()) warning_detail_.append("; ");
    if (!field.empty()) warning_detail_.append(field).append(" ");
    warning_detail_.append(what);
  }
  // Empty: the record is stored as it came.
  [[nodiscard]] std::string_view warning() const { return warning_; }
  [[nodiscard]] const std::string& warning_detail() const { return warning_detail_; }
  // The record held one of our secrets.
  [[nodiscard]] bool had_secret() const { return had_secret_; }
  // Must outlive the walker; null: nothing is masked.
  void set_mask(const secret_mask* mask) { mask_ = mask; }

  // What basic_parser asks for.
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return open('{'); }
  bool on_object_end(std::size_t, error_code&) {
    check_keys();
    return close('}');
  }
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

 protected:
  // A decoded string and whether its source held nothing to escape (then it points into the
  // record).
  struct decoded {
    std::string_view text;
    bool plain = true;
    bool nul = false;
    bool masked = false;  // it was or held one of our secrets
  };

  // A new record. `bytes` already lies in `arena`, and values may point into it.
  void begin_record(std::string_view bytes, text_arena& arena);
  // `extra` so far, closed; empty when nothing belongs there.
  [[nodiscard]] std::string_view closed_extra() {
    if (!extra_.empty()) extra_.push_back('}');
    return extra_;
  }

  void begin_extra() {  // the key of the current field, ready for its value
    extra_.push_back(extra_.empty() ? '{' : ',');
    append_json_string(extra_, key_, key_plain_);
    extra_.push_back(':');
  }
  void extra_string(const decoded& value) {
    begin_extra();
    append_json_string(extra_, value.text, value.plain);
  }
  // A number that jsonb cannot hold is kept as its text.
  void append_number(std::string& out, std::string_view digits) {
    const bool fits = fits_jsonb(digits);
    if (fits) {
      out.append(digits);
      return;
    }
    append_json_string(out, digits, true);
    warn("bad_number", key_, "holds a number that no database column can, kept as text");
  }
  void extra_number(std::string_view digits) {
    begin_extra();
    append_number(extra_, digits);
  }
  void note_key(std::string_view key) { keys_.push_back(key); }

  text_arena* arena_ = nullptr;
  bool key_plain_ = true;
  std::string_view key_;  // of the current field of the record
  std::string extra_;

 private:
  [[nodiscard]] Fields& fields() { return static_cast<Fields&>(*this); }
  bool collect(text_view part);
  decoded complete(text_view part, std::size_t size);
  bool on_number(text_view part);
  bool on_word(std::string_view word, bool null);
  bool open(char bracket);
  bool close(char bracket);
  void check_keys();

  std::string_view record_;
  int depth_ = 0;          // of brackets that are open
  std::string collected_;  // parts of a string or number that did not come in one piece
  bool collecting_ = false;
  std::string* out_ = nullptr;          // where the nested value is written
  std::vector<std::string_view> keys_;  // of the objects that are open, outermost first
  std::vector<std::size_t> levels_;     // where in keys_ each open object begins
  std::string_view reason_, warning_;
  std::string detail_, warning_detail_;
  const secret_mask* mask_ = nullptr;
  bool had_secret_ = false;
};

template <class Fields>
void record_walker<Fields>::begin_record(std::string_view bytes, text_arena& arena) {
  record_ = bytes;
  arena_ = &arena;
  depth_ = 0;
  collecting_ = false;
  out_ = nullptr;
  extra_.clear();
  keys_.clear();
  levels_.clear();
  reason_ = warning_ = {};
  warning_detail_.clear();
  had_secret_ = false;
}

template <class Fields>
bool record_walker<Fields>::collect(text_view part) {
  if (!collecting_) collected_.clear();
  collecting_ = true;
  collected_.append(part.data(), part.size());
  return true;
}

template <class Fields>
typename record_walker<Fields>::decoded record_walker<Fields>::complete(text_view part,
                                                                        std::size_t size) {
  const char* const from = part.data();
  const bool inside = from >= record_.data() && from < record_.data() + record_.size();
  const bool whole = !collecting_ && inside && part.size() == size;
  const bool secrets = mask_ != nullptr;
  if (whole && !(secrets && mask_->occurs_in({from, size}))) return {{from, size}};
  collect(part);
  collecting_ = false;
  const bool nul = replace_nul(collected_);
  if (nul && warning_ != "nul_character") warn("nul_character", "", "U+0000 was stored as U+FFFD");
  const bool masked = secrets && mask_->apply(collected_);
  had_secret_ = had_secret_ || masked;
  return {arena_->copy(collected_), false, nul, masked};
}

template <class Fields>
bool record_walker<Fields>::on_key(text_view part, std::size_t size, error_code&) {
  const decoded key = complete(part, size);
  if (depth_ == 1) {
    key_ = key.text;
    key_plain_ = key.plain;
    fields().field_key();
    return true;
  }
  note_key(key.text);
  append_separator(*out_);
  append_json_string(*out_, key.text, key.plain);
  out_->push_back(':');
  return true;
}

template <class Fields>
bool record_walker<Fields>::on_string(text_view part, std::size_t size, error_code&) {
  const decoded value = complete(part, size);
  if (depth_ == 1) {
    fields().field_string(value);
  } else if (depth_ > 1) {
    append_separator(*out_);
    append_json_string(*out_, value.text, value.plain);
  } else {
    flag("not_an_object", "the record", "is a string");
  }
  return true;
}

template <class Fields>
bool record_walker<Fields>::on_number(text_view part) {
  std::string_view digits{part.data(), part.size()};
  if (collecting_) {
    collect(part);
    collecting_ = false;
    digits = arena_->copy(collected_);
  }
  if (depth_ == 1) {
    fields().field_number(digits);
  } else if (depth_ > 1) {
    append_separator(*out_);
    append_number(*out_, digits);
  } else {
    flag("not_an_object", "the record", "is a number");
  }
  return true;
}

template <class Fields>
bool record_walker<Fields>::on_word(std::string_view word, bool null) {
  if (depth_ == 1) {
    fields().field_word(word, null);
  } else if (depth_ > 1) {
    append_separator(*out_);
    out_->append(word);
  } else {
    flag("not_an_object", "the record", "is true, false or null");
  }
  return true;
}

template <class Fields>
bool record_walker<Fields>::open(char bracket) {
  ++depth_;
  if (bracket == '{') levels_.push_back(keys_.size());
  if (depth_ == 1) {
    if (bracket == '[') {
      flag("not_an_object", "the record", "is a list");
      out_ = &extra_;
      extra_.assign("[");
      depth_ = 2;  // what it holds is checked, and thrown away with the record
    }
    return true;
  }
  if (depth_ > deepest_record) flag("too_deep", "the record", "is nested too deeply");
  if (depth_ > 2) {
    append_separator(*out_);
  } else {
    out_ = &fields().field_open(bracket);
  }
  out_->push_back(bracket);
  return true;
}

template <class Fields>
bool record_walker<Fields>::close(char bracket) {
  --depth_;
  if (depth_ == 0) return true;
  out_->push_back(bracket);
  if (depth_ == 1 && !bad()) fields().field_closed();
  return true;
}

// jsonb keeps the last of two equal keys: one of the values would be lost.
template <class Fields>
void record_walker<Fields>::check_keys() {
  const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(levels_.back());
  levels_.pop_back();
  std::sort(begin, keys_.end());
  const auto twice = std::adjacent_find(begin, keys_.end());
  if (twice != keys_.end()) flag("duplicate_key", twice->substr(0, 100), "came twice");
  keys_.erase(begin, keys_.end());
}

}  // namespace flanks
