// What went wrong, how far we came, and whose turn it is. Thrown when the world fails; never for
// expected answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace flanks {

// How far a piece of work had come. Waits are named by what they waited for.
enum class stage : std::uint8_t {
  resolve,
  connect,
  tls,
  send,
  first_byte,
  receive,
  parse,     // one request, in order
  token,     // the access token
  answer,    // the provider answered, with an error
  database,  // opening, reading
  write,
  commit,
  lease,  // one window's transaction
  configuration,
};
[[nodiscard]] std::string_view to_string(stage s);

// What the caller should do about it.
enum class verdict : std::uint8_t {
  retry,  // the same request may be sent again at once, within the retry budget
  later,  // leave it to the next scheduled run
  halve,  // ask for a smaller window (413, byte limit)
  park,   // this credential cannot go on until something outside changes (404, second 401)
  stop,   // nothing can go on until an operator acts (keys refused, schema out of date)
};
[[nodiscard]] std::string_view to_string(verdict v);

// what() is one sentence: what failed, on what, why. It never holds a secret and never a response
// body.
class failure : public std::runtime_error {
 public:
  // Its hint is that of the class (sync/error_class.hpp) until it is given one of its own.
  failure(flanks::stage s, flanks::verdict v, std::string name, const std::string& message);

  flanks::stage stage;
  flanks::verdict verdict;
  std::string error_class;    // short and stable, for flanks.sync_runs.error_class: "http_500",
                              // "connect_timeout", ...
  std::string hint;           // what a person can do; may be empty
  int http_status = 0;        // 0 when there was no answer
  std::string provider_code;  // error.code of the provider, may be empty
  std::string trace_id;       // trace_id of the provider, may be empty
  std::string endpoint;       // of the provider that was asked, as "/v0/token"; may be empty
  std::string our_trace_id;   // under which it was asked (sync/trace.hpp); may be empty
  std::optional<std::chrono::seconds> retry_after;  // from 429 or 503, clamped
  bool rested = false;  // of a connection that had served another request before
};

// There was no connection to the provider, or no access token.
[[nodiscard]] inline bool is_unreachable(const failure& f) {
  return f.stage <= stage::tls || f.stage == stage::token;
}

}  // namespace flanks
