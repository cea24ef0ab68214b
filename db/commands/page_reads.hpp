// What page_source reads, each within the snapshot that it has opened: the mirror as a whole, a
// page of the list, one credential. Only page_*.cpp include it.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "db/commands/page_source.hpp"
#include "db/pg/connection.hpp"
#include "db/pg/rows.hpp"

namespace flanks {

// Every credential with what decides whether somebody must look at it.
#define FLANKS_CREDENTIALS_JUDGED                                                            \
  "select c.credential_id, coalesce(c.bank, '') as bank, a.state, a.stale, a.refreshed_at, " \
  "l.confirmed_at, l.next_due_at, coalesce(l.confirmed_at, c.created_at) as agreed_at, "     \
  "a.problem, a.urgency "                                                                    \
  "from flanks.credentials c join flanks_internal.attention a using (credential_id) "        \
  "left join flanks_internal.schedule l using (credential_id) "

[[nodiscard]] mirror_overview read_overview(pg_connection& db);
[[nodiscard]] credential_list read_list(pg_connection& db, const credential_query& asked);
// Nothing when there is no such credential.
[[nodiscard]] std::optional<credential_story> read_story(pg_connection& db, credential_id id);

using texts_by_id = std::unordered_map<std::int64_t, std::optional<std::string>>;

// Since when each of them has what is wrong with it, as far as the tables say.
[[nodiscard]] texts_by_id since_when(pg_connection& db, const std::vector<credential_id>& ids);
// A stale one is so since the provider last refreshed it.
[[nodiscard]] std::optional<std::string> since_of(const status_row& s, const texts_by_id& found);

inline std::optional<std::string> said(const pg_value& f) {
  if (f.is_null()) return std::nullopt;
  return f.c_str();
}

inline instant seconds_since_1970(const pg_value& f) {
  return instant{std::chrono::seconds{f.as<std::int64_t>()}};
}

}  // namespace flanks
