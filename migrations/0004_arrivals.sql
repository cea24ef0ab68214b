-- migrate:up
-- How credentials arrive and leave: the history of their states, who owned them once, and what was erased for good.

-- ------------------------------------------------------------------------------------------ history of states

create table flanks.credential_states (
  credential_id bigint not null references flanks.credentials,
  from_at timestamptz not null default clock_timestamp(),
  state text not null check (state in ('new', 'pending', 'ok', 'action_required', 'blocked', 'error', 'gone', 'paused', 'removed')),
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
      when 'action_required' then 'the end user must ' || concat_ws(' and ', case when new.reset_required then 'enter a new password' end,
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

insert into flanks.credential_states (credential_id, from_at, state, why)
select c.credential_id, coalesce(c.removed_at, c.last_attempt_at, c.created_at),
  case when c.removed_at is not null then 'removed' when c.paused then 'paused' else c.state end,
  case when c.removed_at is null and c.paused then c.pause_reason when c.removed_at is null and c.state in ('error', 'gone') then c.last_error end
from flanks.credentials c;

-- ---------------------------------------------------------------------------------------- who owned what once

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

-- --------------------------------------------------------------------------------------------- what was erased

create table flanks_internal.erased_tokens (
  token_digest bytea primary key check (octet_length(token_digest) = 32),
  erased_at timestamptz not null default now()
);
comment on table flanks_internal.erased_tokens is 'Tombstones: credentials whose user was erased. They say nothing about the person, and keep discover, import and applications from bringing the data back.';
comment on column flanks_internal.erased_tokens.token_digest is 'SHA-256 of the credentials_token.';
comment on column flanks_internal.erased_tokens.erased_at is 'When it was erased.';

create or replace function flanks.register_credential(user_id text, credentials_token text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  token text := register_credential.credentials_token;
  digest bytea;
  id bigint;
begin
  if register_credential.user_id is null or register_credential.user_id = '' or octet_length(register_credential.user_id) > 256 then
    raise exception 'user_id is empty or longer than 256 bytes' using errcode = '22023';
  end if;
  -- Blanks around a token are a mistake of copying, and a token with them would be refused by the provider much later.
  if token is null or token = '' or octet_length(token) > 4096 or token ~ '[[:space:][:cntrl:]]' then
    raise exception 'credentials_token is empty, longer than 4096 bytes, or holds blanks or control characters' using errcode = '22023';
  end if;
  digest := sha256(convert_to(token, 'UTF8'));
  -- Two calls with one token: the second waits here and finds what the first made.
  perform pg_advisory_xact_lock(hashtextextended('flanks.register_credential', 0) # ('x' || left(encode(digest, 'hex'), 16))::bit(64)::bigint);
  select t.credential_id into id from flanks_internal.credentials_tokens t where t.token_digest = digest;
  if id is null then
    if exists (select from flanks_internal.erased_tokens e where e.token_digest = digest) then
      raise exception 'this credential was erased with the data of its user; it is not taken again' using errcode = 'ZE001',
        hint = 'an operator may bring it back: flanks-sync credentials add --even-if-erased';
    end if;
    insert into flanks.credentials default values returning credentials.credential_id into id;
    insert into flanks_internal.credentials_tokens (credential_id, token_digest, credentials_token) values (id, digest, token);
    insert into flanks_internal.leases (credential_id) values (id);
  else
    -- Removed earlier: it comes back under its old number, so that its rows are its own again.
    update flanks_internal.credentials_tokens t set credentials_token = token, updated_at = now()
      where t.credential_id = id and exists (select from flanks.credentials c where c.credential_id = id and c.removed_at is not null);
    if found then
      update flanks.credentials c set removed_at = null, not_found_since = null, state = 'new', paused = false, pause_reason = null where c.credential_id = id;
      insert into flanks_internal.leases (credential_id) values (id) on conflict do nothing;
    end if;
  end if;
  insert into flanks.user_credentials (user_id, credential_id) values (register_credential.user_id, id) on conflict do nothing;
  return id;
end $$;
comment on function flanks.register_credential(text, text) is
  'Registers a credential for one of your users and returns its credential_id. Calling it again with the same token changes nothing but adds the user. It is synchronised at once. A credential that was erased with its user is refused (SQLSTATE ZE001).';

-- -------------------------------------------------------------------------------------------- whose turn it is

-- An answer that is not what was asked for is the provider's fault, whatever its form; a first 404 or a rate limit passes
-- without anybody's help. A refusal concerns the keys or the credential. Two lines go before what the view says of errors;
-- the rest of it stays as it is, whatever other migrations have made of it.
do $$
declare
  definition text := pg_get_viewdef('flanks.sync_status'::regclass);
  first_rule constant text := 'WHEN \(?c\.last_error_class ';
  ours constant text := 'WHEN c.last_error_class = ANY (ARRAY[''first_byte_timeout'', ''idle_timeout'', ''total_timeout'', '
    '''connection_closed'', ''connection_reset'', ''truncated'', ''html'', ''error_object'', ''empty_body'', ''unexpected_body'', '
    '''invalid_json'', ''bad_response'', ''bad_status'', ''bad_token'', ''too_large'', ''rate_limited'', ''not_found'', '
    '''provider_errored'']) THEN ''provider''::text '
    'WHEN c.last_error_class = ANY (ARRAY[''unauthorized'', ''forbidden'', ''redirect'', ''untrusted_certificate'']) '
    'THEN ''operator''::text ';
begin
  if definition !~ first_rule then
    raise exception 'flanks.sync_status says nothing of errors: cannot say there whose fault they are';
  end if;
  execute 'create or replace view flanks.sync_status as ' || regexp_replace(definition, '(' || first_rule || ')', ours || '\1');
end $$;
