// Every setting, typed, with its default: what the rest of the program sees of the configuration.
// The defaults of what sync/ decides are said there (provider_options, policy, limits).
// No YAML here (config/load.hpp reads it), and no secret: only the names of the files that hold
// them (config/secret_file.hpp reads those).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/limits.hpp"
#include "sync/policy.hpp"
#include "sync/provider_options.hpp"
#include "sync/query_filter.hpp"
#include "sync/retention.hpp"

namespace flanks::config {

enum class log_level : std::uint8_t { trace, debug, info, warn, error };
// `automatic` ("auto"): journal when standard error is the journal, text elsewhere.
enum class log_format : std::uint8_t { automatic, text, json, journal };

[[nodiscard]] std::string_view to_string(log_level l);
[[nodiscard]] std::string_view to_string(log_format f);

// `flanks`: the provider. base_url has no path and no slash at the end; ca_file is absolute or from
// the configuration's folder.
struct provider_settings : provider_options {
  std::string client_secret_file;                  // one of the two, the other is empty
  std::vector<std::string> client_secret_command;  // prints it; the program is a path
  std::string password_file;  // with grant::password only, else empty
};

// `database`: PostgreSQL.
struct database_settings {
  std::string dsn;            // libpq conninfo or URI, without a password
  std::string password_file;  // one of the two, or none: no password of ours
  std::vector<std::string> password_command;
  int connections = 4;
  std::chrono::milliseconds statement_timeout{std::chrono::minutes{5}};
  std::chrono::milliseconds lock_timeout{std::chrono::seconds{10}};
  std::chrono::seconds connect_timeout{10};
  bool migrate = false;  // `run` and `backfill` bring the schema up to date themselves
};

// `sync`: what is mirrored, how often, how hard.
struct sync_settings : fetch_settings {
  std::vector<product_kind> product_details = sync_policy{}.product_kinds;  // no duplicates
  transaction_source from = transaction_source::v1;
  query_filter query;  // v1: only these operations; empty: all
  int removal_threshold_percent = removal_limits{}.percent;
  int removal_threshold_rows = removal_limits{}.rows;
  std::chrono::seconds handover_after{std::chrono::days{30}};
  std::chrono::seconds stale_after{std::chrono::days{3}};
  bool notify_changes = false;
  int concurrency = 64;  // credentials worked on at once
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
  std::string password_file{};  // empty: nobody is asked for a password
};

// `encryption`: of credentials_tokens, in the database.
struct encryption_settings {
  std::string key_file;           // empty: tokens are stored as they are
  std::string previous_key_file;  // with key_file only
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
  retention_ages retention;
  encryption_settings encryption;
  admin_settings admin;
  log_settings log;
};

}  // namespace flanks::config
