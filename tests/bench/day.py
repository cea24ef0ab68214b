"""What a quiet day costs: every credential is asked for once, and the provider has nothing new."""
import os
import pathlib
import subprocess

from measure import Bar, Figure
from schedule import Registered
from world import BUILD, DEADLINE

CONCURRENCY = 64  # sync.concurrency, its default
DAYS = 7
SIZE = ("select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname in ('flanks', 'flanks_internal') and c.relkind = 'r'")


class Week(Registered):
    def day(self):
        """(WAL in bytes, CPU of the daemon and of PostgreSQL in seconds) of one day."""
        self.sql("update flanks_internal.leases set next_due_at = now() - interval '1 minute'; checkpoint")
        begin, wal, server = self.sql("select clock_timestamp()"), self.wal(), self.server_seconds()
        done = subprocess.run([BUILD / "tests/polls", self.dsn, str(self.count), str(CONCURRENCY)], capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
        wal, server = self.wal() - wal, self.server_seconds() - server
        confirmed = int(self.sql(f"select count(*) from flanks_internal.schedule where confirmed_at > '{begin}'"))
        if confirmed != self.count or self.sql("select count(*) from flanks.sync_runs") != "0":
            raise SystemExit(f"not measured what was meant: {confirmed} of {self.count} polls found nothing new")
        return wal, float(done.stdout.split('"cpu_seconds":')[1].split(",")[0]), server

    def server_seconds(self):
        """CPU of the postmaster and of all that it has started, also of what has ended."""
        pid, ticks = self.cluster.postmaster(), 0
        for each in (pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
            try:
                fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            ticks += int(fields[11]) + int(fields[12]) + (int(fields[13]) + int(fields[14]) if each == pid else 0)
        return ticks / os.sysconf("SC_CLK_TCK")


def quiet_day(rounds, quick):
    """A week of quiet days, each after a checkpoint; growth is what is left of it after a vacuum."""
    count = 1000 if quick else 10_000
    wal, ours, theirs, growth = [], [], [], []
    for _ in range(rounds):
        week = Week(count, 0)
        week.day()  # the first one finds tables that were never updated
        week.sql("vacuum")
        size = int(week.sql(SIZE))
        for _ in range(DAYS):
            bytes_, daemon, server = week.day()
            wal.append(bytes_ / count)
            ours.append(daemon / count * 1000)
            theirs.append(server / count * 1000)
            week.sql("vacuum")  # as autovacuum does in a day that is not compressed
        growth.append((int(week.sql(SIZE)) - size) / count / DAYS)
    return [
        Figure(f"quiet day: WAL of a poll that finds nothing, {count} credentials", "bytes", wal, Bar(at_most=300)),
        Figure("quiet day: growth of all tables a credential, after vacuum", "bytes", growth, Bar(at_most=40)),
        Figure("quiet day: CPU of the daemon a credential, no network", "ms", ours, Bar()),
        Figure("quiet day: CPU of PostgreSQL a credential", "ms", theirs, Bar()),
    ]
