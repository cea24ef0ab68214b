#include "sync/flanks/record.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include "sync/flanks/record_handler.hpp"

namespace flanks {

namespace json = boost::json;

namespace {

json::parse_options strict() {
  json::parse_options options;
  // Deeper than a record may be, so that the handler still sees the _id of most that are too deep.
  options.max_depth = 4 * deepest_record;
  return options;
}

// Text that is JSON by its grammar, but says what no column can hold. Everything else that
// basic_parser objects to means that the response is not JSON.
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

}  // namespace

struct record_reader::parser {
  json::basic_parser<record_handler> json{strict()};
};

record_reader::record_reader() : parser_(std::make_unique<parser>()) {}
record_reader::~record_reader() = default;

bool record_reader::read(std::string_view element, transaction_batch& batch) {
  transaction& row = batch.transactions.emplace_back();
  const std::string_view bytes = batch.text.copy(element);
  json::basic_parser<record_handler>& walk = parser_->json;
  record_handler& handler = walk.handler();
  handler.begin(bytes, batch.text, row);
  walk.reset();
  json::error_code error;
  walk.write_some(false, bytes.data(), bytes.size(), error);
  if (error) {
    const std::string_view reason = objection_to_record(error);
    if (reason.empty()) {
      batch.transactions.pop_back();
      return false;
    }
    handler.flag(reason, "the record", "holds JSON that cannot be stored");
  } else {
    handler.finish();
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
