-- migrate:up
-- Answers for people, ready made: what came in and went out, what is doubtful about the data, how the banks do.

-- ------------------------------------------------------------------------------------------------ monthly_cash_flow

create view flanks.monthly_cash_flow as
select date_trunc('month', t.operation_date::timestamp)::date as month, u.user_id, t.product, t.category, t.currency,
  coalesce(sum(t.amount) filter (where t.amount > 0), 0) as money_in,
  coalesce(sum(t.amount) filter (where t.amount < 0), 0) as money_out,
  sum(t.amount) as net,
  count(*) as operations,
  count(*) filter (where cardinality(t.users) > 1) as shared_operations
from flanks.transactions_distinct t
left join lateral unnest(t.users) u(user_id) on true
group by 1, 2, 3, 4, 5;
comment on view flanks.monthly_cash_flow is 'What came in and went out, by month, user, product, category and currency: each real operation once (transactions_distinct), also those that have aged out, never those that were removed. An operation that belongs to several users (a joint account) counts in full for each of them: the sums of one user are right, the sum over users counts it more than once (shared_operations says where). It reads all operations, whatever is filtered: where it is asked often, keep it as a table (contrib/dbt does).';
comment on column flanks.monthly_cash_flow.month is 'First day of the month of operation_date; later than today for what is dated ahead.';
comment on column flanks.monthly_cash_flow.user_id is 'Your user; null for operations whose credential belongs to no user any more.';
comment on column flanks.monthly_cash_flow.product is 'account, card, investment or liability. Of its own, because what is paid with a card is a card''s operation and comes once more as the account''s settlement: do not add the two up.';
comment on column flanks.monthly_cash_flow.category is 'The provider''s category; null where it gave none.';
comment on column flanks.monthly_cash_flow.currency is 'ISO 4217 code of the sums; null where the bank gave none. Never add up two currencies.';
comment on column flanks.monthly_cash_flow.money_in is 'Sum of the positive amounts, exact; 0 when there is none.';
comment on column flanks.monthly_cash_flow.money_out is 'Sum of the negative amounts, exact, with its sign; 0 when there is none.';
comment on column flanks.monthly_cash_flow.net is 'money_in + money_out.';
comment on column flanks.monthly_cash_flow.operations is 'How many operations.';
comment on column flanks.monthly_cash_flow.shared_operations is 'How many of them belong to other users as well.';

-- ----------------------------------------------------------------------------------------------------- data_quality

-- Of sync_status only the lines of those that may be in trouble, by an array: the planner takes it for a few rows, and does
-- not compile (JIT) what reads all of it, which took 9 of 10 seconds.
create view flanks.data_quality as
with standing as materialized (
  select s.credential_id, s.state, s.who_must_act, s.last_success_at, s.last_error, s.last_error_hint, s.what_next,
    s.unusually_quiet, s.provider_updated_at
  from flanks.sync_status s where s.credential_id = any (array(
    select n.credential_id from flanks_internal.standing n where n.state in ('stale', 'error', 'blocked', 'action_required', 'gone')
    union
    select v.credential_id from flanks.coverage v
    where v.usual_gap_days is not null and (now() at time zone 'UTC')::date - v.last_operation_on > 14))),
findings as (
  -- An amount, a day or an _id that cannot be read is the provider's to put right; what the database refused is ours.
  select case when q.reason in ('joint_conflict', 'product_conflict') then 'conflict' when q.stored_anyway then 'stored_with_a_change'
      else 'not_stored' end as finding,
    q.reason || ' (' || case q.part when 'products' then 'list of ' else 'operations of ' end || q.product || ')' as subject,
    case when count(distinct q.credential_id) = 1 then min(q.credential_id) end as credential_id,
    sum(q.records)::bigint as records, count(distinct q.credential_id) as credentials, min(q.first_seen_at) as since,
    case when q.reason in ('joint_conflict', 'product_conflict', 'refused_by_database') then 'operator'
      when q.stored_anyway then 'nobody' else 'provider' end as who_must_act,
    max(q.detail) as detail,
    case when q.stored_anyway then 'nothing; the original is in extra, its bytes are in: '
      else 'compare them with the bank, and tell the provider: ' end || format('select * from flanks.quarantine where resolved_at is null and (part, product, reason) = (%L, %L, %L)',
        q.part, q.product, q.reason) as what_next
  from flanks.quarantine q where q.resolved_at is null
  group by q.part, q.product, q.reason, q.stored_anyway
  union all
  select 'unknown_field', u.endpoint || ': ' || u.path || ' (' || u.json_type || ')', null, u.count, null, u.first_seen_at, 'nobody',
    'the provider sends a field that has no column here',
    'nothing is lost, it is in extra; ask for a column if you need one'
  from flanks.unknown_fields u
  union all
  select 'removals_to_review', r.product, r.credential_id,
    (select count(*) from flanks.removal_candidates c where c.sync_run_id = r.sync_run_id), 1, r.raised_at, 'operator',
    case r.reason when 'empty_answer' then 'the answer was an empty list where rows are stored'
      else 'so many rows vanished at once that none was removed' end,
    'look at them (flanks-sync removals list), then flanks-sync removals confirm or reject ' || r.sync_run_id
  from flanks.removal_reviews r where r.state = 'open'
  union all
  select 'succession_to_review', s.product, s.to_credential_id, s.compared_rows, 2, s.raised_at, 'operator',
    format('it may show an account that credential %s showed before: %s of %s operations are alike', s.from_credential_id, s.paired_rows,
      s.compared_rows),
    'look at it (flanks-sync successions show ' || s.succession_id || '), then flanks-sync successions confirm or reject '
      || s.succession_id
  from flanks.successions s where s.state = 'open'
  union all
  select 'days_not_covered', v.product, v.credential_id, null, 1, v.last_success_at, 'operator',
    'nothing was read of ' || g.days::text,
    format('flanks-sync backfill --credential %s --product %s --from %s --to %s', v.credential_id, v.product,
      lower(g.days), upper(g.days) - 1)
  from flanks.coverage v join flanks.credentials c using (credential_id)
  cross join lateral (select datemultirange(range_merge(v.days)) - v.days as days) g
  where not isempty(g.days) and c.removed_at is null and not c.paused
  union all
  select 'list_of_products', v.product, v.credential_id, null, 1, v.last_success_at,
    case v.outcome when 'suspicious' then 'operator' else 'provider' end, v.reason,
    case v.outcome when 'suspicious' then 'look at the products; a second list that says the same is believed'
      else 'read again at its next refresh' end
  from flanks.product_coverage v join flanks.credentials c using (credential_id)
  where v.outcome in ('partial', 'failed', 'suspicious') and c.removed_at is null and not c.paused
  union all
  select 'differs_from_the_provider', v.product, v.credential_id, v.missing + v.extra + v.altered, 1, v.finished_at, 'operator',
    format('verify: %s missing, %s that the provider does not show, %s altered', v.missing, v.extra, v.altered),
    format('flanks-sync verify --credential %s --product %s --from %s --to %s --repair', v.credential_id, v.product,
      v.window_from, v.window_to)
  from flanks_internal.open_differences v
  union all
  select 'stale', null, s.credential_id, null, 1, s.provider_updated_at, s.who_must_act, s.last_error, s.what_next
  from standing s where s.state = 'stale'
  union all
  select 'not_synchronised', null, s.credential_id, null, 1, s.last_success_at, s.who_must_act,
    coalesce(s.last_error, 'it is ' || s.state), coalesce(s.last_error_hint || '; ', '') || s.what_next
  from standing s where s.state in ('error', 'blocked', 'action_required', 'gone')
  union all
  select 'unusually_quiet', null, s.credential_id, null, 1,
    (select max(v.last_operation_on)::timestamptz from flanks.coverage v where v.credential_id = s.credential_id), 'nobody',
    'no operation for three times as long as usual', 'no error: look whether that can be'
  from standing s where s.unusually_quiet)
select array_position(array['operator', 'provider', 'end_user', 'nobody'], f.who_must_act) as rank, f.finding, f.subject, f.credential_id,
  c.bank, f.records, f.credentials, f.since, f.who_must_act, f.detail, f.what_next
from findings f left join flanks.credentials c using (credential_id)
order by 1, f.finding, f.since, f.credential_id, f.subject;
comment on view flanks.data_quality is 'What is doubtful about the data now: one line a finding, with who must act and what to do next; those of the operator first. Empty when there is nothing to say. What is wrong with single credentials in full: sync_status.';
comment on column flanks.data_quality.rank is '1 the operator, 2 the provider, 3 the end user must act, 4 nobody.';
comment on column flanks.data_quality.finding is 'not_stored (records in quarantine, of one reason and list), stored_with_a_change (a value that did not fit its column), conflict (two credentials or lists show one operation with other values), unknown_field, removals_to_review, succession_to_review, days_not_covered (a hole between days that were read), list_of_products (partial, failed or suspicious), differs_from_the_provider (the last verify found so), stale, not_synchronised, unusually_quiet.';
comment on column flanks.data_quality.subject is 'Which reason, field or product; null where it is all of a credential.';
comment on column flanks.data_quality.credential_id is 'The credential; null where it is of several or of none.';
comment on column flanks.data_quality.bank is 'The provider''s identifier of its bank.';
comment on column flanks.data_quality.records is 'How many records it is about; null where that is not counted.';
comment on column flanks.data_quality.credentials is 'How many credentials it is about; null for an unknown field.';
comment on column flanks.data_quality.since is 'Since when. stale: the last refresh of the provider; not_synchronised: the last success; unusually_quiet: the last operation; days_not_covered, list_of_products: when the product was last read; differs_from_the_provider: when it was found.';
comment on column flanks.data_quality.who_must_act is 'nobody, end_user, operator or provider.';
comment on column flanks.data_quality.detail is 'What was found, in words.';
comment on column flanks.data_quality.what_next is 'The next step: a command, a query, or whom to ask.';

-- ------------------------------------------------------------------------------------------------------------ banks

create view flanks.banks as
select c.bank, e.name, c.credentials, c.ok, c.stale, c.error, c.action_required, c.blocked, c.pending, c.gone, c.paused,
  coalesce(r.runs_of_day, 0) as runs_of_day, coalesce(r.failed_of_day, 0) as failed_of_day,
  round(r.failed_of_day::numeric / nullif(r.runs_of_day, 0), 4) as error_rate_of_day,
  coalesce(r.runs_of_week, 0) as runs_of_week, coalesce(r.failed_of_week, 0) as failed_of_week,
  round(r.failed_of_week::numeric / nullif(r.runs_of_week, 0), 4) as error_rate_of_week,
  r.most_frequent_error, coalesce(r.new_rows_of_week, 0) as new_rows_of_week,
  c.oldest_refresh_at, c.median_lag, h.history_from
from (
  select k.bank, count(*) as credentials, count(*) filter (where s.state = 'ok') as ok, count(*) filter (where s.state = 'stale') as stale,
    count(*) filter (where s.state = 'error') as error, count(*) filter (where s.state = 'action_required') as action_required,
    count(*) filter (where s.state = 'blocked') as blocked, count(*) filter (where s.state in ('pending', 'new')) as pending,
    count(*) filter (where s.state = 'gone') as gone, count(*) filter (where s.state = 'paused') as paused,
    min(s.refreshed_at) filter (where s.state <> 'paused') as oldest_refresh_at,
    date_trunc('second',
      percentile_cont(0.5) within group (order by now() - l.confirmed_at) filter (where s.state <> 'paused')) as median_lag
  from flanks.credentials k join flanks_internal.standing s using (credential_id) left join flanks_internal.schedule l using (credential_id)
  where k.removed_at is null group by k.bank) c
left join flanks.entities e on e.entity_id = c.bank
left join (
  select k.bank, count(*) filter (where x.started_at >= now() - interval '1 day') as runs_of_day,
    count(*) filter (where x.outcome = 'failed' and x.started_at >= now() - interval '1 day') as failed_of_day,
    count(*) as runs_of_week, count(*) filter (where x.outcome = 'failed') as failed_of_week,
    mode() within group (order by x.error_class) filter (where x.outcome = 'failed') as most_frequent_error,
    sum(x.inserted)::bigint as new_rows_of_week
  from flanks.sync_runs x join flanks.credentials k using (credential_id)
  where x.started_at >= now() - interval '7 days' and x.outcome <> 'not_available' and k.removed_at is null
  group by k.bank) r on r.bank is not distinct from c.bank
left join (
  select k.bank, (now() at time zone 'UTC')::date - min(v.history_days) + 1 as history_from
  from flanks.coverage v join flanks.credentials k using (credential_id)
  where v.history_days is not null and k.removed_at is null group by k.bank) h on h.bank is not distinct from c.bank
order by c.credentials desc, c.bank;
comment on view flanks.banks is 'One line per bank, the one with most credentials first: how its credentials stand, how often reading it fails, how old its data is, how far back it goes. Removed credentials are not counted.';
comment on column flanks.banks.bank is 'The provider''s identifier of the bank; null for credentials whose first status has not come yet.';
comment on column flanks.banks.name is 'Its name for people; null until the list of banks has been read.';
comment on column flanks.banks.credentials is 'How many credentials.';
comment on column flanks.banks.ok is 'Of them: all is well.';
comment on column flanks.banks.stale is 'Of them: the provider has not refreshed them for longer than sync.stale_after.';
comment on column flanks.banks.error is 'Of them: the last attempt failed.';
comment on column flanks.banks.action_required is 'Of them: the end user must act.';
comment on column flanks.banks.blocked is 'Of them: the login no longer works.';
comment on column flanks.banks.pending is 'Of them: not read for the first time yet (new or pending).';
comment on column flanks.banks.gone is 'Of them: unknown to the provider.';
comment on column flanks.banks.paused is 'Of them: paused by an operator.';
comment on column flanks.banks.runs_of_day is 'Runs of the last 24 hours that fetched, or tried to: a poll that finds nothing newer is none (sync_runs).';
comment on column flanks.banks.failed_of_day is 'Of them: failed.';
comment on column flanks.banks.error_rate_of_day is 'failed_of_day / runs_of_day, four digits; null when there was no run.';
comment on column flanks.banks.runs_of_week is 'The same of the last 7 days.';
comment on column flanks.banks.failed_of_week is 'Of them: failed.';
comment on column flanks.banks.error_rate_of_week is 'failed_of_week / runs_of_week, four digits; null when there was no run.';
comment on column flanks.banks.most_frequent_error is 'The error_class that runs of the last 7 days failed with most often (error_classes says what it means).';
comment on column flanks.banks.new_rows_of_week is 'Operations that came in the last 7 days and were new.';
comment on column flanks.banks.oldest_refresh_at is 'The oldest of the last refreshes by the provider among its credentials that are not paused.';
comment on column flanks.banks.median_lag is 'Median, over its credentials that are not paused, of how long ago the mirror was last known to agree with the provider.';
comment on column flanks.banks.history_from is 'It serves no operations from before this day, of at least one credential''s product (coverage.history_days); null when it has served all that was asked for.';
