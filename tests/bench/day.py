"""What a day costs: a quiet one (the provider has nothing new), a usual one (three new rows each, one credential in twenty with
a corrected row), and one on which bank accounts are connected again. Days are compressed: the next one begins when the last is
done, and everybody is due at once."""
import contextlib
import datetime
import json
import subprocess

from measure import Bar, Figure, run, server_seconds
from schedule import Registered
from whole_way import demand, make_world, register, wal_position
from world import BINARY, BUILD, Cluster, DEADLINE

CONCURRENCY = 64  # sync.concurrency, its default
DAYS = 7
SIZE = ("select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname in ('flanks', 'flanks_internal') and c.relkind = 'r'")


class Costs:
    """Of days of one kind, by credential. A kind of day has: prepare() what the provider and the schedule do, run() what is
    measured, which gives the CPU of the daemon in seconds, check() that it was what was meant; count, sql(), cluster."""

    def __init__(self):
        self.wal, self.ours, self.theirs, self.growth = [], [], [], []

    def day(self, kind):
        """After a checkpoint, as the first write of a page mostly is."""
        kind.prepare()
        kind.sql("checkpoint")
        wal, server = wal_position(kind), server_seconds(kind.cluster)
        ours = kind.run()
        wal, server = wal_position(kind) - wal, server_seconds(kind.cluster) - server
        kind.check()
        self.wal.append(wal / kind.count)
        self.ours.append(ours / kind.count * 1000)
        self.theirs.append(server / kind.count * 1000)
        kind.sql("vacuum")  # as autovacuum does in a day that is not compressed

    def days(self, kind, count):
        """Growth is what is left of them after a vacuum."""
        size = int(kind.sql(SIZE))
        for _ in range(count):
            self.day(kind)
        self.growth.append((int(kind.sql(SIZE)) - size) / kind.count / count)

    def figures(self, what, wal="WAL a credential", wal_bar=Bar(), growth_bar=Bar(), daemon=""):
        return [
            Figure(f"{what}: {wal}", "bytes", self.wal, wal_bar),
            Figure(f"{what}: growth of all tables a credential, after vacuum", "bytes", self.growth, growth_bar),
            Figure(f"{what}: CPU of the daemon a credential{daemon}", "ms", self.ours, Bar()),
            Figure(f"{what}: CPU of PostgreSQL a credential", "ms", self.theirs, Bar()),
        ]


# ---- a quiet day, without network

class QuietDays(Registered):
    def prepare(self):
        self.sql("update flanks_internal.leases set next_due_at = now() - interval '1 minute'")
        self.begin = self.sql("select clock_timestamp()")

    def run(self):
        done = subprocess.run([BUILD / "tests/polls", self.dsn, str(self.count), str(CONCURRENCY)], capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
        told = json.loads(done.stdout)
        self.requests = told["polls"] / self.count
        return told["cpu_seconds"]

    def check(self):
        confirmed = int(self.sql(f"select count(*) from flanks_internal.schedule where confirmed_at > '{self.begin}'"))
        demand("polls that found nothing new", confirmed, self.count)
        demand("runs", self.sql("select count(*) from flanks.sync_runs"), "0")


def quiet_day(rounds, quick):
    count = 1000 if quick else 10_000
    costs, requests = Costs(), []
    for _ in range(rounds):
        kind = QuietDays(count, 0)
        Costs().day(kind)  # the first one finds tables that were never updated
        costs.days(kind, DAYS)
        requests.append(kind.requests)
    return costs.figures("quiet day", f"WAL of a poll that finds nothing, {count} credentials", Bar(at_most=300), Bar(at_most=40), ", no network") + [
        Figure("quiet day: requests at the provider for a poll", "", requests, Bar())]


# ---- days of the whole way, against the sandbox

@contextlib.contextmanager
def cluster_with_commit_times():
    """What is made meanwhile is made in a cluster of its own, that knows when each transaction has committed."""
    shared, Cluster.shared = Cluster.shared, Cluster(fsync="on")
    try:
        Cluster.shared.set(track_commit_timestamp="on")
        yield
    finally:
        Cluster.shared.stop()
        Cluster.shared = shared


class ProviderDays:
    """Everything is mirrored that is by default, by a daemon that does one full cycle over what is due."""

    def __init__(self, count, settings, **sandbox):
        self.world = make_world({"sync": {"products": None, "product_details": None, **settings}},
                                products="account,card,investment,liability", **sandbox)
        self.count, self.cluster, self.sql = count, self.world.cluster, self.world.sql
        self.requests, self.freshness = [], []

    def due(self, which="true"):
        self.sql(f"update flanks_internal.leases set next_due_at = now() - interval '1 minute' where {which}")
        self.sql("update flanks_internal.leases set next_due_at = 'infinity' where not (" + which + ")")

    def cycle(self, ends=0):
        """CPU of the daemon in seconds; `ends` with that code."""
        return run([BINARY, "--config", self.world.config, "run", "--once"], self.world.dir / "command.log", ends=(ends,)).cpu

    def begin(self):
        self.world.sandbox.reset_requests()
        self.started = self.sql("select clock_timestamp()")

    def note(self):
        """Requests a credential; of each credential, seconds from the status call that first told of the refresh to the commit of
        the last of its rows: median and 99th percentile. When that call is made is the schedule's part of the freshness, which
        tests/unit/refresh_times_test.cpp simulates."""
        self.requests.append(self.world.sandbox.requests()["requests"] / self.count)
        found = self.sql(
            "select percentile_cont(array[0.5, 0.99]) within group (order by extract(epoch from r.committed - c.provider_refresh_seen_at)) "
            "from flanks.credentials c join (select credential_id, max(pg_xact_commit_timestamp(xmin)) as committed from flanks.transactions "
            f"where updated_at > '{self.started}' and removed_at is null group by 1) r using (credential_id)")
        self.freshness.append([float(seconds) for seconds in found.strip("{}").split(",")])

    def runs(self, column):
        return int(self.sql(f"select coalesce(sum({column}), 0) from flanks.sync_runs where finished_at > '{self.started}'"))

    def figures(self, costs, what, fresh):
        return costs.figures(what) + [
            Figure(f"{what}: requests at the provider a credential", "", self.requests, Bar()),
            Figure(f"{what}: {fresh}, median of all credentials", "s", [f[0] for f in self.freshness], Bar()),
            Figure(f"{what}: {fresh}, 99th percentile", "s", [f[1] for f in self.freshness], Bar())]


class UsualDays(ProviderDays):
    """A month of three rows a day is behind them: what the overlap reads again."""

    NEW, ONE_IN = 3, 20

    def __init__(self, count):
        # Two days more than the default, so that a month of 31 days is within the overlap.
        super().__init__(count, {"overlap": "32d"}, credentials=count, transactions=90, months=1)
        self.tokens = [c["credentials_token"] for c in self.world.sandbox.credentials()]
        self.due()
        self.cycle()
        demand("rows", self.sql("select count(*) from flanks.transactions"), str(90 * count))

    def prepare(self):
        for token in self.tokens[::self.ONE_IN]:  # first: else it may be a new row that is corrected
            self.world.sandbox.refresh(token, correct=1, advance=1)
        self.world.sandbox.refresh(add=self.NEW)
        self.due()
        self.begin()

    def run(self):
        return self.cycle()

    def check(self):
        demand("rows inserted", self.runs("inserted"), self.NEW * self.count)
        demand("rows updated", self.runs("updated"), len(self.tokens[::self.ONE_IN]))
        self.note()


class ReconnectDays(ProviderDays):
    """Everybody's bank account, a row a day for two years, is connected again: the old login is unknown to the provider since
    yesterday, a new one shows the same account and operations under other ids."""

    HISTORY, SOME_FAILED = 720, 3

    def __init__(self, count):
        # Of a scripted credential the sandbox knows no identity.
        details = ["account", "card", "investment", "liability", "portfolio", "holder"]
        super().__init__(count, {"product_details": details}, credentials=0, transactions=0)
        self.generation = 0
        self.show()
        register(self.world, self.tokens())
        self.due()
        self.cycle()
        demand("rows", self.sql("select count(*) from flanks.transactions"), str(self.HISTORY * count))

    def tokens(self):
        return [f"token-{self.generation}-{n}" for n in range(self.count)]

    def show(self):
        today, each = datetime.date.today(), 50
        days = [str(today - datetime.timedelta(days=d)) for d in range(self.HISTORY)]
        scripts = []
        for n, token in enumerate(self.tokens()):
            prefix = f"{self.generation}-{n}"
            scripts.append({"credentials_token": token, "bank": "testbank",
                            "products": {"account": [{"_id": prefix, "account_id": prefix, "iban": f"ES{n:022}", "entity": "testbank",
                                                      "alias": "Household", "balance": 10, "currency": "EUR"}]},
                            "transactions": {"account": [{"_id": f"{prefix}-operation-{d}", "account_id": prefix, "amount": d - 300,
                                                          "currency": "EUR", "operationDate": day, "valueDate": day, "balance": 10 * d,
                                                          "description": f"CARD PAYMENT {d * 7919 % 100000} AT A SHOP"}
                                                         for d, day in enumerate(days)]}})
        for first in range(0, self.count, each):
            self.world.sandbox.script(scripts[first:first + each])

    def prepare(self):
        self.world.sandbox.script([{"credentials_token": token, "unknown": True} for token in self.tokens()])
        self.old = self.sql("select string_agg(credential_id::text, ',') from flanks.credentials where state = 'ok'")
        self.due(f"credential_id in ({self.old})")
        self.cycle(self.SOME_FAILED)
        self.sql("update flanks.credentials set not_found_since = not_found_since - interval '1 day'")
        self.due(f"credential_id in ({self.old})")
        self.generation += 1
        self.show()
        self.begin()

    def run(self):
        gone = self.cycle(self.SOME_FAILED)
        register(self.world, self.tokens())
        return gone + self.cycle()

    def check(self):
        rows = self.HISTORY * self.count
        demand("rows inserted", self.runs("inserted"), rows)
        succeeded = f"select count(*) from flanks.transactions where removal_reason = 'succeeded' and removed_at > '{self.started}'"
        demand("rows succeeded", self.sql(succeeded), str(rows))
        self.note()


def days_of(kind, rounds):
    """A day a round, after a first one that finds tables that were never updated."""
    costs = Costs()
    Costs().day(kind)
    kind.requests.clear()
    kind.freshness.clear()
    for _ in range(rounds):
        costs.days(kind, 1)
    return costs


def usual_day(rounds, quick):
    count = 500 if quick else 10_000
    kind = UsualDays(count)
    try:
        costs = days_of(kind, rounds)
        return kind.figures(costs, f"usual day of {count} credentials", "from the poll that finds the refresh to the commit")
    finally:
        kind.world.close()


def reconnect_day(rounds, quick):
    """On fewer credentials: it reads two years of everybody."""
    count = 20 if quick else 500
    kind = ReconnectDays(count)
    try:
        costs = days_of(kind, rounds)
        return kind.figures(costs, f"reconnect day of {count} accounts, {kind.HISTORY} rows each", "from the first poll to the commit of its history")
    finally:
        kind.world.close()


def day(rounds, quick):
    figures = quiet_day(rounds, quick)
    with cluster_with_commit_times():
        figures += usual_day(rounds, quick)
        figures += reconnect_day(rounds, quick)
    return figures
