"""What one poll costs the database and us when a thousand credentials are registered, and when a million are."""
import json
import os
import statistics
import subprocess

from measure import Bar, Figure
from whole_way import wal_position
from world import BINARY, BUILD, Cluster, DEADLINE

POLLS = 1000         # due credentials that one round polls, in both databases
CONCURRENCY = 24     # sync.concurrency, its default

# Credentials as they stand after months: polled a while ago, nothing wrong, all history read, due at any time of the
# next day. Straight into the tables, for a million calls of register_credential would measure those.
FILL = """
set session_replication_role = replica;
set synchronous_commit = off;
insert into flanks.credentials (bank, state, provider_pending, provider_blocked, reset_required, sca_required,
    transaction_token_required, product_status, provider_updated_at, provider_created_at, created_at,
    last_success_at, last_new_data_at)
  select 'bank', 'ok', false, false, false, false, false,
    '{{"card":{{"created":true,"errored":false}},"account":{{"created":true,"errored":false}},"investment":{{"created":true,"errored":false}},"liability":{{"created":true,"errored":false}}}}',
    '2026-01-02', '2026-01-01', '2026-01-01', '2026-01-02', '2026-01-02'
  from generate_series(1, {n});
insert into flanks_internal.credentials_tokens (credential_id, token_digest, credentials_token)
  select n, sha256(convert_to(n::text, 'UTF8')), 'token-of-the-usual-length-' || n from generate_series(1, {n}) n;
insert into flanks_internal.leases (credential_id, next_due_at)
  select n, now() + interval '2 hours' + random() * interval '22 hours' from generate_series(1, {n}) n;
insert into flanks_internal.schedule (credential_id, next_due_at, confirmed_at, polls)
  select credential_id, next_due_at, now() - interval '1 day',
    (select decode(string_agg(lpad(to_hex(extract(epoch from now())::bigint - 172800 + i * 14400), 8, '0'), ''), 'hex') from generate_series(1, 6) i)
  from flanks_internal.leases;
insert into flanks.user_credentials (user_id, credential_id) select 'user-' || n, n from generate_series(1, {n}) n;
insert into flanks.coverage (credential_id, product, days, provider_seen_at, last_success_at, last_sweep_at)
  select n, p, datemultirange(daterange('2024-01-01', '2026-01-03')), '2026-01-02', now(), now()
  from generate_series(1, {n}) n, unnest(array['account', 'card', 'investment', 'liability']) p;
insert into flanks.product_coverage (credential_id, product, provider_seen_at, last_success_at, outcome)
  select n, p, '2026-01-02', now(), 'ok'
  from generate_series(1, {n}) n, unnest(array['account', 'card', 'investment', 'liability', 'portfolio', 'identity', 'holder']) p;
reset session_replication_role;
"""

TABLES = ("flanks.credentials", "flanks_internal.leases", "flanks_internal.schedule", "flanks.coverage", "flanks.sync_runs")


class Registered:
    """A database with that many credentials. Who is due is who has his turn, as the daemon gives them."""

    def __init__(self, count, rounds):
        self.count = count
        self.cluster = Cluster.get()
        self.database = self.cluster.new_database()
        self.dsn = f"host={self.cluster.host} user=postgres dbname={self.database}"
        plan = subprocess.run([BINARY, "--config", self.config(), "migrate", "up"], capture_output=True, text=True)
        if plan.returncode != 0:
            raise SystemExit(plan.stderr)
        self.sql(FILL.format(n=count))
        if count > (rounds + 1) * POLLS:
            # In the order of their turns, oldest first: what a round claims, none before it has touched.
            order = subprocess.run([BUILD / "tests/polls", "slots", str(count)], capture_output=True, text=True, check=True)
            due = ",".join(order.stdout.split()[:(rounds + 1) * POLLS])
            self.sql("update flanks_internal.leases l set next_due_at = now() - interval '1 day' + r.nr * interval '1 second' "
                     f"from unnest(array[{due}]) with ordinality r(credential_id, nr) where r.credential_id = l.credential_id")
        self.sql("vacuum (freeze, analyze)")

    def config(self):
        path = os.path.join(self.cluster.dir, self.database + ".yaml")
        secret = os.path.join(self.cluster.dir, "secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("secret\n")
        with open(path, "w") as file:
            file.write(f'flanks: {{base_url: "https://localhost:1", client_id: none, client_secret_file: "{secret}"}}\n'
                       f'database: {{dsn: "{self.dsn}"}}\n')
        return path

    def sql(self, statement):
        return self.cluster.psql(self.database, statement, "-A", "-t").strip()

    def statistics(self):
        """By table that grows with credentials: row versions written, how many of them HOT, sequential scans, bytes of its
        indexes."""
        self.sql("select pg_stat_force_next_flush()")
        found = {}
        for line in self.sql("select s.schemaname || '.' || s.relname, n_tup_upd, n_tup_hot_upd, coalesce(seq_scan, 0), "
                             "pg_indexes_size(relid) from pg_stat_user_tables s join pg_class c on c.oid = relid "
                             f"where c.reltuples > {self.count} * 0.9 or s.relname = 'sync_runs'").splitlines():
            name, *numbers = line.split("|")
            found[name] = [int(n) for n in numbers]
        return found

    def round(self):
        """Polls POLLS credentials that are due; what that took and what it left behind."""
        if self.count <= 2 * POLLS:
            self.sql("update flanks_internal.leases set next_due_at = now() - random() * interval '1 hour'")
        # Every round pays for the first touch of a page after a checkpoint, as the daemon does most of the time.
        self.sql("checkpoint")
        begin = self.sql("select clock_timestamp()")
        before, wal = self.statistics(), wal_position(self)
        done = subprocess.run([BUILD / "tests/polls", self.dsn, str(POLLS), str(CONCURRENCY)], capture_output=True,
                              text=True, timeout=DEADLINE)
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
        measured = json.loads(done.stdout)
        after, polls = self.statistics(), measured["polls"]
        confirmed = int(self.sql(f"select count(*) from flanks_internal.schedule where confirmed_at > '{begin}'"))
        runs = int(self.sql("select count(*) from flanks.sync_runs"))
        if confirmed != polls or runs != 0:
            raise SystemExit(f"not measured what was meant: {confirmed} of {polls} polls found nothing new, with {runs} runs")
        changed = {t: [a - b for a, b in zip(after[t], before[t])] for t in after}
        return {**measured, "us": measured["seconds"] / polls * 1e6, "wal": (wal_position(self) - wal) / polls, "tables": changed}


def schedule(rounds, quick):
    """1 000 and 1 000 000 registered: claim, status, run records and release of what is due."""
    many = 50_000 if quick else 1_000_000
    worlds = [Registered(1000, rounds), Registered(many, rounds)]
    found = [[], []]
    for _ in range(rounds):
        for world, into in zip(worlds, found):
            into.append(world.round())
    return figures_of(found, many)


def figures_of(found, many):
    few_us, many_us = ([r["us"] for r in rounds] for rounds in found)
    tables = {t: [sum(r["tables"][t][i] for r in found[1]) for i in range(4)] for t in TABLES}
    polls = sum(r["polls"] for r in found[1])
    scans = {t: sum(r["tables"][t][2] for r in found[1]) for t in found[1][0]["tables"]}
    peak = [r["peak_kib"] / 1024 for r in found[1]]
    lines = [
        Figure(f"a poll with {many} registered / with 1 000", "x", [m / f for m, f in zip(many_us, few_us)], Bar(at_most=1.2),
               f"{statistics.median(many_us):.0f} us", f"{statistics.median(few_us):.0f} us"),
        Figure(f"CPU of the daemon for a poll, {many} registered", "us", [r["cpu_seconds"] / r["polls"] * 1e6 for r in found[1]],
               Bar(), yardstick=f"{statistics.median(r['cpu_seconds'] / r['polls'] * 1e6 for r in found[0]):.0f} us with 1 000"),
        Figure(f"peak memory, {many} registered", "MiB", peak, Bar(at_most=64),
               yardstick=f"{statistics.median(r['peak_kib'] / 1024 for r in found[0]):.1f} MiB with 1 000"),
        Figure(f"WAL of a poll, {many} registered", "bytes", [r["wal"] for r in found[1]], Bar(),
               yardstick=f"{statistics.median(r['wal'] for r in found[0]):.0f} bytes with 1 000"),
        Figure(f"sequential scans, {many} registered", "", [sum(scans.values())], Bar(at_most=0),
               ", ".join(f"{n} of {t}" for t, n in scans.items() if n)),
    ]
    for table, (updates, hot, _, grown) in tables.items():
        if updates:
            lines.append(Figure(f"HOT share of {updates / polls:.1f} updates a poll of {table}", "%", [100 * hot / updates], Bar()))
        lines.append(Figure(f"growth of the indexes of {table}", "bytes a poll", [grown / polls], Bar()))
    return lines
