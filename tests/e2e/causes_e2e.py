"""Everything that can keep the mirror from working is brought about; then the places that an operator reads must name the
cause, who must act and the next step, in the same words. CAUSES is the table; docs/causes.md is written from it:

    python3 tests/e2e/causes_e2e.py --write
"""
import dataclasses
import datetime
import email.utils
import http.server
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
import unittest

from admin import Admin, served_at
from gate import Gate, refusal
from world import ROOT, WorldTest, wait_until

SHEET = ROOT / "docs/causes.md"
WAIT = 15  # seconds that a place has to show a cause


@dataclasses.dataclass
class Cause:
    happened: str
    how: callable      # brings it about in a world; may give a command line whose error is then read
    says: str          # the sentence, as every place has it; " ... " stands for what differs
    who: str
    next: str          # the words of the next step
    where: str         # status page log doctor command
    metric: tuple = ()  # (name, labels): it is there and not 0; with a third member: it has that value
    world: dict = dataclasses.field(default_factory=dict)
    scheduled: bool = False  # the next step is the schedule's, which the log does not know
    logged_who: str = ""     # what one line of the log knows, before it came three times or on two days

    @property
    def name(self):
        return re.sub(r"\W+", "_", self.happened.lower()).strip("_")


def fault(kind, endpoint="account", **parameters):
    return lambda t, w: w.sandbox.fault(kind, "*", endpoint, times=-1, **parameters)


def status(**fields):
    return lambda t, w: w.sandbox.control("POST", "status", {"credentials_token": w.token, **fields})


def config(**keys):
    return lambda t, w: w.write_config(**keys)


def sql(text, role=False):
    def how(t, w):
        if role:
            w.write_config(database__dsn=w.role("daemon"))
        w.sql(text.replace("ROLE", f"{w.database}_daemon"))
    return how


def command(*line, before=None, stdin=""):
    def how(t, w):
        if before:
            before(t, w)
        return line, stdin
    return how


def mirrored(t, w):
    w.ok("run", "--once")


def gone(t, w):
    mirrored(t, w)
    fault("status", "status", status=404)(t, w)
    t.due(w)
    w.cli("run", "--once")
    w.sql("update flanks.credentials set not_found_since = not_found_since - interval '1 day'")


def lost(t, w):
    mirrored(t, w)
    w.sandbox.refresh(lose_fraction=0.8)


def stale(t, w):
    mirrored(t, w)
    w.sql("update flanks.credentials set provider_updated_at = now() - interval '5 days', provider_refresh_seen_at = now() - interval '5 days'")
    w.sql("update flanks_internal.leases set next_due_at = now() + interval '1 hour'")


def succession(t, w):
    today = datetime.date.today()

    def show(token, prefix, days, amount, stamp):
        w.sandbox.script({"credentials_token": token, "bank": "testbank", "last_update_timestamp": stamp,
                          "products": {"account": [{"_id": f"{prefix}-a", "account_id": f"{prefix}-a", "iban": "ES9121000418450200051332",
                                                    "entity": "testbank", "balance": 10, "currency": "EUR"}]},
                          "transactions": {"account": [{"_id": f"{prefix}-{n}", "account_id": f"{prefix}-a", "amount": amount, "currency": "EUR",
                                                        "operationDate": str(today - datetime.timedelta(days=n))} for n in days]}})
    show("first", "a", range(1, 16), -1, int(time.time()) - 9000)
    old = w.sql("select flanks.register_credential('ana', 'first')")
    w.ok("sync", "--credential", old)
    w.ok("credentials", "remove", old)
    show("second", "b", range(1, 11), -2, int(time.time()) - 8000)
    w.ok("sync", "--credential", w.sql("select flanks.register_credential('ana', 'second')"))


def paused(t, w):
    w.ok("credentials", "pause", w.id, "--reason", "on holiday")


def down(t, w):
    t.addCleanup(lambda: w.mend())
    w.up = True

    def mend():
        if not w.up:
            w.cluster.start_again()
            w.up = True

    def spoil():
        w.sql("checkpoint")  # a crash of this server forgets what it has not written yet
        w.cluster.kill()
        w.up = False
    w.mend, w.spoil = mend, spoil
    spoil()


def no_such_database(t, w):
    w.write_config(database__dsn=f"host={w.cluster.host} user=postgres dbname=no_such_mirror")


def encoding(t, w):
    name = f"{w.database}_latin"
    w.cluster.psql("postgres", f"create database {name} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
    w.write_config(database__dsn=f"host={w.cluster.host} user=postgres dbname={name}")


def server_says(code, message):
    def how(t, w):
        gate = Gate(f"{w.cluster.host}/.s.PGSQL.5432", on_startup=lambda parameters: refusal(code, message) if w.broken else parameters)
        t.addCleanup(gate.stop)
        w.write_config(database__dsn=gate.dsn("postgres", w.database))
        w.broken = True

        def spoil():
            w.broken = True
            w.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
        w.mend, w.spoil = lambda: setattr(w, "broken", False), spoil
    return how


def disk_full(t, w):
    room = pathlib.Path(w.dir, "room")
    room.mkdir()
    w.dir.chmod(0o755)
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "none", room], capture_output=True).returncode != 0:
        t.skipTest("a small file system cannot be mounted here")
    t.addCleanup(subprocess.run, ["umount", room], check=True)
    shutil.chown(room, "postgres")
    space = f"{w.database}_room"

    def clear():
        w.cluster.psql("postgres", f"drop database {w.database} with (force)")
        w.cluster.psql("postgres", f"drop tablespace {space}")
    w.cluster.psql("postgres", f"create tablespace {space} location '{room}'")
    t.addCleanup(clear)
    w.sql(f"alter table flanks.transactions set tablespace {space}")
    subprocess.run(["dd", "if=/dev/zero", f"of={room}/full", "bs=4k"], capture_output=True)


def pooler(t, w):
    gate = Gate(f"{w.cluster.host}/.s.PGSQL.5432",
                on_startup=lambda parameters: {k: v for k, v in parameters.items() if k != "options"})
    t.addCleanup(gate.stop)
    w.sql(f"alter role postgres in database {w.database} set DateStyle = 'German, DMY'")
    for name, value in (("TimeZone", "'UTC'"), ("search_path", "pg_catalog"), ("row_security", "off")):
        w.sql(f"alter role postgres in database {w.database} set {name} = {value}")
    w.write_config(database__dsn=gate.dsn("postgres", w.database))


def wrong_password(t, w):
    dsn = w.role("daemon")
    role = f"{w.database}_daemon"
    w.sql(f"alter role {role} password 'right'")
    hba = pathlib.Path(w.sql("show hba_file"))
    hba.write_text(f"local all {role} scram-sha-256\n{hba.read_text()}")
    w.sql("select pg_reload_conf()")
    (w.dir / "database_password").write_text("wrong\n")
    (w.dir / "database_password").chmod(0o600)
    w.write_config(database__dsn=dsn, database__password_file="database_password")
    wait_until(lambda: "password authentication failed" in w.cli("status").stderr, "the server asks for a password")


def readable_secret(t, w):
    (w.dir / "client_secret").chmod(0o644)
    return ("sync",), ""


def failing_command(t, w):
    script = w.dir / "vault"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o700)
    w.write_config(flanks__client_secret_file=None, flanks__client_secret_command=[str(script)])
    return ("sync",), ""


def erased(t, w):
    mirrored(t, w)
    user = w.sql("select user_id from flanks.user_credentials")
    w.ok("erase", "--user", user, "--yes")
    return ("credentials", "add", "--user", user), w.token


def clock(t, w):
    """That of this machine cannot be moved: the provider's is. The sandbox has none of its own, so this one gives the token."""
    class Late(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = b'{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp=None):
            return email.utils.formatdate(time.time() + 3600, usegmt=True)

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{w.sandbox.directory}/server.pem", f"{w.sandbox.directory}/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t.addCleanup(server.server_close)
    t.addCleanup(server.shutdown)
    w.write_config(flanks__base_url=f"https://127.0.0.1:{server.server_address[1]}")


def provider_down(t, w):
    w.sandbox.process.terminate()
    w.sandbox.process.wait()


def locked(table):
    def how(t, w):
        w.write_config(database__statement_timeout="1s")
        other = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-h", w.cluster.host, "-U", "postgres", "-d", w.database],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        t.addCleanup(other.communicate)
        other.stdin.write(f"begin; select 'locked' from {table} for update;\n")
        other.stdin.flush()
        other.stdout.readline()
    return how


def trigger(body):
    return sql("create function public.theirs() returns trigger language plpgsql as $$ begin " + body + " end $$; create trigger theirs "
               "before insert on flanks.transactions for each row execute function public.theirs()", role=True)


ERROR = ("flanks_credentials", {"state": "error"})
NOT_READY = ("flanks_ready", {}, 0)
DATABASE = ("flanks_database_up", {}, 0)
ALL = "status page log"
PROVIDER = [
    Cause("The bank's site answers HTML", fault("html"), "with a page of HTML or XML", "provider", "tried again", ALL, ERROR, scheduled=True),
    Cause("An answer that is not JSON", fault("not_json"), "with a body that is not JSON", "provider", "tried again", ALL, ERROR, scheduled=True),
    Cause("An answer breaks off", fault("truncate", after_bytes=1000), "the answer of ... breaks off after ... the connection was closed", "provider", "tried again", ALL, ERROR, scheduled=True),
    Cause("An error object in place of data", fault("error_object", message="being processed"), "an error object", "provider", "tried again", ALL, ERROR, scheduled=True),
    Cause("An empty answer", fault("empty"), "with an empty body", "provider", "tried again", ALL, ERROR, scheduled=True),
    Cause("500 for one bank", fault("status", status=500), "answered 500", "provider", "tried again", ALL, ERROR, scheduled=True),
    Cause("503 with Retry-After", fault("status", status=503, retry_after="7200"), "asks to wait 7200 s", "provider", "tried again", ALL,
          ("flanks_provider_pauses_total", {}), scheduled=True),
    Cause("429 all day", fault("status", status=429, retry_after="86400"), "asks to wait 86400 s", "provider", "tried again", ALL,
          ("flanks_provider_pauses_total", {}), scheduled=True),
    Cause("A redirect", fault("status", status=302, location="https://elsewhere.example/"), "a redirect to elsewhere.example; it was not followed",
          "operator", "check flanks.base_url", ALL, ERROR),
    Cause("401 for one credential", fault("status", "status", status=401), "refused the access token, also a fresh one", "operator",
          "tried again", ALL, ERROR, scheduled=True),
    Cause("403: the keys may not make this call", fault("status", status=403), "does not permit this call with these API keys", "operator",
          "tried again", ALL, ERROR, scheduled=True),
    Cause("The provider does not answer", fault("stall_first_byte"), "1000 ms", "provider", "tried again", ALL, ERROR,
          {"flanks": {"timeouts": {"first_byte": "1s"}}}, scheduled=True),
    Cause("404: the credential is gone", gone, "answered 404: it does not know this credential", "operator", "the provider does not know it any more", ALL, ("flanks_credentials", {"state": "gone"}),
          scheduled=True, logged_who="provider"),
    Cause("The login is blocked", status(blocked=True), "", "end_user", "the login no longer works at the bank: the end user must connect again",
          "status page", ("flanks_credentials", {"state": "blocked"})),
    Cause("The bank asks for strong authentication (SCA)", status(sca_token="abc"), "", "end_user",
          "the end user must pass the bank's authentication", "status page", ("flanks_credentials", {"state": "action_required"})),
    Cause("The first extraction is pending", status(pending=True), "", "provider", "the provider is still reading it for the first time",
          "status page", ("flanks_credentials", {"state": "pending"})),
    Cause("The provider stopped refreshing", stale, "the provider has not refreshed it since ... what happened at the bank since then is missing",
          "provider", "the provider must refresh it", "status page", ("flanks_stale_credentials", {})),
    Cause("A credential was paused", paused, "", "operator", "nothing until it is resumed (on holiday)", "page",
          ("flanks_credentials", {"state": "paused"})),
    Cause("Records that cannot be stored", fault("bad_record", record='{"_id": "x", "amount": "junk", "operationDate": "2026-11-01"}'),
          "1 record could not be stored and is in quarantine; the rest is stored", "operator", "select reason, detail from flanks.quarantine", ALL, ("flanks_quarantine_records", {})),
    Cause("Most operations vanished", lost, "vanished", "operator", "flanks-sync removals list", ALL, ("flanks_reviews_open", {"kind": "removals"})),
    Cause("An account of another credential shows up", succession, "", "operator", "flanks-sync successions list", "status page",
          ("flanks_reviews_open", {"kind": "successions"}), {"sync": {"product_details": ["account"]}}),
]
WAY = [
    Cause("Wrong API key", config(flanks__client_id="somebody-else"), "refused the API keys of client_id \"somebody-else\"", "operator",
          "check flanks.client_id, flanks.client_secret_file and flanks.grant_type", "log doctor", ("flanks_token_refreshes_total", {"outcome": "failed"})),
    Cause("The provider's certificate has expired", None, "is not trusted", "operator", "check flanks.ca_file and flanks.base_url, and the clock of this machine",
          ALL + " doctor", ERROR, {"certificate": "expired"}),
    Cause("The certificate is of another host", None, "is not trusted", "operator", "check flanks.ca_file and flanks.base_url", ALL + " doctor", ERROR,
          {"certificate": "other-host"}),
    Cause("The certificate's CA is unknown", None, "is not trusted", "operator", "check flanks.ca_file and flanks.base_url", ALL + " doctor", ERROR,
          {"certificate": "unknown-ca"}),
    Cause("The provider's name has no address", config(flanks__base_url="https://nowhere.invalid"), "cannot find the address of nowhere.invalid", "operator",
          "check flanks.base_url and the name servers of this machine", ALL + " doctor", ERROR, logged_who="nobody"),
    Cause("Nobody listens at the provider's address", provider_down, "Connection refused", "operator", "tried again", ALL, ERROR, scheduled=True,
          logged_who="nobody"),
    Cause("The provider's clock and ours are an hour apart", clock, "the clock of the provider is ... ahead of this machine's", "operator",
          "set this machine's clock by NTP (timedatectl status)", "doctor"),
    Cause("A secret that others can read", readable_secret, "flanks.client_secret_file: ... has mode 0644: others than its owner can reach it", "operator", "chmod 0400", "command"),
    Cause("The command of a secret fails", failing_command, "flanks.client_secret_command: ... ended with code 1", "operator", "run it by hand as the user that runs flanks-sync", "command"),
    Cause("A mistyped key in the configuration", command("sync", before=config(sync__intervall="1h")), "sync.intervall: unknown key", "operator", "did you mean sync.interval?",
          "command doctor"),
    Cause("An erased credential is registered again", erased, "was erased with the data of its user", "operator", "--even-if-erased", "command"),
]
BASE = [
    Cause("The database is down", down, "cannot open database", "operator", "is PostgreSQL running", "command log doctor", DATABASE),
    Cause("No such database", no_such_database, "cannot open database ... does not exist", "operator", "check the name in database.dsn, or create the database",
          "command doctor"),
    Cause("Wrong password of the database", wrong_password, "cannot open database ... password authentication failed", "operator", "check database.password_file", "command doctor"),
    Cause("The encoding is not UTF8", encoding, "has the encoding LATIN1, not UTF8", "operator", "create it anew: create database ... encoding 'UTF8' template template0", "command doctor"),
    Cause("No migration was applied", None, "the database has no schema of flanks-sync yet", "operator", "run flanks-sync migrate up", "command doctor", (), {"migrate": False}),
    Cause("The schema is newer than the program", sql("insert into flanks_internal.schema_migrations (version, name, sha256) select 9999, '9999_later', sha256 from flanks_internal.schema_migrations limit 1"), "the database is newer than this program: it has migration 9999_later",
          "operator", "install the newer version of flanks-sync", "command doctor"),
    Cause("A right was revoked", sql("revoke select on flanks_internal.leases from ROLE", role=True), "leases", "operator", "contrib/sql/roles.sql",
          "command doctor"),
    Cause("Row security hides rows", sql("alter table flanks.credentials enable row level security", role=True), "query would be affected by row-level security policy for table", "operator",
          "row security is enabled on flanks.credentials: alter table ... disable row level security", "command log"),
    Cause("A pooler drops our settings", pooler, 'the setting DateStyle of our session is "German, DMY" and must be "ISO"', "operator", "alter role",
          "command doctor"),
    Cause("All connections of the server are taken", server_says("53300", "sorry, too many clients already"), "too many clients already", "operator",
          "raise max_connections, or lower database.connections", "command log doctor", DATABASE),
    Cause("The database's disk is full", disk_full, "No space left on device", "operator", "make room on the database's disk", ALL, ERROR),
    Cause("The database is starting", server_says("57P03", "the database system is starting up"), "the database system is starting up", "operator",
          "it starts, or it shuts down", "command log doctor", DATABASE),
    Cause("Somebody else locks our rows", locked("flanks_internal.leases"), "due, but cannot be claimed", "operator",
          "something locks rows of flanks_internal.leases: see pg_locks and pg_stat_activity", "log", NOT_READY),
    Cause("A unique index of others refuses rows", sql("create unique index on flanks.transactions (currency)", role=True),
          '"transactions_currency_idx" of flanks.transactions refused', "operator", "whoever made it has to", ALL, ERROR),
    Cause("A trigger of others refuses rows", trigger("raise exception 'no';"), "the function public.theirs() refused", "operator",
          "whoever made it has to", ALL, ERROR),
    Cause("A trigger of others discards rows", trigger("return null;"), "200 rows were written, but the table holds 0 of them; nothing was stored", "operator",
          "look for triggers, rules and row security on flanks.transactions", ALL, ERROR),
]
CAUSES = PROVIDER + WAY + BASE


class Causes(WorldTest):
    def due(self, w):
        w.sql("update flanks_internal.leases set next_due_at = now() where lease_id is null")

    def page(self, where):
        """What the page says of trouble, from its twin."""
        said = json.loads(Admin(where).get("/api/v1/status")[2])
        lines = [said["summary"]["sentence"], said["daemon"]["trouble"] or "", said["database"]["trouble"] or ""]
        # A paused credential is no problem, and stands in the list alone.
        for row in [*said.get("problems", []), *said.get("credentials", {}).get("rows", [])]:
            lines += [row["last_error"] or "", row["last_error_hint"] or "", row["what_next"], row["who_must_act"]]
        return "\n".join(lines)

    def lacks(self, text, cause, place):
        """What this place does not say of the cause."""
        if place == "log":  # quotes are escaped there
            text = text.replace('\\"', '"')
        wanted = [part for part in cause.says.split(" ... ") if part] + [cause.next]  # the latter is whole, its dots too
        if place == "log" and cause.scheduled:
            wanted.pop()  # when, is told where the schedule is; the line's entry in the catalog says that it is tried again
        if place in ("status", "page"):
            wanted.append(cause.who)
        if place == "log":
            wanted.append(f"who_must_act={cause.logged_who or cause.who}")
        return [words for words in wanted if words not in text]

    def bring_about(self, cause):
        options = {"credentials": 1, "transactions": 200, "products": "account", "no_oddities": True, "months": 23}
        settings = {"sync": {"products": ["account"], "product_details": [], "overlap": "730d", "tries": 1}, "admin": {"listen": "127.0.0.1:0"}}
        for key, value in cause.world.items():
            if key in ("sync", "flanks"):
                settings[key] = {**settings.get(key, {}), **value}
            else:
                options[key] = value
        w = self.world(settings=settings, **options)
        if "certificate" in cause.world:
            w.sql("select flanks.register_credential('user-1', 'token-1')")  # a sandbox that nobody trusts lists none
        elif options.get("migrate", True):
            [(w.token, w.id)] = w.register_all().items()
        return w, cause.how and cause.how(self, w)

    def check(self, cause):
        w, line = self.bring_about(cause)
        places, lacking = cause.where.split(), {}
        if "command" in places:
            line, stdin = line or (("sync",), "")
            done = w.cli(*line, stdin=stdin)
            self.assertNotEqual(done.returncode, 0)
            lacking["command"] = (self.lacks(done.stderr + done.stdout, cause, "command"), done.stderr)
        spoil = getattr(w, "spoil", None)
        read_doctor = w.cli("doctor").stdout if spoil else ""
        if spoil:  # a daemon that never had its database does not begin to serve: it is taken away while it runs
            w.mend()
        daemon = where = None
        if {"status", "page", "log"} & set(places) or cause.metric:
            daemon = w.start("run")
            where = wait_until(lambda: served_at(daemon.log.read_text()), "it listens")
            if spoil:
                spoil()
        read = {"status": lambda: w.cli("status").stdout, "page": lambda: self.page(where), "log": lambda: daemon.log.read_text(),
                "doctor": lambda: read_doctor or w.cli("doctor").stdout}
        deadline = time.monotonic() + WAIT
        for place in (p for p in places if p in read):
            while (lack := self.lacks(said := read[place](), cause, place)) and time.monotonic() < deadline and place != "doctor":
                self.due(w) if cause not in BASE else None
                time.sleep(0.2)
            lacking[place] = (lack, said)
        if cause.metric:
            name, labels, *value = cause.metric

            def moved():
                found = [v for k, v in Admin(where).metrics().items() if k[0] == name and set(labels.items()) <= set(k[1:])]
                return value[0] in found if value else any(found)
            while not (there := moved()) and time.monotonic() < deadline:
                time.sleep(0.3)
            lacking["metric"] = ([] if there else [str(cause.metric)], "")
        if daemon:
            daemon.kill()
            daemon.wait()
        for place, (lack, said) in lacking.items():
            self.assertEqual(lack, [], f"{place} lacks them:\n{said[-3000:]}")


for number, one in enumerate(CAUSES, 1):
    setattr(Causes, f"test_{number:02}_{one.name}", lambda self, cause=one: self.check(cause))


def sheet():
    def cell(text):
        return text.replace("|", "\\|")
    out = """# Causes

What can keep the mirror from working, what you read then, who must act, and what next. Each is brought about and read in
`tests/e2e/causes_e2e.py`, which writes this sheet (`--write`): every place that is named has these very words (`...` stands
for what differs).

Who must act is `who_must_act` in `status`, on the page and in the log; errors of commands and lines of `doctor` are for the
operator, who gave the command. "tried again" stands in `status` and on the page with its time; the log's line has it in the
journal's catalog (`journalctl -x`). The log names whose turn it is after one failure: what mends itself (nobody) is the
operator's from the third in a row on, and a 404 is believed on a later day.

| what happened | what you read | who must act | what next | where it shows |
|---|---|---|---|---|
"""
    for c in CAUSES:
        where = [{"command": "the command's error", "page": "page", "log": "log"}.get(p, f"`{p}`") for p in c.where.split()]
        if c.metric:
            name, labels, *value = c.metric
            shown = ",".join(f'{k}="{v}"' for k, v in labels.items())
            where.append(f"`{name}{'{' + shown + '}' if shown else ''}`" + (f" is {value[0]}" if value else ""))
        out += f"| {cell(c.happened)} | {cell(c.says) or 'the state, and what next'} | {c.who} | {cell(c.next)} | {cell(', '.join(where))} |\n"
    return out


class Sheet(unittest.TestCase):
    def test_it_is_that_of_this_table(self):
        self.assertEqual(SHEET.read_text(), sheet(), "python3 tests/e2e/causes_e2e.py --write")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        SHEET.write_text(sheet())
    else:
        unittest.main()
