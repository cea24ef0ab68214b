// The secrets of our app at the provider, as they are now: a reload may replace them, and a command
// may make new ones for each access token.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>

#include "sync/secret.hpp"

namespace flanks {

struct provider_keys {
  secret client_secret;
  secret password;  // grant password only
};

class key_source {
 public:
  virtual ~key_source() = default;
  // For one token call. Throws `failure` when a command that makes them fails.
  virtual boost::asio::awaitable<provider_keys> current() = 0;
  // Another number: other keys than before, so that a refusal of the earlier ones says nothing.
  [[nodiscard]] virtual std::uint64_t number() const = 0;
};

}  // namespace flanks
