-- migrate:up
-- What changed in flanks.transactions, in the order of the transactions that changed it, for whoever acts on it.

-- A position is the id of the writing transaction and a number within it. Ids are given in the order in which transactions
-- begin to write, not in which they commit: who reads stops before the oldest one that still runs (changes_after), so that
-- no line can appear behind him (PostgreSQL 15, 9.27.8: pg_current_xact_id, pg_snapshot_xmin).
create sequence flanks.changes_number cycle minvalue 0 maxvalue 16777215;
comment on sequence flanks.changes_number is 'Numbers the changes of a transaction.';
create table flanks.changes (
  position bigint primary key default (pg_current_xact_id()::text::bigint << 24) | nextval('flanks.changes_number'),
  kind text not null check (kind in ('insert', 'update', 'remove', 'succeed', 'erase', 'window')),
  _id text collate "C",
  credential_id bigint,
  product text,
  first_day date,
  last_day date,
  at timestamptz not null default now()
);
comment on table flanks.changes is 'What changed in flanks.transactions. Read it with flanks.changes_after().';
comment on column flanks.changes.position is 'Where it stands: grows with the transactions that write.';
comment on column flanks.changes.kind is 'insert, update (content, or shown again, aged out, handed over), remove, succeed (another credential of the same real account has taken over, or the operation has another _id), erase (the row is gone for good: all that is left of an erased operation is its _id in this line), window (more than 100 rows at once: read the days of this list again).';
comment on column flanks.changes._id is 'The operation; null for a window.';
comment on column flanks.changes.credential_id is 'The credential that the row belongs to now; of a window null: read everything again. Null for an erased row.';
comment on column flanks.changes.product is 'account, card, investment or liability.';
comment on column flanks.changes.first_day is 'First operation date of a window.';
comment on column flanks.changes.last_day is 'Last operation date of a window.';
comment on column flanks.changes.at is 'When the transaction that changed it began.';

alter table flanks_internal.settings add column notify_changes boolean not null default false;
comment on column flanks_internal.settings.notify_changes is 'sync.notify_changes of the daemon that started last.';

create function flanks_internal.notify_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if (select s.notify_changes from flanks_internal.settings s) then
    perform pg_notify('flanks_changes', '');
  end if;
  return null;
end $$;
comment on function flanks_internal.notify_changes() is 'Wakes who listens to flanks_changes when the transaction commits.';
revoke execute on function flanks_internal.notify_changes() from public;
create trigger notify_changes after insert on flanks.changes for each statement execute function flanks_internal.notify_changes();
comment on trigger notify_changes on flanks.changes is 'Wakes who listens.';

-- What the daemon inserts it notes itself, from what it knows, so that no COPY has to be kept for a trigger. A row that it
-- rehashes under another key is not changed: updated_at stays. Grouped by a window function: under the settings of a window
-- (no hash join, no merge join) a join of what a statement has touched would compare each row with each.
create function flanks_internal.note_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op in ('INSERT', 'TRUNCATE') then
    insert into flanks.changes (kind) values ('window');
  elsif tg_op = 'DELETE' then
    insert into flanks.changes (kind, _id, product) select 'erase', t._id, t.product from touched t order by t._id;
  else
    with rows as materialized (
      select t._id, t.credential_id, t.product, t.operation_date,
        case when t.removed_at is distinct from now() then 'update' when t.removal_reason in ('succeeded', 'renumbered') then 'succeed'
          else 'remove' end as kind,
        count(*) over (partition by t.credential_id, t.product) as many
      from touched t where t.updated_at = now() or tg_argv[0] = 'others')
    insert into flanks.changes (kind, _id, credential_id, product, first_day, last_day)
    select r.kind, r._id, r.credential_id, r.product, null::date, null::date from rows r where r.many <= 100
    union all
    select 'window', null, r.credential_id, r.product, min(r.operation_date), max(r.operation_date)
    from rows r where r.many > 100 group by r.credential_id, r.product;
  end if;
  return null;
end $$;
comment on function flanks_internal.note_changes() is 'Notes in flanks.changes what a statement did to flanks.transactions.';
revoke execute on function flanks_internal.note_changes() from public;

do $$
declare
  others constant text := format('hashtextextended(current_setting(''flanks.writer'', true), 0) is distinct from %s',
    (select hashtextextended(writer, 0) from flanks_internal.secrets));
begin
  execute format('create trigger note_inserts after insert on flanks.transactions for each statement when (%s) '
    'execute function flanks_internal.note_changes()', others);
  execute format('create trigger note_updates after update on flanks.transactions referencing new table as touched '
    'for each statement when (not (%s)) execute function flanks_internal.note_changes(''window'')', others);
  execute format('create trigger note_updates_of_others after update on flanks.transactions referencing new table as touched '
    'for each statement when (%s) execute function flanks_internal.note_changes(''others'')', others);
end $$;
create trigger note_deletes after delete on flanks.transactions referencing old table as touched
  for each statement execute function flanks_internal.note_changes();
create trigger note_truncate after truncate on flanks.transactions
  for each statement execute function flanks_internal.note_changes();
alter table flanks.transactions enable always trigger note_inserts, enable always trigger note_updates,
  enable always trigger note_updates_of_others, enable always trigger note_deletes, enable always trigger note_truncate;
comment on trigger note_inserts on flanks.transactions is 'Notes in flanks.changes that somebody else has inserted rows.';
comment on trigger note_updates on flanks.transactions is 'Notes in flanks.changes which rows a window has changed.';
comment on trigger note_updates_of_others on flanks.transactions is 'Notes in flanks.changes which rows somebody else has changed.';
comment on trigger note_deletes on flanks.transactions is 'Notes in flanks.changes which rows are gone.';
comment on trigger note_truncate on flanks.transactions is 'Notes in flanks.changes that all rows are gone.';

create function flanks.changes_position() returns bigint
language sql stable as $$
  select pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 24
$$;
comment on function flanks.changes_position() is 'The position from which a consumer goes on who has just read flanks.transactions: take both in one transaction of isolation level repeatable read. What it has read may come once more; nothing is left out.';

create function flanks.changes_after("position" bigint, max_changes integer default 1000) returns setof flanks.changes
language plpgsql stable rows 1000 set search_path = pg_catalog, pg_temp as $$
declare
  fence constant bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 24;
begin
  -- From another cluster (a dump that was restored), whose transaction ids are other ones.
  if (select max(c.position) from flanks.changes c) >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint << 24 then
    raise exception 'flanks.changes holds changes of another cluster: its positions mean nothing here'
      using errcode = '55000', hint = 'truncate flanks.changes, then let every consumer read flanks.transactions anew';
  end if;
  return query
    select c.* from flanks.changes c
    where c.position > coalesce(changes_after.position, 0) and c.position < fence
    order by c.position limit changes_after.max_changes;
end $$;
comment on function flanks.changes_after(bigint, integer) is 'The changes behind a position, oldest first; null or 0: from the beginning. Keep the position of the last one that you have dealt with, and ask again from there: nothing is left out, and nothing comes behind you later, because it stops before the oldest transaction that still writes. insert, update, remove and succeed: read the row by its _id. window: read the rows of this credential, product and days again (of a window without a credential: all rows). erase: forget the row.';
