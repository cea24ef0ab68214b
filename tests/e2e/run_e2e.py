"""The daemon: picks up what is registered, skips what is not new, follows the provider, stops cleanly."""
import signal
import unittest

from notifications import Notifications
from world import WorldTest, wait_until


class Run(WorldTest):
    def test_mirrors_what_is_registered_while_it_runs_and_follows_the_provider(self):
        world = self.world(credentials=3, transactions=200, settings={"sync": {"interval": "60s", "overlap": "730d"}})
        daemon = world.start("run")
        ids = world.register_all()
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "3", "all are ok")
        self.assert_mirrors(world, ids)
        # Nothing newer upstream: asked for the status, not for transactions.
        world.sandbox.reset_requests()
        runs = world.sql("select count(*) from flanks.sync_runs")
        asked = world.sql("update flanks_internal.leases set next_due_at = now() returning now()").split("\n")[0]
        wait_until(lambda: world.sql(f"select count(*) from flanks.sync_status where last_attempt_at > '{asked}' and not running") == "3",
                   "the second cycle found nothing new")
        self.assertEqual(world.sql("select count(*) from flanks.sync_runs"), runs)
        endpoints = world.sandbox.requests()["endpoints"]
        self.assertEqual(sum(endpoints.get(p, 0) for p in ("account", "card", "investment", "liability")), 0, endpoints)
        # The provider refreshes.
        world.sandbox.refresh(add=5, correct=3)
        world.sql("update flanks_internal.leases set next_due_at = now()")
        wait_until(lambda: int(world.sql("select count(*) from flanks.transaction_revisions")) >= 3, "corrections arrived")
        wait_until(lambda: world.sql("select count(*) from flanks_internal.leases where lease_id is not null") == "0", "idle")
        self.assert_mirrors(world, ids)
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0, daemon.log.read_text())

    def test_once_does_one_full_cycle_and_exits(self):
        world = self.world(credentials=5, transactions=100, settings={"sync": {"concurrency": 2}})
        ids = world.register_all()
        world.ok("run", "--once")
        self.assert_mirrors(world, ids)
        world.sandbox.reset_requests()
        world.ok("run", "--once")
        self.assertEqual(world.sandbox.requests()["endpoints"].get("status", 0), 0, "nothing was due")

    def test_tells_the_service_manager_and_reloads(self):
        world = self.world(credentials=1, transactions=50, settings={"sync": {"interval": "60s"}})
        world.register_all()
        manager = Notifications()
        self.addCleanup(manager.close)
        daemon = world.start("run", env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
        wait_until(lambda: "READY=1" in manager.listen(), "READY=1")
        wait_until(lambda: "WATCHDOG=1" in manager.listen(), "WATCHDOG=1")
        wait_until(lambda: any(line.startswith("STATUS=") for line in manager.listen()), "STATUS=")
        world.write_config(log__level="debug")
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "RELOADING=1" in manager.listen() and manager.heard.count("READY=1") == 2, "reloaded")
        self.assertTrue(any(line.startswith("MONOTONIC_USEC=") for line in manager.heard))
        # A broken file is refused and changes nothing.
        world.config.write_text("flanks:\n  base_urll: x\n")
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "base_urll" in daemon.log.read_text(), "the mistake is in the log")
        self.assertIsNone(daemon.poll())
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)
        self.assertIn("STOPPING=1", manager.listen())

    def test_two_daemons_share_the_work_and_never_fetch_one_credential_at_once(self):
        world = self.world(credentials=12, transactions=100, latency=50, settings={"sync": {"concurrency": 3}})
        ids = world.register_all()
        both = [world.start("run", "--once"), world.start("run", "--once")]
        for daemon in both:
            self.assertEqual(daemon.wait(60), 0, daemon.log.read_text())
        self.assert_mirrors(world, ids)
        requests = world.sandbox.requests()
        self.assertEqual(requests["endpoints"]["status"], 12)
        self.assertLessEqual(max(c["max_concurrent"] for c in requests["credentials"].values()), 1)

    def test_the_database_goes_away_and_comes_back(self):
        world = self.world(credentials=4, transactions=500, latency=100, settings={"sync": {"concurrency": 2, "interval": "60s", "lease": "5s"}})
        ids = world.register_all()
        daemon = world.start("run")
        # Before that it has not begun: a database that ends the check of the schema ends the start (and systemd starts again).
        wait_until(lambda: int(world.sandbox.requests()["endpoints"].get("status", 0)) > 0, "the daemon works")
        for _ in range(5):
            world.cluster.psql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity "
                               f"where datname = '{world.database}' and application_name like 'flanks-sync%'")
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "4" or
                   world.sql("update flanks_internal.leases set next_due_at = now() where lease_id is null "
                             "and credential_id in (select credential_id from flanks.credentials where state <> 'ok')") == "x",
                   "all are ok again")
        self.assert_mirrors(world, ids)
        self.assertIsNone(daemon.poll())


if __name__ == "__main__":
    unittest.main()
