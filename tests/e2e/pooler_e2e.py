"""Behind a transaction pooler (pgbouncer): the settings stand on the role, or their lack is refused by name; nothing is prepared."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import unittest

from world import WorldTest, wait_until

SETTINGS = {"DateStyle": "ISO", "IntervalStyle": "postgres", "TimeZone": "UTC", "search_path": "pg_catalog", "row_security": "off"}

class Pooler(WorldTest):
    def pooler(self, world):
        """Starts pgbouncer in front of the world's cluster; gives the directory of its socket."""
        folder = tempfile.mkdtemp(prefix="flanks-pool-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        config = pathlib.Path(folder, "pgbouncer.ini")
        config.write_text(f"[databases]\n* = host={world.cluster.host} port=5432 user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
                          f"unix_socket_dir = {folder}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n"
                          f"logfile = {folder}/log\npidfile = {folder}/pid\n")

        start = {}
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            shutil.chown(folder, owner.pw_uid, owner.pw_gid)
            start = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        os.chmod(folder, 0o755)
        process = subprocess.Popen(["pgbouncer", "-q", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **start)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: os.path.exists(f"{folder}/.s.PGSQL.6432"), "pgbouncer listens")
        return folder

    def test_what_did_not_reach_the_server_is_refused_until_the_role_has_it(self):
        world = self.world(credentials=4, transactions=60, settings={"sync": {"overlap": "730d"}})
        ids = world.register_all()
        folder = self.pooler(world)
        world.write_config(database__dsn=f"host={folder} port=6432 user=postgres dbname={world.database}")
        told = []
        for _ in range(len(SETTINGS) + 1):
            done = world.cli("sync")
            if done.returncode != 78:
                break
            name = done.stderr.split("the setting ", 1)[1].split(" ", 1)[0]
            self.assertIn(f"the setting {name} of our session is", done.stderr)
            self.assertIn(f"hint: alter role \"postgres\" set {name} = '", done.stderr)
            told.append(name)
            # As the hint says, for this database alone.
            world.sql(f"alter role postgres in database {world.database} set {name} = '{SETTINGS[name]}'")
            world.cluster.psql("postgres", f"select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{world.database}' and pid <> pg_backend_pid()")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue({"search_path", "row_security"} <= set(told), told)
        self.assert_mirrors(world, ids)
        world.sandbox.refresh(add=2, correct=2)
        daemon = world.start("run")
        world.sql("update flanks_internal.leases set next_due_at = now()")
        wait_until(lambda: int(world.sql("select count(*) from flanks.transaction_revisions")) >= 2, "what was corrected came")
        wait_until(lambda: world.sql("select count(*) from flanks_internal.leases where lease_id is not null or next_due_at <= now()") == "0", "all is read")
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0, daemon.log.read_text())
        world.ok("backfill")
        self.assert_mirrors(world, ids)
        self.assertEqual(world.sql("select count(*) from pg_prepared_statements"), "0")

if __name__ == "__main__":
    unittest.main()
