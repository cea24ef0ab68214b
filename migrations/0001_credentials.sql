-- migrate:up
-- Who is mirrored: credentials, their users, tokens and states, who works on them, and how fast the provider may be asked.
-- Schema flanks is for readers; schema flanks_internal holds tokens and bookkeeping, and readers cannot see it.

create schema flanks;
comment on schema flanks is 'The mirror of Flanks, for readers: psql, BI tools, the company''s own applications.';
create schema flanks_internal;
comment on schema flanks_internal is 'Tokens, leases, plans and migrations of flanks-sync. Not for readers.';
revoke all on schema flanks_internal from public;

create table flanks_internal.schema_migrations (
  version integer primary key,
  name text not null,
  sha256 text not null,
  applied_at timestamptz not null default now(),
  applied_by text not null default current_user
);
comment on table flanks_internal.schema_migrations is 'Which migrations this database has had.';
comment on column flanks_internal.schema_migrations.version is 'Number of the file, from 1, without gaps.';
comment on column flanks_internal.schema_migrations.name is 'Name of the file.';
comment on column flanks_internal.schema_migrations.sha256 is 'Hash of the file as it was applied; a file that changed later is refused.';
comment on column flanks_internal.schema_migrations.applied_at is 'When it was applied.';
comment on column flanks_internal.schema_migrations.applied_by is 'The database role that applied it.';

-- ----------------------------------------------------------------------------------------------------- credentials

-- fillfactor: every refresh of the provider updates the row; room on the page keeps those updates off the index (HOT).
create table flanks.credentials (
  credential_id bigint generated always as identity primary key,
  bank text,
  state text not null default 'new' check (state in ('new', 'pending', 'ok', 'action_required', 'blocked', 'error', 'gone')),
  paused boolean not null default false,
  pause_reason text,
  provider_pending boolean,
  provider_blocked boolean,
  reset_required boolean,
  sca_required boolean,
  transaction_token_required boolean,
  product_status jsonb,
  provider_updated_at timestamptz,
  provider_refresh_seen_at timestamptz,
  provider_created_at timestamptz,
  last_transaction_date date,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  last_success_at timestamptz,
  last_new_data_at timestamptz,
  last_error text,
  last_error_class text,
  last_error_hint text,
  last_error_at timestamptz,
  not_found_since timestamptz
) with (fillfactor = 80);
comment on table flanks.credentials is 'One row per credential (one login at one bank). The secret token is elsewhere; credential_id stands for it.';
comment on column flanks.credentials.credential_id is 'Our number of the credential.';
comment on column flanks.credentials.bank is 'The provider''s identifier of the bank; null until the first status.';
comment on column flanks.credentials.state is 'new, pending (first extraction runs), ok, action_required (the end user must act), blocked (the login no longer works), error (the last attempt failed), gone (unknown to the provider).';
comment on column flanks.credentials.paused is 'An operator said that it shall not be synchronised; the daemon never changes this.';
comment on column flanks.credentials.pause_reason is 'Why it is paused, in the operator''s words.';
comment on column flanks.credentials.provider_pending is 'Status: the provider has not finished the first extraction.';
comment on column flanks.credentials.provider_blocked is 'Status: the login no longer works at the bank.';
comment on column flanks.credentials.reset_required is 'Status: the end user must enter a new password.';
comment on column flanks.credentials.sca_required is 'Status: the end user must pass strong customer authentication.';
comment on column flanks.credentials.transaction_token_required is 'Status: the end user must authorise the reading of transactions.';
comment on column flanks.credentials.product_status is 'Status, transactions of each product: {"account": {"created": true, "errored": false}, ...}; a missing key means that the provider did not say.';
comment on column flanks.credentials.provider_updated_at is 'When the provider last refreshed its data of this credential (last_update_timestamp).';
comment on column flanks.credentials.provider_refresh_seen_at is 'When a status call first told of that refresh.';
comment on column flanks.credentials.provider_created_at is 'When the provider first saw the credential (created_at_timestamp).';
comment on column flanks.credentials.last_transaction_date is 'The newest operation that the provider speaks of in its status.';
comment on column flanks.credentials.created_at is 'When it was registered here.';
comment on column flanks.credentials.removed_at is 'When an operator removed it: its token is deleted, its rows stay. Registering the token again brings it back.';
comment on column flanks.credentials.last_success_at is 'When transactions were last fetched and stored.';
comment on column flanks.credentials.last_new_data_at is 'When a fetch last inserted, changed or removed a row.';
comment on column flanks.credentials.last_error is 'What the last attempt failed with, one sentence; null after a success.';
comment on column flanks.credentials.last_error_class is 'Short stable name of that error.';
comment on column flanks.credentials.last_error_hint is 'What a person can do about it.';
comment on column flanks.credentials.last_error_at is 'When that error happened.';
comment on column flanks.credentials.not_found_since is 'Since when the provider has answered that it does not know it (404); null when it knows it. On a later day it counts as gone.';

create table flanks.user_credentials (
  user_id text not null check (user_id <> '' and octet_length(user_id) <= 256),
  credential_id bigint not null references flanks.credentials,
  created_at timestamptz not null default now(),
  primary key (user_id, credential_id)
);
-- From a credential to its users: transactions_current and sync_status join this way.
create index user_credentials_by_credential on flanks.user_credentials (credential_id);
comment on table flanks.user_credentials is 'Which of your users own which credentials, many to many: a user has several banks, a joint account several users.';
comment on column flanks.user_credentials.user_id is 'Your own name of the end user.';
comment on column flanks.user_credentials.credential_id is 'The credential.';
comment on column flanks.user_credentials.created_at is 'When the two were linked.';
comment on index flanks.user_credentials_by_credential is 'From a credential to its users.';

-- Removing a credential drops its links, but its rows stay: whose they are must still be known when that person is
-- to be erased.
create table flanks_internal.former_users (
  user_id text not null,
  credential_id bigint not null,
  ended_at timestamptz not null default now(),
  primary key (user_id, credential_id)
);
comment on table flanks_internal.former_users is 'Links between users and credentials that ended: erasing a user must find the rows of a credential that was removed before.';
comment on column flanks_internal.former_users.user_id is 'The user.';
comment on column flanks_internal.former_users.credential_id is 'The credential that was linked to the user.';
comment on column flanks_internal.former_users.ended_at is 'When the link ended.';

create function flanks_internal.note_former_user() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into flanks_internal.former_users (user_id, credential_id) values (old.user_id, old.credential_id)
    on conflict (user_id, credential_id) do update set ended_at = excluded.ended_at;
  return null;
end $$;
comment on function flanks_internal.note_former_user() is 'Keeps who a credential belonged to when the link ends.';
revoke execute on function flanks_internal.note_former_user() from public;
create trigger note_former_user after delete on flanks.user_credentials
  for each row execute function flanks_internal.note_former_user();
comment on trigger note_former_user on flanks.user_credentials is 'Keeps who a credential belonged to when the link ends.';

-- ---------------------------------------------------------------------------------------------------------- tokens

create table flanks_internal.credentials_tokens (
  credential_id bigint primary key references flanks.credentials,
  token_digest bytea not null unique check (octet_length(token_digest) = 32),
  credentials_token text,
  sealed_token bytea,
  updated_at timestamptz not null default now(),
  check (num_nonnulls(credentials_token, sealed_token) <= 1)
);
comment on table flanks_internal.credentials_tokens is 'The secret credentials_token of each credential.';
comment on column flanks_internal.credentials_tokens.credential_id is 'The credential.';
comment on column flanks_internal.credentials_tokens.token_digest is 'SHA-256 of the token: a token is looked up by this, so that the lookup works whether or not the token is sealed. Without a key: applications register in SQL, and a token has too many random bits to be guessed.';
comment on column flanks_internal.credentials_tokens.credentials_token is 'The token as it was registered; null once it is sealed, and after the credential was removed.';
comment on column flanks_internal.credentials_tokens.sealed_token is 'The token, sealed by the daemon with the key of encryption.key_file (AES-256-GCM, bound to the credential_id): version (1 byte), fingerprint of the key (8), nonce (12), ciphertext, tag (16). Null when it is not sealed.';
comment on column flanks_internal.credentials_tokens.updated_at is 'When the token was last written.';

create table flanks_internal.erased_tokens (
  token_digest bytea primary key check (octet_length(token_digest) = 32),
  erased_at timestamptz not null default now()
);
comment on table flanks_internal.erased_tokens is 'Tombstones: credentials whose user was erased. They say nothing about the person, and keep discover, import and applications from bringing the data back.';
comment on column flanks_internal.erased_tokens.token_digest is 'SHA-256 of the credentials_token.';
comment on column flanks_internal.erased_tokens.erased_at is 'When it was erased.';

-- ----------------------------------------------------------------------------------------------- history of states

create table flanks.credential_states (
  credential_id bigint not null references flanks.credentials,
  from_at timestamptz not null default clock_timestamp(),
  state text not null
    check (state in ('new', 'pending', 'ok', 'action_required', 'blocked', 'error', 'gone', 'paused', 'removed')),
  why text
);
-- The history of one credential, newest last.
create index credential_states_by_credential on flanks.credential_states (credential_id, from_at);
comment on table flanks.credential_states is 'Every change of a credential''s state. The newest row is how it stands now.';
comment on column flanks.credential_states.credential_id is 'The credential.';
comment on column flanks.credential_states.from_at is 'Since when; until the next row of the credential.';
comment on column flanks.credential_states.state is 'As in sync_status: credentials.state, or paused, or removed.';
comment on column flanks.credential_states.why is 'What brought it about, in words; null when there is nothing to say.';
comment on index flanks.credential_states_by_credential is 'The history of a credential.';

-- A trigger, so that no way of changing a state can forget to note it.
create function flanks_internal.note_state() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before text;
  state text := case when new.removed_at is not null then 'removed' when new.paused then 'paused' else new.state end;
begin
  if tg_op = 'UPDATE' then
    before := case when old.removed_at is not null then 'removed' when old.paused then 'paused' else old.state end;
    if before = state then
      return null;
    end if;
  end if;
  insert into flanks.credential_states (credential_id, state, why) values (new.credential_id, state,
    case state
      when 'new' then case when before is null then 'registered' else 'registered again' end
      when 'pending' then 'the provider is reading it for the first time'
      when 'action_required' then 'the end user must ' || concat_ws(' and ',
          case when new.reset_required then 'enter a new password' end,
          case when new.sca_required then 'pass the bank''s authentication' end,
          case when new.transaction_token_required then 'authorise the reading of transactions' end)
      when 'blocked' then 'the login no longer works at the bank'
      when 'paused' then new.pause_reason
      when 'removed' then 'an operator removed it'
      when 'error' then new.last_error
      when 'gone' then new.last_error
    end);
  return null;
end $$;
comment on function flanks_internal.note_state() is 'Notes every change of a credential''s state in flanks.credential_states.';
revoke execute on function flanks_internal.note_state() from public;
create trigger note_state_of_new after insert on flanks.credentials
  for each row execute function flanks_internal.note_state();
create trigger note_state after update on flanks.credentials
  for each row when ((old.state, old.paused, old.removed_at) is distinct from (new.state, new.paused, new.removed_at))
  execute function flanks_internal.note_state();
comment on trigger note_state_of_new on flanks.credentials is 'Notes the first state of a credential.';
comment on trigger note_state on flanks.credentials is 'Notes every change of a credential''s state.';

create function flanks_internal.shows_nothing(credential flanks.credentials, handover_after interval) returns boolean
language sql stable as $$
  select credential.removed_at is not null or credential.state = 'gone' or (credential.state = 'blocked'
    and (select max(from_at) from flanks.credential_states s where s.credential_id = credential.credential_id) < now() - handover_after)
$$;
comment on function flanks_internal.shows_nothing(flanks.credentials, interval) is 'Whether a credential says nothing of its rows any more: removed by an operator, gone, or blocked for longer than sync.handover_after. What another credential shows of them is that one''s then.';
revoke execute on function flanks_internal.shows_nothing(flanks.credentials, interval) from public;

-- -------------------------------------------------------------------------------------------------------- settings

create table flanks_internal.settings (
  single boolean primary key default true check (single),
  slot_salt bigint not null default hashtextextended(gen_random_uuid()::text, 0),
  stale_after interval not null default '3 days'
);
comment on table flanks_internal.settings is 'What views and all daemons of this database must know alike: one row.';
comment on column flanks_internal.settings.single is 'True: there is one row.';
comment on column flanks_internal.settings.slot_salt is 'Random: moves the slots of all credentials, so that no two installations ask at the same moments.';
comment on column flanks_internal.settings.stale_after is 'sync.stale_after of the daemon that started last.';
insert into flanks_internal.settings default values;

-- -------------------------------------------------------------------------------------------------- schedule, leases

-- A poll that finds nothing new writes this row and nothing else that is logged. No index holds what it writes, and what it
-- writes stands together: a HOT update, of which PostgreSQL logs the bytes that differ.
create table flanks_internal.schedule (
  credential_id bigint primary key references flanks.credentials,
  failures_in_a_row integer not null default 0,
  asked_at timestamptz,
  polls bytea not null default '',
  next_due_at timestamptz not null default now(),
  confirmed_at timestamptz,
  refreshes timestamptz[]
) with (fillfactor = 70);
comment on table flanks_internal.schedule is 'When a credential was last asked for, and when it is to be asked for next. By the database''s clock only.';
comment on column flanks_internal.schedule.credential_id is 'The credential; one that was removed has no row.';
comment on column flanks_internal.schedule.failures_in_a_row is 'Failed attempts since the last good one.';
comment on column flanks_internal.schedule.next_due_at is 'When it is to be tried next; while it is paused, infinity.';
comment on column flanks_internal.schedule.confirmed_at is 'When the mirror was last known to agree with the provider: after a success, or when the provider had nothing newer.';
comment on column flanks_internal.schedule.asked_at is 'When it was last tried with another end than that.';
comment on column flanks_internal.schedule.polls is 'When it was last asked for by schedule, four bytes each (seconds since 1970), in no order, as many as sync.polls_per_day allows: the next poll comes 24 hours after the oldest, or later. By the clock of the daemon that asked.';
comment on column flanks_internal.schedule.refreshes is 'When the provider last refreshed it, oldest first: from these the next refresh is expected.';

-- Unlogged: claims and renewals write no WAL. A crash of the server empties both tables; restore_leases() fills them again
-- from the schedule. A claim does not move next_due_at: of a whole poll only its end moves an entry of leases_due.
create unlogged table flanks_internal.leases (
  credential_id bigint primary key references flanks.credentials,
  lease_id uuid,
  holder text,
  expires_at timestamptz,
  next_due_at timestamptz not null default now(),
  check ((lease_id is null) = (expires_at is null))
) with (fillfactor = 70);
-- The only question of the scheduler: who is due. A claimed credential is due when its lease expires, a paused one never.
create index leases_due on flanks_internal.leases (next_due_at);
comment on table flanks_internal.leases is 'Who works on a credential now, and when it is due next. By the database''s clock only.';
comment on column flanks_internal.leases.credential_id is 'The credential.';
comment on column flanks_internal.leases.lease_id is 'Random id of the present claim, compared before every commit; null when nobody holds it.';
comment on column flanks_internal.leases.holder is 'Which worker, for people: host and process id.';
comment on column flanks_internal.leases.expires_at is 'When the claim ends unless it is renewed.';
comment on column flanks_internal.leases.next_due_at is 'As in the schedule. A credential is free for a worker when this has come and nobody holds an unexpired lease.';
comment on index flanks_internal.leases_due is 'Who is due, in the order of turn.';

create unlogged table flanks_internal.leases_kept (
  single boolean primary key default true check (single),
  claims_from timestamptz not null
);
comment on table flanks_internal.leases_kept is 'One row as long as flanks_internal.leases is what the daemons have written: a crash of the server empties both.';
comment on column flanks_internal.leases_kept.single is 'True: there is one row.';
comment on column flanks_internal.leases_kept.claims_from is 'From when on leases may be claimed: by then those that a crash has lost have run out.';
insert into flanks_internal.leases_kept (claims_from) values (now());

create function flanks_internal.restore_leases(longest interval) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from flanks_internal.leases_kept) then
    return false;
  end if;
  insert into flanks_internal.leases (credential_id, next_due_at)
    select s.credential_id, s.next_due_at from flanks_internal.schedule s on conflict do nothing;
  insert into flanks_internal.leases_kept (claims_from) values (now() + longest) on conflict do nothing;
  return true;
end $$;
comment on function flanks_internal.restore_leases(interval) is 'Fills flanks_internal.leases again after a crash of the server. Nobody may claim before the longest lease that may have been lost has run out. False: nothing was lost.';
revoke execute on function flanks_internal.restore_leases(interval) from public;

-- A standby has no unlogged tables, and does not even plan a statement that names one.
create function flanks.running() returns setof bigint
language plpgsql stable security definer rows 100 set search_path = pg_catalog, pg_temp as $$
begin
  if not pg_is_in_recovery() then
    return query select l.credential_id from flanks_internal.leases l where l.expires_at > now();
  end if;
end $$;
comment on function flanks.running() is 'The credentials that a worker is at now; on a standby nobody knows.';

-- ------------------------------------------------------------------------------------------------------ rate limit

-- One rate limit for all processes of this database. Each takes grants in advance: a span of time in which nobody else
-- sends, with so many places. One row, written once a grant; no index holds what is written, and the page has room for
-- the next version (HOT).
create table flanks_internal.rate_limit (
  single boolean primary key default true check (single),
  next_at timestamptz not null default '-infinity',
  paused_until timestamptz check (isfinite(paused_until)),
  paused_status integer,
  paused_by text
) with (fillfactor = 50);
comment on table flanks_internal.rate_limit is 'How fast all flanks-sync processes of this database together may ask the provider (flanks.requests_per_second): one row. It may be deleted at any time; then all begin anew.';
comment on column flanks_internal.rate_limit.single is 'True: there is one row.';
comment on column flanks_internal.rate_limit.next_at is 'The first instant that no process has been granted.';
comment on column flanks_internal.rate_limit.paused_until is 'Until then nobody sends, because the provider said so (429, or 503 with Retry-After). Null or past: no pause. To end one by hand: update flanks_internal.rate_limit set paused_until = null, next_at = now().';
comment on column flanks_internal.rate_limit.paused_status is 'The HTTP status that asked for the last pause.';
comment on column flanks_internal.rate_limit.paused_by is 'The process that was answered so, as host:pid.';

insert into flanks_internal.rate_limit default values;
