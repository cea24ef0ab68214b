-- migrate:up
-- The operations themselves, who else shows them, and every version of them that was overwritten or removed.

-- No foreign key to credentials: it would cost one lookup a row on the way of a million-row COPY. The daemon writes
-- rows only under the lease of an existing credential, and credentials are never deleted while rows name them.
-- A row whose content changed stays on its page and keeps its entries in the indexes (HOT): no index holds what changes
-- with the content, and pages keep some room (fillfactor).
create table flanks.transactions (
  _id text collate "C" primary key,
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  account_id text,
  card_id text,
  investment_id text,
  liability_id text,
  portfolio_id text,
  operation_date date not null,
  value_date date,
  amount numeric not null check (amount <> 'NaN'),
  currency text,
  balance numeric,
  description text,
  product_description text,
  category text,
  shop text,
  entity text,
  card_number text,
  transfer jsonb,
  extra jsonb,
  first_seen_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz,
  removal_reason text check (removal_reason in ('absent', 'renumbered', 'succeeded', 'confirmed')),
  successor_id text collate "C",
  aged_out_at timestamptz,
  content_hash uuid not null
) with (fillfactor = 90);
-- One credential's operations by day: what the daemon reads back before it compares, and what "the transactions of this
-- customer in May" asks for through user_credentials.
create index transactions_by_credential on flanks.transactions (credential_id, product, operation_date);
-- All customers' operations of a day, a week, a month: the usual filter of a report.
create index transactions_by_date on flanks.transactions (operation_date);
-- What came since a moment. Rows are added in this order, so a few pages of BRIN do for it; on updated_at each rewritten
-- row would spoil the range that it lies in.
create index transactions_by_first_seen on flanks.transactions using brin (first_seen_at) with (autosummarize = on);
-- Which older ids have become this one: from an operation to its predecessors, for an erasure.
create index transactions_by_successor on flanks.transactions (successor_id) where successor_id is not null;
comment on table flanks.transactions is 'One row per operation that the provider knows or knew: the mirror itself.';
comment on column flanks.transactions._id is 'The provider''s unique identification of the operation.';
comment on column flanks.transactions.credential_id is 'The credential that it was first seen through; others that show it too are in transaction_sightings.';
comment on column flanks.transactions.product is 'account, card, investment or liability: which list it is in.';
comment on column flanks.transactions.account_id is 'The account it belongs to.';
comment on column flanks.transactions.card_id is 'The card it belongs to.';
comment on column flanks.transactions.investment_id is 'The investment it belongs to.';
comment on column flanks.transactions.liability_id is 'The liability it belongs to.';
comment on column flanks.transactions.portfolio_id is 'The portfolio it belongs to.';
comment on column flanks.transactions.operation_date is 'Day of the operation, as the bank says it, in no time zone.';
comment on column flanks.transactions.value_date is 'Day from which the amount counts.';
comment on column flanks.transactions.amount is 'Exactly the digits that the provider sent; negative is money out.';
comment on column flanks.transactions.currency is 'ISO 4217 code of the amount.';
comment on column flanks.transactions.balance is 'Balance after the operation, where the bank shows it.';
comment on column flanks.transactions.description is 'The bank''s text.';
comment on column flanks.transactions.product_description is 'The bank''s text about the product.';
comment on column flanks.transactions.category is 'The provider''s category.';
comment on column flanks.transactions.shop is 'The shop that the provider recognised.';
comment on column flanks.transactions.entity is 'The bank.';
comment on column flanks.transactions.card_number is 'Number of the card, masked as the provider sends it.';
comment on column flanks.transactions.transfer is 'Beneficiary and payer with their IBANs, when it is a transfer.';
comment on column flanks.transactions.extra is 'Every field of the provider that has no column here; null when there is none.';
comment on column flanks.transactions.first_seen_at is 'When it first came.';
comment on column flanks.transactions.updated_at is 'When this row was last written; an unchanged re-read does not write, and a new content_hash alone does not count.';
comment on column flanks.transactions.removed_at is 'When the provider stopped showing it; null while it shows it.';
comment on column flanks.transactions.removal_reason is 'Why it is no longer shown: absent (a whole answer lacked it), renumbered (the same credential shows it under another _id), succeeded (another credential of the same real account has taken over), confirmed (a person said so).';
comment on column flanks.transactions.successor_id is 'The _id that the operation has now, where it was recognised: renumbered or succeeded. flanks.current_id() follows it.';
comment on column flanks.transactions.aged_out_at is 'Since when the bank''s history no longer reaches back to it, or its account is closed: no longer shown, still true, still counted. Null while it is shown.';
comment on column flanks.transactions.content_hash is '128-bit XXH3 of the provider''s fields under flanks_internal.secrets.content_key: what the daemon compares against.';
comment on index flanks.transactions_by_credential is 'One credential''s operations by day: "the transactions of this customer in May", and what the daemon compares an answer with.';
comment on index flanks.transactions_by_date is 'All operations of a day or a month.';
comment on index flanks.transactions_by_successor is 'The operations that an operation succeeded.';
comment on index flanks.transactions_by_first_seen is 'What came since a moment.';

create table flanks.transaction_sightings (
  _id text collate "C" not null references flanks.transactions on delete cascade,
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  first_seen_at timestamptz not null default now(),
  primary key (credential_id, _id)
);
-- Who else shows this operation: asked when the owning credential is erased and its rows are handed over.
create index transaction_sightings_by_id on flanks.transaction_sightings (_id);
comment on table flanks.transaction_sightings is 'A joint account''s operation is one row in transactions; each further credential that shows it, with the same content, is noted here.';
comment on column flanks.transaction_sightings._id is 'The operation.';
comment on column flanks.transaction_sightings.credential_id is 'A credential that shows it, other than the one in transactions.credential_id.';
comment on column flanks.transaction_sightings.product is 'Which of that credential''s lists it is in.';
comment on column flanks.transaction_sightings.first_seen_at is 'When that credential first showed it.';
comment on index flanks.transaction_sightings_by_id is 'Who else shows an operation.';

create table flanks.transaction_revisions (
  revision_id bigint generated always as identity primary key,
  _id text collate "C" not null,
  credential_id bigint not null,
  sync_run_id uuid not null,
  valid_from timestamptz not null,
  replaced_at timestamptz not null default now(),
  reason text not null check (reason in ('changed', 'rewritten', 'restored', 'removed', 'renumbered', 'succeeded', 'handed_over', 'aged_out')),
  content jsonb not null
);
-- The history of one operation, newest last.
create index transaction_revisions_by_id on flanks.transaction_revisions (_id, revision_id);
-- What was overwritten since a moment: written in this order, so BRIN does.
create index transaction_revisions_by_time on flanks.transaction_revisions using brin (replaced_at) with (autosummarize = on);
comment on table flanks.transaction_revisions is 'Every version of a transaction that was overwritten or removed. flanks.transactions_as_of() puts them together again.';
comment on column flanks.transaction_revisions.revision_id is 'Grows with time within one operation.';
comment on column flanks.transaction_revisions._id is 'The operation.';
comment on column flanks.transaction_revisions.credential_id is 'The credential that the old version belonged to.';
comment on column flanks.transaction_revisions.sync_run_id is 'The run that replaced it (sync_runs.sync_run_id).';
comment on column flanks.transaction_revisions.valid_from is 'Since when it was the stored version: its updated_at, but never before the version before it ended. It was stored while valid_from <= t < replaced_at; at no instant when replaced_at is not later (two versions in one transaction).';
comment on column flanks.transaction_revisions.replaced_at is 'When it was replaced: when the transaction that did began.';
comment on column flanks.transaction_revisions.reason is 'changed: the provider sends other content; rewritten: it sends equal values in other digits (1.0 as 1.00); restored: it had been removed or had aged out and is shown again; removed: the provider no longer shows it; renumbered: the provider shows it under another _id; succeeded: another credential of its real account has taken over; handed_over: its credential no longer speaks for it (removed, gone, long blocked) and another one shows it; aged_out: the bank''s history no longer reaches back to it, or its account is closed.';
comment on column flanks.transaction_revisions.content is 'The whole old row, as to_jsonb gives it.';
comment on index flanks.transaction_revisions_by_id is 'The history of one operation.';
comment on index flanks.transaction_revisions_by_time is 'What was overwritten since a moment.';

-- What came since then, and what was overwritten since then: both are found by BRIN, and both only ever grow at their end.
create function flanks.transactions_changed_since(moment timestamptz) returns setof flanks.transactions
language sql stable parallel safe as $$
  select t.* from flanks.transactions t where t.first_seen_at >= transactions_changed_since.moment
  union all
  select t.* from flanks.transactions t
  where t.first_seen_at < transactions_changed_since.moment
    and t._id in (select r._id from flanks.transaction_revisions r where r.replaced_at >= transactions_changed_since.moment)
$$;
comment on function flanks.transactions_changed_since(timestamptz) is
  'The transactions that came, changed, were removed, aged out or came back since a moment, as they are now. Not among them: what an erasure deleted or gave to another credential, for it leaves no trace. For loading them elsewhere bit by bit. Times are those at which a window began to be written: ask for some minutes more than since the last time.';
