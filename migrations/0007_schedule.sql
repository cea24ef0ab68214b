-- migrate:up
-- A claim no longer moves next_due_at: who is in flight is told by the lease alone. So a claim, a renewal and a credential
-- that is given back untouched are HOT updates, and of a whole poll only its end moves an entry of leases_due.

-- Claimed before this migration: due again when it was due before.
update flanks_internal.leases l set next_due_at = case when c.paused then 'infinity' else coalesce(l.due_before_claim, l.next_due_at) end
from flanks.credentials c
where c.credential_id = l.credential_id and l.lease_id is not null;

-- next_run_at is what next_due_at says; the rest of the view stays as it is, whatever other migrations have made of it.
do $$
declare
  definition text := pg_get_viewdef('flanks.sync_status'::regclass);
  before_claim constant text := 'COALESCE\(\s*CASE\s+WHEN \(l\.lease_id IS NOT NULL\) THEN l\.due_before_claim\s+'
    'ELSE NULL::timestamp with time zone\s+END, l\.next_due_at\)';
begin
  if definition !~ before_claim then
    raise exception 'flanks.sync_status does not say next_run_at as it did: cannot say it anew';
  end if;
  execute 'create or replace view flanks.sync_status as ' || regexp_replace(definition, before_claim, 'l.next_due_at');
end $$;

alter table flanks_internal.leases drop column due_before_claim;
comment on column flanks_internal.leases.next_due_at is 'When it is to be tried next, claimed or not; while it is paused, infinity. A credential is free for a worker when this has come and nobody holds an unexpired lease.';
comment on index flanks_internal.leases_due is 'Who is due, in the order of turn.';
