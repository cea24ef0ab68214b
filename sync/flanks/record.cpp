#include "sync/flanks/record.hpp"

#include <algorithm>
#include <charconv>

#include "sync/flanks/plain_record.hpp"
#include "sync/flanks/record_handler.hpp"
#include "sync/flanks/record_reading.hpp"

namespace flanks {

namespace json = boost::json;

json::parse_options record_options() {
  json::parse_options options;
  // Deeper than a record may be, so that the handler still sees the _id of most that are too deep.
  options.max_depth = 4 * deepest_record;
  return options;
}

std::string_view objection_to_record(const json::error_code& error) {
  if (error == json::error::too_deep) return "too_deep";
  if (error == json::error::exponent_overflow) return "bad_number";
  if (error == json::error::illegal_leading_surrogate ||
      error == json::error::illegal_trailing_surrogate ||
      error == json::error::expected_utf16_escape) {
    return "bad_unicode";
  }
  return {};
}

namespace {

int hex_at(std::string_view text, std::size_t at) {
  int value = 0;
  const auto read = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
  return read.ptr == text.data() + at + 4 ? value : -1;
}

bool is_escape(std::string_view text, std::size_t at, int from, int to) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return false;
  const int code = hex_at(text, at + 2);
  return code >= from && code <= to;
}

}  // namespace

std::string mend_surrogates(std::string_view element) {
  std::string mended{element};
  bool found = false;
  for (std::size_t at = mended.find('\\'); at != std::string::npos; at = mended.find('\\', at)) {
    const bool high = is_escape(mended, at, 0xD800, 0xDBFF);
    if (high && is_escape(mended, at + 6, 0xDC00, 0xDFFF)) {
      at += 12;
    } else if (high || is_escape(mended, at, 0xDC00, 0xDFFF)) {
      mended.replace(at + 2, 4, "fffd");
      found = true;
      at += 6;
    } else {
      at += 2;
    }
  }
  return found ? mended : std::string{};
}

struct record_reader::parser {
  plain_record plain;
  json::basic_parser<record_handler> json{record_options()};
};

record_reader::record_reader() : parser_(std::make_unique<parser>()) {}
record_reader::record_reader(product listed) : record_reader() {
  parser_->plain.read_listed(listed);
  parser_->json.handler().read_listed(listed);
}
record_reader::~record_reader() = default;

std::size_t record_reader::find_plain(std::string_view bytes, transaction_batch& batch) {
  return parser_->plain.read(bytes, batch.text);
}

void record_reader::take_plain(transaction_batch& batch) {
  transaction& row = batch.transactions.emplace_back();
  parser_->plain.put(batch.text, row, parser_->json.handler().unknown_fields());
}

bool record_reader::read(std::string_view element, transaction_batch& batch) {
  if (element.empty() || find_plain(element, batch) != element.size())
    return read_unusual(element, batch);
  take_plain(batch);
  return true;
}

bool record_reader::read_unusual(std::string_view element, transaction_batch& batch) {
  transaction& row = batch.transactions.emplace_back();
  record_handler& handler = parser_->json.handler();
  const bool is_json = walk_record(parser_->json, element, [&](std::string_view bytes) {
    const std::string_view copy = batch.text.copy(bytes);
    row = transaction{};
    handler.begin(copy, batch.text, row);
    return copy;
  });
  if (!is_json) {
    batch.transactions.pop_back();
    return false;
  }
  if (handler.bad()) {
    batch.rejected.push_back(
        reject(handler.reason(), handler.detail(), handler.usable_id(), element));
    batch.transactions.pop_back();
    return true;
  }
  row.hash = hash_of(row);
  if (handler.had_nul()) {
    rejected_record warning =
        reject("nul_character", "U+0000 was stored as U+FFFD", row.id(), element);
    warning.stored_anyway = true;
    batch.rejected.push_back(std::move(warning));
  }
  return true;
}

std::vector<unknown_record_field> record_reader::take_unknown() {
  return parser_->json.handler().unknown_fields().take();
}

rejected_record reject(std::string_view reason, std::string_view detail, std::string_view id,
                       std::string_view bytes) {
  rejected_record r;
  r.reason = reason;
  // Cut where a character begins.
  std::size_t end = std::min<std::size_t>(detail.size(), 500);
  while (end < detail.size() && end > 0 && (detail[end] & '\xC0') == '\x80')
    --end;
  r.detail = detail.substr(0, end);
  r.id = id;
  r.raw = bytes.substr(0, rejected_record::raw_limit);
  r.truncated = bytes.size() > rejected_record::raw_limit;
  return r;
}

}  // namespace flanks
