#include "sync/flanks/parse.hpp"

#include <algorithm>
#include <utility>

#include "sync/flanks/plain_json.hpp"

namespace flanks {

namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Where the blanks from `at` on end. (find_first_not_of() calls memchr() for every byte.)
std::size_t skip_blanks(std::string_view bytes, std::size_t at) {
  json_cursor c(bytes.substr(at));
  c.skip_blanks();
  return static_cast<std::size_t>(c.at() - bytes.data());
}

}  // namespace

transaction_parser::transaction_parser(call_info call, parse_limits limits)
    : call_(std::move(call)), limits_(limits), reader_(call_.secrets) {
  start_batch();
}

void transaction_parser::feed(std::string_view bytes) {
  bytes_ += static_cast<std::int64_t>(bytes.size());
  suspect_ = reader_.holds_secret(bytes);
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
  while (place_ == place::inside && !bytes.empty()) {
    if (carried_ > 0 || suspect_ || !read_plain(bytes)) read_unusual(bytes);
  }
}

// One pass, when the record and what ends it are here and nothing about it is unusual.
bool transaction_parser::read_plain(std::string_view& bytes) {
  const std::size_t begin = skip_blanks(bytes, 0);
  const std::size_t size = reader_.find_plain(bytes.substr(begin), batch_);
  if (size == 0 || size > limits_.record_bytes) return false;
  const std::size_t end = skip_blanks(bytes, begin + size);
  if (end == bytes.size() || (bytes[end] != ',' && bytes[end] != ']')) return false;
  reader_.take_plain(batch_);
  if (bytes[end] == ']') place_ = place::after;
  bytes.remove_prefix(end + 1);
  count_element();
  return true;
}

// Any element: finds its end first, so that it can be set aside; and waits for it.
void transaction_parser::read_unusual(std::string_view& bytes) {
  const std::size_t end = scanner_.find_end(bytes);
  if (end == element_scanner::npos) {
    keep(bytes);
    bytes = {};
    return;
  }
  if (bytes[end] == '}') throw not_json(call_, bytes_);
  const bool closing = bytes[end] == ']';
  if (carried_ == 0) {
    read_element(trimmed(bytes.substr(0, end)), closing, false);
  } else {
    end_carried(bytes.substr(0, end), closing);
  }
  if (closing) place_ = place::after;
  bytes.remove_prefix(end + 1);
}

void transaction_parser::keep(std::string_view piece) {
  const std::size_t room = limits_.record_bytes - std::min(carry_.size(), limits_.record_bytes);
  carry_.append(piece.substr(0, room));
  carried_ += piece.size();
}

void transaction_parser::end_carried(std::string_view last_piece, bool closing) {
  keep(last_piece);
  if (carried_ > limits_.record_bytes) {
    reject_long_element();
  } else {
    read_element(trimmed(carry_), closing, !reader_.holds_secret(carry_));
  }
  carry_.clear();
  carried_ = 0;
}

void transaction_parser::read_element(std::string_view element, bool closing, bool maybe_plain) {
  if (closing && elements_ == 0 && element.empty()) return;  // the array is
  const std::size_t rejected = batch_.rejected.size();
  if (element.size() > limits_.record_bytes) {
    batch_.rejected.push_back(
        reject("too_long", "the record is too long", {}, reader_.masked(element)));
  } else if (!(maybe_plain ? reader_.read(element, batch_)
                           : reader_.read_unusual(element, batch_))) {
    throw not_json(call_, bytes_);
  }
  if (batch_.rejected.size() > rejected) {
    if (batch_.rejected.back().reason == "not_an_object") ++no_objects_;
    batch_raw_ += sizeof(rejected_record) + batch_.rejected.back().raw.size();
  }
  count_element();
}

void transaction_parser::count_element() {
  ++elements_;
  if (batch_.transactions.size() + batch_.rejected.size() >= limits_.batch_records ||
      batch_.text.bytes() + batch_raw_ >= limits_.batch_bytes) {
    finish_batch();
  }
}

void transaction_parser::reject_long_element() {
  const std::size_t first = std::min(carry_.find_first_not_of(blanks), carry_.size());
  rejected_record r = reject("too_long", "the record is too long", {},
                             reader_.masked(std::string_view{carry_}.substr(first)));
  r.truncated = true;
  batch_raw_ += sizeof(rejected_record) + r.raw.size();
  batch_.rejected.push_back(std::move(r));
  ++elements_;
}

void transaction_parser::start_batch() {
  batch_ = transaction_batch{};
  batch_.transactions.reserve(limits_.batch_records);
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
    if (elements_ > 0 && no_objects_ == elements_) throw no_records(call_, bytes_);
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
