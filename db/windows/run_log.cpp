#include "db/windows/run_log.hpp"

#include <unordered_map>
#include <utility>

#include "db/leases.hpp"
#include "db/pg/text_format.hpp"

namespace flanks {

namespace {

// A failure's words stay until an attempt ends without one: its release clears them.
constexpr statement note_attempt{"note_attempt", R"(
update flanks.credentials set last_error = $2, last_error_class = $3,
  last_error_hint = nullif($4, ''), last_error_at = clock_timestamp()
where credential_id = $1)"};

// Erased meanwhile: nothing of it may come back, not even that it was tried. The lock keeps it from
// being erased before this is committed; where the transaction holds the leases ($30), they do.
// Only a failure is noted at the credential: when it was tried is written with the end of the
// attempt.
constexpr statement write_runs{"insert_runs", R"(
with asked as (
  select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::date[], $7::date[], $8::text[],
      $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
      $17::text[], $18::text[], $19::text[], $20::text[], $21::integer[], $22::text[], $23::text[],
      $24::integer[], $25::bigint[], $26::bigint[], $27::bigint[], $28::timestamptz[], $29::timestamptz[]) with ordinality
    as a(sync_run_id, run_id, trigger, credential_id, product, window_from, window_to, outcome,
      fetched, inserted, updated, unchanged, duplicates, removed, quarantined, warnings,
      error_class, error_stage, error_message, error_hint, http_status, provider_code, trace_id,
      requests, response_bytes, provider_ms, database_ms, provider_updated_at, started_at, nr)),
alive as materialized (
  select c.credential_id from flanks.credentials c where not $30::boolean and c.credential_id = any($4::bigint[])
  order by c.credential_id for key share skip locked),
noted as (
  update flanks.credentials c set last_error = f.error_message,
    last_error_class = f.error_class, last_error_hint = nullif(f.error_hint, ''), last_error_at = clock_timestamp()
  from (select distinct on (a.credential_id) a.* from asked a where a.outcome = 'failed' order by a.credential_id, a.nr desc) f
  join alive using (credential_id) where c.credential_id = f.credential_id),
written as (
  insert into flanks.sync_runs (sync_run_id, run_id, trigger, credential_id, product, window_from, window_to, outcome,
    fetched, inserted, updated, unchanged, duplicates, removed, quarantined, warnings,
    error_class, error_stage, error_message, error_hint, http_status, provider_code, trace_id,
    requests, response_bytes, provider_ms, database_ms, provider_updated_at, started_at)
  select a.sync_run_id, a.run_id, a.trigger, a.credential_id, a.product, a.window_from, a.window_to, a.outcome,
    a.fetched, a.inserted, a.updated, a.unchanged, a.duplicates, a.removed, a.quarantined, a.warnings,
    nullif(a.error_class, ''), nullif(a.error_stage, ''), nullif(a.error_message, ''), nullif(a.error_hint, ''),
    nullif(a.http_status, 0), nullif(a.provider_code, ''), nullif(a.trace_id, ''),
    a.requests, a.response_bytes, a.provider_ms, a.database_ms, a.provider_updated_at, a.started_at
  from asked a where $30::boolean or a.credential_id in (select credential_id from alive) order by a.nr
  on conflict (sync_run_id) do nothing)
select credential_id from alive)"};

constexpr statement find_runs{"find_runs", R"(
select sync_run_id from flanks.sync_runs where sync_run_id = any($1::uuid[])
union all select product_run_id from flanks.product_runs where product_run_id = any($1::uuid[]))"};

constexpr statement lock_credential{"lock_credential", R"(
select from flanks.credentials where credential_id = $1 for key share)"};

// In the order of the statement.
sql_values values_of(const std::string& sync_run_id, const run_record& r) {
  std::optional<std::string_view> what;
  if (r.what) what = to_string(*r.what);
  std::optional<day> from, to;
  if (r.days) from = r.days->from, to = r.days->to;
  const row_counts& c = r.counts;
  return sql_values(sync_run_id, r.run_id, to_string(r.why), r.credential, what, from, to,
                    to_string(r.outcome), c.fetched, c.inserted, c.updated, c.unchanged,
                    c.duplicates, c.removed, c.quarantined, c.warnings,
                    storable_words(r.error_class), r.error_stage, storable_words(r.error_message),
                    storable_words(r.error_hint), r.http_status, storable_words(r.provider_code),
                    storable_words(r.trace_id), r.requests, r.response_bytes, r.provider_time,
                    r.database_time, r.provider_update, r.started_at);
}

}  // namespace

void run_records::add(const std::string& sync_run_id, const run_record& record) {
  rows_.add(values_of(sync_run_id, record));
}

call run_records::take(bool leases_held) {
  sql_values values = rows_.take();
  values.add(leases_held);
  return {write_runs, std::move(values)};
}

void apply(pg_connection& db, std::span<runs_request* const> requests) {
  if (requests.empty()) return;
  run_records rows;
  std::unordered_multimap<std::int64_t, runs_request*> by_credential;
  for (runs_request* r : requests) {
    for (std::size_t i = 0; i < r->records.size(); ++i)
      rows.add(r->ids[i], r->records[i]);
    by_credential.emplace(r->records.front().credential.value, r);
  }
  const call writing = rows.take(false);
  for (const auto& row : db.run(writing.what, writing.values)) {
    const auto [begin, end] = by_credential.equal_range(row[0].as<std::int64_t>());
    for (auto r = begin; r != end; ++r)
      r->second->done = true;
  }
}

std::unordered_set<std::string> committed_runs(pg_connection& db,
                                               std::span<const run_in_doubt> runs) {
  std::unordered_set<std::string> found;
  if (runs.empty()) return found;
  std::vector<credential_id> credentials;
  array_literal ids;
  for (const run_in_doubt& r : runs) {
    credentials.push_back(r.credential);
    ids.add(r.id);
  }
  leases::wait_for(db, credentials);
  for (const auto& r : db.run(find_runs, sql_values(ids.take())))
    found.insert(r[0].c_str());
  return found;
}

void wait_for_credential(pg_connection& db, credential_id id) {
  db.run(lock_credential, sql_values(id));
}

void note_failure(pg_connection& db, credential_id credential, const std::string& message,
                  const std::string& error_class, const std::string& hint) {
  db.run(note_attempt, sql_values(credential, storable_words(message), storable_words(error_class),
                                  storable_words(hint)));
}

}  // namespace flanks
