-- migrate:up
-- Records that could not be stored are asked for again until they can be, and tell when they were. A watermark is no later
-- than the database's clock, and any other refresh of the provider than the one that was read is worth a fetch.

-- ------------------------------------------------------------------------------------------------ quarantine

alter table flanks.quarantine
  add column window_from date,
  add column window_to date,
  add column records bigint not null default 1,
  add column resolved_at timestamptz,
  add column resolved_sync_run_id uuid;
comment on column flanks.quarantine.reason is 'Short and stable. Not stored: missing_id, blank_id, missing_date, impossible_date, bad_amount, duplicate_key, too_long, too_deep, not_an_object, joint_conflict, product_conflict, refused_by_database, ... Stored with a change: bad_value, bad_number, bad_unicode, nul_character.';
comment on column flanks.quarantine.detail is 'For people: which fields, what is wrong.';
comment on column flanks.quarantine.stored_anyway is 'A warning: the record is stored, without a value that did not fit its column (the original is in extra), or with U+FFFD in place of what no text can hold.';
comment on column flanks.quarantine.window_from is 'First day of the window that showed it; null for products.';
comment on column flanks.quarantine.window_to is 'Last day of the window that showed it; null for products.';
comment on column flanks.quarantine.records is 'How many records the row stands for: 1, or those beyond limits.quarantine_per_day of one reason and day, whose bytes are not kept.';
comment on column flanks.quarantine.resolved_at is 'When the record was stored after all, or the provider showed its days without it; null while it is open.';
comment on column flanks.quarantine.resolved_sync_run_id is 'The run that found so.';
comment on column flanks.quarantine.last_sync_run_id is 'The run in which it was first met, or met again after it had been resolved.';
comment on column flanks.quarantine.last_seen_at is 'When that was. A record that is met again while it is open changes nothing.';
-- What is wrong now, per credential: asked by every sync_status, and before a window is compared.
create index quarantine_open on flanks.quarantine (credential_id, product, part) where resolved_at is null;
comment on index flanks.quarantine_open is 'What is not stored now.';

-- -------------------------------------------------------------------------------------------------- coverage

alter table flanks.coverage add column unclean datemultirange not null default '{}';
comment on column flanks.coverage.unclean is 'Days whose last answer held records that are in quarantine: read again with each refresh of the provider until they are clean.';
comment on column flanks.coverage.provider_seen_at is 'The watermark: the provider''s refresh that was last read, at most a minute ahead of the database''s clock. Any other refresh is worth a fetch.';
comment on column flanks.product_coverage.provider_seen_at is 'The watermark: the provider''s refresh that was last read, at most a minute ahead of the database''s clock. Any other refresh is worth a fetch.';
comment on column flanks.product_coverage.doubted_at is 'The refresh of the provider in which too much had vanished at once. Another one that says the same is believed.';

-- ---------------------------------------------------------------------------------------------------- status

create or replace view flanks.sync_status as
select c.credential_id,
  u.users,
  c.bank,
  s.state,
  case when r.reviews > 0 and s.state not in ('action_required', 'blocked', 'removed') then 'operator'
    else case s.state when 'action_required' then 'end_user' when 'blocked' then 'end_user'
    when 'gone' then 'operator' when 'paused' then 'operator' when 'removed' then 'nobody'
    when 'pending' then 'provider'
    when 'error' then case
      when c.last_error_class in ('first_byte_timeout', 'idle_timeout', 'total_timeout', 'connection_closed', 'connection_reset',
        'truncated', 'html', 'error_object', 'empty_body', 'unexpected_body', 'invalid_json', 'bad_response', 'bad_status',
        'bad_token', 'too_large', 'rate_limited', 'not_found', 'provider_errored', 'early_answer', 'repeated_answer') then 'provider'
      when c.last_error_class in ('unauthorized', 'forbidden', 'redirect', 'untrusted_certificate') then 'operator'
      when c.last_error_class ~ '^(http_[35]|send_timeout|provider_)' then 'provider'
      when c.last_error_class ~ '^(bad_request|http_4|response_too_large|database|token_|bad_ca)' then 'operator'
      -- The network, or something new: it mends itself, or it does not.
      when coalesce(l.failures_in_a_row, 0) < 3 then 'nobody' else 'operator' end
    when 'ok' then case when e.error is null then 'nobody' else 'operator' end
    else 'nobody' end end as who_must_act,
  c.last_attempt_at,
  c.last_success_at,
  c.last_new_data_at,
  date_trunc('second', now() - c.last_confirmed_at) as lag,
  case when l.next_due_at < 'infinity' then l.next_due_at end as next_run_at,
  coalesce(l.lease_id is not null and l.expires_at > now(), false) as running,
  coalesce(l.failures_in_a_row, 0) as failures_in_a_row,
  e.error as last_error,
  e.hint as last_error_hint,
  case when r.reviews > 0 then 'so many rows vanished at once that none was removed: a person must look (flanks-sync removals list); '
    else '' end || case s.state
    when 'removed' then 'nothing: it was removed; its rows stay'
    when 'paused' then 'nothing until it is resumed' || coalesce(' (' || c.pause_reason || ')', '')
    when 'gone' then 'the provider does not know it any more; asked again' || n.at
    when 'action_required' then 'the end user must ' || concat_ws(' and ', case when c.reset_required then 'enter a new password' end,
        case when c.sca_required then 'pass the bank''s authentication' end,
        case when c.transaction_token_required then 'authorise the reading of transactions' end,
        case when not coalesce(c.reset_required or c.sca_required or c.transaction_token_required, false) then 'act at the bank' end) || '; asked again' || n.at
    when 'blocked' then 'the login no longer works at the bank: the end user must connect again; asked again' || n.at
    when 'pending' then 'the provider is still reading it for the first time; asked again' || n.at
    when 'error' then 'tried again' || n.at
    when 'new' then 'its first synchronisation starts' || n.at
    when 'ok' then case when q.records > 0 then 'look at flanks.quarantine; ' else '' end || 'next synchronisation' || n.at
    else 'next synchronisation' || n.at
  end as what_next,
  q.records as quarantined
from flanks.credentials c
left join flanks_internal.leases l using (credential_id)
cross join lateral (select case when c.removed_at is not null then 'removed' when c.paused then 'paused' else c.state end as state) s
cross join lateral (select case
    when l.lease_id is not null and l.expires_at > now() then ' now: it is running'
    when l.next_due_at <= now() then ' as soon as a worker is free'
    when l.next_due_at < 'infinity' then ' at ' || to_char(l.next_due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
    else ' never' end as at) n
cross join lateral (select coalesce(array_agg(uc.user_id order by uc.user_id), '{}') as users
    from flanks.user_credentials uc where uc.credential_id = c.credential_id) u
left join (select v.credential_id, count(*) as reviews from flanks.removal_reviews v where v.state = 'open' group by v.credential_id) r
  on r.credential_id = c.credential_id
cross join lateral (select coalesce(sum(o.records), 0)::bigint as records from flanks.quarantine o
    where o.credential_id = c.credential_id and o.resolved_at is null and not o.stored_anyway) q
-- What stays wrong when a poll finds nothing new is said as long as it is so.
left join lateral (select string_agg(v.reason, '; ' order by v.product) as words from flanks.product_coverage v
    where v.credential_id = c.credential_id and v.outcome = 'suspicious') d on true
cross join lateral (select
    case when c.last_error is not null then c.last_error
      when s.state in ('removed', 'paused') then null
      when q.records > 0 then case q.records when 1 then '1 record' else q.records || ' records' end
        || ' could not be stored and ' || case q.records when 1 then 'is' else 'are' end || ' in quarantine; the rest is stored'
      else d.words end as error,
    case when c.last_error is not null then c.last_error_hint
      when q.records > 0 and s.state not in ('removed', 'paused') then
        'select reason, detail from flanks.quarantine where resolved_at is null and credential_id = ' || c.credential_id end as hint) e
order by case when r.reviews > 0 then 1 end,
  array_position(array['error', 'blocked', 'action_required', 'gone', 'pending', 'new', 'paused', 'ok', 'removed'],
    case when s.state = 'ok' and e.error is not null then 'error' else s.state end),
  c.last_confirmed_at nulls first, c.credential_id;
comment on column flanks.sync_status.last_error is 'What the last attempt failed with, in full; else what is still wrong: records in quarantine, a list of products that lacks too much.';
comment on column flanks.sync_status.quarantined is 'Records of it that are in quarantine now and could not be stored.';
