"""A server that speaks Spanish: what it says is shown, and decided by its codes as if it spoke English."""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from world import Cluster, WorldTest, wait_until

LOCALE = "es_ES.UTF-8"


def spanish_cluster():
    locales = tempfile.mkdtemp(prefix="flanks-locale-")
    atexit.register(shutil.rmtree, locales, ignore_errors=True)
    subprocess.run(["localedef", "-i", "es_ES", "-f", "UTF-8", f"{locales}/{LOCALE}"], check=True)
    os.chmod(locales, 0o755)
    os.environ["LOCPATH"] = locales
    cluster = Cluster.get()
    cluster.psql("postgres", f"alter system set lc_messages = '{LOCALE}'")
    cluster.psql("postgres", "select pg_reload_conf()")
    return cluster


class Spanish(WorldTest):
    @classmethod
    def setUpClass(cls):
        cls.cluster = spanish_cluster()

    def refused(self, world, dsn, code, *words):
        world.write_config(database__dsn=dsn)
        for command in (("status",), ("backfill",), ("migrate", "status")):
            done = world.cli(*command)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)

    def test_a_refused_connection(self):
        world = self.world(credentials=1, transactions=4)
        host = world.cluster.host
        hba = pathlib.Path(world.sql("show hba_file"))
        before = hba.read_text()
        self.addCleanup(hba.write_text, before)
        world.sql("create role with_password login password 'right'; create role shut_out login")
        hba.write_text("local all with_password scram-sha-256\nlocal all shut_out reject\n" + before)
        world.sql("select pg_reload_conf()")
        password = world.dir / "database_password"
        password.write_text("wrong\n")
        password.chmod(0o600)
        world.settings = {"database": {"password_file": "database_password"}}
        base = f"host={host} dbname={world.database} user="
        wait_until(lambda: "falló" in subprocess.run(["psql", "-X", base + "with_password password=wrong"], capture_output=True, text=True).stderr,
                   "the server asks for a password, in Spanish")
        self.refused(world, base + "with_password", 77, "cannot open database", "la autentificación password falló para el usuario «with_password»",
                     "hint: check database.password_file")
        self.refused(world, base + "shut_out", 77, "«shut_out»", "hint: check the user in database.dsn; the server's pg_hba.conf")
        self.refused(world, base + "nobody_here", 77, "no existe el rol «nobody_here»", "hint: check the user in database.dsn")
        self.refused(world, f"host={host} user=postgres dbname=nowhere", 69, "no existe la base de datos «nowhere»",
                     "hint: check the name in database.dsn, or create the database")

    def test_a_missing_right_a_constraint_and_no_schema(self):
        world = self.world(credentials=1, transactions=4, products="account", migrate=False)
        done = world.cli("sync")
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("the database has no schema of flanks-sync yet", done.stderr)
        world.ok("migrate", "up")
        ids = world.register_all()
        world.sql("create unique index on flanks.transactions (product)")
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertIn('"transactions_product_idx" of flanks.transactions refused a row: llave duplicada', world.sql("select last_error from flanks.sync_status"))
        world.sql("drop index flanks.transactions_product_idx")
        dsn = world.role("daemon")
        world.sql(f"revoke insert on flanks.transactions from {world.database}_daemon")
        world.write_config(database__dsn=dsn)
        done = world.cli("sync")
        self.assertEqual(done.returncode, 77, done.stdout + done.stderr)
        self.assertIn("permiso denegado a la tabla transactions (42501)", done.stderr)
        self.assertIn('hint="grant the daemon', done.stderr)
        world.write_config()
        world.ok("sync")
        self.assert_mirrors(world, ids)


if __name__ == "__main__":
    unittest.main()
