// The status page's first view: states, banks, problems, backfills, the last day.
#include <algorithm>
#include <unordered_map>

#include "db/commands/page_reads.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

constexpr int first_problems = 20, most_banks = 100;

// One look at all credentials: by state, by bank, and the first problems.
constexpr statement page_overview_sql{"page_overview", R"(
with t as materialized ()" FLANKS_CREDENTIALS_JUDGED R"( where c.removed_at is null)
(select 'state', state, null, count(*), (max(array[lag, credential_id]))[1], (max(array[lag, credential_id]))[2], null
 from (select t.*, greatest(0, floor(extract(epoch from now() - agreed_at)))::bigint as lag from t) t group by state
 order by array_position(array['stale', 'error', 'blocked', 'action_required', 'gone', 'pending', 'new', 'ok', 'paused'], state))
union all
select 'bank', b.bank, (select e.name from flanks.entities e where e.entity_id = b.bank), b.credentials, b.problems, b.stale, b.oldest
from (select bank, count(*) as credentials, count(*) filter (where problem) as problems, count(*) filter (where stale) as stale,
    floor(extract(epoch from min(refreshed_at) filter (where state not in ('paused', 'gone'))))::bigint as oldest
  from t group by bank order by 3 desc, 1) b
union all
(select 'problem', null, null, credential_id, null, null, null from t where problem
 order by urgency, confirmed_at nulls first, credential_id limit $1)
union all
select 'problems', null, null, count(*), null, null, null from t where problem
union all
select 'now', current_setting('server_version'), (select m.name from flanks_internal.schema_migrations m order by m.version desc limit 1),
  floor(extract(epoch from now()))::bigint, null, null, null)"};

// What stays as long as it is so: the state, or the oldest thing that waits.
constexpr statement page_since_sql{"page_problem_since", R"(
select i.id, to_char(case when c.state in ('error', 'blocked', 'action_required', 'gone') and not c.paused
  then (select max(h.from_at) from flanks.credential_states h where h.credential_id = i.id)
  else (select min(o.at) from (
    select min(q.first_seen_at) from flanks.quarantine q
      where q.credential_id = i.id and q.resolved_at is null and not q.stored_anyway
    union all select min(v.raised_at) from flanks.removal_reviews v where v.credential_id = i.id and v.state = 'open'
    union all select min(v.raised_at) from flanks.successions v where v.to_credential_id = i.id and v.state = 'open') o(at)) end,
  'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from unnest($1::bigint[]) i(id) join flanks.credentials c on c.credential_id = i.id)"};

constexpr statement page_backfills_sql{"page_backfills", R"(
select b.backfill_id, floor(extract(epoch from b.created_at))::bigint, b.window_from, b.window_to, count(distinct i.credential_id),
  count(*), count(i.done_at), count(*) filter (where i.done_at is null and i.attempts > 0),
  count(*) filter (where i.done_at > now() - interval '10 minutes'),
  ceil(extract(epoch from least(interval '10 minutes', now() - b.created_at)))::bigint,
  coalesce(max(i.last_error) filter (where i.done_at is null), '')
from flanks_internal.backfills b join flanks_internal.backfill_items i using (backfill_id)
where b.finished_at is null group by b.backfill_id order by b.backfill_id desc limit 10)"};

// The runs of a day, read once: by hour and by bank. (Sessions of ours are in UTC.)
constexpr statement page_activity_sql{"page_activity", R"(
select floor(extract(epoch from date_trunc('hour', r.started_at)) / 3600)::bigint, c.bank, count(*), count(*) filter (where r.outcome = 'failed'),
  sum(r.fetched), sum(r.inserted + r.updated + r.removed), sum(r.requests)
from flanks.sync_runs r
left join (select credential_id, coalesce(bank, '') as bank from flanks.credentials) c using (credential_id)
where r.started_at >= date_trunc('hour', now()) - interval '23 hours'
group by grouping sets ((date_trunc('hour', r.started_at)), (c.bank)))"};

void take(const pg_row& r, mirror_overview& to, std::vector<credential_id>& problems) {
  const std::string kind = r[0].c_str();
  const auto count = r[3].as<std::int64_t>();
  if (kind == "state") {
    to.states.push_back({r[1].c_str(), count, chr::seconds{r[4].as<std::int64_t>()},
                         credential_id{r[5].as<std::int64_t>()}});
  } else if (kind == "bank") {
    mirror_overview::bank b;
    b.id = r[1].c_str();
    b.name = r[2].c_str();
    b.credentials = count;
    b.problems = r[4].as<std::int64_t>();
    b.stale = r[5].as<std::int64_t>();
    if (!r[6].is_null()) b.oldest_refresh = seconds_since_1970(r[6]);
    to.banks.push_back(std::move(b));
  } else if (kind == "problem") {
    problems.push_back(credential_id{count});
  } else if (kind == "problems") {
    to.problem_count = count;
  } else {
    to.server = r[1].c_str();
    to.schema = r[2].c_str();
    to.read_at = instant{chr::seconds{count}};
  }
}

void read_problems(pg_connection& db, const std::vector<credential_id>& ids, mirror_overview& to) {
  if (ids.empty()) return;
  const texts_by_id since = since_when(db, ids);
  for (status_row& s : read_status_of(db, ids)) {
    std::optional<std::string> at = since_of(s, since);
    to.problems.push_back({std::move(s), std::move(at)});
  }
}

void read_backfills(pg_connection& db, mirror_overview& to) {
  for (const auto& r : db.run(page_backfills_sql)) {
    mirror_overview::backfill b;
    b.id = r[0].as<std::int64_t>();
    b.begun = seconds_since_1970(r[1]);
    b.days = {r[2].as<day>(), r[3].as<day>()};
    b.credentials = r[4].as<std::int64_t>();
    b.items = r[5].as<std::int64_t>();
    b.items_done = r[6].as<std::int64_t>();
    b.items_failed = r[7].as<std::int64_t>();
    b.done_lately = r[8].as<std::int64_t>();
    b.lately = chr::seconds{r[9].as<std::int64_t>()};
    b.last_error = r[10].c_str();
    to.backfills.push_back(std::move(b));
  }
}

void read_activity(pg_connection& db, mirror_overview& to) {
  std::unordered_map<std::string, mirror_overview::bank*> banks;
  for (mirror_overview::bank& b : to.banks)
    banks.emplace(b.id, &b);
  const auto now = chr::floor<chr::hours>(to.read_at);
  for (int back = 23; back >= 0; --back)
    to.hours.push_back({now - chr::hours{back}});
  for (const auto& r : db.run(page_activity_sql)) {
    const auto windows = r[2].as<std::int64_t>(), failed = r[3].as<std::int64_t>();
    if (r[0].is_null() && r[1].is_null()) continue;  // of credentials that were erased
    if (r[0].is_null()) {
      const auto bank = banks.find(r[1].c_str());
      if (bank != banks.end()) bank->second->windows = windows, bank->second->failed = failed;
      continue;
    }
    const instant begin{chr::hours{r[0].as<std::int64_t>()}};
    for (mirror_overview::hour& h : to.hours) {
      if (h.begin != begin) continue;
      h.windows = windows, h.failed = failed;
      h.fetched = r[4].as<std::int64_t>(), h.written = r[5].as<std::int64_t>();
      h.requests = r[6].as<std::int64_t>();
    }
  }
}

}  // namespace

texts_by_id since_when(pg_connection& db, const std::vector<credential_id>& ids) {
  array_literal list;
  for (const credential_id id : ids)
    list.add(id.value);
  texts_by_id found;
  for (const auto& r : db.run(page_since_sql, sql_values(list.take())))
    found[r[0].as<std::int64_t>()] = said(r[1]);
  return found;
}

std::optional<std::string> since_of(const status_row& s, const texts_by_id& found) {
  if (s.state == "stale") return s.provider_updated_at;
  const auto at = found.find(s.id.value);
  return at == found.end() ? std::nullopt : at->second;
}

mirror_overview read_overview(pg_connection& db) {
  mirror_overview found;
  std::vector<credential_id> problems;
  for (const auto& r : db.run(page_overview_sql, sql_values(first_problems)))
    take(r, found, problems);
  read_problems(db, problems, found);
  found.of_all = mirror_problems::read(db);
  read_backfills(db, found);
  read_activity(db, found);
  if (found.banks.size() > most_banks) found.banks.resize(most_banks);
  return found;
}

}  // namespace flanks
