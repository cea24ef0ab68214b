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

namespace {

// Of the number that begins at `at`: its length when its exponent has more digits than any value
// needs, else 0.
std::size_t huge_number_at(std::string_view text, std::size_t at) {
  const std::size_t mantissa = text.find_first_not_of("-0123456789.", at);
  if (mantissa == at || mantissa == std::string_view::npos) return 0;
  if (text[mantissa] != 'e' && text[mantissa] != 'E') return 0;
  std::size_t digits = mantissa + 1;
  if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
  const std::size_t end = std::min(text.find_first_not_of("0123456789", digits), text.size());
  return end - digits > 6 ? end - at : 0;
}

}  // namespace

mended_record mend(std::string_view element) {
  mended_record mended;
  std::string& out = mended.text;
  bool in_string = false;
  for (std::size_t at = 0; at < element.size();) {
    std::size_t size = 1;
    if (in_string && element[at] == '\\') {
      const bool high = is_escape(element, at, 0xD800, 0xDBFF);
      const bool pair = high && is_escape(element, at + 6, 0xDC00, 0xDFFF);
      if (!pair && (high || is_escape(element, at, 0xDC00, 0xDFFF))) {
        out.append("\\ufffd");
        mended.surrogates = true;
        at += 6;
        continue;
      }
      size = pair ? 12 : 2;
    } else if (element[at] == '"') {
      in_string = !in_string;
    } else if (const std::size_t huge = in_string ? 0 : huge_number_at(element, at); huge > 0) {
      out.append("\"").append(element.substr(at, huge)).append("\"");
      mended.numbers = true;
      at += huge;
      continue;
    }
    out.append(element.substr(at, size));
    at += size;
  }
  return mended;
}

struct record_reader::parser {
  secret_mask mask;
  plain_record plain;
  json::basic_parser<record_handler> json{record_options()};
};

record_reader::record_reader(const std::vector<const secret*>& secrets)
    : parser_(std::make_unique<parser>()) {
  parser_->mask = secret_mask(secrets);
  parser_->plain.set_mask(&parser_->mask);
  parser_->json.handler().set_mask(&parser_->mask);
}
record_reader::record_reader(const std::vector<const secret*>& secrets, product listed)
    : record_reader(secrets) {
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
  if (auto said = objection(handler, parser_->mask, element)) {
    batch.rejected.push_back(std::move(*said));
  }
  if (handler.bad()) batch.transactions.pop_back();
  return true;
}

bool record_reader::holds_secret(std::string_view bytes) const {
  return parser_->mask.occurs_in(bytes);
}

std::string record_reader::masked(std::string_view bytes) const {
  return parser_->mask.applied_to_all(bytes);
}

std::vector<unknown_record_field> record_reader::take_unknown() {
  return parser_->json.handler().unknown_fields().take();
}

bool nothing_is_an_object(const std::vector<rejected_record>& rejected) {
  return !rejected.empty() &&
         std::all_of(rejected.begin(), rejected.end(),
                     [](const rejected_record& r) { return r.reason == "not_an_object"; });
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
