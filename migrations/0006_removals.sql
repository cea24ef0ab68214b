-- migrate:up
-- Rows that vanish at once wait for a person.

create table flanks.removal_reviews (
  sync_run_id uuid primary key,
  credential_id bigint not null references flanks.credentials,
  product text not null check (product in ('account', 'card', 'investment', 'liability')),
  reason text not null check (reason in ('too_many', 'empty_answer')),
  state text not null default 'open' check (state in ('open', 'confirmed', 'rejected', 'resolved')),
  stored_rows bigint not null,
  removed_rows bigint,
  raised_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  decided_at timestamptz,
  decided_by text,
  check ((decided_at is null) = (state = 'open'))
);
-- One open question for each list; what vanishes later joins it. Also: who must look.
create unique index removal_reviews_open on flanks.removal_reviews (credential_id, product) where state = 'open';
-- Which rows of a list are set aside: asked at every commit.
create index removal_reviews_aside on flanks.removal_reviews (credential_id, product) where state in ('open', 'rejected');
comment on table flanks.removal_reviews is 'So many rows vanished at once that nothing was removed and a person must say what is true: flanks-sync removals list, confirm, reject.';
comment on column flanks.removal_reviews.sync_run_id is 'The run that raised it (sync_runs.sync_run_id), and its name on the command line.';
comment on column flanks.removal_reviews.credential_id is 'The credential.';
comment on column flanks.removal_reviews.product is 'account, card, investment or liability.';
comment on column flanks.removal_reviews.reason is 'too_many: more than the threshold vanished; empty_answer: the answer was an empty list where rows are stored.';
comment on column flanks.removal_reviews.state is 'open; confirmed (the rows were removed); rejected (the rows stay, and do not raise this again until the provider has shown them); resolved (the provider shows them again).';
comment on column flanks.removal_reviews.stored_rows is 'Rows that were stored in the window of the last answer that raised it.';
comment on column flanks.removal_reviews.removed_rows is 'Rows that confirming it removed.';
comment on column flanks.removal_reviews.raised_at is 'When it was raised.';
comment on column flanks.removal_reviews.last_seen_at is 'When an answer last lacked rows of it.';
comment on column flanks.removal_reviews.decided_at is 'When it ended; null while it is open.';
comment on column flanks.removal_reviews.decided_by is 'The database role that decided; null when it resolved by itself.';
comment on index flanks.removal_reviews_open is 'At most one open review for each list.';
comment on index flanks.removal_reviews_aside is 'Reviews whose rows are set aside.';

create table flanks.removal_candidates (
  sync_run_id uuid not null references flanks.removal_reviews on delete cascade,
  _id text collate "C" not null,
  primary key (sync_run_id, _id)
);
comment on table flanks.removal_candidates is 'The rows that a review is about; one that the provider shows again leaves an undecided or rejected one.';
comment on column flanks.removal_candidates.sync_run_id is 'The review.';
comment on column flanks.removal_candidates._id is 'The operation that was not shown.';
