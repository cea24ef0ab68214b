-- migrate:up
-- What was asked, how it ended, what is covered, what could not be stored, what was proved, and what is still to fetch.

-- ------------------------------------------------------------------------------------------------------------ runs

create table flanks.sync_runs (
  sync_run_id uuid primary key default gen_random_uuid(),
  run_id uuid not null,
  trigger text not null check (trigger in ('schedule', 'sweep', 'backfill', 'manual', 'repair')),
  credential_id bigint not null,
  product text check (product in ('account', 'card', 'investment', 'liability')),
  window_from date,
  window_to date,
  outcome text not null check (outcome in ('ok', 'partial', 'failed', 'suspicious', 'not_available')),
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
comment on column flanks.sync_runs.trigger is 'schedule, sweep (all history again), backfill, manual (sync) or repair (verify --repair).';
comment on column flanks.sync_runs.credential_id is 'The credential.';
comment on column flanks.sync_runs.product is 'account, card, investment or liability; null when the run ended before any product.';
comment on column flanks.sync_runs.window_from is 'First operation date that was asked for.';
comment on column flanks.sync_runs.window_to is 'Last operation date that was asked for. A window that reaches the day of the run has no end: what is dated later came too.';
comment on column flanks.sync_runs.outcome is 'ok; partial (some records in quarantine); failed (nothing stored); suspicious (too much vanished at once); not_available (not fetched: the provider is not ready; a poll that meets the same again has no row). A poll that finds nothing newer has no row: sync_status.last_attempt_at says when it was.';
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

-- Not in sync_runs: those speak of windows of transactions, and everything that reads them relies on it.
create table flanks.product_runs (
  product_run_id uuid primary key,
  run_id uuid not null,
  trigger text not null check (trigger in ('schedule', 'sweep', 'backfill', 'manual', 'repair')),
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder')),
  outcome text not null check (outcome in ('ok', 'partial', 'failed', 'suspicious')),
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
  response_bytes bigint not null default 0,
  provider_updated_at timestamptz,
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  check (fetched = inserted + updated + unchanged + duplicates + quarantined)
);
-- What happened to this credential's products lately.
create index product_runs_by_credential on flanks.product_runs (credential_id, started_at);
-- What happened last night: written in this order, so BRIN does.
create index product_runs_by_time on flanks.product_runs using brin (started_at) with (autosummarize = on);
comment on table flanks.product_runs is 'One row per fetch of one kind of product of one credential: what came, what was written, how it ended. What was not fetched is in product_coverage.';
comment on column flanks.product_runs.product_run_id is 'This row.';
comment on column flanks.product_runs.run_id is 'One cycle of the daemon, one backfill or one sync command: the same as in sync_runs.';
comment on column flanks.product_runs.trigger is 'schedule, sweep, backfill, manual or repair.';
comment on column flanks.product_runs.credential_id is 'The credential.';
comment on column flanks.product_runs.product is 'account, card, investment, liability, portfolio, identity or holder.';
comment on column flanks.product_runs.outcome is 'ok; partial (some records in quarantine); failed (nothing stored); suspicious (stored, but so much had vanished that nothing was marked as removed).';
comment on column flanks.product_runs.fetched is 'Records in the response = inserted + updated + unchanged + duplicates + quarantined.';
comment on column flanks.product_runs.inserted is 'Rows that were new.';
comment on column flanks.product_runs.updated is 'Rows whose content changed, or that came back.';
comment on column flanks.product_runs.unchanged is 'Records that were stored already, equal.';
comment on column flanks.product_runs.duplicates is 'Records that came before, equal, in the same response.';
comment on column flanks.product_runs.removed is 'Rows that the provider no longer shows.';
comment on column flanks.product_runs.quarantined is 'Records that could not be stored.';
comment on column flanks.product_runs.warnings is 'Records that were stored but changed on the way (U+0000); their bytes are in quarantine.';
comment on column flanks.product_runs.error_class is 'Short stable name of the error.';
comment on column flanks.product_runs.error_stage is 'How far it came: resolve, connect, tls, ..., write, commit.';
comment on column flanks.product_runs.error_message is 'The error, one sentence.';
comment on column flanks.product_runs.error_hint is 'What a person can do.';
comment on column flanks.product_runs.http_status is 'The provider''s HTTP status when it answered with an error.';
comment on column flanks.product_runs.provider_code is 'The provider''s error code.';
comment on column flanks.product_runs.trace_id is 'The provider''s trace_id: give it to their support.';
comment on column flanks.product_runs.response_bytes is 'Bytes of the response''s body.';
comment on column flanks.product_runs.provider_updated_at is 'The provider''s last refresh, as its status said at the start of this run.';
comment on column flanks.product_runs.started_at is 'When it began, by the daemon''s clock.';
comment on column flanks.product_runs.finished_at is 'When its record was written, by the database''s clock.';
comment on index flanks.product_runs_by_credential is 'What happened to a credential''s products lately.';
comment on index flanks.product_runs_by_time is 'What happened in a span of time.';

-- -------------------------------------------------------------------------------------------------------- coverage

create table flanks.coverage (
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  days datemultirange not null,
  unclean datemultirange not null default '{}',
  query text not null default '',
  provider_seen_at timestamptz,
  last_success_at timestamptz not null,
  last_sweep_at timestamptz,
  last_recent_sweep_at timestamptz,
  read_on date,
  window_days integer check (window_days >= 0),
  history_days integer check (history_days >= 0),
  last_operation_on date,
  usual_gap_days integer,
  primary key (credential_id, product)
) with (fillfactor = 80);
comment on table flanks.coverage is 'Which operation dates of each product were fetched whole and stored. Ask it before you trust that a day without rows had none: days @> date ''2026-05-01''.';
comment on column flanks.coverage.credential_id is 'The credential.';
comment on column flanks.coverage.product is 'account, card, investment or liability.';
comment on column flanks.coverage.days is 'The days that were verified; touching ranges are one. They reach beyond read_on when something is dated ahead.';
comment on column flanks.coverage.unclean is 'Days whose last answer held records that are in quarantine: read again with each refresh of the provider until they are clean.';
comment on column flanks.coverage.query is 'Only operations that pass this filter were fetched: sync.query as it was sent, empty for all. What was covered under another filter is forgotten when the first window under a new one is stored.';
comment on column flanks.coverage.provider_seen_at is 'The watermark: the provider''s refresh that was last read, at most a minute ahead of the database''s clock. Any other refresh is worth a fetch.';
comment on column flanks.coverage.last_success_at is 'When a window of it was last fetched and stored.';
comment on column flanks.coverage.last_sweep_at is 'When all history was last read whole.';
comment on column flanks.coverage.last_recent_sweep_at is 'When the recent part of history (sync.recent_sweep_days) was last read whole.';
comment on column flanks.coverage.read_on is 'The day on which a window without an end was last read: days after it hold what was dated ahead by then. The next window begins sync.overlap before it. Null: all windows so far had an end.';
comment on column flanks.coverage.window_days is 'The largest window, in days, that the provider served when it could not serve a larger one: the next fetch starts with it. Null: it has served all that was asked for.';
comment on column flanks.coverage.last_operation_on is 'The latest day on which an operation was ever shown; none that is dated ahead.';
comment on column flanks.coverage.usual_gap_days is 'Nine of ten gaps between two days with operations are no longer: as of the last sweep. Null: too few to tell.';
comment on column flanks.coverage.history_days is 'The bank serves the last so many days and refuses older ones: its history does not go back further. Asked for again with every full sweep. Null: it has served all that was asked for.';

create table flanks.product_coverage (
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder')),
  provider_seen_at timestamptz,
  last_success_at timestamptz,
  outcome text not null check (outcome in ('ok', 'partial', 'failed', 'suspicious', 'not_available')),
  reason text,
  doubted_at timestamptz,
  primary key (credential_id, product)
) with (fillfactor = 80);
comment on table flanks.product_coverage is 'How far each kind of product of each credential can be trusted: an empty table of cards means "no cards" only where its row here says ok.';
comment on column flanks.product_coverage.credential_id is 'The credential.';
comment on column flanks.product_coverage.product is 'account, card, investment, liability, portfolio, identity or holder.';
comment on column flanks.product_coverage.provider_seen_at is 'The watermark: the provider''s refresh that was last read, at most a minute ahead of the database''s clock. Any other refresh is worth a fetch.';
comment on column flanks.product_coverage.last_success_at is 'When it was last fetched whole and stored.';
comment on column flanks.product_coverage.outcome is 'How the last attempt ended: as product_runs.outcome, or not_available (not fetched: the provider has not extracted it).';
comment on column flanks.product_coverage.reason is 'Why, where it is not ok.';
comment on column flanks.product_coverage.doubted_at is 'The refresh of the provider in which too much had vanished at once. Another one that says the same is believed.';

-- ------------------------------------------------------------------------------------------------------ quarantine

-- Bad records of products go where those of transactions go; `part` tells the two apart.
create table flanks.quarantine (
  quarantine_id bigint generated always as identity primary key,
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder')),
  part text not null default 'transactions' check (part in ('transactions', 'products')),
  window_from date,
  window_to date,
  reason text not null,
  detail text not null,
  _id text not null default '',
  raw bytea not null,
  truncated boolean not null,
  stored_anyway boolean not null default false,
  records bigint not null default 1,
  raw_sha256 bytea not null generated always as (sha256(raw)) stored,
  first_sync_run_id uuid not null,
  last_sync_run_id uuid not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  resolved_at timestamptz,
  resolved_sync_run_id uuid,
  -- The same bad record comes again with every re-read; it is one row. Also the lookup by credential.
  unique (credential_id, product, reason, _id, raw_sha256)
) with (fillfactor = 90);
-- What is wrong now, per credential: asked by every sync_status, and before a window is compared.
create index quarantine_open on flanks.quarantine (credential_id, product, part) where resolved_at is null;
comment on table flanks.quarantine is 'Every record that could not be stored as it came, with its bytes. Nothing is dropped silently.';
comment on column flanks.quarantine.quarantine_id is 'This row.';
comment on column flanks.quarantine.credential_id is 'The credential that showed it.';
comment on column flanks.quarantine.product is 'Which list it was in.';
comment on column flanks.quarantine.part is 'transactions: it was an operation of the product; products: it was the product itself.';
comment on column flanks.quarantine.window_from is 'First day of the window that showed it; null for products.';
comment on column flanks.quarantine.window_to is 'Last day of the window that showed it; null for products.';
comment on column flanks.quarantine.reason is 'Short and stable. Not stored: missing_id, blank_id, missing_date, impossible_date, bad_amount, duplicate_key, too_long, too_deep, not_an_object, joint_conflict, product_conflict, refused_by_database, ... Stored with a change: bad_value, bad_number, bad_unicode, nul_character.';
comment on column flanks.quarantine.detail is 'For people: which fields, what is wrong.';
comment on column flanks.quarantine._id is 'Its _id when it has a usable one, else empty.';
comment on column flanks.quarantine.raw is 'Its bytes, at most 64 KiB. For conflicts between credentials: its fields as we understood them.';
comment on column flanks.quarantine.truncated is 'raw was cut.';
comment on column flanks.quarantine.stored_anyway is 'A warning: the record is stored, without a value that did not fit its column (the original is in extra), or with U+FFFD in place of what no text can hold.';
comment on column flanks.quarantine.records is 'How many records the row stands for: 1, or those beyond limits.quarantine_per_day of one reason and day, whose bytes are not kept.';
comment on column flanks.quarantine.raw_sha256 is 'SHA-256 of raw: the same record is kept once.';
comment on column flanks.quarantine.first_sync_run_id is 'The run that first met it: sync_runs.sync_run_id, for products product_runs.product_run_id.';
comment on column flanks.quarantine.last_sync_run_id is 'The run in which it was first met, or met again after it had been resolved.';
comment on column flanks.quarantine.first_seen_at is 'When it was first met.';
comment on column flanks.quarantine.last_seen_at is 'When that was. A record that is met again while it is open changes nothing.';
comment on column flanks.quarantine.resolved_at is 'When the record was stored after all, or the provider showed its days without it; null while it is open.';
comment on column flanks.quarantine.resolved_sync_run_id is 'The run that found so.';
comment on index flanks.quarantine_open is 'What is not stored now.';

-- What the provider sends that has no column: so that you learn when Flanks adds a field.
create table flanks.unknown_fields (
  endpoint text not null,
  path text collate "C" not null,
  json_type text not null check (json_type in ('string', 'number', 'boolean', 'null', 'object', 'array')),
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  count bigint not null,
  primary key (endpoint, path, json_type)
);
comment on table flanks.unknown_fields is 'Fields of the provider''s records that are neither a column here nor in the API contract. Nothing of them is lost: they are in transactions.extra.';
comment on column flanks.unknown_fields.endpoint is 'Which list showed it: account, card, investment or liability are the transactions of that product.';
comment on column flanks.unknown_fields.path is 'The name of the field.';
comment on column flanks.unknown_fields.json_type is 'What its value was; a field that comes as two types is two rows.';
comment on column flanks.unknown_fields.first_seen_at is 'When it first came.';
comment on column flanks.unknown_fields.last_seen_at is 'The last day on which it came, with the time of the first response of that day. Written once a day.';
comment on column flanks.unknown_fields.count is 'How many records had it, in one response a day.';

-- --------------------------------------------------------------------------------------------------- verifications

-- What was proved: each time that database and provider were compared value by value.
create table flanks.verifications (
  verification_id bigint generated always as identity primary key,
  run_id uuid not null,
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  window_from date,
  window_to date,
  outcome text not null check (outcome in ('equal', 'different', 'repaired', 'not_verifiable', 'failed')),
  compared bigint not null default 0,
  missing bigint not null default 0,
  extra bigint not null default 0,
  altered bigint not null default 0,
  quarantined bigint not null default 0,
  provider_updated_at timestamptz,
  detail text,
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  check ((outcome in ('different', 'repaired')) = (missing + extra + altered > 0))
);
-- When a credential was last proved, product by product.
create index verifications_by_credential on flanks.verifications (credential_id, product, finished_at);
comment on table flanks.verifications is 'One row each time that flanks-sync verify compared a window of one product of a credential with the provider, value by value. The differences themselves are printed, not kept.';
comment on column flanks.verifications.verification_id is 'This row.';
comment on column flanks.verifications.run_id is 'One verify command; shared by many rows.';
comment on column flanks.verifications.credential_id is 'The credential.';
comment on column flanks.verifications.product is 'account, card, investment or liability.';
comment on column flanks.verifications.window_from is 'First operation date that was compared; null when nothing was.';
comment on column flanks.verifications.window_to is 'Last operation date that was compared; null when nothing was.';
comment on column flanks.verifications.outcome is 'equal: every value agreed; different; repaired: it was different in a row before this one, verify --repair wrote it anew, and it is equal now (the counts say what it was); not_verifiable: the provider is not ready to answer, or nothing is covered yet; failed: the comparison could not be finished.';
comment on column flanks.verifications.compared is 'Operations that were compared: those that either side has.';
comment on column flanks.verifications.missing is 'Operations that the provider shows and the database does not have.';
comment on column flanks.verifications.extra is 'Operations that the database has as current and the provider does not show.';
comment on column flanks.verifications.altered is 'Operations that both have, with other values, or that the database has as removed.';
comment on column flanks.verifications.quarantined is 'Operations that the provider shows and that are in quarantine: not compared.';
comment on column flanks.verifications.provider_updated_at is 'The provider''s last refresh, as its status said at the start.';
comment on column flanks.verifications.detail is 'Why it could not be compared, or what to keep in mind; null when there is nothing to say.';
comment on column flanks.verifications.started_at is 'When it began, by the clock of the command.';
comment on column flanks.verifications.finished_at is 'When it was written, by the database''s clock.';
comment on index flanks.verifications_by_credential is 'When a credential was last proved.';

-- A narrower look that finds nothing says nothing of the other days.
create view flanks_internal.open_differences as
with found as (
  select x.* from flanks.verifications x
  where x.outcome = 'different' and not exists (
    select from flanks.verifications y
    where y.credential_id = x.credential_id and y.product = x.product and y.verification_id > x.verification_id
      and y.outcome in ('equal', 'different', 'repaired') and y.window_from <= x.window_from and y.window_to >= x.window_to))
select f.* from found f
where not exists (select from found o where o.credential_id = f.credential_id and o.product = f.product
  and o.verification_id <> f.verification_id and o.window_from <= f.window_from and o.window_to >= f.window_to);
comment on view flanks_internal.open_differences is 'Differences that verify has found and no later comparison of all their days has found mended. One that lies within another open one is left out.';
comment on column flanks_internal.open_differences.verification_id is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.run_id is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.credential_id is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.product is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.window_from is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.window_to is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.outcome is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.compared is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.missing is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.extra is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.altered is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.quarantined is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.provider_updated_at is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.detail is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.started_at is 'As in flanks.verifications.';
comment on column flanks_internal.open_differences.finished_at is 'As in flanks.verifications.';

-- -------------------------------------------------------------------------------------------------------- backfill

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
comment on column flanks_internal.backfill_items.attempts is 'How often it failed.';
comment on column flanks_internal.backfill_items.last_error is 'What it last failed with.';
comment on column flanks_internal.backfill_items.skipped is 'Why it was closed without data: the provider has none.';
comment on index flanks_internal.backfill_items_open is 'What is still to do.';
