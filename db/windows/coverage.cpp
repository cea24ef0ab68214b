#include "db/windows/coverage.hpp"

namespace flanks {

namespace {

// The watermark says "nothing of another refresh is unread", so only a window that reaches the day
// of the provider's refresh moves it; never beyond our own clock, whatever the provider says. Under
// another filter everything is new: what was covered says nothing about it. What is remembered of
// the bank's limits changes where they are said: 0 forgets them. An item that is open is found by
// its number, and never among all that are open (see open_items).
constexpr statement end_windows{"end_windows", R"(
with ended as (
  select * from unnest($1::bigint[], $2::text[], $3::date[], $4::date[], $5::timestamptz[], $6::boolean[], $7::boolean[],
      $8::text[], $9::boolean[], $10::bigint[], $11::boolean[], $12::date[], $13::integer[], $14::integer[],
      $15::date[], $16::integer[])
    as e(credential_id, product, first_day, last_day, provider_seen_at, all_history, recent_history, query, new_data, item_id,
      unclean, read_on, window_days, history_days, last_operation_on, usual_gap_days)),
covered as (
  insert into flanks.coverage as c (credential_id, product, days, provider_seen_at, last_success_at, last_sweep_at, query,
    last_recent_sweep_at, unclean, read_on, window_days, history_days, last_operation_on, usual_gap_days)
  select e.credential_id, e.product, datemultirange(daterange(e.first_day, e.last_day, '[]')),
    case when e.last_day >= least((e.provider_seen_at at time zone 'UTC')::date, (now() at time zone 'UTC')::date)
      then least(e.provider_seen_at, now() + interval '1 minute') end,
    clock_timestamp(), case when e.all_history then clock_timestamp() end, e.query,
    case when e.recent_history then clock_timestamp() end,
    case when e.unclean then datemultirange(daterange(e.first_day, e.last_day, '[]')) else '{}' end,
    e.read_on, e.window_days, e.history_days, e.last_operation_on, e.usual_gap_days
  from ended e order by e.credential_id
  on conflict (credential_id, product) do update set
    days = case when c.query = excluded.query then c.days + excluded.days else excluded.days end,
    provider_seen_at = case when c.query = excluded.query then coalesce(excluded.provider_seen_at, c.provider_seen_at)
      else excluded.provider_seen_at end,
    unclean = case when c.query = excluded.query then c.unclean - excluded.days else '{}' end + excluded.unclean,
    last_success_at = excluded.last_success_at,
    last_sweep_at = case when c.query = excluded.query then coalesce(excluded.last_sweep_at, c.last_sweep_at)
      else excluded.last_sweep_at end,
    last_recent_sweep_at = case when c.query = excluded.query then coalesce(excluded.last_recent_sweep_at, c.last_recent_sweep_at)
      else excluded.last_recent_sweep_at end,
    read_on = case when c.query = excluded.query then coalesce(excluded.read_on, c.read_on) else excluded.read_on end,
    window_days = nullif(coalesce(excluded.window_days, c.window_days), 0),
    history_days = nullif(coalesce(excluded.history_days, c.history_days), 0),
    last_operation_on = greatest(excluded.last_operation_on, c.last_operation_on),
    usual_gap_days = coalesce(excluded.usual_gap_days, c.usual_gap_days),
    query = excluded.query),
done as (
  update flanks_internal.backfill_items i set done_at = clock_timestamp(), last_error = null
  from ended e where i.item_id = e.item_id and coalesce(i.done_at, 'infinity') = 'infinity')
update flanks.credentials c set last_success_at = clock_timestamp(),
  last_new_data_at = case when e.new_data then clock_timestamp() else c.last_new_data_at end
from ended e where c.credential_id = e.credential_id)"};

}  // namespace

void covered_windows::add(const window_scope& scope, const window_diff& diff,
                          const run_record& record, const window_evidence& evidence,
                          bool new_data) {
  std::optional<day> read_on;
  if (scope.days.open) read_on = scope.days.to;
  std::optional<std::string> last_operation;
  if (!diff.rhythm().last_day().empty()) last_operation = diff.rhythm().last_day();
  rows_.add(sql_values(scope.credential, to_string(scope.what), scope.days.from,
                       diff.last_day_shown(), record.provider_update, evidence.all_history,
                       evidence.recent_history, scope.query, new_data, scope.item,
                       record.counts.quarantined > 0, read_on, evidence.window_days,
                       evidence.history_days, last_operation, diff.rhythm().usual_gap()));
}

call covered_windows::take() {
  return {end_windows, rows_.take()};
}

}  // namespace flanks
