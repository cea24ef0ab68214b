"""What the feed of changes costs and how soon it tells: flanks.changes_after(), and NOTIFY flanks_changes."""
import contextlib
import signal
import statistics
import threading
import time

import libpq
import whole_way
from day import cluster_with_commit_times
from measure import Bar, Figure
from whole_way import demand, make_world

FILL = """
insert into flanks.changes (kind, _id, credential_id, product)
  select 'update', substr(md5(n::text), 1, 24), n % 1000, 'account' from generate_series(1, {n}) n
"""


class Consumer:
    """Reads the feed as README tells: woken by NOTIFY, all that there is, from the position that it keeps. A transaction that has
    committed is told when those that began to write before it have ended, and these need not wake anybody: so it asks again
    for a while."""

    MOST = 1000
    AGAIN = (0.005,) * 20  # seconds

    def __init__(self, world, position=0):
        self.db = libpq.Connection(f"host={world.cluster.host} user=postgres dbname={world.database}")
        self.db.run("listen flanks_changes")
        self.position = position
        self.changes, self.seen = 0, {}  # transaction -> when the last of its changes was here
        self.woken = 0
        self.asked_again = 0  # so often did that bring something

    def take(self):
        """Everything that there is; how many changes."""
        before = self.changes
        while True:
            positions = self.db.run(f"select * from flanks.changes_after({self.position}, {self.MOST})")
            now = time.time()
            for position in positions:
                self.seen[int(position) >> 24] = now
            self.changes += len(positions)
            if positions:
                self.position = int(positions[-1])
            if len(positions) < self.MOST:
                return self.changes - before

    def follow(self, ended):
        """Until ended() is true."""
        self.take()
        pauses = iter(())
        while not ended():
            woken = self.db.wait(next(pauses, 0.2))
            found = self.take()
            if woken:
                self.woken += 1
                pauses = iter(self.AGAIN)
            elif found:
                self.asked_again += 1

    def close(self):
        self.db.close()


def read_rate(rounds, quick):
    count = 200_000 if quick else 1_000_000
    world = make_world(credentials=0, transactions=0)
    rates = {1000: [], 10_000: []}
    try:
        world.sql(FILL.format(n=count))
        world.sql("vacuum (analyze) flanks.changes")
        for _ in range(rounds):
            for most, found in rates.items():
                consumer = Consumer(world)
                consumer.MOST = most
                begin = time.monotonic()
                consumer.take()
                found.append(count / (time.monotonic() - begin))
                demand("changes read", consumer.changes, count)
                consumer.close()
    finally:
        world.close()
    return [Figure(f"changes_after: changes read, {most} a call, {count} in all", "changes/s", found, Bar(at_least=100_000))
            for most, found in rates.items()]


def latency(rounds, quick):
    """One new row of each credential, which come due one after the other at banks that answer sooner or later: a commit
    each, mostly, of one daemon."""
    count, apart = 500, 0.05
    found = []
    with cluster_with_commit_times():
        world = make_world({"sync": {"notify_changes": "true"}}, credentials=count, transactions=20, months=1)
        try:
            whole_way.flanks_sync(world, "run", "--once")
            for n, c in enumerate(world.sandbox.credentials()):
                world.sandbox.fault("latency", token=c["credentials_token"], endpoint="account", times=-1, ms=n * 37 % 200)
            for _ in range(rounds):
                found.append(told_after(world, count, apart))
        finally:
            world.close()
    return latency_figures(found)


def told_after(world, count, apart):
    """(seconds from commit to receipt of every transaction that changed rows, how many of them were seen by asking again)."""
    world.sandbox.refresh(add=1)
    whole_way.come_to_rest(world)
    world.sql(f"update flanks_internal.leases set next_due_at = now() + interval '1 second' + (credential_id - 1) * interval '{apart} seconds'")
    consumer = Consumer(world, int(world.sql("select flanks.changes_position()")))
    daemon = world.start("run")
    deadline = time.monotonic() + 60 + count * apart
    consumer.follow(lambda: consumer.changes >= count or time.monotonic() > deadline)
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(60)
    consumer.close()
    demand("changes seen", consumer.changes, count)
    committed = dict(line.split("|") for line in world.sql(
        "select x, extract(epoch from pg_xact_commit_timestamp(x::text::xid)) "
        f"from unnest(array[{','.join(map(str, consumer.seen))}]::bigint[]) x").splitlines())
    return [seen - float(committed[str(x)]) for x, seen in consumer.seen.items()], consumer.asked_again


def latency_figures(found):
    parts = [statistics.quantiles(seconds, n=100) for seconds, _ in found]
    what = f"commit to seen, {min(len(seconds) for seconds, _ in found)} transactions or more a round"
    return [Figure(f"{what}: median", "ms", [p[49] * 1000 for p in parts], Bar()),
            Figure(f"{what}: 99th percentile", "ms", [p[98] * 1000 for p in parts], Bar(at_most=50),
                   f"{statistics.median(again for _, again in found):g} reads found what no NOTIFY had told")]


@contextlib.contextmanager
def listening(world):
    """The mirror notifies, and somebody reads along."""
    world.sql("update flanks_internal.settings set notify_changes = true")
    consumer, ended = Consumer(world), threading.Event()
    thread = threading.Thread(target=lambda: consumer.follow(ended.is_set))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        consumer.take()
        consumer.close()
    demand("windows told", int(world.sql("select count(*) from flanks.changes")), consumer.changes)
    if consumer.woken == 0:
        raise SystemExit("not measured what was meant: nobody was notified")


def backfill(rounds, quick):
    credentials, each = (100 if quick else 1000), 1000
    ours, _, copies = zip(*whole_way.backfills(rounds, credentials, each, listening))
    return [whole_way.backfill_rate("first backfill, its changes notified and read,", credentials * each, ours, copies)]


def feed(rounds, quick):
    return read_rate(rounds, quick) + latency(rounds, quick) + backfill(rounds, quick)
