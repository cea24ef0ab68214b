// Where requests go: scheme, host and port of flanks.base_url, and the path in front of every
// endpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace flanks {

struct origin {
  bool tls = true;
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 443;
  std::string path_prefix;  // "" or "/something", without a slash at the end
  bool is_address = false;  // host is an IP address: no SNI, no lookup

  [[nodiscard]] std::string authority() const;  // "api.flanks.io:443", for messages
  [[nodiscard]] std::string host_header() const;
};

// Throws failure{configuration}: not a URL, another scheme, user or query in it, http to anything
// but loopback.
[[nodiscard]] origin origin_of(std::string_view base_url);

}  // namespace flanks
