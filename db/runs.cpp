#include "db/runs.hpp"

namespace flanks {

namespace {

constexpr statement write_run{"insert_run", R"(
insert into flanks.sync_runs (sync_run_id, run_id, trigger, credential_id, product, window_from, window_to, outcome,
  fetched, inserted, updated, unchanged, duplicates, removed, quarantined, warnings,
  error_class, error_stage, error_message, error_hint, http_status, provider_code, trace_id,
  requests, response_bytes, provider_ms, database_ms, provider_updated_at, started_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
  nullif($17, ''), nullif($18, ''), nullif($19, ''), nullif($20, ''), nullif($21::integer, 0), nullif($22, ''), nullif($23, ''),
  $24, $25, $26, $27, $28, $29)
on conflict (sync_run_id) do nothing)"};

// A failure's words stay until an attempt ends without one: release() clears them.
constexpr statement note_attempt{"note_attempt", R"(
update flanks.credentials set last_attempt_at = clock_timestamp(),
  last_error = case when $2 then $3 else last_error end,
  last_error_class = case when $2 then $4 else last_error_class end,
  last_error_hint = case when $2 then nullif($5, '') else last_error_hint end,
  last_error_at = case when $2 then clock_timestamp() else last_error_at end
where credential_id = $1)"};

}  // namespace

call insert_run(const std::string& sync_run_id, const run_record& r) {
  std::optional<std::string_view> what;
  if (r.what) what = to_string(*r.what);
  std::optional<day> from, to;
  if (r.days) from = r.days->from, to = r.days->to;
  const row_counts& c = r.counts;
  return {write_run, sql_values(sync_run_id, r.run_id, to_string(r.why), r.credential, what, from,
                                to, to_string(r.how), c.fetched, c.inserted, c.updated, c.unchanged,
                                c.duplicates, c.removed, c.quarantined, c.warnings, r.error_class,
                                r.error_stage, r.error_message, r.error_hint, r.http_status,
                                r.provider_code, r.trace_id, r.requests, r.response_bytes,
                                r.provider_time, r.database_time, r.provider_update, r.started_at)};
}

void record_run(session& db, const std::string& sync_run_id, const run_record& record) {
  db.begin();
  const bool failed = record.how == outcome::failed;
  const auto noted =
      db.run(note_attempt, sql_values(record.credential, failed, record.error_message,
                                      record.error_class, record.error_hint));
  // Erased meanwhile: nothing of it may come back, not even that it was tried.
  if (noted.affected_rows() == 1) db.run_together({insert_run(sync_run_id, record)});
  db.commit();
}

void note_failure(session& db, credential_id credential, const std::string& message,
                  const std::string& error_class, const std::string& hint) {
  db.run(note_attempt, sql_values(credential, true, message, error_class, hint));
}

}  // namespace flanks
