-- migrate:up
-- Rows that vanish at once wait for a person; sweeps and window sizes are remembered.

create table flanks.removal_reviews (
  sync_run_id uuid primary key,
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  reason text not null check (reason in ('too_many', 'empty_answer')),
  state text not null default 'open' check (state in ('open', 'confirmed', 'rejected', 'resolved')),
  stored_rows bigint not null,
  removed_rows bigint,
  raised_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  decided_at timestamptz,
  decided_by text,
  check ((decided_at is null) = (state = 'open'))
);
-- One open question for each list; what vanishes later joins it. Also: who must look.
create unique index removal_reviews_open on flanks.removal_reviews (credential_id, product) where state = 'open';
-- Which rows of a list are set aside: asked at every commit.
create index removal_reviews_aside on flanks.removal_reviews (credential_id, product) where state in ('open', 'rejected');
comment on table flanks.removal_reviews is 'So many rows vanished at once that nothing was removed and a person must say what is true: flanks-sync removals list, confirm, reject.';
comment on column flanks.removal_reviews.sync_run_id is 'The run that raised it (sync_runs.sync_run_id), and its name on the command line.';
comment on column flanks.removal_reviews.credential_id is 'The credential.';
comment on column flanks.removal_reviews.product is 'account, card, investment or liability.';
comment on column flanks.removal_reviews.reason is 'too_many: more than the threshold vanished; empty_answer: the answer was an empty list where rows are stored.';
comment on column flanks.removal_reviews.state is 'open; confirmed (the rows were removed); rejected (the rows stay, and do not raise this again until the provider has shown them); resolved (the provider shows them again).';
comment on column flanks.removal_reviews.stored_rows is 'Rows that were stored in the window of the last answer that raised it.';
comment on column flanks.removal_reviews.removed_rows is 'Rows that confirming it removed.';
comment on column flanks.removal_reviews.raised_at is 'When it was raised.';
comment on column flanks.removal_reviews.last_seen_at is 'When an answer last lacked rows of it.';
comment on column flanks.removal_reviews.decided_at is 'When it ended; null while it is open.';
comment on column flanks.removal_reviews.decided_by is 'The database role that decided; null when it resolved by itself.';
comment on index flanks.removal_reviews_open is 'At most one open review for each list.';
comment on index flanks.removal_reviews_aside is 'Reviews whose rows are set aside.';

create table flanks.removal_candidates (
  sync_run_id uuid not null references flanks.removal_reviews on delete cascade,
  _id text collate "C" not null,
  primary key (sync_run_id, _id)
);
comment on table flanks.removal_candidates is 'The rows that a review is about; one that the provider shows again leaves an undecided or rejected one.';
comment on column flanks.removal_candidates.sync_run_id is 'The review.';
comment on column flanks.removal_candidates._id is 'The operation that was not shown.';

alter table flanks.coverage add column last_recent_sweep_at timestamptz;
comment on column flanks.coverage.last_recent_sweep_at is 'When the recent part of history (sync.recent_sweep_days) was last read whole.';

create table flanks_internal.window_sizes (
  credential_id bigint not null references flanks.credentials on delete cascade,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  days integer not null check (days > 0),
  updated_at timestamptz not null default now(),
  primary key (credential_id, product)
);
comment on table flanks_internal.window_sizes is 'The largest window that the provider could serve when it could not serve a larger one: where the next fetch starts.';
comment on column flanks_internal.window_sizes.credential_id is 'The credential.';
comment on column flanks_internal.window_sizes.product is 'account, card, investment or liability.';
comment on column flanks_internal.window_sizes.days is 'Days of a window.';
comment on column flanks_internal.window_sizes.updated_at is 'When it was last changed.';

-- As in 0001, and says when a person must look at rows that vanished.
create or replace view flanks.sync_status as
select c.credential_id,
  u.users,
  c.bank,
  s.state,
  case when r.reviews > 0 and s.state not in ('action_required', 'blocked', 'removed') then 'operator' else
  case s.state when 'action_required' then 'end_user' when 'blocked' then 'end_user'
    when 'gone' then 'operator' when 'paused' then 'operator' when 'removed' then 'nobody'
    when 'pending' then 'provider'
    when 'error' then case
      when c.last_error_class ~ '^(http_[35]|rate_limited|html|error_object|empty_body|invalid_json|truncated|bad_response|unexpected_body|redirect|bad_status|connection_reset|connection_closed|first_byte_timeout|idle_timeout|total_timeout|send_timeout|provider_)' then 'provider'
      when c.last_error_class ~ '^(bad_request|unauthorized|forbidden|not_found|http_4|too_large|response_too_large|database|token_|bad_token|untrusted_certificate|bad_ca)' then 'operator'
      -- The network, or something new: it mends itself, or it does not.
      when coalesce(l.failures_in_a_row, 0) < 3 then 'nobody' else 'operator' end
    when 'ok' then case when c.last_error is null then 'nobody' else 'operator' end
    else 'nobody' end end as who_must_act,
  c.last_attempt_at,
  c.last_success_at,
  c.last_new_data_at,
  date_trunc('second', now() - c.last_confirmed_at) as lag,
  case when l.next_due_at < 'infinity' then coalesce(case when l.lease_id is not null then l.due_before_claim end, l.next_due_at) end as next_run_at,
  coalesce(l.lease_id is not null and l.expires_at > now(), false) as running,
  coalesce(l.failures_in_a_row, 0) as failures_in_a_row,
  c.last_error,
  c.last_error_hint,
  case when r.reviews > 0 then 'so many rows vanished at once that none was removed: a person must look (flanks-sync removals list); ' else '' end ||
  case s.state
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
    when 'ok' then case when c.last_error is null then '' else 'look at flanks.quarantine; ' end || 'next synchronisation' || n.at
    else 'next synchronisation' || n.at
  end as what_next
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
left join (select v.credential_id, count(*) as reviews from flanks.removal_reviews v where v.state = 'open' group by 1) r
  on r.credential_id = c.credential_id
order by case when r.reviews > 0 then 1 end nulls last,
  array_position(array['error', 'blocked', 'action_required', 'gone', 'pending', 'new', 'paused', 'ok', 'removed'],
    case when s.state = 'ok' and c.last_error is not null then 'error' else s.state end),
  c.last_confirmed_at nulls first, c.credential_id;
