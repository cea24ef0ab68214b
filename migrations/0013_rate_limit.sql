-- migrate:up
-- One rate limit for all processes of this database. Each takes grants in advance: a span of time in which nobody else
-- sends, with so many places. One row, written once a grant; no index holds what is written, and the page has room for
-- the next version, so that a write touches nothing else (HOT).

create table flanks_internal.rate_limit (
  single boolean primary key default true check (single),
  next_at timestamptz not null default '-infinity',
  paused_until timestamptz check (isfinite(paused_until)),
  paused_status integer,
  paused_by text
) with (fillfactor = 50);
comment on table flanks_internal.rate_limit is 'How fast all flanks-sync processes of this database together may ask the provider (flanks.requests_per_second): one row. It may be deleted at any time; then all begin anew.';
comment on column flanks_internal.rate_limit.single is 'True: there is one row.';
comment on column flanks_internal.rate_limit.next_at is 'The first instant that no process has been granted.';
comment on column flanks_internal.rate_limit.paused_until is 'Until then nobody sends, because the provider said so (429, or 503 with Retry-After). Null or past: no pause. To end one by hand: update flanks_internal.rate_limit set paused_until = null, next_at = now().';
comment on column flanks_internal.rate_limit.paused_status is 'The HTTP status that asked for the last pause.';
comment on column flanks_internal.rate_limit.paused_by is 'The process that was answered so, as host:pid.';

insert into flanks_internal.rate_limit default values;
