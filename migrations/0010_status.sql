-- migrate:up
-- What readers ask most: how each credential stands, the transactions of today, and what each user owns.

-- -------------------------------------------------------------------------------------------------- mirror_problems

-- What keeps a whole daemon from its work is of no credential, and must be readable when that daemon has ended.
create table flanks_internal.mirror_problems (
  problem text not null check (problem in ('fetching', 'claiming', 'reloading', 'clock')),
  process text not null,
  since timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  error_class text not null,
  error text not null,
  hint text,
  primary key (problem, process)
);
comment on table flanks_internal.mirror_problems is 'What keeps the mirror as a whole from its work, by the daemon that says so; deleted when it is over.';
comment on column flanks_internal.mirror_problems.problem is 'fetching: nothing can be fetched until an operator acts. claiming: credentials that are due cannot be claimed. reloading: the configuration could not be read again. clock: this machine''s clock is another one than that of the provider or the database.';
comment on column flanks_internal.mirror_problems.process is 'Which daemon: host and process id.';
comment on column flanks_internal.mirror_problems.since is 'Since when it is so.';
comment on column flanks_internal.mirror_problems.seen_at is 'When the daemon last said so; once a minute while it runs.';
comment on column flanks_internal.mirror_problems.error_class is 'As in flanks.error_classes.';
comment on column flanks_internal.mirror_problems.error is 'What fails, in full.';
comment on column flanks_internal.mirror_problems.hint is 'What a person can do about it.';

-- The tables of leases are empty after a crash of the server, until a daemon runs again: the schedule is logged.
create function flanks.overdue(out credentials bigint, out since timestamptz, out nobody_works boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if pg_is_in_recovery() then return; end if;
  select count(*), min(s.next_due_at) into credentials, since
  from flanks_internal.schedule s left join flanks_internal.leases l using (credential_id)
  where s.next_due_at < now() - interval '15 minutes' and coalesce(l.expires_at, '-infinity') <= now();
  nobody_works := credentials > 0 and not exists (select from flanks_internal.leases l where l.expires_at > now())
    and not exists (select from flanks_internal.rate_limit r where r.paused_until > now());
end $$;
comment on function flanks.overdue() is 'How many credentials have been due for more than 15 minutes without a worker, and since when; nobody_works: no other credential has a worker either, and the provider has not asked for a pause. Null on a standby, which cannot know.';

-- What another daemon gets through is no problem of the mirror any more. A configuration is that of one daemon, and a clock that
-- of one machine: only what a living one says of it is so.
create view flanks.mirror_problems as
with told as (
select p.problem, p.since, p.process, p.error_class, coalesce(k.who_must_act, 'operator') as who_must_act, p.error, p.hint,
  case p.problem
    when 'fetching' then 'tried again every few minutes, and after systemctl reload flanks-sync'
    when 'claiming' then 'tried again within sync.poll'
    when 'clock' then 'the work goes on, and the clocks are compared again at the next answer'
    else 'the configuration of before stays in effect until it is reloaded' end as what_next
from flanks_internal.mirror_problems p
left join flanks.error_classes k using (error_class)
where case when p.problem in ('reloading', 'clock') then p.seen_at > now() - interval '3 minutes'
  else not exists (select from flanks_internal.schedule s where s.confirmed_at > p.seen_at + interval '2 minutes')
    and not exists (select from flanks_internal.mirror_problems o where o.problem = p.problem and (o.seen_at, o.process) > (p.seen_at, p.process)) end)
select * from told
union all
select 'working', v.since, 'the database', k.error_class, k.who_must_act,
  format('%s been due since %s UTC, and nobody works on %s', case v.credentials when 1 then '1 credential has' else v.credentials || ' credentials have' end,
    to_char(v.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), case v.credentials when 1 then 'it' else 'them' end),
  k.hint, 'they are read as soon as a daemon runs'
from flanks.overdue() v join flanks.error_classes k on k.error_class = 'work_overdue'
where v.nobody_works and not exists (select from told t where t.problem in ('fetching', 'claiming'))
order by since;
comment on view flanks.mirror_problems is 'What keeps the mirror as a whole from its work: no row when nothing does. Each credential''s own problems are in sync_status.';
comment on column flanks.mirror_problems.problem is 'fetching: nothing can be fetched until an operator acts. claiming: credentials that are due cannot be claimed. reloading: the configuration could not be read again. clock: this machine''s clock is another one than that of the provider or the database. working: credentials are due, and nobody works on any.';
comment on column flanks.mirror_problems.since is 'Since when it is so.';
comment on column flanks.mirror_problems.process is 'Which daemon says so: host and process id. It may have ended since. The database: no daemon says it.';
comment on column flanks.mirror_problems.error_class is 'As in error_classes.';
comment on column flanks.mirror_problems.who_must_act is 'nobody, operator or provider.';
comment on column flanks.mirror_problems.error is 'What fails, in full.';
comment on column flanks.mirror_problems.hint is 'What a person can do about it.';
comment on column flanks.mirror_problems.what_next is 'What happens next, in words.';

-- ----------------------------------------------------------------------------------------------------- sync_status

-- How each credential stands, written once: with what time alone makes of it. A refresh that the provider dates ahead counts
-- from when it was first told. The settings are read as a scalar: of a table that was never analysed, the planner would expect
-- a thousand rows.
create view flanks_internal.standing as
select c.credential_id,
  case when c.removed_at is not null then 'removed' when c.paused then 'paused' when c.state = 'ok' and f.stale then 'stale'
    else c.state end as state,
  r.refreshed_at, f.stale, p.newest as products_refreshed_at, coalesce(p.stale, 0) as stale_products
from flanks.credentials c
left join (
  select a.credential_id, max(a.provider_updated_at) as newest,
    count(*) filter (where a.provider_updated_at < now() - (select stale_after from flanks_internal.settings)) as stale
  from (
    select credential_id, provider_updated_at from flanks.accounts where removed_at is null
    union all select credential_id, provider_updated_at from flanks.cards where removed_at is null
    union all select credential_id, provider_updated_at from flanks.investments where removed_at is null
    union all select credential_id, provider_updated_at from flanks.liabilities where removed_at is null
    union all select credential_id, provider_updated_at from flanks.portfolios where removed_at is null) a
  where a.provider_updated_at is not null group by a.credential_id) p on p.credential_id = c.credential_id
cross join lateral (select least(c.provider_updated_at, c.provider_refresh_seen_at) as refreshed_at) r
cross join lateral (select c.removed_at is null and not c.paused
    and coalesce(least(r.refreshed_at, p.newest) < now() - (select stale_after from flanks_internal.settings), false) as stale) f;
comment on view flanks_internal.standing is 'How each credential stands now.';
comment on column flanks_internal.standing.credential_id is 'The credential.';
comment on column flanks_internal.standing.state is 'As in flanks.sync_status.';
comment on column flanks_internal.standing.refreshed_at is 'When the provider last refreshed it.';
comment on column flanks_internal.standing.stale is 'The provider has refreshed nothing of it for longer than sync.stale_after.';
comment on column flanks_internal.standing.products_refreshed_at is 'When the provider last refreshed any of its products, by their own stamps.';
comment on column flanks_internal.standing.stale_products is 'Products that it shows and that it has not refreshed for longer than sync.stale_after.';

-- Whether somebody must look at it, and in which order: for sync_status, the status page and the commands alike. exists: the
-- planner asks for one credential by its index, and for all of them by one hash.
create view flanks_internal.attention as
select s.*,
  r.reviews or e.wrong or s.state in ('stale', 'error', 'blocked', 'action_required', 'gone') as problem,
  case when s.state = 'stale' then 0 when r.reviews then 1 else 1 + array_position(
    array['stale', 'error', 'blocked', 'action_required', 'gone', 'pending', 'new', 'paused', 'ok', 'removed'],
    case when e.wrong then 'error' else s.state end) end as urgency
from flanks_internal.standing s
join flanks.credentials c using (credential_id)
cross join lateral (select
    exists (select from flanks.removal_reviews v where v.credential_id = s.credential_id and v.state = 'open')
    or exists (select from flanks.successions v where v.to_credential_id = s.credential_id and v.state = 'open') as reviews) r
-- It works, and something is wrong nevertheless.
cross join lateral (select s.state = 'ok' and (c.last_error is not null
    or exists (select from flanks.quarantine q where q.credential_id = s.credential_id and q.resolved_at is null and not q.stored_anyway)
    or exists (select from flanks.product_coverage v where v.credential_id = s.credential_id and v.outcome = 'suspicious')) as wrong) e;
comment on view flanks_internal.attention is 'How each credential stands, and whether somebody must look at it.';
comment on column flanks_internal.attention.credential_id is 'The credential.';
comment on column flanks_internal.attention.state is 'As in flanks.sync_status.';
comment on column flanks_internal.attention.refreshed_at is 'As in flanks_internal.standing.';
comment on column flanks_internal.attention.stale is 'As in flanks_internal.standing.';
comment on column flanks_internal.attention.products_refreshed_at is 'As in flanks_internal.standing.';
comment on column flanks_internal.attention.stale_products is 'As in flanks_internal.standing.';
comment on column flanks_internal.attention.problem is 'As in flanks.sync_status.';
comment on column flanks_internal.attention.urgency is 'The order of flanks.sync_status; what somebody must look at comes first.';

-- The schedule is in flanks_internal; readers of sync_status see it through this view, with the rights of its owner.
create view flanks.sync_status as
select c.credential_id,
  u.users,
  c.bank,
  s.state,
  s.problem,
  x.error_class,
  case
    when s.state = 'paused' and x.error_class is null then 'operator'
    when k.who_must_act <> 'nobody' then k.who_must_act
    -- It mends itself, or it is something new.
    when s.state = 'error' and l.failures_in_a_row >= 3 then 'operator'
    when s.state = 'ok' and e.error is not null then 'operator'
    else 'nobody' end as who_must_act,
  greatest(l.confirmed_at, l.asked_at) as last_attempt_at,
  c.last_success_at,
  c.last_new_data_at,
  date_trunc('second', now() - l.confirmed_at) as lag,
  case when l.next_due_at < 'infinity' then l.next_due_at end as next_run_at,
  n.running,
  coalesce(l.failures_in_a_row, 0) as failures_in_a_row,
  s.refreshed_at as provider_updated_at,
  s.stale,
  s.stale_products,
  y.quiet as unusually_quiet,
  e.error as last_error,
  e.hint as last_error_hint,
  case when r.reviews > 0
    then 'so many rows vanished at once that none was removed: a person must look (flanks-sync removals list); '
    else '' end || case when w.successions > 0
    then 'it may show an account that another credential showed before: a person must look (flanks-sync successions list); '
    else '' end || case s.state
    when 'removed' then 'nothing: it was removed; its rows stay'
    when 'paused' then 'nothing until it is resumed' || coalesce(' (' || c.pause_reason || ')', '')
    when 'gone' then 'the provider does not know it any more; asked again' || n.at
    when 'action_required' then 'the end user must ' || concat_ws(' and ',
        case when c.reset_required then 'enter a new password' end,
        case when c.sca_required then 'pass the bank''s authentication' end,
        case when c.transaction_token_required then 'authorise the reading of transactions' end,
        case when not coalesce(c.reset_required or c.sca_required or c.transaction_token_required, false)
          then 'act at the bank' end) || '; asked again' || n.at
    when 'blocked' then 'the login no longer works at the bank: the end user must connect again; asked again' || n.at
    when 'pending' then 'the provider is still reading it for the first time; asked again' || n.at
    when 'error' then 'tried again' || n.at
    when 'new' then 'its first synchronisation starts' || n.at
    when 'ok' then case when q.records > 0 then 'look at flanks.quarantine; ' else '' end || coalesce(y.words, '') ||
      'next synchronisation' || n.at
    when 'stale' then 'the provider must refresh it; asked again' || n.at
    else 'next synchronisation' || n.at
  end as what_next,
  q.records as quarantined,
  h.history_from
from flanks.credentials c
left join flanks_internal.schedule l using (credential_id)
left join flanks.running() busy(credential_id) using (credential_id)
join flanks_internal.attention s using (credential_id)
cross join (select max(paused_until) filter (where paused_until > now()) as paused_until from flanks_internal.rate_limit) p
cross join lateral (select busy.credential_id is not null as running, case
    when busy.credential_id is not null then ' now: it is running'
    when l.next_due_at <= now() then ' as soon as a worker is free'
    when l.next_due_at < p.paused_until then ' when the provider''s pause is over, at '
      || to_char(p.paused_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
    when l.next_due_at < 'infinity' then ' at ' || to_char(l.next_due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
    else ' never' end as at) n
cross join lateral (select coalesce(array_agg(uc.user_id order by uc.user_id), '{}') as users
    from flanks.user_credentials uc where uc.credential_id = c.credential_id) u
left join (select v.credential_id, count(*) as reviews from flanks.removal_reviews v
    where v.state = 'open' group by v.credential_id) r on r.credential_id = c.credential_id
left join (select v.to_credential_id, count(*) as successions from flanks.successions v
    where v.state = 'open' group by v.to_credential_id) w on w.to_credential_id = c.credential_id
cross join lateral (select coalesce(sum(o.records), 0)::bigint as records from flanks.quarantine o
    where o.credential_id = c.credential_id and o.resolved_at is null and not o.stored_anyway) q
left join lateral (
    select true as quiet, format('unusually quiet: its last operation is of %s, and it usually has one every %s; ', v.last_day,
      case v.gap when 1 then 'day' else v.gap || ' days' end) as words
    from (select max(o.last_operation_on) as last_day, min(o.usual_gap_days) as gap
      from flanks.coverage o where o.credential_id = c.credential_id) v
    where s.state = 'ok' and v.gap is not null and (now() at time zone 'UTC')::date - v.last_day > greatest(14, 3 * v.gap)) z on true
cross join lateral (select coalesce(z.quiet, false) as quiet, z.words) y
left join (select v.credential_id, (now() at time zone 'UTC')::date - min(v.history_days) + 1 as history_from
    from flanks.coverage v where v.history_days is not null group by v.credential_id) h on h.credential_id = c.credential_id
-- What stays wrong when a poll finds nothing new is said as long as it is so.
left join lateral (select string_agg(v.reason, '; ' order by v.product) as words from flanks.product_coverage v
    where v.credential_id = c.credential_id and v.outcome = 'suspicious') d on true
cross join lateral (select case
    when s.state = 'removed' then null
    when s.state = 'blocked' then s.state
    when s.state = 'action_required' then case when c.reset_required then 'reset_required' when c.sca_required then 'sca_required'
      when c.transaction_token_required then 'transaction_token_required' else s.state end
    when r.reviews > 0 then 'suspicious_removal'
    when w.successions > 0 then 'succession_open'
    when s.state in ('gone', 'stale') then s.state
    when s.state = 'pending' then 'provider_pending'
    when s.state = 'paused' then null
    when c.last_error_class is not null then c.last_error_class
    when q.records > 0 then 'quarantined'
    when d.words is not null then 'too_much_vanished' end as error_class) x
-- http_503 is in the family http_5xx.
left join flanks.error_classes k on k.error_class = regexp_replace(x.error_class, '^http_(.)..$', 'http_\1xx')
cross join lateral (select
    case when c.last_error is not null then c.last_error
      when s.state in ('removed', 'paused') then null
      when s.state = 'stale' and coalesce(s.refreshed_at <= s.products_refreshed_at, true) then format(
        'the provider has not refreshed it since %s UTC: what happened at the bank since then is missing',
        to_char(s.refreshed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
      when s.state = 'stale' then format(
        'the provider has refreshed none of its products since %s UTC: what happened at the bank since then is missing',
        to_char(s.products_refreshed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
      when q.records > 0 then case q.records when 1 then '1 record' else q.records || ' records' end
        || ' could not be stored and ' || case q.records when 1 then 'is' else 'are' end || ' in quarantine; the rest is stored'
      else d.words end as error,
    case when s.state = 'paused' then 'flanks-sync credentials resume ' || c.credential_id
      when c.last_error is not null then c.last_error_hint
      when s.state = 'stale' then (select o.hint from flanks.error_classes o where o.error_class = 'stale')
      when q.records > 0 and s.state not in ('removed', 'paused') then
        (select o.hint from flanks.error_classes o where o.error_class = 'quarantined') || ' and credential_id = ' || c.credential_id
      end as hint) e
order by s.urgency, l.confirmed_at nulls first, c.credential_id;
comment on view flanks.sync_status is 'One line per credential, problems first: how it stands, who must act, when it last worked, what happens next.';
comment on column flanks.sync_status.credential_id is 'The credential.';
comment on column flanks.sync_status.users is 'Your users it belongs to.';
comment on column flanks.sync_status.bank is 'The provider''s identifier of the bank.';
comment on column flanks.sync_status.state is 'credentials.state, or stale (in place of ok: the provider has not refreshed it for longer than sync.stale_after), or paused, or removed.';
comment on column flanks.sync_status.problem is 'Somebody must look at it: it fails, is blocked, stale or gone, has records in quarantine, or a decision waits for a person.';
comment on column flanks.sync_status.error_class is 'What is wrong, or what it waits for, as in error_classes; null when nothing is wrong.';
comment on column flanks.sync_status.who_must_act is 'nobody, end_user, operator or provider; nobody for an error that may mend itself, until the third in a row.';
comment on column flanks.sync_status.last_attempt_at is 'When it was last tried.';
comment on column flanks.sync_status.last_success_at is 'When transactions were last fetched and stored.';
comment on column flanks.sync_status.last_new_data_at is 'When a fetch last changed anything.';
comment on column flanks.sync_status.lag is 'How long ago the mirror was last known to agree with the provider; null when never.';
comment on column flanks.sync_status.next_run_at is 'When it is due; in the past when it waits for a free worker; null when never.';
comment on column flanks.sync_status.running is 'A worker is at it now; false on a standby, which cannot know.';
comment on column flanks.sync_status.failures_in_a_row is 'Failed attempts since the last good one.';
comment on column flanks.sync_status.provider_updated_at is 'When the provider last refreshed it: no later operation can be here.';
comment on column flanks.sync_status.stale is 'The provider has not refreshed it, or none of its products, for longer than sync.stale_after.';
comment on column flanks.sync_status.stale_products is 'Products that it shows and that the provider has not refreshed for so long; a cancelled one can stay in its list.';
comment on column flanks.sync_status.unusually_quiet is 'It has had no operation for three times as long as usual, and for 14 days at least. No error: look whether that can be.';
comment on column flanks.sync_status.last_error is 'What the last attempt failed with, in full; else what is still wrong: no refresh of the provider, records in quarantine, a list of products that lacks too much.';
comment on column flanks.sync_status.last_error_hint is 'What a person can do about it.';
comment on column flanks.sync_status.what_next is 'What happens next, in words.';
comment on column flanks.sync_status.history_from is 'The bank serves no operations of at least one product from before this day (coverage.history_days says of which); null when it has served all that was asked for.';
comment on column flanks.sync_status.quarantined is 'Records of it that are in quarantine now and could not be stored.';

-- -------------------------------------------------------------------------------------------- transactions_current

create view flanks.transactions_current as
select u.users, c.bank, t._id, t.credential_id, t.product, t.account_id, t.card_id, t.investment_id, t.liability_id,
  t.portfolio_id, t.operation_date, t.value_date, t.amount, t.currency, t.balance, t.description,
  t.product_description, t.category, t.shop, t.entity, t.card_number, t.transfer, t.extra, t.first_seen_at, t.updated_at,
  a.iban, coalesce(a.alias, a.description, k.alias, k.description) as account_name, e.name as bank_name, t.aged_out_at
from flanks.transactions t
join flanks.credentials c using (credential_id)
left join flanks.accounts a on t.product = 'account' and a.credential_id = t.credential_id and a.account_id = t.account_id
left join flanks.cards k on t.product = 'card' and k.credential_id = t.credential_id and k.card_id = t.card_id
left join flanks.entities e on e.entity_id = coalesce(a.entity, k.entity, t.entity, c.bank)
cross join lateral (select coalesce(array_agg(distinct n.user_id order by n.user_id), '{}') as users from (
    select uc.user_id from flanks.user_credentials uc where uc.credential_id = t.credential_id
    union all
    select uc.user_id from flanks.transaction_sightings s join flanks.user_credentials uc using (credential_id) where s._id = t._id) n) u
where t.removed_at is null;
comment on view flanks.transactions_current is 'The transactions that are true today, one row for each credential''s operation, with their users, account and bank: those that the provider shows, and those that have only aged out of what it shows. transactions_distinct counts each real operation once.';
comment on column flanks.transactions_current.users is 'Your users it belongs to: those of its credential and, for a joint account, of every other credential that shows it. Empty for one that only a removed credential has shown: flanks-sync credentials remove ends the links; transactions_distinct has the users of all that show the real account.';
comment on column flanks.transactions_current.bank is 'The provider''s identifier of the bank.';
comment on column flanks.transactions_current._id is 'The provider''s unique identification of the operation.';
comment on column flanks.transactions_current.credential_id is 'The credential that it was first seen through; others that show it too are in transaction_sightings.';
comment on column flanks.transactions_current.product is 'account, card, investment or liability: which list it is in.';
comment on column flanks.transactions_current.account_id is 'The account it belongs to.';
comment on column flanks.transactions_current.card_id is 'The card it belongs to.';
comment on column flanks.transactions_current.investment_id is 'The investment it belongs to.';
comment on column flanks.transactions_current.liability_id is 'The liability it belongs to.';
comment on column flanks.transactions_current.portfolio_id is 'The portfolio it belongs to.';
comment on column flanks.transactions_current.operation_date is 'Day of the operation, as the bank says it, in no time zone.';
comment on column flanks.transactions_current.value_date is 'Day from which the amount counts.';
comment on column flanks.transactions_current.amount is 'Exactly the digits that the provider sent; negative is money out.';
comment on column flanks.transactions_current.currency is 'ISO 4217 code of the amount.';
comment on column flanks.transactions_current.balance is 'Balance after the operation, where the bank shows it.';
comment on column flanks.transactions_current.description is 'The bank''s text.';
comment on column flanks.transactions_current.product_description is 'The bank''s text about the product.';
comment on column flanks.transactions_current.category is 'The provider''s category.';
comment on column flanks.transactions_current.shop is 'The shop that the provider recognised.';
comment on column flanks.transactions_current.entity is 'The bank.';
comment on column flanks.transactions_current.card_number is 'Number of the card, masked as the provider sends it.';
comment on column flanks.transactions_current.transfer is 'Beneficiary and payer with their IBANs, when it is a transfer.';
comment on column flanks.transactions_current.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.transactions_current.first_seen_at is 'When it first came.';
comment on column flanks.transactions_current.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.transactions_current.iban is 'IBAN of the account.';
comment on column flanks.transactions_current.account_name is 'Alias, else description of the account or card.';
comment on column flanks.transactions_current.bank_name is 'The bank''s name for people; null until the list of banks has been read.';
comment on column flanks.transactions_current.aged_out_at is 'Since when the bank''s history no longer reaches back to it, or its account is closed; null while the provider shows it.';

-- ----------------------------------------------------------------------------------------------------- user_assets

create view flanks.user_assets as
with products as (
  select credential_id, 'account' as product, account_id as product_id, coalesce(alias, description) as name, iban as number,
    type, balance, currency, is_owner, num_owners, owners, entity, first_seen_at, provider_updated_at, real_account_id
  from flanks.accounts where removed_at is null
  union all
  select credential_id, 'card', card_id, coalesce(alias, description), pan,
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at, real_account_id
  from flanks.cards where removed_at is null
  union all
  select credential_id, 'investment', investment_id, coalesce(alias, description, symbol), coalesce(isin, cusip),
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at, real_account_id
  from flanks.investments where removed_at is null
  union all
  select credential_id, 'liability', liability_id, coalesce(alias, description), null,
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at, real_account_id
  from flanks.liabilities where removed_at is null
  union all
  select credential_id, 'portfolio', portfolio_id, coalesce(alias, description), null,
    type, balance, currency, null, null, null, entity, first_seen_at, provider_updated_at, real_account_id
  from flanks.portfolios where removed_at is null)
select u.user_id, p.credential_id, coalesce(p.entity, c.bank) as bank, e.name as bank_name, p.product, p.product_id,
  p.name, p.number, p.type, p.balance, p.currency, p.is_owner, p.num_owners, p.owners,
  h.holders, i.identities, o.transactions, o.first_operation_date, o.last_operation_date,
  p.first_seen_at, coalesce(p.provider_updated_at, v.provider_seen_at) as as_of, v.last_success_at as verified_at, p.real_account_id
from flanks.user_credentials u
join flanks.credentials c using (credential_id)
join products p using (credential_id)
left join flanks.entities e on e.entity_id = coalesce(p.entity, c.bank)
left join flanks.product_coverage v on v.credential_id = p.credential_id and v.product = p.product
cross join lateral (
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', x.name, 'document', x.document, 'rel', x.rel))
    order by x.holder_id) as holders
  from flanks.holders x
  where x.credential_id = p.credential_id and x.product_id = p.product_id and x.removed_at is null) h
cross join lateral (
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', x.name, 'document', x.document, 'contact_info', x.contact_info,
      'address', x.address)) order by x.identity_id) as identities
  from flanks.identities x
  where x.credential_id = p.credential_id and x.removed_at is null) i
-- A joint account's operations are rows of the credential that showed them first; the other ones have sightings of them.
cross join lateral (
  select count(*) as transactions, min(s.operation_date) as first_operation_date, max(s.operation_date) as last_operation_date
  from (
    select t.operation_date, t.product, t.account_id, t.card_id, t.investment_id, t.liability_id, t.portfolio_id
    from flanks.transactions t
    where t.credential_id = p.credential_id and t.removed_at is null
    union all
    select t.operation_date, t.product, t.account_id, t.card_id, t.investment_id, t.liability_id, t.portfolio_id
    from flanks.transaction_sightings g
    join flanks.transactions t using (_id)
    where g.credential_id = p.credential_id and t.credential_id <> p.credential_id and t.removed_at is null) s
  where s.product = case p.product when 'portfolio' then 'investment' else p.product end
    and p.product_id = case p.product when 'account' then s.account_id when 'card' then s.card_id
      when 'investment' then s.investment_id when 'liability' then s.liability_id else s.portfolio_id end) o;
comment on view flanks.user_assets is 'What each of your users owns and owes: every product that the provider shows today with its balance, its holders, the identity behind the login, and how far back its operations go. Filter by user_id. A joint account that one user has through two credentials is in it twice.';
comment on column flanks.user_assets.user_id is 'Your user.';
comment on column flanks.user_assets.credential_id is 'The credential that shows the product.';
comment on column flanks.user_assets.bank is 'The provider''s identifier of the bank.';
comment on column flanks.user_assets.bank_name is 'Its name for people; null until the list of banks has been read.';
comment on column flanks.user_assets.product is 'account, card, investment, liability or portfolio. A portfolio''s balance may be that of its investments: do not add the two up.';
comment on column flanks.user_assets.product_id is 'The product: account_id, card_id, ...';
comment on column flanks.user_assets.name is 'Its alias, else its description.';
comment on column flanks.user_assets.number is 'IBAN, masked card number, ISIN or CUSIP.';
comment on column flanks.user_assets.type is 'The provider''s type of it.';
comment on column flanks.user_assets.balance is 'Exactly the digits that the provider sent; negative is owed.';
comment on column flanks.user_assets.currency is 'ISO 4217 code of the balance.';
comment on column flanks.user_assets.is_owner is 'Accounts: the end user owns it; null where the provider does not say.';
comment on column flanks.user_assets.num_owners is 'Accounts: how many own it.';
comment on column flanks.user_assets.owners is 'Accounts: names of the owners.';
comment on column flanks.user_assets.holders is 'Who holds it, and as what: [{"name", "document", "rel"}]; null when the provider names nobody.';
comment on column flanks.user_assets.identities is 'Who the bank says that the person behind the login is: [{"name", "document", "contact_info", "address"}]; null when it does not say.';
comment on column flanks.user_assets.transactions is 'How many operations of it the provider shows.';
comment on column flanks.user_assets.first_operation_date is 'Day of the oldest of them.';
comment on column flanks.user_assets.last_operation_date is 'Day of the newest of them.';
comment on column flanks.user_assets.first_seen_at is 'When the product first came.';
comment on column flanks.user_assets.as_of is 'When the provider last refreshed it.';
comment on column flanks.user_assets.verified_at is 'When the mirror last read it from the provider.';
comment on column flanks.user_assets.real_account_id is 'The account as the bank knows it: the same for every login that shows it (real_accounts; flanks.assets has it once).';
