// One record through basic_parser: which objections are to the record alone, and which to the whole
// response. Private to the readers of records.
#pragma once

#include <boost/json/basic_parser_impl.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "sync/flanks/record.hpp"
#include "sync/flanks/secret_mask.hpp"

namespace flanks {

[[nodiscard]] boost::json::parse_options record_options();

// Text that is JSON by its grammar, but says what no column can hold: the reason. Everything else
// that basic_parser objects to means that the response is not JSON: empty.
[[nodiscard]] std::string_view objection_to_record(const boost::json::error_code& error);

// What is JSON by its grammar but no value: half a surrogate pair ("\ud800" alone), and a number
// whose exponent has more than six digits. A copy with U+FFFD in place of the one, and the other as
// a string.
struct mended_record {
  std::string text;
  bool surrogates = false, numbers = false;
  [[nodiscard]] bool any() const { return surrogates || numbers; }
};
[[nodiscard]] mended_record mend(std::string_view element);

// What is to be told of a record that was walked through: why it is not stored, or (stored_anyway)
// what is stored other than it came; nothing when all is well. With its bytes, our secrets masked;
// or without them, where escapes may hide one.
template <class Handler>
std::optional<rejected_record> objection(const Handler& handler, const secret_mask& mask,
                                         std::string_view element) {
  if (!handler.bad() && handler.warning().empty()) return std::nullopt;
  const bool hidden = handler.had_secret() && !mask.occurs_in(element);
  const std::string raw =
      hidden ? "(not kept: the record repeats a secret of ours in another spelling)"
             : mask.applied_to_all(element);
  rejected_record said =
      handler.bad() ? reject(handler.reason(), handler.detail(), handler.usable_id(), raw)
                    : reject(handler.warning(), handler.warning_detail(), handler.usable_id(), raw);
  said.stored_anyway = !handler.bad();
  return said;
}

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
  const std::string_view reason = objection_to_record(error);
  const mended_record mended = mend(element);
  if (mended.any() && !walk(mended.text)) {
    Handler& handler = parser.handler();
    handler.finish();
    // In an identification it would make one of several.
    const bool in_id = handler.usable_id().find("\xEF\xBF\xBD") != std::string_view::npos;
    if (mended.surrogates && in_id)
      handler.flag("bad_unicode", "the record", "has an _id that is no text");
    if (mended.surrogates)
      handler.warn("bad_unicode", "", "half a surrogate pair was stored as U+FFFD");
    if (mended.numbers)
      handler.warn("bad_number", "", "a number with a huge exponent was kept as text");
    return true;
  }
  if (reason.empty()) return false;
  parser.handler().flag(reason, "the record", "holds JSON that cannot be stored");
  return true;
}

}  // namespace flanks
