// One record through basic_parser: which objections are to the record alone, and which to the whole
// response. Private to the readers of records.
#pragma once

#include <boost/json/basic_parser_impl.hpp>
#include <string>
#include <string_view>

namespace flanks {

[[nodiscard]] boost::json::parse_options record_options();

// Text that is JSON by its grammar, but says what no column can hold: the reason. Everything else
// that basic_parser objects to means that the response is not JSON: empty.
[[nodiscard]] std::string_view objection_to_record(const boost::json::error_code& error);

// Half a surrogate pair ("\ud800" alone) is JSON by its grammar but no text: a copy with U+FFFD in
// its place. Empty when there is none.
[[nodiscard]] std::string mend_surrogates(std::string_view element);

// Walks through `element` to its end. `begin` readies the handler for some bytes and gives the copy
// of them that is to be parsed. False when it is not JSON in valid UTF-8; true when the handler has
// the record, or has flagged what is wrong with it.
template <class Handler, class Begin>
bool walk_record(boost::json::basic_parser<Handler>& parser, std::string_view element,
                 Begin begin) {
  const auto walk = [&](std::string_view bytes) {
    bytes = begin(bytes);
    parser.reset();
    boost::json::error_code error;
    const std::size_t used = parser.write_some(false, bytes.data(), bytes.size(), error);
    // basic_parser is content with one value and leaves what follows it to us.
    if (!error && used < bytes.size()) error = boost::json::error::extra_data;
    return error;
  };
  boost::json::error_code error = walk(element);
  if (!error) {
    parser.handler().finish();
    return true;
  }
  std::string_view reason = objection_to_record(error);
  const std::string mended = reason.empty() ? mend_surrogates(element) : std::string{};
  if (!mended.empty()) {
    // Only to learn whether all the rest is JSON, and which id it has.
    error = walk(mended);
    reason = error ? objection_to_record(error) : std::string_view{"bad_unicode"};
  }
  if (reason.empty()) return false;
  parser.handler().flag(reason, "the record", "holds JSON that cannot be stored");
  return true;
}

}  // namespace flanks
