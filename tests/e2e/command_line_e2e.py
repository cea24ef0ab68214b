"""What an operator meets when something is wrong: one clear message, a hint, the documented exit code, and no secret."""
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import unittest

from world import BINARY, WorldTest, wait_until
from sandbox import Sandbox

NO_RUN = "00000000-0000-0000-0000-000000000000"


class Refusals(WorldTest):
    def refused(self, done, code, *words):
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotRegex(done.stderr, r"terminate called|what\(\)|Traceback|0x[0-9a-f]{6}")
        self.assertLess(len(done.stderr.splitlines()), 14, done.stderr)


class CommandLine(Refusals):
    def test_unknown_options_and_commands_are_usage_errors(self):
        world = self.world(credentials=1, transactions=4)
        self.refused(world.cli("backfil"), 64, "error: \"backfil\" is no command\n", "hint: did you mean backfill? flanks-sync --help")
        self.refused(world.cli("--bogus", "status"), 64, "--bogus")
        self.refused(world.cli("backfill", "--form", "2024-01-01"), 64, "error: unknown option --form of backfill\n", "hint: did you mean --from?")
        self.refused(world.cli("backfill", "--from", "2024-02-30"), 64, '"2024-02-30" is not a day; write YYYY-MM-DD')
        self.refused(world.cli("backfill", "--product", "loan"), 64, '"loan" is none of account, card, investment, liability')
        self.refused(world.cli("backfill", "--to", "2024-01-01"), 64, "--to needs --from")
        self.refused(world.cli(), 64, "hint: ")

    def test_every_mistake_of_the_configuration_is_told_at_once(self):
        world = self.world(credentials=1, transactions=4)
        world.config.write_text("flanks:\n  base_urll: https://x\n  client_id: a\n  client_secret_file: nowhere\n"
                                "database:\n  dsn: dbname=x password=hunter2secret\nsync:\n  interval: 5 minutes\n")
        for command in (("config", "check"), ("run",), ("backfill",)):
            done = world.cli(*command)
            self.refused(done, 78, "config.yaml:2:3: flanks.base_urll: unknown key", "base_url", "sync.interval",
                         "database.dsn", "client_secret_file")
            self.assertNotIn("hunter2secret", done.stderr + done.stdout)
        world.config = "/nowhere/config.yaml"
        missing = world.cli("status")
        self.refused(missing, 78, "/nowhere/config.yaml")

    def test_a_connection_string_that_libpq_would_refuse_is_told_with_its_place(self):
        world = self.world(migrate=False, credentials=1, transactions=4)
        text = world.config.read_text()
        line = next(n for n, each in enumerate(text.splitlines(), 1) if each.startswith("  dsn:"))
        for dsn, what, hint in (
                ("jdbc:postgresql://db/flanks?user=flanks", "is a URL of JDBC, which libpq does not know", "write it like host="),
                ("host=db dbname=flanks sslmod=require", "has the unknown keyword sslmod", "did you mean sslmode?"),
                ("host=db PASSWORD=hunter2secret", "holds a password", "database.password_file"),
                ("host=db port=abc", "port must be between 1 and 65535", ""),
                ("host=db sslmode=on", "sslmode must be disable, allow, prefer, require, verify-ca or verify-full", ""),
                ("postgresql://db:5432/flanks?connect_timeout=3s", "connect_timeout must be a whole number", ""),
                ("postgresql://[::1/flanks", "is not a postgresql:// URI: the bracket of an IPv6 address is never closed", ""),
                ("host=db user='flanks", "is neither a libpq connection string nor a postgresql:// URI: a quote is never closed", "")):
            world.write_config(database__dsn=dsn)
            for command in (("config", "check"), ("status",), ("migrate", "up")):
                with self.subTest(dsn, command=command):
                    done = world.cli(*command)
                    self.refused(done, 78, f"{world.config}:{line}:8: database.dsn: {what}\n", hint)
                    self.assertNotIn("hunter2", done.stderr + done.stdout)
        # libpq's own word for it: older ones than ours do not know every keyword.
        world.write_config(database__dsn="host=db sslnegotiation=direct require_auth=none min_protocol_version=3.0")
        done = world.cli("config", "check")
        if done.returncode != 0:
            self.refused(done, 78, f":{line}:8: database.dsn: cannot be read by the libpq of this machine (")

    def test_config_show_loads_again_and_shows_no_secret(self):
        world = self.world(credentials=1, transactions=4)
        shown = world.ok("config", "show")
        self.assertNotIn(world.sandbox.client_secret, shown)
        world.config.write_text(shown)
        self.assertEqual(world.ok("config", "show"), shown)
        self.assertIn("client_secret_file", world.ok("config", "example"))

    def test_wrong_keys_are_told_once_and_not_hammered(self):
        world = self.world(credentials=6, transactions=4)
        world.register_all()
        (world.dir / "client_secret").write_text("not-the-secret\n")
        done = world.cli("backfill")
        self.refused(done, 77, world.sandbox.client_id, "client_secret")
        self.assertNotIn("not-the-secret", done.stderr)
        self.assertEqual(world.sandbox.requests()["token_calls"], 1)
        status = world.rows("select * from flanks.sync_status where state <> 'new'")
        self.assertTrue(status, "what was tried says what is wrong")
        for row in status:
            self.assertEqual((row["state"], row["who_must_act"]), ("error", "operator"))
        self.assertEqual(world.cli("status", "--exit-code").returncode, 3)

    def test_an_unreachable_provider_is_69_and_says_nothing_about_credentials(self):
        world = self.world(credentials=2, transactions=4)
        world.register_all()
        world.sandbox.fault("status", "*", "token", status=404, times=-1)
        for command in (("sync",), ("backfill",), ("run", "--once")):
            world.sql("update flanks_internal.leases set next_due_at = now()")
            self.refused(world.cli(*command), 69, "where an access token belongs")
        self.assertEqual(world.sql("select count(*) from flanks.credentials where not_found_since is not null"), "0")
        world.write_config(flanks__base_url="https://127.0.0.1:1")
        self.refused(world.cli("sync"), 69, "Connection refused")

    def test_the_environment_of_libpq_changes_nothing(self):
        world = self.world(credentials=1, transactions=40)
        ids = world.register_all()
        odd = {"PGDATESTYLE": "SQL, DMY", "PGTZ": "Asia/Kolkata", "PGOPTIONS": "-c search_path=x", "PGHOSTADDR": "192.0.2.1"}
        world.ok("backfill", env=odd)
        world.ok("backfill", env=odd)
        self.assert_mirrors(world, ids)
        shown = json.loads(world.ok("--json", "status", env=odd))[0]["last_success_at"]
        self.assertEqual(shown, world.sql("select to_char(last_success_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
                                          "from flanks.sync_status"))

    def test_a_database_that_cannot_hold_every_text_is_refused(self):
        world = self.world(migrate=False, credentials=1, transactions=4)
        world.cluster.psql("postgres", f"create database {world.database}_latin1 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
        world.write_config(database__dsn=f"host={world.cluster.host} user=postgres dbname={world.database}_latin1")
        self.refused(world.cli("migrate", "up"), 78, "has the encoding LATIN1, not UTF8", "hint: ")

    def test_a_token_that_was_cut_or_garbled_is_refused(self):
        world = self.world(credentials=1, transactions=4)
        for token in ("abc\0def", "a b", ""):
            self.assertEqual(world.cli("credentials", "add", "--user", "u", stdin=token).returncode, 1)
        self.assertEqual(world.sql("select count(*) from flanks.credentials"), "0")

    def test_a_token_that_was_typed_where_something_else_belongs_is_not_repeated(self):
        world = self.world(credentials=1, transactions=4)
        token = world.sandbox.credentials()[0]["credentials_token"] + "/CANARY"
        for command, code in ((("credentials", "add", "--user", "u", "--token-file", token), 1), (("credentials", "import", token), 1),
                              (("credentials", "show", token), 64), (("credentials", "add", "--user", "u", token), 64)):
            done = world.cli(*command)
            self.refused(done, code, "the argument is not repeated here: it may be a secret", "hint: ")
            self.assertNotIn("CANARY", done.stdout + done.stderr)
        gone = world.dir / "gone.csv"
        self.refused(world.cli("credentials", "import", gone), 1, f"cannot read {gone}: No such file or directory")
        self.refused(world.cli("credentials", "add", "--user", "u", "--token-file", world.dir), 1, f"{world.dir} is a directory",
                     "hint: name the file that holds the credentials_token")
        self.refused(world.cli("credentials", "import", world.dir), 1, f"{world.dir} is a directory", "hint: name the CSV file in it")

    def test_a_mark_of_an_editor_in_a_secret_and_a_config_in_latin_1_are_told(self):
        world = self.world(credentials=1, transactions=4)
        secret = world.dir / "client_secret"
        good = secret.read_bytes()
        for content, words in ((b"\xef\xbb\xbf" + good, "begins with a byte order mark"), (good.decode().encode("utf-16"), "is UTF-16, not UTF-8"),
                               (good[:4] + b"\0" + good[4:], "holds a NUL byte"), (b"caf\xe9\n", "holds bytes that are not UTF-8"),
                               (good + b"second\n", "holds more than one line")):
            secret.write_bytes(content)
            self.refused(world.cli("sync"), 78, "config.yaml:", "flanks.client_secret_file", f"client_secret {words}", "hint: ")
        secret.write_bytes(good)
        for given, words in ((b"\xef\xbb\xbftok", "begins with a byte order mark"), (b"t\0k", "holds a NUL byte"), (b"t\xe9k", "holds bytes that are not UTF-8")):
            file = world.dir / "token"
            file.write_bytes(given)
            self.refused(world.cli("credentials", "add", "--user", "u", "--token-file", file), 1, f"the credentials_token {words}", "hint: ")
        text = world.config.read_text()
        world.config.write_bytes(text.encode() + "# Espa\u00f1a\n".encode("latin-1"))
        line = text.count("\n") + 1
        self.refused(world.cli("config", "check"), 78, f"{world.config}:{line}:7: the byte 0xF1 is not UTF-8 (Latin-1?)", "hint: save it as UTF-8")
        world.config.write_bytes(text.encode("utf-16"))
        self.refused(world.cli("config", "check"), 78, f"{world.config}:1:1: it is UTF-16, not UTF-8")
        world.config.write_bytes(b"\xef\xbb\xbf" + text.encode())
        world.ok("config", "check")

    def test_a_command_that_crashes_leaves_no_memory_behind(self):
        world = self.world(credentials=1, transactions=4)

        def dumps_allowed():
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

        def start(*command):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       cwd=world.dir, preexec_fn=dumps_allowed)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.addCleanup(process.stdin.close)
            return process

        def dumped_core(process):
            os.kill(process.pid, signal.SIGABRT)
            status = os.waitpid(process.pid, 0)[1]
            process.returncode = -signal.SIGABRT
            self.assertEqual(os.WTERMSIG(status), signal.SIGABRT)
            return os.WCOREDUMP(status)

        sessions = f"select count(*) from pg_stat_activity where application_name like 'flanks-sync%' and datname = '{world.database}'"
        # Both have read the secrets, and are connected.
        for command in (("credentials", "add", "--user", "ana"), ("run",)):
            with self.subTest(command):
                process = start(BINARY, "--config", world.config, *command)
                wait_until(lambda: world.sql(sessions) != "0", "it is connected")
                limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
                self.assertRegex(limits, r"Max core file size +0 +0 ")
                if os.geteuid() != 0:
                    self.assertEqual(os.stat(f"/proc/{process.pid}/mem").st_uid, 0, "nobody but root may read its memory")
                self.assertFalse(dumped_core(process))
                wait_until(lambda: world.sql(sessions) == "0", "the server has noticed")
        self.assertEqual([f for f in world.dir.iterdir() if f.name.startswith("core")], [])
        # And here a program that does not mind would have left one.
        if not dumped_core(start("sleep", "60")):
            self.skipTest("no program leaves a core dump on this machine")

    def test_who_owns_it_cannot_read_its_memory(self):
        world = self.world(credentials=1, transactions=4)
        if os.geteuid() != 0:
            self.skipTest("needs root, to be somebody else")
        shutil.copy(BINARY, world.dir / "flanks-sync")
        for path, mode in ((world.dir, 0o755), (world.dir / "flanks-sync", 0o755)):
            path.chmod(mode)
        (world.dir / "client_secret").chmod(0o600)
        process = subprocess.Popen([world.dir / "flanks-sync", "--config", world.config, "credentials", "add", "--user", "ana"],
                                   stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, user=65534)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        sessions = f"select count(*) from pg_stat_activity where application_name like 'flanks-sync%' and datname = '{world.database}'"
        wait_until(lambda: world.sql(sessions) != "0" or process.poll() is not None, "it is connected")
        self.assertIsNone(process.poll())
        read = subprocess.run(["cat", f"/proc/{process.pid}/environ"], user=65534, capture_output=True, text=True)
        self.assertIn("Permission denied", read.stderr)

    def test_output_that_nobody_receives_is_no_success(self):
        world = self.world(credentials=1, transactions=4)
        with open("/dev/full", "w") as full:
            done = subprocess.run([BINARY, "--config", world.config, "status"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.refused(done, 1, "cannot write")

    def test_wrong_ca_and_wrong_host_name_are_refused(self):
        world = self.world(credentials=1, transactions=4)
        ids = world.register_all()
        other = Sandbox(certificate="unknown-ca", credentials=1)
        self.addCleanup(other.stop)
        world.write_config(flanks__base_url=other.url)
        self.refused_by_tls(world, ids, "not trusted")
        for certificate, host, words in (("other-host", "127.0.0.1", "address mismatch"), ("other-host", "localhost", "ostname mismatch"),
                                         ("cn-only", "localhost", "ostname mismatch"), ("cn-only", "127.0.0.1", "address mismatch"),
                                         ("expired", "127.0.0.1", "expired"), ("self-signed", "127.0.0.1", "self-signed")):
            with self.subTest(certificate, host=host):
                bad = Sandbox(certificate=certificate, credentials=1)
                self.addCleanup(bad.stop)
                world.write_config(flanks__base_url=bad.url.replace("127.0.0.1", host), flanks__ca_file=str(bad.ca_file))
                self.refused_by_tls(world, ids, words)
        self.assertEqual(world.sql("select count(*) from flanks.transactions"), "0")
        world.write_config(flanks__base_url=world.sandbox.url.replace("127.0.0.1", "localhost"))
        world.ok("sync")

    def refused_by_tls(self, world, ids, words):
        done = world.cli("sync")
        self.assertIn(done.returncode, (3, 69), done.stderr)
        self.assertIn(words, done.stdout + done.stderr)
        self.assertIn("ca_file", done.stdout + done.stderr)
        for token in ids:
            self.assertNotIn(token, done.stdout + done.stderr)

    def test_database_troubles_have_one_message_each(self):
        world = self.world(credentials=1, transactions=4)
        host = world.cluster.host
        for dsn, code, words in ((f"host={host} user=postgres dbname=nowhere", 69, 'database "nowhere" does not exist'),
                                 (f"host={host} user=nobody_here dbname=postgres", 77, 'role "nobody_here" does not exist'),
                                 ("host=127.0.0.1 port=1 user=x dbname=x", 69, "Connection refused"),
                                 ("host=/nowhere user=x dbname=x", 69, "No such file or directory")):
            with self.subTest(dsn):
                world.write_config(database__dsn=dsn)
                for command in ("status", "backfill", "migrate"):
                    arguments = (command, "status") if command == "migrate" else (command,)
                    self.refused(world.cli(*arguments), code, "cannot open", words, "hint: ")

    def test_a_schema_that_does_not_fit_is_refused_until_told_to_migrate(self):
        world = self.world(migrate=False, credentials=1, transactions=4)
        for command in ("run", "backfill"):
            self.refused(world.cli(command), 78, "migrate up")
        plan = world.ok("migrate", "plan")
        self.assertIn("create table flanks.transactions", plan)
        world.ok("backfill", "--migrate")
        world.sql("insert into flanks_internal.schema_migrations (version, name, sha256) values (9999, '9999_future', 'x')")
        self.refused(world.cli("backfill"), 78, "9999")

    READING = (("status",), ("--json", "status", "--exit-code"), ("credentials", "list"), ("credentials", "show", "1"), ("removals", "list"))
    WRITING = (("credentials", "add", "--user", "ana"), ("credentials", "import", "-"), ("credentials", "pause", "1"),
               ("credentials", "resume", "1"), ("credentials", "remove", "1"), ("credentials", "remove", "--upstream", "1"),
               ("credentials", "discover"), ("link", "exchange"), ("link", "sessions"), ("erase", "--user", "ana", "--yes"),
               ("erase", "--user", "ana"), ("removals", "confirm", NO_RUN), ("removals", "reject", NO_RUN), ("run",), ("run", "--once"),
               ("sync",), ("backfill",), ("backfill", "--dry-run"), ("verify",))

    def schema_refused(self, world, command, message, hint):
        done = world.cli(*command, stdin="user_id,credentials_token\nana,ct-1\n" if "import" in command else "ct-1")
        self.assertEqual((done.returncode, done.stdout), (78, ""), (command, done.stderr))
        self.assertEqual(done.stderr, f"error: {message}\nhint: {hint}\nwho must act: operator\n", command)

    def test_every_command_says_so_where_there_is_no_schema(self):
        world = self.world(migrate=False, credentials=1, transactions=4)
        for command in self.READING + self.WRITING + (("backfill", "--migrate", "--dry-run"),):
            self.schema_refused(world, command, "the database has no schema of flanks-sync yet", "run flanks-sync migrate up")
        self.assertIn("pending", world.cli("migrate", "status").stdout)

    def test_every_command_says_so_where_the_schema_is_too_old(self):
        world = self.world(migrate=False, credentials=1, transactions=4)
        plan = world.ok("migrate", "plan")
        world.cluster.psql(world.database, plan[:plan.index("-- 0002_")])
        count = len(re.findall(r"^-- 0\d{3}_", plan, re.M)) - 1
        for command in self.READING + self.WRITING:
            if command[:2] in (("credentials", "list"), ("credentials", "show")):
                continue  # what it asks for is there already
            self.schema_refused(world, command, f"the database's schema is out of date: {count} migrations are pending",
                                "run flanks-sync migrate up")

    def test_what_writes_is_refused_where_the_schema_is_newer_and_what_reads_goes_on(self):
        world = self.world(credentials=1, transactions=4)
        world.register_all()
        world.sql("insert into flanks_internal.schema_migrations (version, name, sha256) values (9999, '9999_future', 'x')")
        for command in self.WRITING:
            self.schema_refused(world, command, "the database is newer than this program: it has migration 9999_future",
                                "install the newer version of flanks-sync")
        for command in self.READING:
            world.ok(*(word for word in command if word != "--exit-code"))
        # As doctor and /-/ready see it: told, and no success for whoever asks by the exit code.
        done = world.cli("--json", "status", "--exit-code")
        self.assertEqual((done.returncode, len(json.loads(done.stdout))), (78, 1), done.stderr)
        self.assertEqual(world.sql("select count(*) from flanks.credentials where removed_at is null and not paused"), "1")
        world.sql("alter view flanks.sync_status rename to sync_state; alter table flanks.removal_reviews rename to reviews")
        for command in self.READING:
            self.schema_refused(world, command, "the database is newer than this program: it has migration 9999_future",
                                "install the newer version of flanks-sync")

    def test_a_database_of_an_unreleased_version_is_refused_and_its_credentials_move_to_a_new_one(self):
        world = self.world(credentials=3, transactions=4, no_oddities=True)
        ids = world.register_all()
        world.ok("credentials", "remove", list(ids.values())[2])
        users = ("select user_id, token_digest from flanks.user_credentials "
                 "join flanks_internal.credentials_tokens using (credential_id) order by 1, 2")
        registered = world.sql(users)
        old = world.database
        world.sql("update flanks_internal.schema_migrations set name = '0001_mirror.sql', sha256 = 'x' where version = 1; "
                  "insert into flanks_internal.schema_migrations (version, name, sha256) values (9999, '9999_registration.sql', 'x')")
        hint = re.search(r"^hint: (.*)$", world.cli("migrate", "up").stderr, re.M).group(1)
        for command in self.WRITING + (("migrate", "up"), ("migrate", "plan"), ("run", "--migrate"), ("backfill", "--migrate")):
            self.schema_refused(world, command, "the schema was made by an unreleased version of flanks-sync: it begins with "
                                "0001_mirror.sql, which is not the 0001_credentials.sql of this program; it cannot be migrated", hint)
        self.assertEqual(world.cli("migrate", "status").returncode, 78)
        # What the hint says, word for word.
        steps = [step.strip() for step in hint[hint.index("flanks-sync migrate up"):].split(";")]
        self.assertEqual([steps[0], steps[2]], ["flanks-sync migrate up", "flanks-sync backfill"])
        world.database = world.cluster.new_database()
        world.write_config()
        config = f"{BINARY} --config {world.config}"
        for step in steps:
            step = step.replace("flanks-sync ", config + " ").replace("OLD_DATABASE", old)
            done = subprocess.run(["bash", "-o", "pipefail", "-c", step], capture_output=True, text=True, timeout=120,
                                  env={**os.environ, "PGHOST": world.cluster.host, "PGUSER": "postgres"})
            self.assertEqual(done.returncode, 0, (step, done.stdout, done.stderr))
            self.assertNotRegex(done.stdout + done.stderr, "|".join(map(re.escape, ids)))
        self.assertEqual(world.sql(users), registered)
        numbers = {row["credentials_token"]: int(row["credential_id"])
                   for row in world.rows("select credentials_token, credential_id from flanks_internal.credentials_tokens")}
        self.assertEqual(sorted(numbers), sorted(list(ids)[:2]))
        self.assert_mirrors(world, numbers, only=numbers)

    def test_who_may_only_read_needs_no_look_at_the_bookkeeping(self):
        world = self.world(credentials=1, transactions=4)
        world.register_all()
        world.sql(f"do $$ begin create role {world.database}_reader login; end $$; grant usage on schema flanks to {world.database}_reader; "
                  f"grant select on all tables in schema flanks to {world.database}_reader")
        world.write_config(database__dsn=f"host={world.cluster.host} user={world.database}_reader dbname={world.database}")
        self.assertIn("credential", world.ok("status"))
        self.refused(world.cli("credentials", "pause", "1"), 77, "hint: ")

    def test_json_is_json(self):
        world = self.world(credentials=2, transactions=8)
        world.register_all()
        json.loads(world.ok("--json", "backfill", "--dry-run"))
        json.loads(world.ok("--json", "backfill"))
        self.assertEqual(len(json.loads(world.ok("--json", "status"))), 2)
        json.loads(world.ok("--json", "sync"))
        self.assertEqual(len(json.loads(world.ok("--json", "credentials", "list"))), 2)


class Terminal(WorldTest):
    STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
    EVIL = "x\x1b]0;t\x07\r\x1b[2K\x7f\u009b31m\u202e\u2066y"

    def shown(self, done, *words):
        """What a command printed: it says `words`, and nothing in it steers a terminal."""
        text = done.stdout + done.stderr
        self.assertIsNone(self.STEERING.search(text), ascii(text))
        for word in words:
            self.assertIn(word, text)
        return text

    def test_names_and_words_of_others_draw_on_no_terminal(self):
        world = self.world(credentials=1, transactions=40, products="account", settings={"sync": {"products": ["account"]}})
        token = world.sandbox.credentials()[0]["credentials_token"]
        quoted = "E'" + "".join(f"\\u{ord(c):04x}" for c in self.EVIL) + "'"
        world.sql(f"select flanks.register_credential({quoted}, '{token}')")
        world.ok("sync")
        world.sql(f"update flanks.transactions set description = {quoted} where _id = (select min(_id) from flanks.transactions)")
        cleaned = "x ]0;t   [2K  31m  y"
        self.shown(world.cli("verify"), cleaned)
        world.sql(f"update flanks.credentials set bank = {quoted}, state = 'error', last_error = {quoted}, last_error_hint = {quoted}")
        self.shown(world.cli("status"), f"credential 1 ({cleaned}): error", f"what:  {cleaned}", f"hint:  {cleaned}")
        self.shown(world.cli("credentials", "list"), cleaned)
        self.shown(world.cli("credentials", "show", "1"), f"bank                   {cleaned}", f"hint                   {cleaned}")
        self.shown(world.cli("erase", "--user", self.EVIL), f"user {cleaned}")
        self.shown(world.cli("erase", "--user", self.EVIL + "z"), cleaned + "z")
        for command in (("status",), ("credentials", "list"), ("credentials", "show", "1")):
            shown = json.loads(self.shown(world.cli("--json", *command)))
            one = shown[0] if isinstance(shown, list) else shown
            self.assertEqual((one["bank"], one["users"], one["last_error"]), (self.EVIL, [self.EVIL], self.EVIL))
        world.sandbox.fault("error_object", token, "account", times=-1, message=self.EVIL)
        self.shown(world.cli("sync"), "an error object")
        self.shown(world.cli("backfill"), "an error object")
        self.shown(world.cli("--json", "erase", "--user", self.EVIL, "--yes"))


class Credentials(Refusals):
    def test_add_show_pause_resume_remove(self):
        world = self.world(credentials=2, transactions=40)
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        out = world.ok("credentials", "add", "--user", "ana", stdin=tokens[0] + "\n")
        self.assertIn("credential 1", out)
        self.assertIn("credential 1", world.ok("credentials", "add", "--user", "luis", stdin=tokens[0]))
        self.assertEqual(world.sql("select count(*), min(users::text) from flanks.sync_status"), "1|{ana,luis}")
        world.ok("credentials", "pause", "1")
        world.ok("run", "--once")
        self.assertEqual(world.sql("select count(*) from flanks.transactions"), "0")
        self.assertIn("paused", world.ok("credentials", "list"))
        world.ok("credentials", "resume", "1")
        world.ok("run", "--once")
        rows = world.sql("select count(*) from flanks.transactions")
        self.assertNotEqual(rows, "0")
        shown = world.ok("credentials", "show", "1")
        for words in ("ana", "luis", "account", "ok"):
            self.assertIn(words, shown)
        world.ok("credentials", "remove", "1")
        self.assertEqual(world.sql("select count(*) from flanks.transactions"), rows, "the rows stay")
        self.assertEqual(world.sql("select count(*) from flanks_internal.credentials_tokens where credentials_token is not null"), "0")
        self.assertEqual(world.cli("credentials", "show", "77").returncode, 1)

    def test_import_reads_csv_and_tells_every_bad_line(self):
        world = self.world(credentials=3, transactions=4)
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        file = world.dir / "credentials.csv"
        file.write_text(f'user_id,credentials_token\nana,{tokens[0]}\n"o\'neill, ""bob""",{tokens[1]}\nana,{tokens[2]}\n')
        self.assertIn("3", world.ok("credentials", "import", file))
        world.ok("credentials", "import", file)
        self.assertEqual(world.sql("select count(*) from flanks.user_credentials"), "3")
        self.assertEqual(world.sql("select count(*) from flanks.user_credentials where user_id = 'o''neill, \"bob\"'"), "1")
        file.write_text(f"user_id,credentials_token\n,{tokens[0]}\nluis\neva,{tokens[1]}\n")
        done = world.cli("credentials", "import", file)
        self.assertEqual(done.returncode, 1)
        self.assertIn("credentials.csv:2", done.stderr)
        self.assertIn("credentials.csv:3", done.stderr)
        self.assertNotIn(tokens[0], done.stderr + done.stdout)
        self.assertEqual(world.sql("select count(*) from flanks.user_credentials where user_id = 'eva'"), "0",
                         "nothing of a file with mistakes is imported")

    def test_a_removed_credential_is_called_removed(self):
        world = self.world(credentials=1, transactions=4)
        world.register_all()
        world.ok("credentials", "remove", 1)
        for command in (("credentials", "pause", 1), ("credentials", "remove", 1), ("sync", "--credential", 1), ("backfill", "--credential", 1)):
            self.refused(world.cli(*command), 1, "error: credential 1 is removed\n", "hint: ")
        self.refused(world.cli("credentials", "pause", 2), 1, "error: credential 2 is not registered\n")

    def test_a_large_file_is_imported_whole_or_not_at_all(self):
        world = self.world(credentials=0, transactions=0)
        file = world.dir / "credentials.csv"
        lines = [f"user-{n % 7000},large-{n}" for n in range(20_000)]
        file.write_text("\n".join(["user_id,credentials_token", *lines, "x,a b"]) + "\n")
        self.refused(world.cli("credentials", "import", file), 1, "credentials.csv:20002:3: credentials_token holds blanks")
        self.assertEqual(world.sql("select count(*) from flanks.credentials"), "0")
        file.write_text("\n".join(["user_id,credentials_token", *lines]) + "\n")
        world.ok("credentials", "import", file)
        self.assertEqual(world.sql("select count(*), (select count(*) from flanks.user_credentials) from flanks.credentials"), "20000|20000")
        world.ok("credentials", "import", file)
        self.assertEqual(world.sql("select count(*) from flanks.credentials"), "20000")
        # Beside it, an application registers some of the same tokens in a transaction of its own.
        world.sql("update flanks_internal.credentials_tokens set credentials_token = null; delete from flanks_internal.leases; "
                  "delete from flanks_internal.schedule; update flanks.credentials set removed_at = now()")
        statement = "begin; select flanks.register_credential('app', 'large-17'); select pg_sleep(2); " \
                    "select flanks.register_credential('app', 'large-5'); commit"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            beside = pool.submit(world.sql, statement)
            wait_until(lambda: world.sql("select count(*) from pg_locks where locktype = 'advisory' and granted") != "0", "it holds its lock")
            world.ok("credentials", "import", file)
            beside.result()
        self.assertEqual(world.sql("select count(*) from flanks.credentials where removed_at is null"), "20000")

    def test_import_tells_each_mistake_with_line_and_column_and_imports_nothing(self):
        world = self.world(credentials=1, transactions=4)
        file = world.dir / "credentials.csv"
        head = b"user_id,credentials_token\n"
        for body, mistakes in (
                (b"ana\0maria,tok-nul-1\nbob,tok-nul\0-2\n", ("2:4: a NUL byte", "3:12: a NUL byte")),
                (b"first,tok-l1-1\nMu\xf1oz,tok-l1-2\nlast,tok-l1-3\n", ("3:3: the byte 0xF1 is not UTF-8 (Latin-1?)",)),
                (b"good,t-1\n\xe2\x80\x8b,t-2\neva,\nx,y,z\n",
                 ("3:1: user_id is empty or blank", "4:5: credentials_token is empty", "5:1: 3 fields where 2 belong")),
                (b"good,t-1\neva,t 2\n" + b"u" * 257 + b",t-3\ntok-4,tok-4\n",
                 ("3:5: credentials_token holds blanks or control characters", "4:1: user_id is longer than 256 bytes",
                  "5:1: user_id holds the credentials_token")),
                (b"a,b,c\n" * 25, ("21:1: 3 fields where 2 belong\nand 5 more",))):
            with self.subTest(mistakes[0]):
                file.write_bytes(head + body)
                done = world.cli("credentials", "import", file)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                for mistake in mistakes:
                    self.assertIn(f"credentials.csv:{mistake}\n", done.stderr)
                self.assertIn("hint: nothing was imported; mend the file and run it again", done.stderr)
                self.assertEqual(world.sql("select count(*) from flanks.credentials"), "0")


if __name__ == "__main__":
    unittest.main()
