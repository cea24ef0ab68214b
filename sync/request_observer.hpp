// What is told of requests to the provider: how each ended and how long it took, which were sent
// again, and how long the access token is good. Called on the event loop; must not block or throw.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace flanks {

// Why a request is sent again.
enum class retry_cause : std::uint8_t {
  failed,        // it failed, or the connection did
  paused,        // it was answered with a rate limit, and the pause is over
  token_refused  // it was answered 401, and goes with a newer access token
};

class request_observer {
 public:
  virtual ~request_observer() = default;
  // One request ended. `endpoint`: its path without a query, which names nobody. `http_status`: of
  // its answer; 0 when no whole answer was read. `took`: from its sending, with a new connection
  // where it needs one, to the last byte, without what the answer waited for the database.
  virtual void ended(std::string_view /*endpoint*/, int /*http_status*/,
                     std::chrono::nanoseconds /*took*/) {}
  virtual void retried(std::string_view /*endpoint*/, retry_cause) {}
  // By the Date of an answer, the provider's clock is ahead of this machine's; to the second.
  virtual void compared_clocks(std::chrono::seconds /*ahead*/) {}
  // A new access token came; none: the provider did not say how long it is good.
  virtual void token_came(std::optional<std::chrono::seconds> /*lifetime*/) {}
  // None came, after the tries that were due.
  virtual void token_failed() {}
};

}  // namespace flanks
