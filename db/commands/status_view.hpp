// Reads flanks.sync_status for `status` and its --json. Blocks; opens a connection of its own.
// Throws `failure`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/mirror_problems.hpp"
#include "db/pg/options.hpp"
#include "sync/store.hpp"

namespace flanks {

class pg_connection;

// The view's columns, in its words and order. Times are "YYYY-MM-DDTHH:MM:SSZ".
struct status_row {
  credential_id id;
  std::vector<user_id> users;
  std::optional<std::string> bank;
  std::string state;
  bool problem = false;  // somebody must look at it; waiting for the provider is none
  std::optional<std::string> error_class;
  std::string who_must_act;
  std::optional<std::string> last_attempt_at, last_success_at, last_new_data_at;
  std::optional<std::chrono::seconds> lag;
  std::optional<std::string> next_run_at;
  bool running = false;
  int failures_in_a_row = 0;
  std::optional<std::string> last_error, last_error_hint;
  std::string what_next;
  std::optional<std::string> history_from;  // YYYY-MM-DD
  std::optional<std::string> provider_updated_at;
  std::optional<std::chrono::seconds> provider_age;  // since then
  bool stale = false;
  bool unusually_quiet = false;
  std::int64_t stale_products = 0, quarantined = 0;
  int reviews = 0;  // open removal reviews: a person must look
};

// Problems first, as the view orders them; only what `who` names (its products do not matter).
// Removed ones are left out. Throws failure{configuration} for a user or credential that does not
// exist.
[[nodiscard]] std::vector<status_row> read_status(const db_options& options, const selection& who);

// What keeps the mirror as a whole from its work.
[[nodiscard]] std::vector<mirror_problems::row> read_mirror_problems(const db_options& options);

// Those of these ids that exist, in this order, removed ones included: only they are looked at,
// however many credentials there are. Throws sql_problem.
[[nodiscard]] std::vector<status_row> read_status_of(pg_connection& db,
                                                     std::span<const credential_id> ids);

}  // namespace flanks
