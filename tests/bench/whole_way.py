"""The whole way of a row: provider, TLS, HTTP, parse, compare, write, commit; beside psql's \\copy of the same rows."""
import contextlib
import statistics

from measure import Bar, Figure, rate, run
from world import BINARY, World

MIB = 1024  # KiB


def make_world(settings=None, products="account", **sandbox):
    """Transactions of one product and nothing else, unless it is said otherwise: what is fetched is what the yardstick copies."""
    values = {"sync": {"products": ["account"], "product_details": [], "lease": "5m"}, "log": {"level": "warn"}}
    for section, lines in (settings or {}).items():
        values.setdefault(section, {}).update(lines)
    world = World(settings=values, products=products, **sandbox)
    register(world, [c["credentials_token"] for c in world.sandbox.credentials()])
    world.sql("vacuum analyze")
    return world


def register(world, tokens):
    """One credential a user; no more at once than one argument of psql can name."""
    for first in range(0, len(tokens), 1000):
        array = ",".join(f"'{token}'" for token in tokens[first:first + 1000])
        world.sql(f"select count(flanks.register_credential('user-' || {first} + n, t)) from unnest(array[{array}]) with ordinality u(t, n)")


def come_to_rest(world):
    """What one measurement left for later is not counted against the next: neither dirty pages nor what autovacuum would
    do sooner or later."""
    world.sql("vacuum analyze")
    world.sql("checkpoint")


def flanks_sync(world, *arguments):
    come_to_rest(world)
    return run([BINARY, "--config", world.config, *arguments], world.dir / "command.log")


def counted(world, column):
    """The sum of a count over the runs since the last call."""
    total = int(world.sql(f"select coalesce(sum({column}), 0) from flanks.sync_runs"))
    world.sql("truncate flanks.sync_runs")
    return total


def demand(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"not measured what was meant: {what} {found}, and not {wanted}")


class Yardstick:
    """The same rows in a file, and psql's \\copy of it into an empty table with the same columns, indexes and fillfactor."""

    def __init__(self, world):
        self.world = world
        self.file = world.dir / "rows.copy"
        world.sql(f"\\copy flanks.transactions to '{self.file}'")

    def copy(self):
        """Seconds of one connection and one COPY."""
        world = self.world
        fillfactor = world.sql("select array_to_string(reloptions, ',') from pg_class where oid = 'flanks.transactions'::regclass")
        world.sql(f"create table yardstick (like flanks.transactions including all) with ({fillfactor})")
        come_to_rest(world)
        copied = run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.host, "-U", "postgres",
                      "-d", world.database, "-c", f"\\copy yardstick from '{self.file}'"], world.dir / "copy.log")
        world.sql("drop table yardstick")  # or autovacuum would read it while something else is measured
        return copied.seconds


def wal_position(world):
    return int(world.sql("select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"))


def ratios(yardstick, ours):
    return [y / o for y, o in zip(yardstick, ours)]


def rows(rounds, quick):
    """1 000 credentials x 1 000 rows: first backfill, unchanged re-read, re-read with 5 % changed."""
    credentials, each = (100 if quick else 1000), 1000
    total = credentials * each
    figures, backfill_wal = first_backfill(rounds, credentials, each)
    # The provider's answers come from its memory: what is measured is not how it makes them.
    world = make_world({"sync": {"recent_sweep_days": "800d", "sweep_interval": "366d"}}, credentials=credentials, transactions=each, remember=2048)
    try:
        flanks_sync(world, "backfill")
        demand("rows inserted", counted(world, "inserted"), total)
        yardstick = Yardstick(world)
        world.backfill_wal = backfill_wal
        figures += unchanged(world, yardstick, rounds, total, "fingerprints", recent_sweep, 8)
        figures += unchanged(world, yardstick, rounds, total, "values", lambda w: flanks_sync(w, "backfill"), 3)
        figures += changed(world, yardstick, rounds, credentials, each)
    finally:
        world.close()
    return figures


def backfills(rounds, credentials, each, beside=contextlib.nullcontext):
    """(what a first backfill took, its WAL, seconds of \\copy) of every round; `beside(world)` is entered meanwhile."""
    for _ in range(rounds):
        world = make_world(credentials=credentials, transactions=each)
        try:
            with beside(world):
                before = wal_position(world)
                ours = flanks_sync(world, "backfill")
                wal = wal_position(world) - before
            demand("rows inserted", counted(world, "inserted"), credentials * each)
            yield ours, wal, Yardstick(world).copy()
        finally:
            world.close()


def backfill_rate(name, total, ours, copies):
    seconds = [m.seconds for m in ours]
    return Figure(f"{name} / \\copy", "x", ratios(copies, seconds), Bar(at_least=1.1), rate(total, seconds), "\\copy " + rate(total, copies))


def first_backfill(rounds, credentials, each):
    total = credentials * each
    ours, wal, copies = zip(*backfills(rounds, credentials, each))
    return [
        backfill_rate("first backfill", total, ours, copies),
        Figure("CPU of flanks-sync for 1 M new rows", "s", [m.cpu * 1e6 / total for m in ours], Bar(at_most=4.7)),
        Figure(f"peak memory, {credentials} x {each} rows", "MiB", [m.peak / MIB for m in ours], Bar(at_most=51)),
    ], statistics.median(wal)


def recent_sweep(world):
    """One cycle of the daemon in which the recent part of every history is due: here that is all of it."""
    world.sql("update flanks.coverage set last_sweep_at = now() - interval '30 days', last_recent_sweep_at = null")
    world.sql("update flanks_internal.leases set next_due_at = now()")
    return flanks_sync(world, "run", "--once")


def unchanged(world, yardstick, rounds, total, compared_with, read_again, bar):
    what = f"re-read, nothing changed, by {compared_with}"
    ours, copies, wal, versions = [], [], [], []
    for _ in range(rounds):
        come_to_rest(world)
        versions_before, wal_before = sum(world.row_versions()), wal_position(world)
        ours.append(read_again(world))
        wal.append(wal_position(world) - wal_before)
        versions.append(sum(world.row_versions()) - versions_before)
        demand("rows unchanged", counted(world, "unchanged"), total)
        copies.append(yardstick.copy())
    seconds = [m.seconds for m in ours]
    return [
        Figure(f"{what} / \\copy", "x", ratios(copies, seconds), Bar(at_least=bar), rate(total, seconds),
               "\\copy " + rate(total, copies)),
        Figure(f"{what}: row versions in transactions", "", versions, Bar(at_most=0)),
        Figure(f"{what}: WAL of the backfill's", "%", [100 * w / world.backfill_wal for w in wal],
               Bar(at_most=1), f"{statistics.median(wal) / 1e6:.2f} MB", f"backfill {world.backfill_wal / 1e6:.0f} MB"),
        Figure(f"CPU of flanks-sync for 1 M unchanged rows, by {compared_with}", "s", [m.cpu * 1e6 / total for m in ours], Bar()),
    ]


def changed(world, yardstick, rounds, credentials, each):
    total, corrected = credentials * each, each // 20
    ours, copies = [], []
    for _ in range(rounds):
        world.sandbox.refresh(correct=corrected)
        ours.append(recent_sweep(world))
        demand("rows updated", counted(world, "updated"), corrected * credentials)
        copies.append(yardstick.copy())
    seconds = [m.seconds for m in ours]
    return [Figure("re-read, 5 % changed / \\copy", "x", ratios(copies, seconds), Bar(at_least=4), rate(total, seconds),
                   "\\copy " + rate(total, copies))]


def one_response(rounds, quick):
    """All rows in one answer of one credential: memory must not grow with it."""
    size = 100_000 if quick else 1_000_000
    peaks, again = [], []
    for _ in range(min(rounds, 2)):
        world = make_world(credentials=1, transactions=size)
        try:
            peaks.append(flanks_sync(world, "backfill").peak / MIB)
            demand("rows inserted", counted(world, "inserted"), size)
            again.append(flanks_sync(world, "backfill").peak / MIB)
            demand("rows unchanged", counted(world, "unchanged"), size)
        finally:
            world.close()
    return [Figure(f"peak memory, one response of {size} rows, new", "MiB", peaks, Bar(at_most=128)),
            Figure(f"peak memory, one response of {size} rows, unchanged", "MiB", again, Bar(at_most=128))]


def latency(rounds, quick):
    """2 000 credentials with five rows each behind 300 ms: are all connections busy all the time?"""
    credentials, connections, latency_ms = (200 if quick else 2000), 64, 300
    shares, rates = [], []
    for _ in range(min(rounds, 3)):
        world = make_world({"flanks": {"max_connections": connections}, "sync": {"concurrency": 2 * connections}},
                           credentials=credentials, transactions=5, latency=latency_ms)
        try:
            world.sandbox.reset_requests()
            measured = flanks_sync(world, "backfill")
            requests = world.sandbox.requests()["requests"]
            demand("rows inserted", counted(world, "inserted"), 5 * credentials)
        finally:
            world.close()
        rates.append(requests / measured.seconds)
        shares.append(rates[-1] / (connections * 1000 / latency_ms))
    return [Figure(f"{credentials} credentials, {latency_ms} ms, {connections} connections / ideal", "x", shares,
                   Bar(at_least=0.9), f"{statistics.median(rates):.0f} requests/s",
                   f"ideal {connections * 1000 / latency_ms:.0f} requests/s")]
