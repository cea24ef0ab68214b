"""A database of a customer's: its silence, its language, its settings, its row security and its objects."""
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from admin import Admin, served_at
from gate import Gate, refusal
from world import ROOT, WorldTest, wait_until

ONE_PRODUCT = {"sync": {"products": ["account"], "product_details": []}}
SILENT = {"sync": {**ONE_PRODUCT["sync"], "lease": "40s"}, "database": {"statement_timeout": "3s", "connect_timeout": "5s"}}
NAMED = rb"[a-z]_\d+\0/\* flanks-sync "  # Parse (PostgreSQL 15, 55.7): a name, then the text


class DatabaseTest(WorldTest):
    def small_world(self, settings=None, **options):
        return self.world(credentials=2, transactions=30, products="account", no_oddities=True,
                          settings=settings or ONE_PRODUCT, **options)

    def gate(self, world, **options):
        gate = Gate(f"{world.cluster.host}/.s.PGSQL.5432", **options)
        self.addCleanup(gate.stop)
        return gate

    def said(self, done, code, *words):
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, text)
        for word in words:
            self.assertIn(word, text)
        return text


class Silence(DatabaseTest):
    # Bytes after which nothing is answered, whether they reach the server, the command, what it says.
    CASES = ((b"", True, ("status",), "timeout expired"),
             (b"check_settings", True, ("status",), "check_settings had no answer from database"),
             (b"flanks-sync claim", True, ("sync",), "claim had no answer from database"),
             (b"begin\0", True, ("run", "--once"), "begin had no answer from database"),
             (b"find_migrations", True, ("migrate", "status"), "find_migrations had no answer from database"),
             (b"find_migrations", True, ("migrate", "up"), "find_migrations had no answer from database"))

    def test_ends_every_command_in_time_and_the_next_one_goes_on(self):
        world = self.small_world(SILENT)
        world.register_all()
        gate = self.gate(world)
        world.write_config(database__dsn=gate.dsn("postgres", world.database))
        for at, forward, command, words in self.CASES:
            with self.subTest(command, at=at):
                gate.mute_at, gate.forward, gate.muted = at, forward, 0
                begun = time.monotonic()
                done = world.cli(*command)
                gate.mute_at = None
                self.said(done, 69, words, "hint: ")
                # A migration may take long: it is looked for over another connection, which is mute too.
                self.assertLess(time.monotonic() - begun, 100 if command == ("migrate", "up") else 60)
                self.assertGreater(gate.muted, 0)
                world.ok("migrate", "status")
        world.ok("sync")

    def test_of_a_copy_fails_the_run_and_of_a_commit_is_read_back(self):
        for at, forward, written in ((b"copy_transactions", True, 60), (b"commit\0", True, 60), (b"commit\0", False, 60)):
            with self.subTest(at, forward=forward):
                world = self.small_world(SILENT)
                ids = world.register_all()
                gate = self.gate(world)
                world.write_config(database__dsn=gate.dsn("postgres", world.database))
                gate.mute_at, gate.forward, gate.times = at, forward, 1
                done = world.cli("sync", timeout=100)
                self.assertIn(done.returncode, (0, 3, 69), done.stderr)
                if done.returncode != 0:
                    self.assertIn("had no answer from database", done.stdout + done.stderr)
                self.assertEqual(gate.muted, 1)
                wait_until(lambda: world.cli("sync").returncode == 0, "the next one goes on")
                self.assertEqual(self.assert_mirrors(world, ids), written)
                self.assertEqual(world.sql("select count(*) from flanks.transaction_revisions"), "0")

    def test_of_the_commit_of_a_large_window_is_asked_about_before_it_is_believed(self):
        for forward in (True, False):
            with self.subTest(committed=forward):
                world = self.world(credentials=1, transactions=8_000, products="account", no_oddities=True, settings=SILENT)
                ids = world.register_all()
                gate = self.gate(world)
                world.write_config(database__dsn=gate.dsn("postgres", world.database))
                gate.after, gate.mute_at, gate.forward, gate.times = b"copy_transactions", b"commit\0", forward, 1
                world.ok("sync", timeout=100)
                self.assertEqual(gate.muted, 1)
                self.assertEqual(self.assert_mirrors(world, ids), 8_000)
                self.assertEqual(world.sql("select count(*) from flanks.transaction_revisions"), "0")


class Language(DatabaseTest):
    def test_of_the_server_changes_no_exit_code_and_no_hint(self):
        locales = tempfile.mkdtemp(prefix="flanks-locales-")
        self.addCleanup(subprocess.run, ["rm", "-rf", locales])
        made = subprocess.run(["localedef", "-i", "es_ES", "-f", "UTF-8", f"{locales}/es_ES.UTF-8"], capture_output=True)
        if made.returncode != 0:
            self.skipTest("the locale es_ES cannot be made here (package locales)")
        os.chmod(locales, 0o755)
        directory = tempfile.mkdtemp(prefix="flanks-spanish-")
        os.chmod(directory, 0o755)
        cluster = [ROOT / "tests/support/pg-cluster"]
        environment = {**os.environ, "LOCPATH": locales}
        self.addCleanup(subprocess.run, [*cluster, "remove", directory + "/pg"])
        started = subprocess.run([*cluster, "start", directory + "/pg"], env=environment, capture_output=True, text=True)
        self.assertEqual(started.returncode, 0, started.stderr)
        host = dict(part.split("=", 1) for part in started.stdout.split())["host"]

        def psql(database, sql):
            done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-h", host, "-U", "postgres", "-d", database, "-c", sql],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout.strip()

        psql("postgres", "alter system set lc_messages = 'es_ES.UTF-8'")
        psql("postgres", "create role maria login password 'correcta'")
        hba = pathlib.Path(psql("postgres", "show hba_file"))
        hba.write_text("local all maria scram-sha-256\n" + hba.read_text())
        psql("postgres", "select pg_reload_conf()")
        world = self.small_world()
        psql("postgres", "create database espejo")
        secret = world.dir / "database_password"
        secret.write_text("falsa\n")
        secret.chmod(0o600)
        world.write_config(database__dsn=f"host={host} user=maria dbname=espejo", database__password_file="database_password")
        spanish = wait_until(lambda: (done := world.cli("status")) and "autentificaci" in done.stderr and done, "Spanish is spoken")
        self.said(spanish, 77, "hint: check database.password_file")
        self.assertNotIn("falsa", spanish.stderr)
        world.write_config(database__dsn=f"host={host} user=postgres dbname=nada")
        self.said(world.cli("status"), 69, "no existe la base de datos", "hint: check the name in database.dsn")
        world.write_config(database__dsn=f"host={host} user=nadie dbname=espejo")
        self.said(world.cli("status"), 77, "no existe el rol", "hint: ")
        world.write_config(database__dsn=f"host={host} user=postgres dbname=espejo")
        self.said(world.cli("sync"), 78, "run flanks-sync migrate up")
        world.ok("migrate", "up")
        for c in world.sandbox.credentials():
            psql("espejo", f"select flanks.register_credential('u', '{c['credentials_token']}')")
        # The words that quote a row come in other quotes here.
        psql("espejo", "alter table flanks.transactions add constraint theirs check (description = 'f(x)')")
        text = self.said(world.cli("sync"), 3, '"theirs" of flanks.transactions refused 30 records')
        self.assertNotIn("migrate", text)
        psql("espejo", "alter table flanks.transactions drop constraint theirs; alter table flanks.transactions drop column shop cascade")
        self.said(world.cli("sync"), 78, "no existe la columna", "something of ours was dropped")


class Settings(DatabaseTest):
    WISHES = {"DateStyle": "German", "array_nulls": "off", "quote_all_identifiers": "on", "default_transaction_read_only": "on",
              "default_transaction_isolation": "serializable", "IntervalStyle": "iso_8601", "TimeZone": "Europe/Madrid",
              "standard_conforming_strings": "off", "bytea_output": "escape", "search_path": "flanks", "row_security": "on",
              "extra_float_digits": "-15", "transform_null_equals": "on", "statement_timeout": "1", "lock_timeout": "1"}

    def test_of_database_role_and_dsn_do_not_reach_us(self):
        for where in ("database", "role", "dsn"):
            with self.subTest(where):
                world = self.small_world(migrate=False)
                if where == "dsn":
                    options = " ".join(f"-c {name}={value}" for name, value in self.WISHES.items())
                    world.write_config(database__dsn=f"host={world.cluster.host} user=postgres dbname={world.database} options='{options}'")
                else:
                    target = f"database {world.database}" if where == "database" else f"role postgres in database {world.database}"
                    for name, value in self.WISHES.items():
                        world.cluster.psql("postgres", f"alter {target} set {name} = '{value}'")
                world.ok("migrate", "up")
                # A session of the application has those settings too; the contract's function must work there.
                world.cluster.psql("postgres", f"alter database {world.database} reset all; alter role postgres in database {world.database} reset all")
                ids = world.register_all()
                if where != "dsn":
                    for name, value in self.WISHES.items():
                        world.cluster.psql("postgres", f"alter {target} set {name} = '{value}'")
                world.ok("sync")
                world.ok("sync")
                world.cluster.psql("postgres", f"alter database {world.database} reset all; alter role postgres in database {world.database} reset all")
                self.assert_mirrors(world, ids)

    def pooler(self, world, refuse):
        """Takes no `options`: refuses them, or drops them in silence (pgbouncer, ignore_startup_parameters)."""
        def on_startup(parameters):
            if refuse and "options" in parameters:
                return refusal("08P01", "unsupported startup parameter: options")
            return {name: value for name, value in parameters.items() if name != "options"}
        gate = self.gate(world, on_startup=on_startup)
        world.write_config(database__dsn=gate.dsn("postgres", world.database))
        return gate

    def test_behind_a_pooler_stand_on_the_role_or_are_refused_by_name(self):
        for refuse in (True, False):
            with self.subTest(refuse=refuse):
                world = self.small_world()
                ids = world.register_all()
                gate = self.pooler(world, refuse)
                role = f"alter role postgres in database {world.database} set"
                for name, value in (("TimeZone", "'UTC'"), ("search_path", "pg_catalog"), ("row_security", "off")):
                    world.cluster.psql("postgres", f"{role} {name} = {value}")
                world.cluster.psql("postgres", f"{role} DateStyle = 'German, DMY'")
                self.said(world.cli("sync"), 78, 'the setting DateStyle of our session is "German, DMY" and must be "ISO"', "hint: alter role")
                world.cluster.psql("postgres", f"{role} DateStyle = 'ISO'")
                for _ in range(2):
                    world.ok("sync")
                self.assertNotRegex(bytes(gate.sent), NAMED, "the next transaction may run on another connection of the server")
                self.assert_mirrors(world, ids)

    def test_where_nothing_is_in_between_statements_are_prepared(self):
        world = self.small_world()
        world.register_all()
        gate = self.gate(world)
        world.write_config(database__dsn=gate.dsn("postgres", world.database))
        world.ok("sync")
        self.assertRegex(bytes(gate.sent), NAMED)


class RowSecurity(DatabaseTest):
    def test_stops_before_anything_is_asked_of_the_provider(self):
        for table in ("flanks.transactions", "flanks.credentials", "flanks_internal.leases"):
            with self.subTest(table):
                world = self.small_world({**ONE_PRODUCT, "admin": {"listen": "127.0.0.1:0"}})
                ids = world.register_all()
                dsn = world.role("daemon")
                world.sql(f"alter table {table} enable row level security")
                world.write_config(database__dsn=dsn)
                hint = f"row security is enabled on {table}: alter table ... disable row level security"
                for command in (("run", "--once"), ("sync",), ("backfill",)):
                    self.said(world.cli(*command), 77, hint)
                daemon = world.start("run")
                where = wait_until(lambda: served_at(daemon.log.read_text()), "it serves")
                wait_until(lambda: Admin(where).get("/-/ready")[0] == 503, "it is not ready")
                self.assertIn("database_row_security", Admin(where).get("/-/ready")[2])
                asked = world.sandbox.requests()["endpoints"]
                self.assertEqual((asked.get("status", 0), asked.get("account", 0)), (0, 0))
                world.sql(f"alter table {table} disable row level security")
                wait_until(lambda: Admin(where).get("/-/ready")[0] == 200, "it goes on by itself")
                wait_until(lambda: world.sql("select count(*) from flanks.transactions") == "60", "all is mirrored")
                self.assert_mirrors(world, ids)


class Objects(DatabaseTest):
    # What somebody made, what the command says.
    CASES = (
        ("create unique index on flanks.transactions (currency)",
         '"transactions_currency_idx" of flanks.transactions refused a row'),
        ("create table public.audit_log(id text); grant all on public.audit_log to public; create function public.aud() returns trigger "
         "language plpgsql as $$ begin insert into audit_log values (new._id); return new; end $$; create trigger aud after insert or "
         "update on flanks.transactions for each row execute function public.aud()", "the function public.aud() refused it, or failed"),
        ("create function public.\"No Way\"() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; create trigger x "
         "before insert on flanks.transactions for each row execute function public.\"No Way\"()", 'the function public."No Way"() refused it'),
        ("alter table flanks.transactions add check (value_date > '2090-01-01')", '"transactions_value_date_check" of flanks.transactions refused 30 records'),
        ("create table public.currencies(code text primary key); alter table flanks.transactions add foreign key (currency) references "
         "public.currencies", '"transactions_currency_fkey" of flanks.transactions refused a row'),
    )

    def test_of_others_that_refuse_rows_are_named_with_whose_turn_it_is(self):
        for made, words in self.CASES:
            with self.subTest(words):
                world = self.small_world()
                world.register_all()
                dsn = world.role("daemon")
                world.sql(made)
                world.write_config(database__dsn=dsn)
                text = self.said(world.cli("sync"), 3, words, "flanks-sync's: whoever made it has to")
                for wrong in ("migrate up", "keep inserting"):
                    self.assertNotIn(wrong, text)


if __name__ == "__main__":
    unittest.main()
