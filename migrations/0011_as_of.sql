-- migrate:up
-- The mirror as it was at any instant.

-- What one credential's operations were: transactions_as_of() for one credential, and its erasure. Both ends of the
-- period are in it, so that only the one version of each operation is fetched that was valid then.
create index transaction_revisions_by_credential on flanks.transaction_revisions (credential_id, replaced_at, valid_from);
comment on index flanks.transaction_revisions_by_credential is 'One credential''s operations as they were at an instant.';

-- No row of it is in both parts: one whose current version is taken has no revision that ended later. A where clause on
-- any column reaches the indexes of both (the planner inlines the function), and of a revision only those fields are
-- read that are asked for. A new column of transactions must be added here; tests/pg/as_of_pgtest.cpp would tell.
create function flanks.transactions_as_of(t timestamptz) returns setof flanks.transactions
language sql stable parallel safe as $$
  select n.* from flanks.transactions n
  where n.updated_at <= transactions_as_of.t
    and not exists (select from flanks.transaction_revisions r where r._id = n._id and r.replaced_at > transactions_as_of.t)
  union all
  select r._id, r.credential_id, r.content->>'product', r.content->>'account_id', r.content->>'card_id', r.content->>'investment_id',
    r.content->>'liability_id', r.content->>'portfolio_id', (r.content->>'operation_date')::date, (r.content->>'value_date')::date,
    (r.content->>'amount')::numeric, r.content->>'currency', (r.content->>'balance')::numeric, r.content->>'description',
    r.content->>'product_description', r.content->>'category', r.content->>'shop', r.content->>'entity', r.content->>'card_number',
    nullif(r.content->'transfer', 'null'), nullif(r.content->'extra', 'null'), (r.content->>'first_seen_at')::timestamptz,
    (r.content->>'updated_at')::timestamptz, (r.content->>'removed_at')::timestamptz, r.content->>'removal_reason',
    r.content->>'successor_id' collate "C", (r.content->>'aged_out_at')::timestamptz, (r.content->>'content_hash')::uuid
  from flanks.transaction_revisions r
  where r.valid_from <= transactions_as_of.t and r.replaced_at > transactions_as_of.t
$$;
comment on function flanks.transactions_as_of(timestamptz) is
  'The rows of flanks.transactions as they were at an instant, with every column: content and digits before later corrections, removed or not, aged out or not, with the credential and product that each belonged to then. "where removed_at is null" gives what was true then; "where credential_id = ..." is fast. A change counts from the instant at which its transaction began, a little before readers could see it: a window that took a minute to write is in it for that minute too, so an answer about the last minutes may still grow. Of several versions that one transaction wrote, the last counts. What an erasure deleted is in no answer, whatever the instant: an operation that it gave to another credential is there from the erasure on (and for the time that it had been that credential''s before), and a successor_id that it forgot is null. content_hash is a later one where only the key changed. What was written by hand leaves no version. users, accounts and sightings are not kept by time.';
