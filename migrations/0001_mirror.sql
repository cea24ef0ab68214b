-- migrate:up
-- The mirror: credentials, transactions and their history, runs, coverage, quarantine, leases, backfill plans.
-- Schema flanks is for readers; schema flanks_internal holds tokens and bookkeeping, and readers cannot see it.

create schema flanks;
comment on schema flanks is 'The mirror of Flanks, for readers: psql, BI tools, the company''s own applications.';
create schema if not exists flanks_internal;
comment on schema flanks_internal is 'Tokens, leases, plans and migrations of flanks-sync. Not for readers.';
revoke all on schema flanks_internal from public;

create table if not exists flanks_internal.schema_migrations (
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

-- ---------------------------------------------------------------------------------------------- credentials

-- fillfactor: every attempt updates the row; room on the page keeps those updates off the index (HOT).
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
  provider_created_at timestamptz,
  last_transaction_date date,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  last_attempt_at timestamptz,
  last_confirmed_at timestamptz,
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
comment on column flanks.credentials.provider_created_at is 'When the provider first saw the credential (created_at_timestamp).';
comment on column flanks.credentials.last_transaction_date is 'The newest operation that the provider speaks of in its status.';
comment on column flanks.credentials.created_at is 'When it was registered here.';
comment on column flanks.credentials.removed_at is 'When an operator removed it: its token is deleted, its rows stay. Registering the token again brings it back.';
comment on column flanks.credentials.last_attempt_at is 'When it was last tried, with whatever end.';
comment on column flanks.credentials.last_confirmed_at is 'When the mirror was last known to agree with the provider: after a success, or when the provider had nothing newer.';
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

create table flanks_internal.credentials_tokens (
  credential_id bigint primary key references flanks.credentials,
  token_digest bytea not null unique check (octet_length(token_digest) = 32),
  credentials_token text,
  updated_at timestamptz not null default now()
);
comment on table flanks_internal.credentials_tokens is 'The secret credentials_token of each credential.';
comment on column flanks_internal.credentials_tokens.credential_id is 'The credential.';
comment on column flanks_internal.credentials_tokens.token_digest is 'SHA-256 of the token: a token is looked up by this, so that the lookup works whether or not the token is sealed.';
comment on column flanks_internal.credentials_tokens.credentials_token is 'The token; null after the credential was removed.';
comment on column flanks_internal.credentials_tokens.updated_at is 'When the token was last written.';

-- --------------------------------------------------------------------------------------------- transactions

-- No foreign key to credentials: it would cost one lookup a row on the way of a million-row COPY. The daemon writes
-- rows only under the lease of an existing credential, and credentials are never deleted while rows name them.
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
  content_hash uuid not null
);
-- One credential's operations by day: what the daemon reads back before it compares, and what "the transactions of this
-- customer in May" asks for through user_credentials.
create index transactions_by_credential on flanks.transactions (credential_id, product, operation_date);
-- All customers' operations of a day, a week, a month: the usual filter of a report.
create index transactions_by_date on flanks.transactions (operation_date);
-- "What changed since my last load": rows are written in the order of updated_at, so a few pages of BRIN do for it.
create index transactions_by_update on flanks.transactions using brin (updated_at) with (autosummarize = on);
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
comment on column flanks.transactions.updated_at is 'When this row was last written; an unchanged re-read does not write.';
comment on column flanks.transactions.removed_at is 'When the provider stopped showing it; null while it shows it.';
comment on column flanks.transactions.content_hash is '128-bit XXH3 of the provider''s fields: what the daemon compares against.';
comment on index flanks.transactions_by_credential is 'One credential''s operations by day.';
comment on index flanks.transactions_by_date is 'All operations of a day or a month.';
comment on index flanks.transactions_by_update is 'What changed since a moment.';

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
  replaced_at timestamptz not null default now(),
  reason text not null check (reason in ('changed', 'restored', 'removed', 'handed_over')),
  content jsonb not null
);
-- The history of one operation, newest last.
create index transaction_revisions_by_id on flanks.transaction_revisions (_id, revision_id);
comment on table flanks.transaction_revisions is 'Every version of a transaction that was overwritten or removed.';
comment on column flanks.transaction_revisions.revision_id is 'Grows with time within one operation.';
comment on column flanks.transaction_revisions._id is 'The operation.';
comment on column flanks.transaction_revisions.credential_id is 'The credential that the old version belonged to.';
comment on column flanks.transaction_revisions.sync_run_id is 'The run that replaced it (sync_runs.sync_run_id).';
comment on column flanks.transaction_revisions.replaced_at is 'When it was replaced.';
comment on column flanks.transaction_revisions.reason is 'changed: the provider sends other content; restored: it had been removed and is shown again; removed: the provider no longer shows it; handed_over: its credential was removed and another one shows it.';
comment on column flanks.transaction_revisions.content is 'The whole old row, as to_jsonb gives it.';
comment on index flanks.transaction_revisions_by_id is 'The history of one operation.';

-- --------------------------------------------------------------------------------- runs, coverage, quarantine

create table flanks.sync_runs (
  sync_run_id uuid primary key default gen_random_uuid(),
  run_id uuid not null,
  trigger text not null check (trigger in ('schedule', 'sweep', 'backfill', 'manual')),
  credential_id bigint not null,
  product text check (product in ('account', 'card', 'investment', 'liability')),
  window_from date,
  window_to date,
  outcome text not null check (outcome in ('ok', 'partial', 'failed', 'suspicious', 'unchanged_upstream', 'not_available')),
  fetched bigint not null default 0,
  inserted bigint not null default 0,
  updated bigint not null default 0,
  unchanged bigint not null default 0,
  duplicates bigint not null default 0,
  removed bigint not null default 0,
  quarantined bigint not null default 0,
  warnings bigint not null default 0,
  error_class text,
  error_stage text,
  error_message text,
  error_hint text,
  http_status integer,
  provider_code text,
  trace_id text,
  requests integer not null default 0,
  response_bytes bigint not null default 0,
  provider_ms bigint not null default 0,
  database_ms bigint not null default 0,
  provider_updated_at timestamptz,
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  check (fetched = inserted + updated + unchanged + duplicates + quarantined)
);
-- What happened to this credential lately.
create index sync_runs_by_credential on flanks.sync_runs (credential_id, started_at);
-- What one cycle or one backfill did.
create index sync_runs_by_run on flanks.sync_runs (run_id);
-- What happened last night: written in this order, so BRIN does.
create index sync_runs_by_time on flanks.sync_runs using brin (started_at) with (autosummarize = on);
comment on table flanks.sync_runs is 'One row per run, credential and product: what was asked, what came, what was written, how it ended.';
comment on column flanks.sync_runs.sync_run_id is 'This row.';
comment on column flanks.sync_runs.run_id is 'One cycle of the daemon, one backfill or one sync command; shared by many rows.';
comment on column flanks.sync_runs.trigger is 'schedule, sweep (all history again), backfill or manual.';
comment on column flanks.sync_runs.credential_id is 'The credential.';
comment on column flanks.sync_runs.product is 'account, card, investment or liability; null when the run ended before any product.';
comment on column flanks.sync_runs.window_from is 'First operation date that was asked for.';
comment on column flanks.sync_runs.window_to is 'Last operation date that was asked for.';
comment on column flanks.sync_runs.outcome is 'ok; partial (some records in quarantine); failed (nothing stored); suspicious (too much vanished at once); unchanged_upstream (not fetched: the provider has nothing newer); not_available (not fetched: the provider is not ready).';
comment on column flanks.sync_runs.fetched is 'Records in the response = inserted + updated + unchanged + duplicates + quarantined.';
comment on column flanks.sync_runs.inserted is 'Rows that were new.';
comment on column flanks.sync_runs.updated is 'Rows whose content changed.';
comment on column flanks.sync_runs.unchanged is 'Records that were stored already, equal.';
comment on column flanks.sync_runs.duplicates is 'Records whose _id came before in the same response.';
comment on column flanks.sync_runs.removed is 'Rows that the provider no longer shows.';
comment on column flanks.sync_runs.quarantined is 'Records that could not be stored.';
comment on column flanks.sync_runs.warnings is 'Records that were stored but changed on the way (U+0000); their bytes are in quarantine.';
comment on column flanks.sync_runs.error_class is 'Short stable name of the error.';
comment on column flanks.sync_runs.error_stage is 'How far it came: resolve, connect, tls, ..., write, commit.';
comment on column flanks.sync_runs.error_message is 'The error, one sentence.';
comment on column flanks.sync_runs.error_hint is 'What a person can do.';
comment on column flanks.sync_runs.http_status is 'The provider''s HTTP status when it answered with an error.';
comment on column flanks.sync_runs.provider_code is 'The provider''s error code.';
comment on column flanks.sync_runs.trace_id is 'The provider''s trace_id: give it to their support.';
comment on column flanks.sync_runs.requests is 'HTTP requests, retries included.';
comment on column flanks.sync_runs.response_bytes is 'Bytes of the responses'' bodies.';
comment on column flanks.sync_runs.provider_ms is 'Milliseconds spent waiting for the provider.';
comment on column flanks.sync_runs.database_ms is 'Milliseconds spent waiting for the database.';
comment on column flanks.sync_runs.provider_updated_at is 'The provider''s last refresh, as its status said at the start of this run.';
comment on column flanks.sync_runs.started_at is 'When it began, by the daemon''s clock.';
comment on column flanks.sync_runs.finished_at is 'When its record was written, by the database''s clock.';
comment on index flanks.sync_runs_by_credential is 'What happened to a credential lately.';
comment on index flanks.sync_runs_by_run is 'What one cycle or backfill did.';
comment on index flanks.sync_runs_by_time is 'What happened in a span of time.';

create table flanks.coverage (
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  days datemultirange not null,
  provider_seen_at timestamptz,
  last_success_at timestamptz not null,
  last_sweep_at timestamptz,
  primary key (credential_id, product)
) with (fillfactor = 80);
comment on table flanks.coverage is 'Which operation dates of each product were fetched whole and stored. Ask it before you trust that a day without rows had none: days @> date ''2026-05-01''.';
comment on column flanks.coverage.credential_id is 'The credential.';
comment on column flanks.coverage.product is 'account, card, investment or liability.';
comment on column flanks.coverage.days is 'The days that were verified; touching ranges are one.';
comment on column flanks.coverage.provider_seen_at is 'The watermark: the provider''s last refresh that has been read. Never goes back.';
comment on column flanks.coverage.last_success_at is 'When a window of it was last fetched and stored.';
comment on column flanks.coverage.last_sweep_at is 'When all history was last read whole.';

create table flanks.quarantine (
  quarantine_id bigint generated always as identity primary key,
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  reason text not null,
  detail text not null,
  _id text not null default '',
  raw bytea not null,
  truncated boolean not null,
  stored_anyway boolean not null default false,
  raw_sha256 bytea not null generated always as (sha256(raw)) stored,
  first_sync_run_id uuid not null,
  last_sync_run_id uuid not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  -- The same bad record comes again with every re-read; it is one row. Also the lookup by credential.
  unique (credential_id, product, reason, _id, raw_sha256)
) with (fillfactor = 90);
comment on table flanks.quarantine is 'Every record that could not be stored as it came, with its bytes. Nothing is dropped silently.';
comment on column flanks.quarantine.quarantine_id is 'This row.';
comment on column flanks.quarantine.credential_id is 'The credential that showed it.';
comment on column flanks.quarantine.product is 'Which list it was in.';
comment on column flanks.quarantine.reason is 'Short and stable: missing_id, bad_amount, impossible_date, joint_conflict, product_conflict, refused_by_database, nul_character, ...';
comment on column flanks.quarantine.detail is 'For people: which field, what is wrong.';
comment on column flanks.quarantine._id is 'Its _id when it has a usable one, else empty.';
comment on column flanks.quarantine.raw is 'Its bytes, at most 64 KiB. For conflicts between credentials: its fields as we understood them.';
comment on column flanks.quarantine.truncated is 'raw was cut.';
comment on column flanks.quarantine.stored_anyway is 'A warning: the transaction is stored, changed (U+FFFD in place of U+0000).';
comment on column flanks.quarantine.raw_sha256 is 'SHA-256 of raw: the same record is kept once.';
comment on column flanks.quarantine.first_sync_run_id is 'The run that first met it (sync_runs.sync_run_id).';
comment on column flanks.quarantine.last_sync_run_id is 'The run that last met it.';
comment on column flanks.quarantine.first_seen_at is 'When it was first met.';
comment on column flanks.quarantine.last_seen_at is 'When it was last met.';

-- --------------------------------------------------------------------------------------------------- leases

create table flanks_internal.leases (
  credential_id bigint primary key references flanks.credentials,
  lease_id uuid,
  holder text,
  expires_at timestamptz,
  next_due_at timestamptz not null default now(),
  due_before_claim timestamptz,
  failures_in_a_row integer not null default 0,
  check ((lease_id is null) = (expires_at is null))
) with (fillfactor = 70);
-- The only question of the scheduler: who is due. A claimed credential is due when its lease expires, a paused one never.
create index leases_due on flanks_internal.leases (next_due_at);
comment on table flanks_internal.leases is 'Who works on a credential now, and when it is due next. By the database''s clock only.';
comment on column flanks_internal.leases.credential_id is 'The credential.';
comment on column flanks_internal.leases.lease_id is 'Random id of the present claim, compared before every commit; null when nobody holds it.';
comment on column flanks_internal.leases.holder is 'Which worker, for people: host and process id.';
comment on column flanks_internal.leases.expires_at is 'When the claim ends unless it is renewed.';
comment on column flanks_internal.leases.next_due_at is 'When a worker may claim it: while it is claimed, the end of the lease; while it is paused, infinity.';
comment on column flanks_internal.leases.due_before_claim is 'When it was due before it was claimed, for giving it back untouched.';
comment on column flanks_internal.leases.failures_in_a_row is 'Failed attempts since the last good one.';
comment on index flanks_internal.leases_due is 'Who is due.';

-- ------------------------------------------------------------------------------------------- backfill plans

create table flanks_internal.backfills (
  backfill_id bigint generated always as identity primary key,
  arguments jsonb not null,
  window_from date not null,
  window_to date not null,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);
-- The same command again finds its unfinished plan, and two at once cannot make two.
create unique index backfills_unfinished on flanks_internal.backfills (arguments) where finished_at is null;
comment on table flanks_internal.backfills is 'One row per backfill command; its items say what is left to do.';
comment on column flanks_internal.backfills.backfill_id is 'The plan.';
comment on column flanks_internal.backfills.arguments is 'What was asked for: users, credentials, products, days. Equal arguments resume.';
comment on column flanks_internal.backfills.window_from is 'First operation date of every item.';
comment on column flanks_internal.backfills.window_to is 'Last operation date of every item.';
comment on column flanks_internal.backfills.created_at is 'When it was planned.';
comment on column flanks_internal.backfills.finished_at is 'When its last item was done; null while some are open.';
comment on index flanks_internal.backfills_unfinished is 'At most one unfinished plan for the same arguments.';

create table flanks_internal.backfill_items (
  item_id bigint generated always as identity primary key,
  backfill_id bigint not null references flanks_internal.backfills on delete cascade,
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  window_from date not null,
  window_to date not null,
  done_at timestamptz,
  attempts integer not null default 0,
  last_error text,
  skipped text,
  unique (backfill_id, credential_id, product)
) with (fillfactor = 90);
-- What is still open, credential by credential: shrinks to nothing as the backfill goes on.
create index backfill_items_open on flanks_internal.backfill_items (backfill_id, credential_id) where done_at is null;
comment on table flanks_internal.backfill_items is 'One product of one credential of a backfill; done in the same database transaction as its rows.';
comment on column flanks_internal.backfill_items.item_id is 'The item.';
comment on column flanks_internal.backfill_items.backfill_id is 'Its plan.';
comment on column flanks_internal.backfill_items.credential_id is 'The credential.';
comment on column flanks_internal.backfill_items.product is 'account, card, investment or liability.';
comment on column flanks_internal.backfill_items.window_from is 'First operation date to fetch.';
comment on column flanks_internal.backfill_items.window_to is 'Last operation date to fetch.';
comment on column flanks_internal.backfill_items.done_at is 'When it was stored or skipped; null while it is open.';
comment on column flanks_internal.backfill_items.skipped is 'Why it was closed without data: the provider has none.';
comment on column flanks_internal.backfill_items.attempts is 'How often it failed.';
comment on column flanks_internal.backfill_items.last_error is 'What it last failed with.';
comment on index flanks_internal.backfill_items_open is 'What is still to do.';

-- ------------------------------------------------------------------------------------ registering a credential

create function flanks.register_credential(user_id text, credentials_token text) returns bigint
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
  'Registers a credential for one of your users and returns its credential_id. Calling it again with the same token changes nothing but adds the user. It is synchronised at once.';
revoke execute on function flanks.register_credential(text, text) from public;

-- ---------------------------------------------------------------------------------------------------- views

-- The schedule is in flanks_internal; readers of sync_status see it through this view, with the rights of its owner.
create view flanks.sync_status as
select c.credential_id,
  u.users,
  c.bank,
  s.state,
  case s.state when 'action_required' then 'end_user' when 'blocked' then 'end_user'
    when 'gone' then 'operator' when 'paused' then 'operator' when 'removed' then 'nobody'
    when 'pending' then 'provider'
    when 'error' then case
      when c.last_error_class ~ '^(http_[35]|rate_limited|html|error_object|empty_body|invalid_json|truncated|bad_response|unexpected_body|redirect|bad_status|connection_reset|connection_closed|first_byte_timeout|idle_timeout|total_timeout|send_timeout|provider_)' then 'provider'
      when c.last_error_class ~ '^(bad_request|unauthorized|forbidden|not_found|http_4|too_large|response_too_large|database|token_|bad_token|untrusted_certificate|bad_ca)' then 'operator'
      -- The network, or something new: it mends itself, or it does not.
      when coalesce(l.failures_in_a_row, 0) < 3 then 'nobody' else 'operator' end
    when 'ok' then case when c.last_error is null then 'nobody' else 'operator' end
    else 'nobody' end as who_must_act,
  c.last_attempt_at,
  c.last_success_at,
  c.last_new_data_at,
  date_trunc('second', now() - c.last_confirmed_at) as lag,
  case when l.next_due_at < 'infinity' then coalesce(case when l.lease_id is not null then l.due_before_claim end, l.next_due_at) end as next_run_at,
  coalesce(l.lease_id is not null and l.expires_at > now(), false) as running,
  coalesce(l.failures_in_a_row, 0) as failures_in_a_row,
  c.last_error,
  c.last_error_hint,
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
order by array_position(array['error', 'blocked', 'action_required', 'gone', 'pending', 'new', 'paused', 'ok', 'removed'],
    case when s.state = 'ok' and c.last_error is not null then 'error' else s.state end),
  c.last_confirmed_at nulls first, c.credential_id;
comment on view flanks.sync_status is 'One line per credential, problems first: how it stands, who must act, when it last worked, what happens next.';
comment on column flanks.sync_status.credential_id is 'The credential.';
comment on column flanks.sync_status.users is 'Your users it belongs to.';
comment on column flanks.sync_status.bank is 'The provider''s identifier of the bank.';
comment on column flanks.sync_status.state is 'credentials.state, or paused, or removed.';
comment on column flanks.sync_status.who_must_act is 'nobody, end_user, operator or provider; nobody for an error that may mend itself, until the third in a row.';
comment on column flanks.sync_status.last_attempt_at is 'When it was last tried.';
comment on column flanks.sync_status.last_success_at is 'When transactions were last fetched and stored.';
comment on column flanks.sync_status.last_new_data_at is 'When a fetch last changed anything.';
comment on column flanks.sync_status.lag is 'How long ago the mirror was last known to agree with the provider; null when never.';
comment on column flanks.sync_status.next_run_at is 'When it is due; in the past when it waits for a free worker; null when never.';
comment on column flanks.sync_status.running is 'A worker is at it now.';
comment on column flanks.sync_status.failures_in_a_row is 'Failed attempts since the last good one.';
comment on column flanks.sync_status.last_error is 'What the last attempt failed with, in full.';
comment on column flanks.sync_status.last_error_hint is 'What a person can do about it.';
comment on column flanks.sync_status.what_next is 'What happens next, in words.';

create view flanks.transactions_current as
select u.users, c.bank, t._id, t.credential_id, t.product, t.account_id, t.card_id, t.investment_id, t.liability_id,
  t.portfolio_id, t.operation_date, t.value_date, t.amount, t.currency, t.balance, t.description,
  t.product_description, t.category, t.shop, t.entity, t.card_number, t.transfer, t.extra, t.first_seen_at, t.updated_at
from flanks.transactions t
join flanks.credentials c using (credential_id)
cross join lateral (select coalesce(array_agg(distinct uc.user_id order by uc.user_id), '{}') as users
    from flanks.user_credentials uc
    where uc.credential_id = t.credential_id
       or uc.credential_id in (select s.credential_id from flanks.transaction_sightings s where s._id = t._id)) u
where t.removed_at is null;
comment on view flanks.transactions_current is 'The transactions that the provider shows today, one row each, with their users and bank.';
comment on column flanks.transactions_current.users is 'Your users it belongs to: those of its credential and, for a joint account, of every other credential that shows it.';
comment on column flanks.transactions_current.bank is 'The provider''s identifier of the bank.';
do $$
declare
  column_name name;
  words text;
begin
  -- The other columns say what they say in the table.
  for column_name, words in
    select v.attname, col_description('flanks.transactions'::regclass, t.attnum)
    from pg_attribute v join pg_attribute t on t.attrelid = 'flanks.transactions'::regclass and t.attname = v.attname
    where v.attrelid = 'flanks.transactions_current'::regclass and v.attnum > 0
  loop
    execute format('comment on column flanks.transactions_current.%I is %L', column_name, words);
  end loop;
end $$;
