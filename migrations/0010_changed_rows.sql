-- migrate:up
-- A row whose content changed stays on its page and keeps its entries in the indexes (HOT): no index holds what changes
-- with the content, and pages keep some room.

create index transactions_by_credential on flanks.transactions (credential_id, product, operation_date);
comment on index flanks.transactions_by_credential is 'One credential''s operations by day: "the transactions of this customer in May", and what the daemon compares an answer with.';
drop index flanks.transactions_read_back;

-- Of new pages; the others get room when they are written anew (vacuum full).
alter table flanks.transactions set (fillfactor = 90);

-- What changed since a moment: what came since then, and what was overwritten since then. Both only ever grow at their
-- end, where BRIN is exact; on updated_at each rewritten row spoiled the range that it lies in.
drop index flanks.transactions_by_update;
create index transactions_by_first_seen on flanks.transactions using brin (first_seen_at) with (autosummarize = on);
create index transaction_revisions_by_time on flanks.transaction_revisions using brin (replaced_at) with (autosummarize = on);
comment on index flanks.transactions_by_first_seen is 'What came since a moment.';
comment on index flanks.transaction_revisions_by_time is 'What was overwritten since a moment.';

create function flanks.transactions_changed_since(moment timestamptz) returns setof flanks.transactions
language sql stable parallel safe as $$
  select t.* from flanks.transactions t where t.first_seen_at >= transactions_changed_since.moment
  union all
  select t.* from flanks.transactions t
  where t.first_seen_at < transactions_changed_since.moment
    and t._id in (select r._id from flanks.transaction_revisions r where r.replaced_at >= transactions_changed_since.moment)
$$;
comment on function flanks.transactions_changed_since(timestamptz) is
  'The transactions that came, changed, were removed or came back since a moment, as they are now. Not among them: what an erasure deleted or gave to another credential, for it leaves no trace; and what was written again with equal values (1.0 as 1.00). For loading them elsewhere bit by bit. Times are those at which a window began to be written: ask for some minutes more than since the last time.';
