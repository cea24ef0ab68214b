// Answers that are not what was asked for -> failure (API contract, section 4; design, section 5).
// Pure: an answer in, a failure out. The only text of the provider that a message ever holds is the
// `message` or `error` of an error object, cleaned and cut; never a body, never a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/failure.hpp"
#include "sync/secret.hpp"

namespace flanks {

// Which call this is about, for messages.
struct call_info {
  std::string what;  // "POST /v0/token at api.flanks.io"
  // Never shown, even when the provider repeats them in its answer.
  std::vector<const secret*> secrets;
};

// An answer with its body, or the beginning of it.
struct answer {
  int status = 0;
  std::string body;             // at most error_body_limit is looked at
  std::int64_t body_bytes = 0;  // of the whole body, as far as it was read
  std::string retry_after;      // headers, empty when absent
  std::string date;
  std::string location;
  bool rested_connection = false;  // it came over one that has served another request
};
inline constexpr std::size_t error_body_limit = 64 * 1024;

// For every status but 2xx.
[[nodiscard]] failure from_status(const answer& a, const call_info& call);

// For a 2xx body that is not what was asked for (an array, an object): error object, HTML, empty,
// anything else. `wanted` is "a list" or "an object".
[[nodiscard]] failure from_body(const answer& a, const call_info& call, std::string_view wanted);

// The body is not JSON in valid UTF-8.
[[nodiscard]] failure not_json(const call_info& call, std::int64_t bytes);
// A list in which nothing is an object.
[[nodiscard]] failure no_records(const call_info& call, std::int64_t bytes);
// The body ended before the JSON did.
[[nodiscard]] failure cut_short(const call_info& call, std::int64_t bytes);

// From the answer to the token call: permanent for 400, 401, 403.
[[nodiscard]] failure from_token_status(const answer& a, const call_info& call,
                                        std::string_view client_id);

// Retry-After in both forms (RFC 9110, 10.2.3), an HTTP-date against the response's own Date; 1 s
// to 24 h. Nothing when there is none, or it cannot be read.
[[nodiscard]] std::optional<std::chrono::seconds> retry_after(std::string_view value,
                                                              std::string_view date);

// An HTTP-date (RFC 9110, 5.6.7): the preferred form and the two obsolete ones.
[[nodiscard]] std::optional<std::chrono::sys_seconds> http_date(std::string_view text);

// The first `limit` bytes of `text` without secrets and what steers a terminal (sync/text.hpp), in
// valid UTF-8.
[[nodiscard]] std::string presentable(std::string_view text, std::size_t limit,
                                      const std::vector<const secret*>& secrets);

}  // namespace flanks
