// How the provider is reached, and how long anything there may take: what the section `flanks` of
// the configuration sets, with the only defaults of it. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace flanks {

// How long each wait of one request may take. Each has its own error class.
struct api_timeouts {
  // Not in the configuration: for a free connection (connection_wait_timeout), and for the database
  // of the rate limit (rate_grant_timeout).
  std::chrono::milliseconds connection{600'000};
  std::chrono::milliseconds rate_grant{60'000};

  std::chrono::milliseconds resolve{5'000};       // resolve_timeout
  std::chrono::milliseconds connect{10'000};      // connect_timeout: all addresses together
  std::chrono::milliseconds tls{10'000};          // tls_timeout
  std::chrono::milliseconds first_byte{120'000};  // first_byte_timeout: request sent, no answer
  std::chrono::milliseconds idle{60'000};         // idle_timeout: between two pieces, either way
  // total_timeout: from having a connection's turn to the last byte; stands still while a batch is
  // stored.
  std::chrono::milliseconds total{1'800'000};
};

// How the app gets its access token (API contract, section 1: an app has exactly one valid grant).
enum class grant : std::uint8_t { client_credentials, password };
// Where transactions come from: one array for each product (v1), or pages (v2, Aggregation v2; not
// every deployment of it filters by day). API contract, sections 3 and 5.
enum class transaction_source : std::uint8_t { v1, v2 };

struct provider_options {
  // Scheme, host and perhaps a port and a path; no query. http for loopback only.
  std::string base_url = "https://api.flanks.io";
  grant grant_type = grant::client_credentials;
  std::string client_id;
  std::string username;  // with grant::password only, else empty
  std::string ca_file;   // PEM; empty: the system's store
  int max_connections = 16;
  double requests_per_second = 0;  // of all who share the limit; 0: no limit of ours
  std::uint64_t max_response_bytes = std::uint64_t{1} << 30;  // everything received, with headers
  api_timeouts timeouts;
};

}  // namespace flanks
