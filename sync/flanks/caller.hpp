// One call of the API whose answer is small enough to be held whole. What the client that speaks
// HTTPS offers to the files that know single endpoints: they need neither token nor retries.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sync/flanks/errors.hpp"
#include "sync/flanks_api.hpp"
#include "sync/secret.hpp"
#include "sync/trace.hpp"

namespace flanks {

struct json_call {
  std::string method = "POST";
  std::string endpoint;                // "/v0/platform/link", with a query when there is one
  secret body;                         // JSON; none when empty
  std::vector<const secret*> secrets;  // never shown in messages; must outlive the call
  // The provider does it only once: not sent again unless it is certain that it was not done.
  bool once = false;
  std::size_t limit = 16 * 1024 * 1024;  // bytes of the answer; more than that is an error
  connection_use over = connection_use::any;
  std::optional<trace_id> trace;  // none: one of its own
  bool records = false;           // are asked for: an answer that repeats an earlier one is none
  // Takes the answer apart; throws failure for one that is not what was asked for.
  std::function<void(const answer&)> read;

  // For messages and the functions of errors.hpp: "POST /v0/platform/link at api.flanks.io".
  [[nodiscard]] call_info info(const std::string& authority) const {
    return {method + " " + endpoint.substr(0, endpoint.find('?')) + " at " + authority, secrets};
  }
};

class json_caller {
 public:
  virtual ~json_caller() = default;
  // Hands a 2xx answer to asked.read. Throws failure for every other one, and what `read` throws,
  // after the tries and pauses that are due.
  virtual boost::asio::awaitable<void> ask_json(json_call asked) = 0;
  // Host and port, for messages.
  [[nodiscard]] virtual std::string authority() const = 0;
};

}  // namespace flanks
