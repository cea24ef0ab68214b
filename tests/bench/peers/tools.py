"""flanks-sync and its peers behind one face: how each is had, how it is run, and what it has in its table."""
import csv
import datetime
import io
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from measure import run
from world import BINARY, ROOT

HERE = pathlib.Path(__file__).parent
PACKAGES = ROOT / "build/peers"  # one environment a peer; nothing is installed elsewhere
SIZE = ("select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and c.relkind = 'r'")


class Missing(Exception):
    """Why a peer cannot be had here."""


class Tool:
    """One tool with its own database in the cluster of a world."""

    label = version = name = None
    missing = None  # why it cannot be had

    def begin(self, world):
        self.world = world
        self.database = world.cluster.new_database()
        self.empty = int(self.sql(SIZE))

    def sql(self, statement):
        return self.world.cluster.psql(self.database, statement, "-A", "-t").strip()

    def rest(self):
        """What one measurement left for later is not counted against the next."""
        self.sql("vacuum analyze")
        self.sql("checkpoint")

    def size(self):
        """Bytes of all that it keeps in the database, indexes included."""
        self.sql("vacuum")
        return int(self.sql(SIZE)) - self.empty

    def rows(self):
        """(_id, day, amount) as texts of every row that a reader would count."""
        return [tuple(row) for row in csv.reader(io.StringIO(self.world.cluster.psql(self.database, self.select, "--csv", "-t"), newline=""))]

    def count(self):
        return int(self.sql(f"select count(*) from ({self.select}) r"))


class FlanksSync(Tool):
    name = label = "flanks-sync"
    version = ""
    select = "select _id, operation_date, amount from flanks.transactions_distinct"

    def have(self):
        pass

    def begin(self, world):
        self.world, self.database = world, world.database
        self.empty = int(self.sql(SIZE))

    def known(self, credentials):
        """[(number, token, user)]: who is new is registered. The numbers are the caller's, not ours."""
        self.sql("".join(f"select flanks.register_credential('{user}', '{token}');" for _, token, user in credentials) or "select 1")

    def command(self, *arguments, demand=True):
        return run([BINARY, "--config", self.world.config, *arguments], self.world.dir / "command.log", ends=(0,) if demand else None)

    def read_first(self):
        return self.command("backfill")

    def make_sweeps_due(self):
        """A later day on which all history is read again."""
        self.sql("update flanks.coverage set last_sweep_at = now() - interval '60 days', last_recent_sweep_at = null; "
                 "update flanks_internal.leases set next_due_at = now()")

    def make_due(self):
        """A later day: a 404 of before was one of an earlier one."""
        self.sql("update flanks.credentials set not_found_since = not_found_since - interval '2 days' where not_found_since is not null; "
                 "update flanks_internal.leases set next_due_at = now()")

    def read_day(self, demand=True):
        return self.command("run", "--once", demand=demand)

    def failed(self, measured):
        return measured.exit not in (0, 3)  # 3: some credentials failed, and it says which


class Peer(Tool):
    """One process reads all credentials once. Subclasses say what it is and where its rows are."""

    options = {}  # more for its adapter

    def have(self):
        """Installs it into an environment of its own, unless it is there; Missing when that cannot be."""
        self.packages = PACKAGES / self.environment
        wanted = self.packages / "wanted"
        if wanted.exists() and wanted.read_text() == "\n".join(self.wants):
            return
        shutil.rmtree(self.packages, ignore_errors=True)
        self.packages.mkdir(parents=True)
        self.install()
        wanted.write_text("\n".join(self.wants))

    def attempt(self, what, *command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Missing(f"{what}: {error}") from error
        if done.returncode != 0:
            said = (done.stderr + done.stdout).splitlines()
            raise Missing(f"{what}: " + next((line for line in said if "error" in line.lower()), f"exit {done.returncode}"))

    def begin(self, world):
        super().begin(world)
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="flanks-peer-", dir=world.dir))
        self.credentials = []

    def known(self, credentials):
        self.credentials = [(number, token) for number, token, _ in credentials]

    def read(self, whole, demand=True):
        sandbox = self.world.sandbox
        order = self.state / "order.json"
        order.write_text(json.dumps({
            "url": sandbox.url, "ca_file": str(sandbox.ca_file), "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret, "credentials": self.credentials, "host": self.world.cluster.host,
            "database": self.database, "state": str(self.state), "packages": str(self.packages), "whole": whole,
            "today": str(datetime.date.today()), **self.options}))
        order.chmod(0o600)
        return run([*self.command(), order], self.state / "log", env={"HOME": str(self.state), "NO_COLOR": "1"}, ends=(0,) if demand else None)

    def read_first(self):
        return self.read(whole=False)

    def make_due(self):
        self.whole = False

    def make_sweeps_due(self):
        self.whole = True

    def read_day(self, demand=True):
        return self.read(self.whole, demand)

    def failed(self, measured):
        return measured.exit != 0


class PythonPeer(Peer):
    def install(self):
        self.attempt("python3 -m venv (Debian: python3-venv)", "python3", "-m", "venv", self.packages / "venv")
        self.attempt("pip install " + " ".join(self.wants), self.packages / "venv/bin/pip", "install", "-q", *self.wants)

    def command(self):
        return [self.packages / "venv/bin/python", HERE / self.adapter]


class Dlt(PythonPeer):
    name = environment = "dlt"
    version, adapter = "1.31.0", "dlt_merge.py"
    label = f"dlt {version}"
    wants = [f"dlt[postgres]=={version}"]
    select = "select _id, operation_date, amount from bank.transactions"


class SingerTarget(PythonPeer):
    name = environment = "target-postgres"
    version, adapter = "0.8.1", "singer_target.py"
    label = f"Singer target-postgres {version}"
    wants = [f"meltanolabs-target-postgres=={version}"]
    select = 'select _id, "operationDate", amount from bank.transactions'


class DltByDay(Dlt):
    """What dlt has for records of which some vanish: the rows of a credential and day are replaced whole."""

    name = "dlt by day"
    label = "dlt, merge_key of credential and day"
    options = {"merge_key": ["credential_id", "operationDate"]}


class SingerFullTable(SingerTarget):
    """What Singer has for them: everything each time, and what did not come is deleted."""

    name = "target-postgres full"
    label = "target-postgres, FULL_TABLE with hard_delete"
    options = {"full_table": True, "whole": True}


class StripeUpsert(Peer):
    name = environment = "stripe-sync-engine"
    version = "1.0.32"
    label = f"upsert of @stripe/sync-engine {version}"
    wants = [f"@stripe/sync-engine@{version}"]
    select = 'select id, "operationDate", amount from bank.transactions'

    def install(self):
        (self.packages / "package.json").write_text('{"private": true}\n')
        self.attempt("npm install " + " ".join(self.wants), "npm", "install", "--prefix", self.packages, "--no-audit", "--no-fund",
                     "--ignore-scripts", *self.wants)

    def command(self):
        return ["node", HERE / "stripe_upsert.mjs"]


def had(tools):
    """The same tools; what cannot be had says why in `missing`."""
    for tool in tools:
        try:
            tool.have()
        except Missing as why:
            tool.missing = str(why)
    return tools
