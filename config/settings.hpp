// Every setting, typed, with its default: what the rest of the program sees of the configuration.
// No YAML here (config/load.hpp reads it), and no secret: only the names of the files that hold
// them (config/secret_file.hpp reads those).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/limits.hpp"
#include "sync/query_filter.hpp"
#include "sync/types.hpp"

namespace flanks::config {

// How the app gets its access token (API contract, section 1: an app has exactly one valid grant).
enum class grant : std::uint8_t { client_credentials, password };
// Where transactions come from: the lists of each product (v1) or Aggregation v2 (API contract,
// sections 3 and 5).
enum class source : std::uint8_t { v1, v2 };
enum class log_level : std::uint8_t { trace, debug, info, warn, error };
// `automatic` ("auto"): journal when standard error is the journal, text elsewhere.
enum class log_format : std::uint8_t { automatic, text, json, journal };

[[nodiscard]] std::string_view to_string(grant g);
[[nodiscard]] std::string_view to_string(log_level l);
[[nodiscard]] std::string_view to_string(log_format f);

// The longest wait for each step of one request to the provider.
struct timeout_settings {
  std::chrono::milliseconds resolve{std::chrono::seconds{5}};
  std::chrono::milliseconds connect{std::chrono::seconds{10}};
  std::chrono::milliseconds tls{std::chrono::seconds{10}};
  std::chrono::milliseconds first_byte{std::chrono::seconds{120}};
  std::chrono::milliseconds idle{std::chrono::seconds{60}};
  std::chrono::milliseconds total{std::chrono::minutes{30}};
};

// `flanks`: the provider.
struct provider_settings {
  // Scheme, host and perhaps a port; never a path or a slash at the end. http only for loopback.
  std::string base_url = "https://api.flanks.io";
  std::string client_id;
  std::string client_secret_file;
  grant grant_type = grant::client_credentials;
  std::string username;       // with grant::password only, else empty
  std::string password_file;  // with grant::password only, else empty
  std::string ca_file;        // PEM; absolute or from the configuration's folder; empty: the
                              // system's store
  int max_connections = 16;
  double requests_per_second = 0;  // 0: no limit of ours
  std::uint64_t max_response_bytes = std::uint64_t{1} << 30;
  timeout_settings timeouts;
};

// `database`: PostgreSQL.
struct database_settings {
  std::string dsn;            // libpq conninfo or URI, without a password
  std::string password_file;  // empty: no password of ours
  int connections = 4;
  std::chrono::milliseconds statement_timeout{std::chrono::minutes{5}};
  std::chrono::milliseconds lock_timeout{std::chrono::seconds{10}};
  std::chrono::seconds connect_timeout{10};
  bool migrate = false;  // `run` and `backfill` bring the schema up to date themselves
};

// `sync`: what is mirrored, how often, how hard.
struct sync_settings {
  std::vector<product> products{all_products.begin(), all_products.end()};  // no duplicates
  std::vector<product_kind> product_details{all_product_kinds.begin(),
                                            all_product_kinds.end()};  // likewise
  int history_months = 24;
  source from = source::v1;
  query_filter query;  // v1: only these operations; empty: all
  std::chrono::seconds interval{std::chrono::hours{24}};
  std::chrono::days overlap{30};
  std::chrono::seconds sweep_interval{std::chrono::days{30}};
  std::chrono::seconds recent_sweep_interval{std::chrono::days{7}};
  std::chrono::days recent_sweep_days{90};
  int removal_threshold_percent = 10;
  int removal_threshold_rows = 5;
  int concurrency = 64;  // credentials worked on at once
  int tries = 3;         // of one request
  std::chrono::seconds lease{std::chrono::minutes{1}};
  std::chrono::milliseconds poll{std::chrono::seconds{30}};
  std::chrono::seconds discover_interval{0};  // 0: `run` registers nothing by itself
};

// `admin`: the daemon's own listener.
inline constexpr std::string_view default_admin_listen = "127.0.0.1:9464";
struct admin_settings {
  // "none", "unix:/path", or an address of this machine and a port: "127.0.0.1:9464", "[::1]:9464".
  std::string listen{default_admin_listen};
  // More hosts that requests may name, in lower case, without a port; an IPv6 address in brackets.
  std::vector<std::string> hosts;
};

// `log`
struct log_settings {
  log_level level = log_level::info;
  log_format format = log_format::automatic;
};

struct settings {
  provider_settings flanks;
  database_settings database;
  sync_settings sync;
  sync_limits limits;
  admin_settings admin;
  log_settings log;
};

}  // namespace flanks::config
