"""A whole installation for one test: a private PostgreSQL cluster, the sandbox over TLS, a configuration, the binary.

Nothing in here knows how the daemon maps a record: `expected_rows` maps the provider's records by its own reading of the
API contract and of the SQL contract, so that the two can disagree.
"""
import atexit
import csv
import decimal
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from sandbox import Sandbox, wait_until as sandbox_wait

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "test"))
BINARY = BUILD / "flanks-sync"
DEADLINE = float(os.environ.get("FLANKS_TEST_DEADLINE", "120"))  # seconds that any single wait may take

PRODUCTS = ("account", "card", "investment", "liability")
TEXT_COLUMNS = {  # field of the record -> column
    "account_id": "account_id", "card_id": "card_id", "investment_id": "investment_id",
    "liability_id": "liability_id", "portfolio_id": "portfolio_id", "currency": "currency",
    "description": "description", "productDescription": "product_description", "category": "category",
    "shop": "shop", "entity": "entity", "cardNumber": "card_number",
}
# Debian's psql is a Perl program that finds this one; a test that waits would spend its time there.
PSQL = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"), key=lambda p: float(p.parts[4]), default="psql")


def wait_until(true, what):
    """Waits for `true()` and gives what it gave; fails with `what` after the deadline."""
    return sandbox_wait(true, what, DEADLINE)


class Cluster:
    """One private cluster a test process; every World gets a database of its own in it."""

    shared = None

    @classmethod
    def get(cls):
        if cls.shared is None:
            cls.shared = cls()
            atexit.register(cls.shared.stop)
        return cls.shared

    def __init__(self, fsync="off"):
        self.dir = tempfile.mkdtemp(prefix="flanks-e2e-")
        os.chmod(self.dir, 0o755)
        conninfo = subprocess.run([ROOT / "tests/support/pg-cluster", "start", self.dir + "/pg", "--fsync", fsync],
                                  check=True, capture_output=True, text=True).stdout.strip()
        self.host = dict(part.split("=", 1) for part in conninfo.split())["host"]
        self.count = 0

    def stop(self):
        subprocess.run([ROOT / "tests/support/pg-cluster", "remove", self.dir + "/pg"], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def data(self):
        elsewhere = pathlib.Path(self.dir, "pg", "elsewhere")
        return (pathlib.Path(elsewhere.read_text().strip()) if elsewhere.exists() else pathlib.Path(self.dir, "pg")) / "data"

    def postmaster(self):
        return int((self.data() / "postmaster.pid").read_text().split()[0])

    def signal_all(self, number):
        """To the server and every process that it has begun."""
        pid = self.postmaster()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            try:
                os.kill(each, number)
            except ProcessLookupError:
                pass  # it has ended meanwhile

    def freeze(self):
        """The server accepts connections and bytes, and does nothing, until thaw()."""
        self.signal_all(signal.SIGSTOP)

    def thaw(self):
        self.signal_all(signal.SIGCONT)

    def kill(self):
        """Ends the server at once, as a crash would; start_again() brings it back at the same socket."""
        pid = self.postmaster()
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "PostgreSQL has ended")

    def start_again(self):
        subprocess.run([ROOT / "tests/support/pg-cluster", "start", self.dir + "/pg"], check=True, capture_output=True)

    def demote(self):
        """The server is a standby from now on, until promote()."""
        self.psql("postgres", "checkpoint")
        pid = self.postmaster()
        os.kill(pid, signal.SIGINT)
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "PostgreSQL has ended")
        (self.data() / "standby.signal").touch()
        self.start_again()

    def promote(self):
        self.psql("postgres", "select pg_promote()")

    def set(self, **parameters):
        """Gives the server parameters that it reads when it starts, and starts it again."""
        for name, value in parameters.items():
            self.psql("postgres", f"alter system set {name} = '{value}'")
        self.kill()
        self.start_again()

    def psql(self, database, sql, *options):
        done = subprocess.run([PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-U", "postgres", "-d",
                               database, *options, "-c", sql], capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"{sql}\n{done.stderr.decode()}")
        return done.stdout.decode()  # not text mode: it would turn CR LF in a description into LF

    def new_database(self):
        self.count += 1
        name = f"mirror_{os.getpid()}_{self.count}"
        self.psql("postgres", f"create database {name}")
        return name


class World:
    """`sandbox` holds options of Sandbox; `settings` are keys by section, added to the defaults here."""

    def __init__(self, settings=None, migrate=True, **sandbox):
        self.cluster = Cluster.get()
        self.database = self.cluster.new_database()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="flanks-world-"))
        self.sandbox = Sandbox(**sandbox)
        self.daemons = []
        self.settings = settings or {}
        self.met = {}  # by _id: the last version of every row that assert_mirrors has met
        self.write_config()
        if migrate:
            self.ok("migrate", "up")

    def close(self):
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
        self.sandbox.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- configuration and the command line

    def write_config(self, **overrides):
        """Writes config.yaml; `overrides` replace whole keys, as {"flanks.base_url": "..."} with dots as `__`."""
        secret = self.dir / "client_secret"
        secret.write_text(self.sandbox.client_secret + "\n")
        secret.chmod(0o600)
        values = {
            "flanks": {"base_url": self.sandbox.url, "client_id": self.sandbox.client_id,
                       "client_secret_file": "client_secret", "ca_file": str(self.sandbox.ca_file)},
            "database": {"dsn": f"host={self.cluster.host} user=postgres dbname={self.database}"},
            "sync": {"lease": "30s", "poll": "1s"},
            "admin": {"listen": "none"},  # tests run side by side; None: the key is left out
            "log": {"format": "text"},
        }
        for section, lines in self.settings.items():
            values.setdefault(section, {}).update(lines)
        for key, value in overrides.items():
            section, name = key.split("__", 1)
            values.setdefault(section, {})[name] = value
        text = ""
        for section, lines in values.items():
            lines = {name: value for name, value in lines.items() if value is not None}
            if not lines:
                continue
            text += f"{section}:\n"
            for name, value in lines.items():
                if isinstance(value, dict):
                    text += f"  {name}:\n" + "".join(f"    {k}: {json.dumps(v)}\n" for k, v in value.items())
                else:
                    text += f"  {name}: {json.dumps(value)}\n"
        self.config = self.dir / "config.yaml"
        self.config.write_text(text)

    def cli(self, *arguments, stdin="", timeout=DEADLINE, env=None):
        return subprocess.run([BINARY, "--config", self.config, *map(str, arguments)], input=stdin, capture_output=True,
                              text=True, timeout=timeout, env={**os.environ, **(env or {})})

    def ok(self, *arguments, **options):
        """Runs a command that must exit 0; gives its standard output."""
        done = self.cli(*arguments, **options)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def start(self, *arguments, env=None):
        """Starts a command in the background; what it prints goes to the file `.log` of the process."""
        path = self.dir / f"log-{len(self.daemons)}.txt"
        with open(path, "wb") as log:
            daemon = subprocess.Popen([BINARY, "--config", self.config, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, env={**os.environ, **(env or {})})
        daemon.log = path
        self.daemons.append(daemon)
        return daemon

    # ---- the database

    def sql(self, statement):
        return self.cluster.psql(self.database, statement, "-A", "-t").strip()

    def rows(self, query):
        """Rows as dicts of text; SQL null is None."""
        null = "\x01"
        text = self.cluster.psql(self.database, query, "--csv", "-P", f"null={null}")
        return [{k: None if v == null else v for k, v in row.items()} for row in csv.DictReader(io.StringIO(text, newline=""))]

    def register_all(self):
        """Registers every credential of the sandbox for its user; gives {credentials_token: credential_id}."""
        ids = {}
        for c in self.sandbox.credentials():
            user, token = c["external_id"].replace("'", "''"), c["credentials_token"].replace("'", "''")
            ids[c["credentials_token"]] = int(self.sql(f"select flanks.register_credential('{user}', '{token}')"))
        return ids

    def role(self, name):
        """A role of this database alone with the rights of flanks_daemon (contrib/sql/roles.sql); gives a dsn that uses it."""
        role = f"{self.database}_{name}"
        self.sql(f"create role {role} login; grant usage on schema flanks, flanks_internal to {role}; "
                 f"grant select, insert, update, delete on all tables in schema flanks, flanks_internal to {role}; "
                 f"grant usage on all sequences in schema flanks, flanks_internal to {role}; "
                 f"grant execute on all functions in schema flanks, flanks_internal to {role}")
        return f"host={self.cluster.host} user={role} dbname={self.database}"

    def row_versions(self):
        """Row versions ever written to flanks.transactions: inserted, updated, deleted. Waits for the statistics."""
        if all(daemon.poll() is not None for daemon in self.daemons):
            wait_until(lambda: self.sql("select count(*) from pg_stat_activity where datname = current_database() "
                                        "and application_name like 'flanks-sync%'") == "0",
                       "the sessions of what has ended have told theirs")
        self.sql("select pg_stat_force_next_flush()")
        return tuple(int(n) for n in self.sql(
            "select n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables "
            "where relid = 'flanks.transactions'::regclass").split("|"))


class Number:
    """A JSON number as it was sent."""

    def __init__(self, text):
        self.text = text
        self.value = decimal.Decimal(text)

    def __eq__(self, other):
        return isinstance(other, Number) and self.value == other.value

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return f"Number({self.text})"


def parse(text):
    """JSON with every number kept exactly."""
    with decimal.localcontext() as context:
        context.prec = 200
        return json.loads(text, parse_float=Number, parse_int=Number)


def number_of(value):
    if isinstance(value, Number):
        return value.value
    return decimal.Decimal(value)


def expected_row(product, record):
    """The row of flanks.transactions that a good record must become, as {column: value}."""
    row = {"_id": record["_id"], "product": product, "amount": number_of(record["amount"]), "balance": None,
           "value_date": None, "transfer": None, **{c: None for c in TEXT_COLUMNS.values()}}
    extra = {}
    for key, value in record.items():
        if key in ("_id", "amount"):
            continue
        if key in TEXT_COLUMNS:
            row[TEXT_COLUMNS[key]] = value
        elif key == "balance":
            row["balance"] = None if value is None else number_of(value)
        elif key in ("operationDate", "valueDate"):
            row["operation_date" if key == "operationDate" else "value_date"] = None if value is None else value[:10]
            if value is not None and len(value) > 10:
                extra[key] = value
        elif key == "transfer":
            row["transfer"] = value
        else:
            extra[key] = value
    row["extra"] = extra or None
    return row


def stored_row(row):
    """A row as psql gives it, in the shape of expected_row."""
    out = {k: row[k] for k in ("_id", "product", "operation_date", "value_date", *TEXT_COLUMNS.values())}
    out["amount"] = decimal.Decimal(row["amount"])
    out["balance"] = None if row["balance"] is None else decimal.Decimal(row["balance"])
    for column in ("transfer", "extra"):
        out[column] = None if row[column] is None else parse(row[column])
    return out


class WorldTest(unittest.TestCase):
    """Base of the end-to-end tests: asserts on whole tables."""

    maxDiff = 4000

    def world(self, **options):
        world = World(**options)
        self.addCleanup(world.close)
        return world

    def assert_mirrors(self, world, ids, only=None, removals=False):
        """Every transaction that the sandbox holds is in the database value by value, and nothing else is.

        With `removals`, also: what an earlier such call met and the sandbox does not hold any more is there as it was,
        marked as removed, and nothing else is marked.
        """
        expected = {}
        for line in map(parse, world.sandbox.ledger_text().splitlines()):
            if only is not None and line["credentials_token"] not in only:
                continue
            row = expected_row(line["product"], line["record"])
            row["credential_id"] = ids[line["credentials_token"]]
            expected[row["_id"]] = row
        stored = {}
        for row in world.rows("select * from flanks.transactions where removed_at is null"):
            stored[row["_id"]] = {**stored_row(row), "credential_id": int(row["credential_id"])}
        self.assertEqual(sorted(expected), sorted(stored), "the sets of _id differ")
        for key, row in expected.items():
            self.assertEqual(row, stored[key])
        if removals:
            gone = {}
            for row in world.rows("select * from flanks.transactions where removed_at is not null"):
                gone[row["_id"]] = {**stored_row(row), "credential_id": int(row["credential_id"])}
            self.assertEqual({k: v for k, v in world.met.items() if k not in expected}, gone, "what is removed differs")
            world.met.update(expected)
        return len(expected)
