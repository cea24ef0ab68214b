"""A world for the status page: credentials in every state that people ask about, a day of runs, a backfill under way.

The daemon sleeps (sync.poll is an hour), so that the tables are the test's.
"""
from admin import Admin, served_at
from world import wait_until

NASTY_USER = "<script>alert(1)</script>"
NASTY_BANK = "O'Hara & \"Sons\" <bank>"
IBAN = "ES9121000418450200051332"
LONG_ERROR = ("the provider answered 503 for POST /v0/bank/credentials/data three times in 41 seconds: "
              f"\"upstream bank connector of {IBAN} is under maintenance, see <https://status.example/incidents/8841>\"")
HINT = "nothing to do while the bank is down; if it lasts longer than a day, ask the provider and name trace_id 7f3a9c0b1d2e4f5a"


def started(world, **admin):
    """The daemon of `world`, at a port of its own; it has looked at every credential once."""
    world.settings = {**world.settings, "sync": {**world.settings.get("sync", {}), "poll": "1h"},
                      "admin": {"listen": "127.0.0.1:0", **admin}}
    world.write_config()
    daemon = world.start("run")
    where = wait_until(lambda: served_at(daemon.log.read_text()), "it listens")
    wait_until(lambda: world.sql("select count(*) from flanks.sync_status where last_attempt_at is null") == "0" and
               world.sql("select count(*) from flanks_internal.leases where lease_id is not null") == "0", "all were tried")
    return daemon, Admin(where)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def populate(world):
    """Needs eight credentials that were mirrored. Gives {what it shows: credential_id}."""
    ids = [int(r["credential_id"]) for r in world.rows("select credential_id from flanks.credentials order by 1")]
    who = dict(zip(("healthy", "blocked", "error", "stale", "sca", "quarantined", "nasty", "review"), ids))
    sql = []
    for name, state, columns in (
            ("blocked", "blocked", "provider_blocked = true"), ("sca", "action_required", "sca_required = true"),
            ("error", "error", f"last_error = {quoted(LONG_ERROR)}, last_error_hint = {quoted(HINT)}, "
                               "last_error_class = 'http_503', last_error_at = now(), bank = 'caixa-norte'")):
        sql.append(f"update flanks.credentials set state = '{state}', {columns} where credential_id = {who[name]}")
        sql.append(f"update flanks.credential_states set from_at = from_at - interval '3 days' where credential_id = {who[name]}")
        sql.append(f"update flanks.credential_states set from_at = now() - interval '2 days 3 hours' "
                   f"where credential_id = {who[name]} and state = '{state}'")
    sql.append(f"update flanks_internal.schedule set failures_in_a_row = 4, confirmed_at = now() - interval '2 days 4 hours' "
               f"where credential_id = {who['error']}")
    old = "now() - interval '9 days'"
    sql.append(f"update flanks.credentials set provider_updated_at = {old}, provider_refresh_seen_at = {old} "
               f"where credential_id = {who['stale']}")
    for table in ("accounts", "cards", "investments", "liabilities", "portfolios"):
        sql.append(f"update flanks.{table} set provider_updated_at = {old} where credential_id = {who['stale']}")
    sql.append(f"update flanks.accounts set iban = {quoted(IBAN)} where credential_id = {who['healthy']}")
    sql.append(f"update flanks.credentials set bank = {quoted(NASTY_BANK)} where credential_id = {who['nasty']}")
    sql.append(f"insert into flanks.user_credentials (user_id, credential_id) values ({quoted(NASTY_USER)}, {who['nasty']})")
    sql.append("insert into flanks.quarantine (credential_id, product, reason, detail, raw, truncated, first_sync_run_id, last_sync_run_id) "
               f"select {who['quarantined']}, 'card', r.reason, 'operationDate: canary-detail', convert_to('{{\"canary-raw\": ' || n || '}}', 'UTF8'), "
               "false, gen_random_uuid(), gen_random_uuid() from unnest(array['impossible_date', 'bad_amount']) r(reason), generate_series(1, 3) n")
    sql.append("insert into flanks.removal_reviews (sync_run_id, credential_id, product, reason, stored_rows) "
               f"values (gen_random_uuid(), {who['review']}, 'account', 'too_many', 40)")
    sql.append("with a as (insert into flanks.real_accounts (product) values ('account') returning real_account_id) "
               "insert into flanks.successions (real_account_id, product, from_credential_id, to_credential_id, state, compared_rows, "
               f"paired_rows, succeeded_rows, decided_at) select real_account_id, 'account', {who['blocked']}, {who['healthy']}, 'confirmed', "
               "80, 79, 79, now() - interval '5 days' from a")
    # A day at work: most rows in the morning, the failing bank fails.
    sql.append("insert into flanks.sync_runs (run_id, trigger, credential_id, product, window_from, window_to, outcome, fetched, inserted, "
               "updated, unchanged, error_class, error_message, requests, started_at, finished_at) "
               "select gen_random_uuid(), 'schedule', c, 'account', current_date - 30, current_date, "
               f"case when c = {who['error']} and h % 3 = 0 then 'failed' else 'ok' end, n * 9, n * 2, n, n * 6, "
               f"case when c = {who['error']} and h % 3 = 0 then 'http_503' end, "
               f"case when c = {who['error']} and h % 3 = 0 then {quoted(LONG_ERROR)} end, 2, "
               "now() - make_interval(hours => h, mins => 2), now() - make_interval(hours => h, mins => 1) "
               f"from unnest(array{ids}::bigint[]) c, generate_series(1, 22) h, "
               "lateral (select (40 * (1 + sin(h / 3.5)))::int + (c % 5)::int * 3 as n) k")
    sql.append("with b as (insert into flanks_internal.backfills (arguments, window_from, window_to, created_at) "
               "values ('{\"users\": \"{}\"}', current_date - 730, current_date, now() - interval '25 minutes') returning backfill_id) "
               "insert into flanks_internal.backfill_items (backfill_id, credential_id, product, window_from, window_to, done_at, attempts, last_error) "
               "select backfill_id, c, p, current_date - 730, current_date, "
               "case when n <= 20 then now() - make_interval(secs => n * 25) end, case when n = 21 then 2 else 0 end, "
               f"case when n = 21 then {quoted(LONG_ERROR)} end "
               f"from b, unnest(array{ids}::bigint[], array['account']) with ordinality x(c, q, m), "
               "lateral (select p, (m - 1) * 4 + k as n from unnest(array['account', 'card', 'investment', 'liability']) with ordinality y(p, k)) z")
    for statement in sql:
        world.sql(statement)
    return who
