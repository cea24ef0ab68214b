#include "sync/flanks/parse.hpp"

#include <algorithm>
#include <utility>

namespace flanks {

namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

transaction_parser::transaction_parser(call_info call, parse_limits limits)
    : call_(std::move(call)), limits_(limits) {
  start_batch();
}

void transaction_parser::feed(std::string_view bytes) {
  bytes_ += static_cast<std::int64_t>(bytes.size());
  if (place_ == place::before) begin(bytes);
  if (place_ == place::inside) read_elements(bytes);
  if (place_ == place::not_an_array) {
    keep(bytes);
    // Long enough to say what it is.
    if (carry_.size() >= error_body_limit) finish();
  }
  if (place_ == place::after && bytes.find_first_not_of(blanks) != std::string_view::npos) {
    throw not_json(call_, bytes_);
  }
}

void transaction_parser::begin(std::string_view& bytes) {
  const std::size_t first = bytes.find_first_not_of(blanks);
  if (first == std::string_view::npos) {
    bytes = {};
  } else if (bytes[first] == '[') {
    bytes.remove_prefix(first + 1);
    place_ = place::inside;
  } else {
    place_ = place::not_an_array;
  }
}

void transaction_parser::read_elements(std::string_view& bytes) {
  std::size_t start = 0;
  const std::size_t read = scanner_.scan(bytes, [&](std::size_t offset) {
    end_element(bytes.substr(start, offset - start), bytes[offset] == ']');
    start = offset + 1;
  });
  if (scanner_.closed()) {
    place_ = place::after;
    bytes.remove_prefix(read);
    return;
  }
  keep(bytes.substr(start));
  bytes = {};
}

void transaction_parser::keep(std::string_view piece) {
  const std::size_t room = limits_.record_bytes - std::min(carry_.size(), limits_.record_bytes);
  carry_.append(piece.substr(0, room));
  carried_ += piece.size();
}

void transaction_parser::end_element(std::string_view last_piece, bool closing) {
  if (carried_ == 0) {
    const std::string_view element = trimmed(last_piece);
    const bool empty_array = closing && elements_ == 0 && element.empty();
    if (!empty_array) read_element(element);
    return;
  }
  keep(last_piece);
  if (carried_ > limits_.record_bytes) {
    reject_long_element();
  } else {
    const std::string_view element = trimmed(carry_);
    const bool empty_array = closing && elements_ == 0 && element.empty();
    if (!empty_array) read_element(element);
  }
  carry_.clear();
  carried_ = 0;
}

void transaction_parser::read_element(std::string_view element) {
  const std::size_t rejected = batch_.rejected.size();
  if (element.size() > limits_.record_bytes) {
    batch_.rejected.push_back(reject("too_long", "the record is too long", {}, element));
  } else if (!reader_.read(element, batch_)) {
    throw not_json(call_, bytes_);
  }
  ++elements_;
  if (batch_.rejected.size() > rejected) {
    batch_raw_ += sizeof(rejected_record) + batch_.rejected.back().raw.size();
  }
  if (batch_.transactions.size() + batch_.rejected.size() >= limits_.batch_records ||
      batch_.text.bytes() + batch_raw_ >= limits_.batch_bytes) {
    finish_batch();
  }
}

void transaction_parser::reject_long_element() {
  const std::size_t first = std::min(carry_.find_first_not_of(blanks), carry_.size());
  rejected_record r =
      reject("too_long", "the record is too long", {}, std::string_view{carry_}.substr(first));
  r.truncated = true;
  batch_raw_ += sizeof(rejected_record) + r.raw.size();
  batch_.rejected.push_back(std::move(r));
  ++elements_;
}

void transaction_parser::start_batch() {
  batch_ = transaction_batch{};
  batch_.transactions.reserve(std::min<std::size_t>(limits_.batch_records, 1024));
  batch_raw_ = 0;
}

void transaction_parser::finish_batch() {
  if (!batch_.empty()) {
    batch_.unknown = reader_.take_unknown();
    full_.push_back(std::move(batch_));
    start_batch();
  }
}

void transaction_parser::finish() {
  if (place_ == place::after) {
    // Not before: a short response is handed on only when all of it has come, and can be asked for
    // again until then.
    finish_batch();
    return;
  }
  if (place_ == place::inside) throw cut_short(call_, bytes_);
  answer a;
  a.status = 200;
  a.body = carry_;
  a.body_bytes = static_cast<std::int64_t>(carried_);  // without the blanks in front
  throw from_body(a, call_, "a list");
}

transaction_batch transaction_parser::next() {
  transaction_batch batch = std::move(full_.front());
  full_.pop_front();
  return batch;
}

}  // namespace flanks
