// Makes the flanks_api that speaks HTTPS. All settings are handed in; nothing is read from anywhere
// else.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "sync/flanks/caller.hpp"
#include "sync/flanks_api.hpp"
#include "sync/limits.hpp"
#include "sync/rate_grants.hpp"
#include "sync/rate_observer.hpp"
#include "sync/retry.hpp"
#include "sync/secret.hpp"

namespace flanks {

// How long each wait of one request may take. Each has its own error class.
struct api_timeouts {
  std::chrono::milliseconds connection{600'000};  // connection_wait_timeout: for a free connection
  std::chrono::milliseconds resolve{5'000};       // resolve_timeout
  std::chrono::milliseconds connect{10'000};      // connect_timeout: all addresses together
  std::chrono::milliseconds tls{10'000};          // tls_timeout
  std::chrono::milliseconds first_byte{120'000};  // first_byte_timeout: request sent, no answer
  std::chrono::milliseconds idle{60'000};         // idle_timeout: between two pieces, either way
  std::chrono::milliseconds total{900'000};  // total_timeout: from having a connection's turn to
                                             // the last byte; stands still while a batch is stored
  std::chrono::milliseconds rate_grant{60'000};  // rate_grant_timeout: the rate limit's database
};

enum class grant { client_credentials, password };
// Where transactions come from: one array a product with a window (v1), or pages of all history
// (v2, Aggregation v2: it knows no filter by day).
enum class transaction_source { v1, v2 };

struct api_options {
  std::string base_url = "https://api.flanks.io";  // https; http for loopback only; no query
  grant grant_type = grant::client_credentials;
  std::string client_id;
  secret client_secret;
  std::string username;  // grant password only
  secret password;       // grant password only
  std::string ca_file;   // PEM; empty: the system's store
  int max_connections = 8;
  double requests_per_second = 10;  // 0: no limit; of all who share `rate`
  rate_grants* rate = nullptr;      // must outlive the client; null: nobody shares it
  rate_observer* waits = nullptr;   // must outlive the client; null: nobody is told
  std::int64_t max_response_bytes = std::int64_t{1} << 30;  // everything received, headers included
  api_timeouts timeouts;
  retry_policy retry;
  transaction_source source = transaction_source::v1;
  std::string
      query;  // v1 only; canonical members of the query object (query_filter.hpp); empty: no filter
  sync_limits limits;
  std::string user_agent = "flanks-sync";
};

// One client, one token, one pool of connections, one rate: for the engine and for single
// endpoints.
class provider_client : public flanks_api, public json_caller {};

// Throws failure{configuration} when the options cannot work (URL, ca_file). Opens no connection
// yet. Everything runs on `executor`, which must be one thread; the executor's context must outlive
// the object, and no call may be in flight when it is destroyed.
[[nodiscard]] std::unique_ptr<provider_client> make_flanks_api(
    boost::asio::any_io_executor executor, api_options options);

}  // namespace flanks
