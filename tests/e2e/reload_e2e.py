"""SIGHUP: configuration and every secret are read again, the database's login included; a mistake changes nothing."""
import os
import pathlib
import signal
import unittest

from notifications import Notifications
from world import WorldTest, wait_until


class Reload(WorldTest):
    def script(self, world, name, text):
        path = world.dir / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o700)
        return str(path)

    def reload(self, world, daemon, says):
        before = daemon.log.read_text().count(says)
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.log.read_text().count(says) > before, says)

    def status_after(self, manager, reloads):
        """The Status that `systemctl reload` leaves behind."""
        wait_until(lambda: manager.listen().count("READY=1") > reloads, "the reload is over")
        over = [n for n, line in enumerate(manager.heard) if line == "READY=1"][reloads]
        return [line for line in manager.heard[:over] if line.startswith("STATUS=")][-1]

    def sessions(self, world):
        return set(world.sql("select distinct usename from pg_stat_activity "
                             f"where datname = '{world.database}' and application_name like 'flanks-sync%'").split())

    def make_due(self, world):
        world.sql("update flanks_internal.leases set next_due_at = now() where lease_id is null")

    def role_with_password(self, world, name, password):
        """A role that the server asks for a password."""
        dsn = world.role(name)
        role = f"{world.database}_{name}"
        world.sql(f"alter role {role} password '{password}'")
        hba = pathlib.Path(world.sql("show hba_file"))
        hba.write_text(f"local all {role} scram-sha-256\n{hba.read_text()}")
        world.sql("select pg_reload_conf()")
        wait_until(lambda: world.cli("status").returncode == 0, "the server is there")
        return dsn

    def test_a_new_login_is_used_by_new_connections_and_old_ones_drain(self):
        world = self.world(credentials=3, transactions=60)
        ids = world.register_all()
        first, second = world.role("first"), world.role("second")
        world.write_config(database__dsn=first)
        daemon = world.start("run")
        wait_until(lambda: world.sql("select count(*) from flanks.transactions") == "180", "mirrored")
        self.assertEqual(self.sessions(world), {f"{world.database}_first"})
        world.write_config(database__dsn=second)
        self.reload(world, daemon, "database.dsn applies from now on")
        wait_until(lambda: (self.make_due(world), self.sessions(world))[1] == {f"{world.database}_second"}, "the old ones are closed")
        # The old role may go now, and the mirror goes on.
        world.sql(f"alter role {world.database}_first nologin")
        world.sandbox.refresh()
        self.make_due(world)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "3", "it goes on")
        self.assert_mirrors(world, ids)

    def test_a_login_that_does_not_work_is_not_taken(self):
        world = self.world(credentials=1, transactions=20)
        world.register_all()
        manager = Notifications()
        self.addCleanup(manager.close)
        dsn = world.role("first")
        world.write_config(database__dsn=dsn)
        # The unit's watchdog is fed seldom: a Status that comes with it would tell of the reload half a minute later.
        daemon = world.start("run", env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "60000000"})
        wait_until(lambda: world.sql("select count(*) from flanks.transactions") == "20", "mirrored")
        world.write_config(database__dsn=dsn.replace("dbname=", "dbname=no_such_"))
        self.reload(world, daemon, "configuration not reloaded; the old one stays")
        self.assertIn("no_such_", daemon.log.read_text())
        self.assertIn("could not be reloaded", self.status_after(manager, reloads=1))
        self.make_due(world)
        wait_until(lambda: world.sql("select count(*) from flanks_internal.leases where next_due_at > now()") == "1", "it goes on")
        world.write_config(database__dsn=dsn)
        self.reload(world, daemon, "configuration and secrets reloaded")
        self.assertNotIn("could not be reloaded", self.status_after(manager, reloads=2))

    def test_a_password_that_a_command_prints_is_asked_for_at_each_connect(self):
        world = self.world(credentials=1, transactions=20)
        world.register_all()
        dsn = self.role_with_password(world, "short", "one")
        calls = world.dir / "calls"
        command = self.script(world, "password", f"echo x >> {calls}\ncat {world.dir}/password.txt\n")
        password = world.dir / "password.txt"
        password.write_text("one\n")
        world.write_config(database__dsn=dsn, database__password_command=[command])
        daemon = world.start("run")
        wait_until(lambda: world.sql("select count(*) from flanks.transactions") == "20", "mirrored")
        # Another password from now on; the server ends what is open, as a failover does.
        world.sql(f"alter role {world.database}_short password 'two'")
        password.write_text("two\n")
        asked = calls.read_text().count("x")
        world.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{world.database}_short'")
        world.sandbox.refresh()
        self.make_due(world)
        wait_until(lambda: calls.read_text().count("x") > asked, "the command was run again")
        wait_until(lambda: world.sql("select count(*) from flanks_internal.leases where next_due_at > now()") == "1", "it goes on")
        self.assertNotIn("two", daemon.log.read_text())
        # One that fails is named, with whose turn it is; what it printed is not.
        password.unlink()
        done = world.cli("status")
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn(f"database.password_command: {command} ended with code 1", done.stderr)
        self.assertIn("hint: run it by hand as the user that runs flanks-sync", done.stderr)

    def test_a_new_client_secret_ends_a_refusal_at_once(self):
        world = self.world(credentials=1, transactions=20)
        world.register_all()
        good = (world.dir / "client_secret").read_text()
        (world.dir / "client_secret").write_text("an old one\n")
        daemon = world.start("run")
        wait_until(lambda: "nothing can be fetched until an operator acts" in daemon.log.read_text(), "refused, and paused")
        world.sandbox.reset_requests()
        (world.dir / "client_secret").write_text(good)
        self.reload(world, daemon, "what flanks.client_secret_file holds applies from now on")
        wait_until(lambda: world.sql("select count(*) from flanks.transactions") == "20", "what was refused is due by itself, and mirrored")
        self.assertLessEqual(world.sandbox.requests()["endpoints"]["token"], 2)

    def test_a_wrong_client_secret_is_seen_when_it_comes_and_not_when_the_token_ends(self):
        world = self.world(credentials=1, transactions=20)
        world.register_all()
        daemon = world.start("run")
        wait_until(lambda: world.sql("select count(*) from flanks.transactions") == "20", "mirrored")
        self.reload(world, daemon, "no key that applies at once has changed")
        self.make_due(world)
        wait_until(lambda: world.sql("select count(*) from flanks_internal.leases where next_due_at > now()") == "1", "asked again")
        self.assertEqual(world.sandbox.requests()["endpoints"]["token"], 1, "the same secret asks for no other token")
        (world.dir / "client_secret").write_text("a wrong one\n")
        self.reload(world, daemon, "what flanks.client_secret_file holds applies from now on")
        self.make_due(world)
        wait_until(lambda: "nothing can be fetched until an operator acts" in daemon.log.read_text(), "refused")

    def test_a_client_secret_that_a_command_prints(self):
        world = self.world(credentials=1, transactions=20)
        ids = world.register_all()
        command = self.script(world, "secret", f"cat {world.dir}/client_secret\n")
        world.write_config(flanks__client_secret_file=None, flanks__client_secret_command=[command])
        world.ok("run", "--once")
        self.assert_mirrors(world, ids)
        self.script(world, "secret", "exit 7\n")
        self.make_due(world)
        done = world.cli("run", "--once")
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn(f"flanks.client_secret_command: {command} ended with code 7", done.stderr)
        os.unlink(command)
        self.assertIn(f"flanks.client_secret_command: cannot run {command}: No such file or directory", world.cli("config", "check").stderr)


if __name__ == "__main__":
    unittest.main()
