"""Everything that can keep the mirror from working is brought about; then the places that an operator reads must name the
cause, who must act and the next step, in the same words. CAUSES is the table; docs/causes.md is written from it:

    python3 tests/e2e/causes_e2e.py --write

FLANKS_CAUSES=DIR keeps what each place said, one file a cause without its name, for somebody who does not know it to read.
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
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

from admin import Admin, served_at
from gate import Gate, refusal
from world import ROOT, WorldTest, wait_until

SHEET = ROOT / "docs/causes.md"
WAIT = 60  # seconds that a place has to show a cause


@dataclasses.dataclass
class Cause:
    happened: str
    how: callable      # brings it about in a world; may give a command line whose error is then read
    says: str          # the sentence, as every place has it; " ... " stands for what differs
    who: str
    next: str          # the words of the next step
    where: str         # status page log doctor; command: the one that is told below; refused: run does not start, and says it
    # An error class: flanks_problems or flanks_mirror_problems has it, with who must act and the next step. (name, labels): it
    # is there and not 0.
    metric: object = None
    world: dict = dataclasses.field(default_factory=dict)
    scheduled: bool = False  # the next step is the schedule's, which the log does not know
    at_command: bool = True  # commands and doctor say whose turn it is
    metric_next: str = ""  # where the failure knows more than its class

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
    w.sandbox.control("POST", "status", {"credentials_token": w.token, "last_update_timestamp": int(time.time()) - 5 * 86400})


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
    w.sql("select flanks.register_credential('ana', 'second')")


def renumbered(t, w):
    """Every operation under another _id, and with another description: nothing says that they are the same."""
    def show(prefix, words, stamp):
        days = [str(datetime.date.today() - datetime.timedelta(days=n)) for n in range(1, 31)]
        w.sandbox.script({"credentials_token": w.token, "bank": "testbank", "last_update_timestamp": stamp, "transactions": {"account": [
            {"_id": f"{prefix}-{day}", "account_id": "a", "amount": -1, "currency": "EUR", "operationDate": day, "description": words} for day in days]}})
    show("a", "COMPRA TARJETA", int(time.time()) - 9000)
    mirrored(t, w)
    show("b", "Card purchase", int(time.time()) - 8000)


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
    """That of this machine cannot be moved: the provider's is, by somebody between it and us who writes another Date."""
    untrusting = ssl.create_default_context(cafile=w.sandbox.ca_file)

    class Late(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) if self.command == "POST" else None
            asked = urllib.request.Request(w.sandbox.url + self.path, body, dict(self.headers), method=self.command)
            with urllib.request.urlopen(asked, context=untrusting, timeout=WAIT) as said:
                body = said.read()
                self.send_response(said.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        do_GET = do_POST

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


def locked(table, mode=None, statement="1s", lock="10s"):
    def how(t, w):
        w.write_config(database__statement_timeout=statement, database__lock_timeout=lock)
        other = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-h", w.cluster.host, "-U", "postgres", "-d", w.database],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        t.addCleanup(other.communicate)
        other.stdin.write(f"begin; lock table {table} in {mode} mode; select 'locked';\n" if mode else f"begin; select 'locked' from {table} for update;\n")
        other.stdin.flush()
        other.stdout.readline()
    return how


def port_taken(t, w):
    taken = socket.socket()
    t.addCleanup(taken.close)
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    w.write_config(admin__listen=f"127.0.0.1:{taken.getsockname()[1]}")


def while_it_runs(text):
    def how(t, w):
        w.write_config(database__dsn=w.role("daemon"))
        w.then = lambda daemon: w.sql(text.replace("ROLE", f"{w.database}_daemon"))
    return how


def standby(t, w):
    def then(daemon):
        w.cluster.demote()
        t.addCleanup(w.cluster.promote)
    w.then = then


def stands_still(t, w):
    def then(daemon):
        daemon.send_signal(signal.SIGSTOP)
        w.sql("update flanks_internal.leases set next_due_at = now() - interval '20 minutes', expires_at = null, lease_id = null")
        w.sql("update flanks_internal.schedule set next_due_at = now() - interval '20 minutes'")
    w.then = then


def refused_reload(t, w):
    def then(daemon):
        w.write_config(sync__intervall="1h")
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "not reloaded" in daemon.log.read_text(), "it has tried")
        w.write_config(sync__intervall=None)  # for the commands; the daemon does not read it again by itself
    w.then = then


def trigger(body):
    return sql("create function public.theirs() returns trigger language plpgsql as $$ begin " + body + " end $$; create trigger theirs "
               "before insert on flanks.transactions for each row execute function public.theirs()", role=True)


ALL = "status page log"
ASK = "ask the provider, with the trace id of the log"
NEWER = "look for a newer flanks-sync; else ask the provider"
NETWORK = "check flanks.base_url and this machine's network"
PROVIDER = [
    Cause("The bank's site answers HTML", fault("html"), "with a page of HTML or XML", "provider", ASK, ALL, "html"),
    Cause("An answer that is not JSON", fault("not_json"), "with a body that is not JSON", "provider", ASK, ALL, "invalid_json"),
    Cause("An answer breaks off", fault("truncate", after_bytes=1000), "the answer of ... breaks off after ... the connection was closed", "provider", ASK, ALL, "truncated"),
    Cause("An error object in place of data", fault("error_object", message="being processed"), "an error object", "provider", ASK, ALL, "error_object"),
    Cause("An empty answer", fault("empty"), "with an empty body", "provider", ASK, ALL, "empty_body"),
    Cause("500 for one bank", fault("status", status=500), "answered 500", "provider", ASK, ALL, "http_500"),
    Cause("503 with Retry-After", fault("status", status=503, retry_after="7200"), "asks to wait 7200 s", "provider", ASK, ALL,
          "http_503"),
    Cause("429 all day", fault("status", status=429, retry_after="86400"), "asks to wait 86400 s", "provider", ASK, ALL,
          "rate_limited"),
    Cause("A redirect", fault("status", status=302, location="https://elsewhere.example/"), "a redirect to elsewhere.example; it was not followed",
          "operator", "check flanks.base_url", ALL, "redirect"),
    Cause("401 for one credential", fault("status", "status", status=401), "refused the access token, also a fresh one", "operator",
          "check that flanks.client_id is the client that this credential was made for", ALL, "unauthorized"),
    Cause("403: the keys may not make this call", fault("status", status=403), "does not permit this call with these API keys", "operator",
          "ask the provider to permit this call for these API keys", ALL, "forbidden"),
    Cause("The provider does not answer", fault("stall_first_byte"), "1000 ms", "provider", "tried again", ALL, "first_byte_timeout",
          {"flanks": {"timeouts": {"first_byte": "1s"}}}, scheduled=True),
    Cause("The connection is reset", fault("reset", after_bytes=1000), "Connection reset", "provider", ASK, ALL, "connection_reset"),
    Cause("The answer stops coming", fault("stall_body", after_bytes=1000), "nothing came of it within 1000 ms", "provider", ASK, ALL, "idle_timeout",
          {"flanks": {"timeouts": {"idle": "1s"}}}),
    Cause("The answer drips", fault("drip", bytes_per_second=300), "the request is not done after 2000 ms", "provider", ASK, ALL, "total_timeout",
          {"flanks": {"timeouts": {"total": "2s"}}}),
    Cause("400: the request is refused", fault("status", status=400), "answered 400: it refused the request", "operator", NEWER, ALL, "bad_request"),
    Cause("413: too large, down to a single day", fault("status", status=413), "the request or its result is too large", "provider", ASK, ALL, "too_large",
          {"sync": {"overlap": "30d", "history_months": 1}}),
    Cause("418: a status that nobody expects", fault("status", status=418), "answered 418", "operator", NEWER, ALL, "http_418"),
    Cause("204: no content", fault("status", status=204, body=""), "sent nothing at all (No Content)", "provider", ASK, ALL, "no_content"),
    Cause("304: a cache answers in the provider's place", fault("status", status=304, body=""), "says that nothing has changed (Not Modified), which was not asked",
          "operator", "a proxy or cache in between may answer in the provider's place", ALL, "not_modified"),
    Cause("A page of a proxy in place of the access token", fault("html", "token"), "with a page of HTML or XML", "provider", ASK, ALL, "html"),
    Cause("404 where the access token belongs", fault("status", "token", status=404), "answered 404 where an access token belongs", "operator",
          "check flanks.base_url", ALL, "token_failed"),
    Cause("A bank refuses every window of days", fault("refuse_window", longest_days=0), "refused the operation dates that were asked for", "provider", ASK, ALL, "window_refused",
          {"sync": {"overlap": "30d", "history_months": 1}}),
    Cause("404: the credential is gone", gone, "answered 404: it does not know this credential", "operator", "flanks-sync credentials remove", ALL, "gone"),
    Cause("The login is blocked", status(blocked=True), "", "end_user", "the login no longer works at the bank: the end user must connect again",
          ALL, "blocked"),
    Cause("The bank asks for strong authentication (SCA)", status(sca_token="abc"), "", "end_user",
          "the end user must pass the bank's authentication", ALL, "sca_required"),
    Cause("The first extraction is pending", status(pending=True), "", "provider", "the provider is still reading it for the first time",
          ALL, ("flanks_credentials", {"state": "pending"})),
    Cause("The provider stopped refreshing", stale, "the provider has not refreshed it since ... what happened at the bank since then is missing",
          "provider", "ask the provider why", ALL, "stale"),
    Cause("A credential was paused", paused, "", "operator", "nothing until it is resumed (on holiday)", "page",
          ("flanks_credentials", {"state": "paused"})),
    Cause("Records that cannot be stored", fault("bad_record", record='{"_id": "x", "amount": "junk", "operationDate": "2026-11-01"}'),
          "1 record could not be stored and is in quarantine; the rest is stored", "operator", "select reason, detail from flanks.quarantine", ALL, "quarantined"),
    Cause("Most operations vanished", lost, "vanished", "operator", "flanks-sync removals list", ALL, "suspicious_removal"),
    Cause("The provider renumbers the operations, and words them anew", renumbered, "vanished", "operator", "flanks-sync removals list", ALL,
          "suspicious_removal"),
    Cause("An account of another credential shows up", succession, "", "operator", "flanks-sync successions list", ALL,
          "succession_open", {"sync": {"product_details": ["account"]}}),
]
WAY = [
    Cause("Wrong API key", config(flanks__client_id="somebody-else"), "refused the API keys of client_id \"somebody-else\"", "operator",
          "check flanks.client_id, flanks.client_secret_file and flanks.grant_type", ALL + " doctor", "token_refused"),
    Cause("The provider's certificate has expired", None, "is not trusted", "operator", "check the clock of this machine; if it is right, the provider must renew its certificate",
          ALL + " doctor", "certificate_expired", {"certificate": "expired"}),
    Cause("The certificate is of another host", None, "is not trusted", "operator", "check flanks.base_url: the certificate must name its host", ALL + " doctor", "certificate_of_another_host",
          {"certificate": "other-host"}),
    Cause("The certificate's CA is unknown", None, "is not trusted", "operator", "check flanks.ca_file and flanks.base_url", ALL + " doctor", "untrusted_certificate",
          {"certificate": "unknown-ca"}),
    Cause("The provider's name has no address", config(flanks__base_url="https://nowhere.invalid"), "cannot find the address of nowhere.invalid", "operator",
          "check flanks.base_url and the name servers of this machine", ALL + " doctor", "resolve_failed"),
    Cause("Nobody listens at the provider's address", provider_down, "Connection refused", "operator", NETWORK, ALL + " doctor", "connect_refused"),
    Cause("The provider's clock and ours are an hour apart", clock, "the clock of the provider is ... ahead of this machine's", "operator",
          "set this machine's clock by NTP (timedatectl status)", ALL + " doctor", "clock_apart"),
    Cause("A secret that others can read", readable_secret, "flanks.client_secret_file: ... has mode 0644: others than its owner can reach it", "operator", "chmod 0400", "command refused"),
    Cause("The command of a secret fails", failing_command, "flanks.client_secret_command: ... ended with code 1", "operator", "run it by hand as the user that runs flanks-sync", "command " + ALL, "secret_command"),
    Cause("A mistyped key in the configuration", command("sync", before=config(sync__intervall="1h")), "sync.intervall: unknown key", "operator", "did you mean sync.interval?",
          "status refused doctor"),
    Cause("An erased credential is registered again", erased, "was erased with the data of its user", "operator", "--even-if-erased", "command", at_command=False),
]
BASE = [
    Cause("The database is down", down, "cannot open database", "operator", "is PostgreSQL running", "status page log doctor", "database_unreachable"),
    Cause("No such database", no_such_database, "cannot open database ... does not exist", "operator", "check the name in database.dsn, or create the database",
          "status refused doctor"),
    Cause("Wrong password of the database", wrong_password, "cannot open database ... password authentication failed", "operator", "check database.password_file", "status refused doctor"),
    Cause("The encoding is not UTF8", encoding, "has the encoding LATIN1, not UTF8", "operator", "create another one (create database ... encoding 'UTF8' template template0) and name it in database.dsn", "status refused doctor"),
    Cause("No migration was applied", None, "the database has no schema of flanks-sync yet", "operator", "run flanks-sync migrate up", "status refused doctor", (), {"migrate": False}),
    Cause("The schema is newer than the program", sql("insert into flanks_internal.schema_migrations (version, name, sha256) select 9999, '9999_later', sha256 from flanks_internal.schema_migrations limit 1"), "the database is newer than this program: it has migration 9999_later",
          "operator", "install the newer version of flanks-sync", "status refused doctor"),
    Cause("A right was revoked", sql("revoke select on flanks_internal.leases from ROLE", role=True), "permission denied for table leases", "operator",
          "run contrib/sql/roles.sql once more, as the owner of the database",
          "command doctor"),
    Cause("Row security hides rows", sql("alter table flanks.credentials enable row level security", role=True), "query would be affected by row-level security policy for table", "operator",
          "row security is enabled on flanks.credentials: alter table ... disable row level security", "command"),
    Cause("A pooler drops our settings", pooler, 'the setting DateStyle of our session is "German, DMY" and must be "ISO"', "operator", "alter role",
          "status refused doctor"),
    Cause("All connections of the server are taken", server_says("53300", "sorry, too many clients already"), "too many clients already", "operator",
          "raise max_connections, or lower database.connections", "status page log doctor", "database_full"),
    Cause("The database's disk is full", disk_full, "No space left on device", "operator", "make room on the database's disk", ALL, "database_disk_full"),
    Cause("The database is starting", server_says("57P03", "the database system is starting up"), "the database system is starting up", "operator",
          "it starts, or it shuts down", "status page log doctor", "database_starting"),
    Cause("Somebody else locks our rows", locked("flanks_internal.leases"), "due, but cannot be claimed", "operator",
          "something locks rows of flanks_internal.leases: see pg_locks and pg_stat_activity", ALL, "claim_locked"),
    Cause("A statement takes too long", locked("flanks.transactions", "access exclusive", "1s", "10s"), "canceling statement due to statement timeout", "operator",
          "raise database.statement_timeout", ALL, "database_timeout"),
    Cause("Somebody else locks the operations", locked("flanks.transactions", "access exclusive", "10s", "1s"), "canceling statement due to lock timeout", "operator",
          "something else holds a lock: see pg_stat_activity", ALL, "database_lock_timeout"),
    Cause("A right is revoked while the daemon runs", while_it_runs("revoke select, update on flanks_internal.leases from ROLE"), "permission denied for table leases", "operator",
          "run contrib/sql/roles.sql once more, as the owner of the database", ALL, "database_rights"),
    Cause("Row security is enabled while the daemon runs", while_it_runs("alter table flanks_internal.leases enable row level security"),
          "query would be affected by row-level security policy for table", "operator", "disable row level security", ALL, "database_row_security"),
    Cause("The database takes no writes: a standby, after a failover", standby, "recovery", "operator",
          "is this a standby? database.dsn must name the primary", "page log", "database_read_only"),
    Cause("The daemon stands still", stands_still, "1 credential has been due since ... and nobody works on it", "operator",
          "does a daemon run, or does it stand still? systemctl status flanks-sync", "status doctor"),
    Cause("The admin port is taken", port_taken, "cannot listen at ... Address already in use", "operator",
          "name an address of this machine that is free", "refused"),
    Cause("A reload is refused", refused_reload, "sync.intervall: unknown key", "operator", "did you mean sync.interval?", ALL, "configuration",
          metric_next="flanks-sync config check says where"),
    Cause("A unique index of others refuses rows", sql("create unique index on flanks.transactions (currency)", role=True),
          '"transactions_currency_idx" of flanks.transactions refused', "operator", "whoever made it has to", ALL, "database_constraint"),
    Cause("A trigger of others refuses rows", trigger("raise exception 'no';"), "the function public.theirs() refused", "operator",
          "whoever made it has to", ALL, "database_foreign_function"),
    Cause("A trigger of others discards rows", trigger("return null;"), "200 rows were written, but the table holds 0 of them; nothing was stored", "operator",
          "look for triggers, rules and row security on flanks.transactions", ALL, "rows_not_stored"),
]
CAUSES = PROVIDER + WAY + BASE
NO_DAEMON = "not reachable: no daemon starts, so there is no page and no metric; what run says is in the log of its unit"
# Why a cause is not in all four of status, page, log and a metric.
NOT_IN_ALL = {
    "A credential was paused": "an operator did it: it is no problem, and the daemon has nothing to log",
    "An erased credential is registered again": "the command refuses, and nothing else has happened",
    "A secret that others can read": NO_DAEMON, "A mistyped key in the configuration": NO_DAEMON,
    "No such database": NO_DAEMON, "Wrong password of the database": NO_DAEMON, "The encoding is not UTF8": NO_DAEMON,
    "No migration was applied": NO_DAEMON, "The schema is newer than the program": NO_DAEMON, "A pooler drops our settings": NO_DAEMON,
    "The admin port is taken": NO_DAEMON,
    "A right was revoked": "read before a daemon runs; below, while one runs, it shows in all four",
    "Row security hides rows": "read before a daemon runs; below, while one runs, it shows in all four",
    "The database takes no writes: a standby, after a failover": "status asks this database, which cannot be told of it",
    "The daemon stands still": "it has no page and no log then, and its scrape fails (FlanksSyncDown); under systemd the watchdog ends it",
}


class Causes(WorldTest):
    def due(self, w):
        w.sql("update flanks_internal.leases set next_due_at = now() where lease_id is null")

    def all_of(self, done):
        return done.stdout + done.stderr

    def page(self, where):
        """What the page says of trouble, from its twin."""
        said = json.loads(Admin(where).get("/api/v1/status")[2])
        lines = [said["summary"]["sentence"], said["daemon"]["trouble"] or ""]
        base = said["database"]
        lines += [base["trouble"] or "", base["hint"] or "", base["who_must_act"]] if base["trouble"] else []
        for problem in said["daemon"]["problems"]:
            lines += [problem["says"], problem["hint"] or "", problem["who_must_act"]]
        # A paused credential is no problem, and stands in the list alone.
        for row in [*said.get("problems", []), *said.get("credentials", {}).get("rows", [])]:
            lines += [row["error_class"] or "", row["last_error"] or "", row["last_error_hint"] or "", row["what_next"], row["who_must_act"]]
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
        if place in ("command", "doctor") and cause.at_command:
            wanted.append(f"who must act: {cause.who}")
        if place == "log":
            wanted.append(f"who_must_act={cause.who}")
        return [words for words in wanted if words not in text]

    def lacks_in_metrics(self, said, cause):
        if not isinstance(cause.metric, str):
            name, labels = cause.metric
            return [] if any(v for k, v in said.items() if k[0] == name and set(labels.items()) <= set(k[1:])) else [str(cause.metric)]
        found = [dict(k[1:]) for k, v in said.items() if k[0] in ("flanks_problems", "flanks_mirror_problems") and v]
        named = [labels for labels in found if labels["error_class"] == cause.metric]
        if not named:
            return [cause.metric]
        return [words for words in ([] if cause.scheduled else [cause.metric_next or cause.next]) + [cause.who]
                if not any(words == labels["who_must_act"] or words in labels["hint"] for labels in named)]

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
        if "refused" in places:
            done = w.cli("run")
            self.assertNotEqual(done.returncode, 0)
            lacking["refused"] = (self.lacks(done.stderr, cause, "command"), done.stderr)
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
        if "refused" not in places and ({"status", "page", "log"} & set(places) or cause.metric):
            daemon = w.start("run")
            where = wait_until(lambda: served_at(daemon.log.read_text()), "it listens")
            if spoil:
                spoil()
            if then := getattr(w, "then", None):
                then(daemon)
        read = {"status": lambda: self.all_of(w.cli("status")), "page": lambda: self.page(where), "log": lambda: daemon.log.read_text(),
                "doctor": lambda: read_doctor or w.cli("doctor").stdout}
        deadline = time.monotonic() + WAIT
        for place in (p for p in places if p in read):
            while (lack := self.lacks(said := read[place](), cause, place)) and time.monotonic() < deadline and place != "doctor":
                self.due(w) if cause not in BASE else None
                time.sleep(0.2)
            lacking[place] = (lack, said)
        if cause.metric:
            while (lack := self.lacks_in_metrics(said := Admin(where).metrics(), cause)) and time.monotonic() < deadline:
                self.due(w) if cause not in BASE else None
                time.sleep(0.3)
            lacking["metric"] = (lack, "\n".join(f"{k} {v}" for k, v in said.items() if v and k[0].endswith(("problems", "_open", "credentials"))))
        if daemon:
            daemon.kill()
            daemon.wait()
        if keep := os.environ.get("FLANKS_CAUSES"):
            told = "\n\n".join(f"==== {place}\n{said}" for place, (_, said) in lacking.items())
            pathlib.Path(keep, f"{CAUSES.index(cause) + 1:02}.txt").write_text(told)
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

Who must act is `who_must_act` in `status`, on the page and in the log, and `who must act:` below errors of commands and what
fails in `doctor`. The log names whose turn it is after one failure: what mends itself (nobody) is the operator's from the
third in a row on.

A metric that is named by an error class is `flanks_problems{error_class="..."}`, or `flanks_mirror_problems{...}` for what
concerns all credentials: its labels have who must act, what is wrong (`meaning`) and what next (`hint`), and the alerts
repeat them.

| what happened | what you read | who must act | what next | where it shows |
|---|---|---|---|---|
"""
    for c in CAUSES:
        where = [{"command": "the command's error", "refused": "what `run` says", "page": "page", "log": "log"}.get(p, f"`{p}`")
                 for p in c.where.split()]
        if isinstance(c.metric, str):
            where.append(f"metric `{c.metric}`")
        elif c.metric:
            name, labels = c.metric
            shown = ",".join(f'{k}="{v}"' for k, v in labels.items())
            where.append(f"`{name}{'{' + shown + '}' if shown else ''}`")
        out += f"| {cell(c.happened)} | {cell(c.says) or 'the state, and what next'} | {c.who} | {cell(c.next)} | {cell(', '.join(where))} |\n"
    out += f"""
{len(CAUSES) - len(NOT_IN_ALL)} of {len(CAUSES)} show in all four of `status`, the page, the log and a metric. The others:

| what happened | why not in all four |
|---|---|
"""
    for c in CAUSES:
        if c.happened in NOT_IN_ALL:
            out += f"| {cell(c.happened)} | {NOT_IN_ALL[c.happened]} |\n"
    return out


class Sheet(unittest.TestCase):
    def test_what_is_not_in_all_four_has_a_reason_and_only_that(self):
        four = {c.happened for c in CAUSES if {"status", "page", "log"} <= set(c.where.split()) and c.metric}
        self.assertEqual({c.happened for c in CAUSES} - four, set(NOT_IN_ALL))
        self.assertGreaterEqual(len(four), 40)

    def test_it_is_that_of_this_table(self):
        self.assertEqual(SHEET.read_text(), sheet(), "python3 tests/e2e/causes_e2e.py --write")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        SHEET.write_text(sheet())
    else:
        unittest.main()
