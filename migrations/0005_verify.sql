-- migrate:up
-- What was proved: each time that database and provider were compared value by value.

create table flanks.verifications (
  verification_id bigint generated always as identity primary key,
  run_id uuid not null,
  credential_id bigint not null,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  window_from date,
  window_to date,
  outcome text not null check (outcome in ('equal', 'different', 'not_verifiable', 'failed')),
  compared bigint not null default 0,
  missing bigint not null default 0,
  extra bigint not null default 0,
  altered bigint not null default 0,
  quarantined bigint not null default 0,
  provider_updated_at timestamptz,
  detail text,
  started_at timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  check ((outcome = 'different') = (missing + extra + altered > 0))
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
comment on column flanks.verifications.outcome is 'equal: every value agreed; different; not_verifiable: the provider is not ready to answer, or nothing is covered yet; failed: the comparison could not be finished.';
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

-- A filter of the operations that are mirrored (sync.query).

alter table flanks.coverage add column query text not null default '';
comment on column flanks.coverage.query is 'Only operations that pass this filter were fetched: sync.query as it was sent, empty for all. What was covered under another filter is forgotten when the first window under a new one is stored.';
