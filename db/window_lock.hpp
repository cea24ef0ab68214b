// Who has a window of a credential open: an advisory lock that the window's transaction shares, so
// that pg_locks tells the backend (PostgreSQL 15, 13.3.5). A daemon that stands still holds its row
// locks as long as its transaction lasts; whoever takes its lease over finds it here and ends it.
#pragma once

// The key of a credential, in SQL; `id` is an expression.
#define FLANKS_WINDOW_LOCK(id) "hashtextextended('flanks window ' || " id ", 0)"
// Takes it until the transaction ends; never waits, because nobody takes it exclusively. As text,
// for a select list.
#define FLANKS_SHARE_WINDOW_LOCK(id) \
  "pg_advisory_xact_lock_shared(" FLANKS_WINDOW_LOCK(id) ")::text"
