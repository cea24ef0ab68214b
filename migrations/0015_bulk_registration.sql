-- migrate:up
-- Many credentials are registered in one transaction under one lock, not under one for each of their tokens: the server's table
-- of locks holds some thousands (max_locks_per_transaction).

create function flanks_internal.lock_token(digest bytea) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  -- Whoever registers many holds the first alone, and then needs no other.
  select pg_advisory_xact_lock_shared(hashtextextended('flanks.register_credentials', 0));
  -- Two calls with one token: the second waits here and finds what the first made.
  select pg_advisory_xact_lock(hashtextextended('flanks.register_credential', 0)
    # ('x' || left(encode(digest, 'hex'), 16))::bit(64)::bigint);
$$;
comment on function flanks_internal.lock_token(bytea) is
  'Waits until no other transaction registers the token with that digest.';
revoke execute on function flanks_internal.lock_token(bytea) from public;

create function flanks_internal.lock_every_token() returns void
language sql set search_path = pg_catalog, pg_temp as $$
  select pg_advisory_xact_lock(hashtextextended('flanks.register_credentials', 0));
$$;
comment on function flanks_internal.lock_every_token() is
  'Waits until no other transaction registers any token: before many are registered, and before anything else of that transaction.';
revoke execute on function flanks_internal.lock_every_token() from public;

create function flanks_internal.register_credential(user_id text, credentials_token text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  token text := register_credential.credentials_token;
  refusal text := flanks_internal.registration_refusal(register_credential.user_id, register_credential.credentials_token);
  digest bytea;
  id bigint;
  refused_by text;
  refused_at text;
begin
  if refusal is not null then
    raise exception '%', refusal using errcode = '22023';
  end if;
  digest := sha256(convert_to(token, 'UTF8'));
  select t.credential_id into id from flanks_internal.credentials_tokens t where t.token_digest = digest;
  if id is null then
    if exists (select from flanks_internal.erased_tokens e where e.token_digest = digest) then
      raise exception 'this credential was erased with the data of its user; it is not taken again' using errcode = 'ZE001',
        hint = 'an operator may bring it back: flanks-sync credentials add --even-if-erased';
    end if;
    insert into flanks.credentials default values returning credentials.credential_id into id;
    begin
      insert into flanks_internal.credentials_tokens (credential_id, token_digest, credentials_token) values (id, digest, token);
    exception when integrity_constraint_violation then
      -- The server's own message has the whole row in its detail.
      get stacked diagnostics refused_by = constraint_name, refused_at = table_name;
      raise exception 'a constraint refused the row of credential %', id
        using errcode = sqlstate, constraint = refused_by, table = refused_at, schema = 'flanks_internal';
    end;
    insert into flanks_internal.schedule (credential_id) values (id);
    insert into flanks_internal.leases (credential_id) values (id);
  else
    -- Removed earlier: it comes back under its old number, so that its rows are its own again.
    update flanks_internal.credentials_tokens t set credentials_token = token, sealed_token = null, updated_at = now()
      where t.credential_id = id
        and exists (select from flanks.credentials c where c.credential_id = id and c.removed_at is not null);
    if found then
      update flanks.credentials c
        set removed_at = null, not_found_since = null, state = 'new', paused = false, pause_reason = null
        where c.credential_id = id;
      insert into flanks_internal.schedule (credential_id) values (id) on conflict do nothing;
      insert into flanks_internal.leases (credential_id) values (id) on conflict do nothing;
    end if;
  end if;
  insert into flanks.user_credentials (user_id, credential_id) values (register_credential.user_id, id) on conflict do nothing;
  return id;
end $$;
comment on function flanks_internal.register_credential(text, text) is
  'The work of flanks.register_credential, for a caller that has the lock: lock_token() of this token, or lock_every_token().';
revoke execute on function flanks_internal.register_credential(text, text) from public;

create or replace function flanks.register_credential(user_id text, credentials_token text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform flanks_internal.lock_token(sha256(convert_to(register_credential.credentials_token, 'UTF8')));
  return flanks_internal.register_credential(register_credential.user_id, register_credential.credentials_token);
end $$;

create or replace function flanks.replace_credentials_token(credential_id bigint, new_token text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  refusal text := flanks_internal.registration_refusal('-', replace_credentials_token.new_token);
  digest bytea;
  other bigint;
begin
  if refusal is not null then
    raise exception '%', refusal using errcode = '22023';
  end if;
  digest := sha256(convert_to(replace_credentials_token.new_token, 'UTF8'));
  perform flanks_internal.lock_token(digest);
  if not exists (select from flanks.credentials c where c.credential_id = replace_credentials_token.credential_id and c.removed_at is null) then
    raise exception 'there is no credential %, or it was removed', replace_credentials_token.credential_id using errcode = '22023';
  end if;
  -- First the lease, like every writer.
  perform from flanks_internal.leases l where l.credential_id = replace_credentials_token.credential_id for update;
  select t.credential_id into other from flanks_internal.credentials_tokens t where t.token_digest = digest;
  if other = replace_credentials_token.credential_id then
    -- Its own, given again: the key that sealed it may be lost. Only then is it tried at once.
    update flanks_internal.credentials_tokens t set credentials_token = replace_credentials_token.new_token, sealed_token = null, updated_at = now()
      where t.credential_id = other and t.sealed_token is not null;
    if found and exists (select from flanks.credentials c where c.credential_id = other and c.last_error_class = 'sealed_token') then
      update flanks_internal.leases l set next_due_at = now() where l.credential_id = other and l.next_due_at < 'infinity';
      update flanks_internal.schedule s set next_due_at = now(), failures_in_a_row = 0 where s.credential_id = other and s.next_due_at < 'infinity';
    end if;
    return;
  end if;
  if other is not null then
    raise exception 'this token is registered as credential %', other using errcode = '22023',
      hint = 'remove that credential first: its operations are then recognised as those of the account that both show';
  end if;
  if exists (select from flanks_internal.erased_tokens e where e.token_digest = digest) then
    raise exception 'this credential was erased with the data of its user; it is not taken again' using errcode = 'ZE001';
  end if;
  update flanks_internal.credentials_tokens t set credentials_token = replace_credentials_token.new_token, sealed_token = null, token_digest = digest, updated_at = now()
    where t.credential_id = replace_credentials_token.credential_id;
  update flanks.credentials c set not_found_since = null, state = case when c.state = 'gone' then 'new' else c.state end
    where c.credential_id = replace_credentials_token.credential_id;
  -- Due at once unless it is paused, and nothing that was read under the old token counts as read.
  update flanks_internal.leases l set next_due_at = now()
    where l.credential_id = replace_credentials_token.credential_id and l.next_due_at < 'infinity';
  update flanks_internal.schedule s set next_due_at = now(), failures_in_a_row = 0
    where s.credential_id = replace_credentials_token.credential_id and s.next_due_at < 'infinity';
  update flanks.coverage v set provider_seen_at = null, last_sweep_at = case when v.last_sweep_at is not null then now() - interval '10 years' end
    where v.credential_id = replace_credentials_token.credential_id;
  update flanks.product_coverage v set provider_seen_at = null where v.credential_id = replace_credentials_token.credential_id;
end $$;

update flanks.error_classes
set hint = 'the database''s machine is out of memory, or the server''s table of locks is full (raise max_locks_per_transaction): see the server''s log'
where error_class = 'database_memory';
update flanks.error_classes c set meaning = coalesce(n.meaning, c.meaning), hint = n.hint
from (values
  ('not_found', null, 'it is asked for again on a later day; if it was deleted there on purpose: flanks-sync credentials remove (its rows stay); else ask the provider'),
  ('gone', null, 'if it was deleted there on purpose: flanks-sync credentials remove (its rows stay); else ask the provider'),
  ('redirect', 'The provider answers with a redirect (3xx), which is not followed.',
    'check flanks.base_url, and put no host there that the provider has not confirmed'),
  ('database_encoding', null, 'create another one (create database ... encoding ''UTF8'' template template0) and name it in database.dsn'),
  ('erased_credential', null, 'it stays erased; only when the user has agreed anew: flanks-sync credentials add --even-if-erased')
) n(error_class, meaning, hint)
where c.error_class = n.error_class;
