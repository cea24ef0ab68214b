// What statements say of leases, spelled once.
#pragma once

// Whether a lease is still the one that was claimed: who has lost it may write nothing (promise
// P6). `l`: its row in flanks_internal.leases; `id`: an expression, the lease_id of the claim. By
// clock_timestamp(), not now(): the transaction may have begun long ago, or have waited for a lock.
// It is also the order between two answers: who asked under an earlier claim has lost it, whatever
// the provider says of the time of its data.
#define FLANKS_HOLDS_LEASE(l, id) l ".lease_id = " id " and " l ".expires_at > clock_timestamp()"

// Who writes under a lease shares an advisory lock until its transaction ends, so that pg_locks
// tells the backend (PostgreSQL 15, 13.3.5). A daemon that stands still holds its row locks as long
// as its transaction lasts; whoever takes its lease over finds it here and ends it.
// The key of a credential; `id` is an expression.
#define FLANKS_WINDOW_LOCK(id) "hashtextextended('flanks window ' || " id ", 0)"
// Never waits, because nobody takes it exclusively. As text, for a select list.
#define FLANKS_SHARE_WINDOW_LOCK(id) \
  "pg_advisory_xact_lock_shared(" FLANKS_WINDOW_LOCK(id) ")::text"
