#include "db/commands/status_view.hpp"

#include <algorithm>
#include <unordered_map>

#include "db/backfill.hpp"
#include "db/commands/run_explained.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {

namespace {

// What row_of() reads of a line `s` of the view; the statements below go on from here.
constexpr const char* status_columns = R"(
select s.credential_id, s.bank, s.state, s.who_must_act,
  to_char(s.last_attempt_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), to_char(s.last_success_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  to_char(s.last_new_data_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), floor(extract(epoch from s.lag))::bigint,
  to_char(s.next_run_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), s.running, s.failures_in_a_row, s.last_error, s.last_error_hint,
  s.what_next,
  (select count(*) from flanks.removal_reviews v where v.credential_id = s.credential_id and v.state = 'open'),
  s.history_from, to_char(s.provider_updated_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), s.stale, s.unusually_quiet,
  floor(extract(epoch from now() - s.provider_updated_at))::bigint, s.stale_products, s.quarantined,
  s.problem, s.error_class)";

constexpr statement status_sql{"read_status", R"(
from flanks.sync_status s
where s.state <> 'removed' and ($1::bigint[] is null or s.credential_id = any($1::bigint[])))"};

// One by one (offset 0 keeps it so): the planner takes a single id into every part of the view, and
// an array into none.
constexpr statement status_of_sql{"read_status_of", R"(
from unnest($1::bigint[]) with ordinality i(id, nr)
cross join lateral (select v.* from flanks.sync_status v where v.credential_id = i.id offset 0) s
order by i.nr)"};

constexpr statement users_sql{"read_status_users", R"(
select credential_id, user_id from flanks.user_credentials
where $1::bigint[] is null or credential_id = any($1::bigint[]) order by user_id)"};

std::optional<std::string> text_or_none(const pg_value& f) {
  if (f.is_null()) return std::nullopt;
  return f.c_str();
}

status_row row_of(const pg_row& r) {
  status_row row;
  row.id = credential_id{r[0].as<std::int64_t>()};
  row.bank = text_or_none(r[1]);
  row.state = r[2].c_str();
  row.who_must_act = r[3].c_str();
  row.last_attempt_at = text_or_none(r[4]);
  row.last_success_at = text_or_none(r[5]);
  row.last_new_data_at = text_or_none(r[6]);
  if (!r[7].is_null()) row.lag = std::chrono::seconds{r[7].as<std::int64_t>()};
  row.next_run_at = text_or_none(r[8]);
  row.running = r[9].as<bool>();
  row.failures_in_a_row = r[10].as<int>();
  row.last_error = text_or_none(r[11]);
  row.last_error_hint = text_or_none(r[12]);
  row.what_next = r[13].c_str();
  row.reviews = r[14].as<int>();
  row.history_from = text_or_none(r[15]);
  row.provider_updated_at = text_or_none(r[16]);
  row.stale = r[17].as<bool>();
  row.unusually_quiet = r[18].as<bool>();
  if (!r[19].is_null()) row.provider_age = std::chrono::seconds{r[19].as<std::int64_t>()};
  row.stale_products = r[20].as<std::int64_t>();
  row.quarantined = r[21].as<std::int64_t>();
  row.problem = r[22].as<bool>();
  row.error_class = text_or_none(r[23]);
  return row;
}

// The lines that `rest` leads to, with their users. `ids`: an array literal; none: all.
std::vector<status_row> read(pg_connection& db, const statement& rest,
                             const std::optional<std::string>& ids) {
  const std::string text = std::string(status_columns) + rest.text;
  std::vector<status_row> rows;
  std::unordered_map<std::int64_t, std::size_t> at;
  for (const auto& r : db.run({rest.name, text.c_str()}, sql_values(ids))) {
    at.emplace(r[0].as<std::int64_t>(), rows.size());
    rows.push_back(row_of(r));
  }
  for (const auto& r : db.run(users_sql, sql_values(ids))) {
    const auto found = at.find(r[0].as<std::int64_t>());
    if (found != at.end()) rows[found->second].users.push_back(user_id{r[1].c_str()});
  }
  return rows;
}

std::string array_of(std::span<const credential_id> ids) {
  array_literal list;
  for (const credential_id id : ids)
    list.add(id.value);
  return list.take();
}

std::vector<status_row> read_selected(pg_connection& db, const selection& who) {
  std::optional<std::string> ids;
  if (!who.users.empty() || !who.credentials.empty()) {
    chosen_credentials chosen = backfill::resolve(db, who);
    chosen.ids.insert(chosen.ids.end(), chosen.paused.begin(), chosen.paused.end());
    ids = array_of(chosen.ids);
  }
  return read(db, status_sql, ids);
}

}  // namespace

std::vector<status_row> read_status(const db_options& options, const selection& who) {
  return on_own_connection(options, [&](pg_connection& db) { return read_selected(db, who); });
}

std::vector<mirror_problems::row> read_mirror_problems(const db_options& options) {
  return on_own_connection(options, [](pg_connection& db) { return mirror_problems::read(db); });
}

std::vector<status_row> read_status_of(pg_connection& db, std::span<const credential_id> ids) {
  return read(db, status_of_sql, array_of(ids));
}

}  // namespace flanks
