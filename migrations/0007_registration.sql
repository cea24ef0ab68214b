-- migrate:up
-- How a credential is registered: one rule for what is refused, and no message that could hold a token.

create function flanks_internal.registration_refusal(user_id text, credentials_token text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  -- Blank: white space, controls and format characters that show nothing (sync/blank.cpp has the same ranges). In a token
  -- they are a mistake of copying, and the provider would refuse it much later.
  select case
    when user_id is null
      or user_id ~ '^[\u0001-\u0020\u007F-\u00A0\u00AD\u061C\u1680\u180E\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF]*$'
      then 'user_id is empty or blank'
    when octet_length(user_id) > 256 then 'user_id is longer than 256 bytes'
    when credentials_token is null or credentials_token = '' then 'credentials_token is empty'
    when octet_length(credentials_token) > 4096 then 'credentials_token is longer than 4096 bytes'
    when credentials_token ~ '[\u0001-\u0020\u007F-\u00A0\u00AD\u061C\u1680\u180E\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF]'
      then 'credentials_token holds blanks or control characters'
    when position(credentials_token in user_id) > 0 then 'user_id holds the credentials_token'
  end
$$;
comment on function flanks_internal.registration_refusal(text, text) is
  'Why a credential cannot be registered: words that begin with the name of the argument and hold no value. Null when it can be.';
revoke execute on function flanks_internal.registration_refusal(text, text) from public;

create function flanks.register_credential(user_id text, credentials_token text) returns bigint
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
  -- Two calls with one token: the second waits here and finds what the first made.
  perform pg_advisory_xact_lock(hashtextextended('flanks.register_credential', 0)
    # ('x' || left(encode(digest, 'hex'), 16))::bit(64)::bigint);
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
comment on function flanks.register_credential(text, text) is
  'Registers a credential for one of your users and returns its credential_id. Calling it again with the same token changes nothing but adds the user. It is synchronised at once. A credential that was erased with its user is refused (SQLSTATE ZE001), an argument that is blank or too long as well (22023): no message holds a value. Call it with bind parameters, select flanks.register_credential($1, $2), never with the token as a literal: the server logs the text of statements that fail, and of all of them with log_statement. Bind parameters are logged by log_min_duration_statement and log_statement unless log_parameter_max_length = 0, and on errors only if log_parameter_max_length_on_error is not 0 (its default): set both to 0 for the role that calls it.';
revoke execute on function flanks.register_credential(text, text) from public;
