-- The four roles of a flanks-sync database and what each may do. An operator runs it, as a superuser or as the owner
-- of the database with CREATEROLE; the daemon never does. It may be run at any time and any number of times: all of it
-- or nothing is done.
--
--   psql -v ON_ERROR_STOP=1 -d flanks -f roles.sql     1. makes the roles
--   flanks-sync migrate up                             2. with user=flanks_owner in database.dsn
--   psql -v ON_ERROR_STOP=1 -d flanks -f roles.sql     3. grants on what is there now
--
-- What later migrations add is covered by default privileges, except functions: each is granted by name below.
--
-- flanks_owner        login   owns both schemas, runs migrations; nothing else uses it. `database.migrate: true` needs a
--                             daemon that connects as this role.
-- flanks_daemon       login   reads and writes every row, changes no table.
-- flanks_application  group   may call flanks.register_credential and replace_credentials_token (which run with the owner's
--                             rights, so no right on a token is needed) and read flanks.credentials, user_credentials, sync_status and mirror_problems: an
--                             application must learn which credential belongs to whom and when its user has to act at
--                             the bank. It sees no transaction: grant flanks_reader as well where it shall.
-- flanks_reader       group   reads everything in schema flanks; schema flanks_internal (tokens) is closed to it.
--
-- Passwords are yours to set: \password flanks_daemon. People and tools get a group: grant flanks_reader to alice;

begin;

do $$
begin
  if not exists (select from pg_roles where rolname = 'flanks_owner') then
    create role flanks_owner login;
  end if;
  if not exists (select from pg_roles where rolname = 'flanks_daemon') then
    create role flanks_daemon login;
  end if;
  if not exists (select from pg_roles where rolname = 'flanks_application') then
    create role flanks_application nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'flanks_reader') then
    create role flanks_reader nologin;
  end if;

  -- Only a member may give things to flanks_owner and change its default privileges: who is no superuser is one until the
  -- end of this script.
  perform set_config('flanks.member_for_now', 'no', true);
  if not pg_has_role('flanks_owner', 'usage') then
    execute 'grant flanks_owner to current_user';
    perform set_config('flanks.member_for_now', 'yes', true);
  end if;

  -- TEMPORARY: the daemon loads through temporary tables. CREATE: the owner makes the two schemas.
  execute format('grant connect, create, temporary on database %I to flanks_owner', current_database());
  execute format('grant connect, temporary on database %I to flanks_daemon', current_database());
  execute format('grant connect on database %I to flanks_application, flanks_reader', current_database());
end $$;

-- A function of the owner is nobody's to call until it is granted by name. (Only a default for all schemas can take
-- the right of PUBLIC away: PostgreSQL, ALTER DEFAULT PRIVILEGES.)
alter default privileges for role flanks_owner revoke execute on functions from public;

do $$
declare
  thing record;
  at_work text[] := array['flanks', 'flanks_internal'];
begin
  if to_regnamespace('flanks') is null or to_regnamespace('flanks_internal') is null then
    raise notice 'the roles are there; run this again after `flanks-sync migrate up`, for their rights on the tables';
    return;
  end if;

  -- Whoever ran the migrations: everything belongs to flanks_owner. Sequences of identity columns follow their table.
  alter schema flanks owner to flanks_owner;
  alter schema flanks_internal owner to flanks_owner;
  for thing in
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any (at_work) and c.relkind in ('r', 'p', 'v', 'm', 'S') and c.relowner <> 'flanks_owner'::regrole
      and not exists (select from pg_depend d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and c.relkind = 'S' and d.deptype in ('a', 'i'))
  loop
    execute format('alter table %s owner to flanks_owner', thing.name);
  end loop;
  for thing in
    select p.oid::regprocedure as name
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any (at_work) and p.proowner <> 'flanks_owner'::regrole
  loop
    execute format('alter routine %s owner to flanks_owner', thing.name);
  end loop;

  revoke all on schema flanks, flanks_internal from public;
  revoke all on all tables in schema flanks, flanks_internal from public, flanks_application, flanks_reader;
  revoke execute on all functions in schema flanks, flanks_internal from public;

  grant usage on schema flanks to flanks_daemon, flanks_application, flanks_reader;
  grant usage on schema flanks_internal to flanks_daemon;

  grant select, insert, update, delete on all tables in schema flanks, flanks_internal to flanks_daemon;
  grant usage on all sequences in schema flanks, flanks_internal to flanks_daemon;
  grant execute on all functions in schema flanks, flanks_internal to flanks_daemon;
  alter default privileges for role flanks_owner in schema flanks, flanks_internal
    grant select, insert, update, delete on tables to flanks_daemon;
  alter default privileges for role flanks_owner in schema flanks, flanks_internal
    grant usage on sequences to flanks_daemon;
  alter default privileges for role flanks_owner in schema flanks, flanks_internal
    grant execute on functions to flanks_daemon;
  -- Only the owner says what has been migrated.
  if to_regclass('flanks_internal.schema_migrations') is not null then
    revoke insert, update, delete on flanks_internal.schema_migrations from flanks_daemon;
  end if;

  grant select on all tables in schema flanks to flanks_reader;
  alter default privileges for role flanks_owner in schema flanks grant select on tables to flanks_reader;
  if to_regprocedure('flanks.transactions_changed_since(timestamptz)') is not null then
    grant execute on function flanks.transactions_changed_since(timestamptz) to flanks_reader;
  end if;
  if to_regprocedure('flanks.transactions_as_of(timestamptz)') is not null then
    grant execute on function flanks.transactions_as_of(timestamptz) to flanks_reader;
  end if;

  if to_regprocedure('flanks.current_id(text)') is not null then
    grant execute on function flanks.current_id(text) to flanks_reader;
  end if;
  if to_regprocedure('flanks.running()') is not null then
    grant execute on function flanks.running(), flanks.overdue() to flanks_reader, flanks_application;
  end if;
  if to_regprocedure('flanks.changes_after(bigint, integer)') is not null then
    grant execute on function flanks.changes_after(bigint, integer), flanks.changes_position() to flanks_reader;
  end if;

  grant select on flanks.credentials, flanks.user_credentials, flanks.sync_status, flanks.mirror_problems to flanks_application;
  grant execute on function flanks.register_credential(text, text) to flanks_application;
  if to_regprocedure('flanks.replace_credentials_token(bigint, text)') is not null then
    grant execute on function flanks.replace_credentials_token(bigint, text) to flanks_application;
  end if;
end $$;

do $$
begin
  if current_setting('flanks.member_for_now') = 'yes' then
    execute 'revoke flanks_owner from current_user';
  end if;
end $$;

commit;
