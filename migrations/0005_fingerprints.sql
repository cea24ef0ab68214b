-- migrate:up
-- Row fingerprints: what the daemon compares an answer with, ready made. Month by month, which operations a credential
-- has of a product and the hash of their content: 32 bytes a row in place of a look at every row. They say the same as
-- flanks.transactions or they are not used: a window that writes rows writes them in the same transaction, and every
-- other statement that touches a row, whoever runs it, makes them void through the triggers below.

create table flanks_internal.fingerprints (
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  generation uuid not null,
  watch text,
  seed bigint not null,
  first_month date not null,
  last_month date not null,
  primary key (credential_id, product)
) with (fillfactor = 80);
comment on table flanks_internal.fingerprints is 'Which months of a credential''s product have fingerprints: all of first_month to last_month, whose rows are in fingerprint_months under the same generation. Derived: its rows may be deleted at any time, then the next windows are compared with flanks.transactions itself.';
comment on column flanks_internal.fingerprints.credential_id is 'The credential.';
comment on column flanks_internal.fingerprints.product is 'account, card, investment or liability.';
comment on column flanks_internal.fingerprints.generation is 'Another one whenever a row was touched by something other than a window of this credential: what was written under an older one is void.';
comment on column flanks_internal.fingerprints.watch is 'Which triggers watched flanks.transactions when they were written; under others they are void. Null: void.';
comment on column flanks_internal.fingerprints.seed is 'Of the hashes of _id, so that nobody can prepare two that collide.';
comment on column flanks_internal.fingerprints.first_month is 'First day of the first month; after last_month when there is none.';
comment on column flanks_internal.fingerprints.last_month is 'First day of the last month.';

-- Written anew whenever a row of the month changes: room on the page keeps that off the index (HOT).
create table flanks_internal.fingerprint_months (
  credential_id bigint not null,
  product text not null,
  month date not null,
  generation uuid not null,
  entries bytea,
  primary key (credential_id, product, month)
) with (fillfactor = 80);
-- Hashes do not compress.
alter table flanks_internal.fingerprint_months alter column entries set storage external;
comment on table flanks_internal.fingerprint_months is 'What flanks.transactions holds of one credential, product and month. A month between fingerprints.first_month and last_month that has no row of that generation has no operations: delete the row of fingerprints, never rows of this.';
comment on column flanks_internal.fingerprint_months.credential_id is 'The credential.';
comment on column flanks_internal.fingerprint_months.product is 'account, card, investment or liability.';
comment on column flanks_internal.fingerprint_months.month is 'Its first day.';
comment on column flanks_internal.fingerprint_months.generation is 'That of fingerprints when it was written.';
comment on column flanks_internal.fingerprint_months.entries is '32 bytes an operation, removed ones included: content_hash, 96 bits of the hash of _id, operation_date and whether it is removed (sync/fingerprint_set.hpp). Null: not known, to be read from flanks.transactions.';

create function flanks_internal.invalidate_fingerprints(credential_id bigint, product text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  -- Once a transaction is enough. A window that is just writing its fingerprints waits here or makes us wait, and finds
  -- the other generation then.
  insert into flanks_internal.fingerprints as f (credential_id, product, generation, seed, first_month, last_month)
  values (invalidate_fingerprints.credential_id, invalidate_fingerprints.product, gen_random_uuid(), 0, 'infinity', '-infinity')
  on conflict (credential_id, product) do update
    set generation = excluded.generation, watch = null, first_month = excluded.first_month, last_month = excluded.last_month
    where f.watch is not null or f.xmin <> pg_current_xact_id()::xid
$$;
comment on function flanks_internal.invalidate_fingerprints(bigint, text) is 'Makes the fingerprints of a credential''s product void.';
revoke execute on function flanks_internal.invalidate_fingerprints(bigint, text) from public;

create function flanks_internal.invalidate_touched_fingerprints() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'TRUNCATE' then
    update flanks_internal.fingerprints set generation = gen_random_uuid(), watch = null, first_month = 'infinity', last_month = '-infinity';
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform flanks_internal.invalidate_fingerprints(old.credential_id, old.product);
  end if;
  if tg_op <> 'DELETE' then
    perform flanks_internal.invalidate_fingerprints(new.credential_id, new.product);
  end if;
  return null;
end $$;
comment on function flanks_internal.invalidate_touched_fingerprints() is 'Makes void the fingerprints of the rows that a statement touches.';
revoke execute on function flanks_internal.invalidate_touched_fingerprints() from public;

create function flanks_internal.void_content_hash() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  new.content_hash := '00000000-0000-0000-0000-000000000000';
  return new;
end $$;
comment on function flanks_internal.void_content_hash() is 'Says that nobody knows whether the row is as the provider sent it: the next window that shows it writes it anew.';
revoke execute on function flanks_internal.void_content_hash() from public;

create table flanks_internal.secrets (
  single boolean primary key default true check (single),
  writer text not null default gen_random_uuid()::text,
  content_key bytea not null check (length(content_key) = 192) default
    sha512(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || sha512(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    || sha512(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);
comment on table flanks_internal.secrets is 'Random values of this database: one row.';
comment on column flanks_internal.secrets.single is 'There is one row.';
comment on column flanks_internal.secrets.writer is 'What a window says in flanks.writer, so that the triggers on flanks.transactions know it.';
comment on column flanks_internal.secrets.content_key is 'Key of transactions.content_hash (XXH3, withSecret), so that nobody can make two contents with one hash. Under another one every row looks changed once and is hashed anew, which is no revision.';
insert into flanks_internal.secrets default values;

-- flanks.writer holds the secret while a window writes, which keeps the fingerprints and the content hashes right itself.
-- The triggers know the hash of it, so that who may read their definitions cannot say it. ALWAYS: also where
-- session_replication_role keeps other triggers from firing.
do $$
declare
  others constant text := format('hashtextextended(current_setting(''flanks.writer'', true), 0) is distinct from %s',
    (select hashtextextended(writer, 0) from flanks_internal.secrets));
begin
  execute format('create trigger void_content_hash before update of account_id, card_id, investment_id, liability_id, '
    'portfolio_id, operation_date, value_date, amount, currency, balance, description, product_description, category, shop, '
    'entity, card_number, transfer, extra on flanks.transactions for each row when (%s) '
    'execute function flanks_internal.void_content_hash()', others);
  execute format('create trigger invalidate_fingerprints after insert or update or delete on flanks.transactions '
    'for each row when (%s) execute function flanks_internal.invalidate_touched_fingerprints()', others);
end $$;
create trigger invalidate_all_fingerprints after truncate on flanks.transactions
  for each statement execute function flanks_internal.invalidate_touched_fingerprints();
alter table flanks.transactions enable always trigger void_content_hash, enable always trigger invalidate_fingerprints,
  enable always trigger invalidate_all_fingerprints;
comment on trigger void_content_hash on flanks.transactions is 'Keeps the content hash from saying other than the row.';
comment on trigger invalidate_fingerprints on flanks.transactions is 'Keeps the fingerprints from saying other than the table.';
comment on trigger invalidate_all_fingerprints on flanks.transactions is 'Keeps the fingerprints from saying other than the table.';

-- The row exists always; watch does not.
create view flanks_internal.transactions_watch as
select case when g.watching = 3 and g.others = 0 and not c.relrowsecurity and not c.relhasrules and c.relpersistence = 'p'
    then concat_ws(' ', c.oid, pg_relation_filenode(c.oid), g.triggers) end as watch,
  g.others > 0 or c.relrowsecurity or c.relhasrules as has_foreign_triggers
from pg_class c
cross join lateral (
  select count(*) filter (where not t.is_ours) as others,
    count(*) filter (where t.watches and t.tgenabled = 'A') as watching,
    string_agg(t.version, ' ' order by t.tgname) filter (where t.is_ours) as triggers
  from (select tgname, tgenabled, xmin::text as version, tgname in ('void_content_hash', 'invalidate_fingerprints', 'invalidate_all_fingerprints') as watches,
      tgname in ('void_content_hash', 'invalidate_fingerprints', 'invalidate_all_fingerprints',
        'note_inserts', 'note_updates', 'note_updates_of_others', 'note_deletes', 'note_truncate') as is_ours
    from pg_trigger where tgrelid = c.oid and not tgisinternal) t) g
where c.oid = 'flanks.transactions'::regclass;
comment on view flanks_internal.transactions_watch is 'Whether fingerprints can be relied on now: one row.';
comment on column flanks_internal.transactions_watch.watch is 'Names flanks.transactions, its file and the triggers that watch it, as they are now: after a change of any (a swapped table, a restore, a truncate) it is another name. Null when nothing watches, when others could change what is written, or when a crash may empty the table (unlogged).';
comment on column flanks_internal.transactions_watch.has_foreign_triggers is 'Somebody''s trigger, rule or row security may make something else of what is written.';
