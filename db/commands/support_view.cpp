#include "db/commands/support_view.hpp"

#include <array>
#include <string_view>

#include "db/commands/migrate.hpp"
#include "db/pg/connection.hpp"

namespace flanks {

namespace {

struct question {
  std::string_view title;
  statement ask;
};

// What the provider calls a code or a trace is shown where it looks like one; else it may be text
// about somebody.
constexpr std::array questions{
    question{"PostgreSQL", {"support_server", R"(
select current_setting('server_version') as version, current_setting('server_encoding') as encoding,
  current_setting('lc_messages') as lc_messages, pg_catalog.pg_is_in_recovery() as in_recovery,
  to_char(pg_catalog.pg_postmaster_start_time() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as started_at,
  to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as clock,
  (select coalesce(bool_or(ssl), false) from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid()) as tls)"}},
    question{"settings of our session", {"support_settings", R"(
select name, setting, unit, source from pg_catalog.pg_settings
where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'row_security', 'search_path',
  'DateStyle', 'TimeZone', 'IntervalStyle', 'extra_float_digits', 'bytea_output', 'client_encoding', 'standard_conforming_strings',
  'default_transaction_isolation', 'default_transaction_read_only', 'synchronous_commit', 'application_name', 'max_connections',
  'shared_buffers', 'work_mem', 'maintenance_work_mem', 'fsync', 'full_page_writes', 'wal_level', 'autovacuum', 'jit',
  'max_wal_size', 'checkpoint_timeout', 'log_min_duration_statement', 'log_parameter_max_length',
  'log_parameter_max_length_on_error', 'server_version_num')
order by name)"}},
    question{"schema", {"support_migrations", R"(
select version, name, to_char(applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as applied_at
from flanks_internal.schema_migrations order by version)"}},
    question{"credentials by state", {"support_states", R"(
select state, who_must_act, count(*) as credentials, count(*) filter (where stale) as stale, count(*) filter (where running) as running,
  sum(quarantined)::bigint as quarantined, max(failures_in_a_row) as failures_in_a_row,
  to_char(min(last_success_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as oldest_success_at,
  to_char(min(provider_updated_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as oldest_refresh_at,
  to_char(min(next_run_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as next_run_at
from flanks.sync_status group by 1, 2 order by 3 desc, 1, 2)"}},
    question{"problems, at most 200", {"support_problems", R"(
select s.credential_id, s.state, s.who_must_act, c.last_error_class as error_class, s.failures_in_a_row, s.stale, s.quarantined,
  to_char(s.last_attempt_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last_attempt_at,
  to_char(s.last_success_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last_success_at,
  to_char(s.provider_updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as provider_updated_at,
  to_char(s.next_run_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as next_run_at
from flanks.sync_status s join flanks.credentials c using (credential_id)
where s.state in ('stale', 'error', 'blocked', 'action_required', 'gone') or s.last_error is not null
order by s.failures_in_a_row desc, s.credential_id limit 200)"}},
    question{"failures of the last 7 days, the latest 200", {"support_failures", R"(
select to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as started_at, credential_id, product, trigger,
  window_from, window_to, outcome, error_class, error_stage, http_status,
  case when provider_code ~ '^([A-Za-z_.-]{1,64}|[0-9]{1,6})$' then provider_code when provider_code is not null then '(left out)' end
    as provider_code,
  case when trace_id ~ '^[0-9a-f-]{8,64}$' and trace_id ~ '[a-f]' then trace_id when trace_id is not null then '(left out)' end
    as trace_id,
  requests, response_bytes, provider_ms, database_ms, fetched, quarantined
from flanks.sync_runs
where started_at > now() - interval '7 days' and outcome in ('failed', 'partial', 'suspicious')
order by sync_runs.started_at desc limit 200)"}},
    question{"runs of the last day", {"support_runs", R"(
select trigger, product, outcome, error_class, count(*) as runs, sum(requests) as requests, sum(response_bytes) as response_bytes,
  sum(fetched) as fetched, sum(inserted) as inserted, sum(updated) as updated, sum(unchanged) as unchanged, sum(removed) as removed,
  sum(quarantined) as quarantined, round(avg(provider_ms)) as provider_ms, max(provider_ms) as provider_ms_max,
  round(avg(database_ms)) as database_ms, max(database_ms) as database_ms_max
from flanks.sync_runs where started_at > now() - interval '1 day' group by 1, 2, 3, 4 order by 1, 2, 3, 4)"}},
    question{"quarantine that is open", {"support_quarantine", R"(
select product, reason, sum(records) as records, count(distinct credential_id) as credentials
from flanks.quarantine where resolved_at is null group by 1, 2 order by 3 desc)"}},
    question{"what waits for a person", {"support_reviews", R"(
select 'removals' as what, count(*) as open, to_char(min(raised_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since
from flanks.removal_reviews where state = 'open'
union all
select 'successions', count(*), to_char(min(raised_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from flanks.successions where state = 'open')"}},
    question{"leases", {"support_leases", R"(
select count(*) as credentials, count(*) filter (where lease_id is not null and expires_at > now()) as held,
  count(*) filter (where lease_id is not null and expires_at <= now()) as run_out, count(*) filter (where next_due_at <= now()) as due,
  count(*) filter (where next_due_at = 'infinity') as never
from flanks_internal.leases)"}},
    question{"tables", {"support_tables", R"(
select c.oid::regclass::text as name, greatest(c.reltuples, 0)::bigint as rows_estimated, t.n_dead_tup as dead_rows,
  pg_catalog.pg_total_relation_size(c.oid) as bytes,
  to_char(greatest(t.last_vacuum, t.last_autovacuum) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as vacuumed_at,
  to_char(greatest(t.last_analyze, t.last_autoanalyze) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as analyzed_at
from pg_catalog.pg_class c
left join pg_catalog.pg_stat_user_tables t on t.relid = c.oid
where c.relkind = 'r' and c.relnamespace in (select oid from pg_catalog.pg_namespace where nspname in ('flanks', 'flanks_internal'))
order by 4 desc, 1)"}},
};

support_table answer_of(pg_connection& db, const question& q) {
  support_table table{std::string(q.title), {}, {}, {}};
  const pg_rows found = db.run(q.ask);
  for (int column = 0; column < PQnfields(found.get()); ++column)
    table.columns.emplace_back(PQfname(found.get(), column));
  for (const auto& r : found) {
    std::vector<std::string> cells;
    for (int column = 0; column < r.size(); ++column)
      cells.emplace_back(r[column].is_null() ? "-" : r[column].c_str());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace

std::vector<support_table> read_support(const db_options& options) {
  pg_connection db(options);
  std::vector<support_table> tables;
  for (const question& q : questions) {
    try {
      tables.push_back(answer_of(db, q));
    } catch (const sql_problem& problem) {
      tables.push_back(
          {std::string(q.title), {}, {}, migrate::explained(db, problem, stage::database).what()});
    }
  }
  return tables;
}

}  // namespace flanks
