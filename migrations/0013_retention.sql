-- migrate:up
-- Whose turn it is to delete what retention: in the configuration no longer keeps.

alter table flanks_internal.settings add column pruned_at timestamptz not null default '-infinity';
comment on column flanks_internal.settings.pruned_at is 'When a daemon last began to delete what is older than retention: in its configuration says. Once a day, one daemon of all.';

comment on table flanks.sync_runs is 'One row per run, credential and product: what was asked, what came, what was written, how it ended. Older ones are deleted (retention.run_logs): never the newest of a credential and product, nor one that a review, a record in quarantine or a stored revision names.';
comment on table flanks.product_runs is 'One row per fetch of one kind of product of one credential: what came, what was written, how it ended. What was not fetched is in product_coverage. Older ones are deleted (retention.run_logs): never the newest of a credential and product, nor one that a record in quarantine names.';
comment on table flanks.credential_states is 'Every change of a credential''s state. The newest row is how it stands now. States that ended long ago are deleted (retention.credential_states).';
comment on table flanks.transaction_revisions is 'Every version of a transaction that was overwritten or removed. flanks.transactions_as_of() puts them together again. None is ever deleted, unless retention.revisions or retention.removed_rows says so.';

do $$
declare
  f regprocedure;
begin
  foreach f in array array['flanks.transactions_as_of(timestamptz)', 'flanks.transactions_changed_since(timestamptz)']::regprocedure[]
  loop
    execute format('comment on function %s is %L', f, obj_description(f, 'pg_proc') ||
      ' Where retention.revisions or retention.removed_rows is set, it is right only for instants since then, and what was deleted is in no answer.');
  end loop;
end $$;
