"""A daemon that stands still, or loses its lease, leaves its credentials to others (promises P12, P15)."""
import signal
import subprocess
import time
import unittest

from admin import Admin, served_at
from world import WorldTest, wait_until

LEASE = 5  # seconds
SETTINGS = {"sync": {"products": ["account"], "product_details": [], "lease": f"{LEASE}s", "poll": "500ms", "interval": "3600s"},
            "flanks": {"requests_per_second": 0}}


class Takeover(WorldTest):
    def settings(self, **sections):
        return {name: {**SETTINGS.get(name, {}), **sections.get(name, {})} for name in {*SETTINGS, *sections}}

    def ends(self, daemon):
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0, daemon.log.read_text())

    def freeze(self, world, daemon, where, then="true"):
        """Stops the daemon at a moment when `where` is true of a session of its in pg_stat_activity; `then` too, when it stands still."""
        session = ("select count(*) from pg_stat_activity where datname = current_database() and "
                   f"application_name like 'flanks-sync%' and {where}")

        def frozen():
            self.assertIsNone(daemon.poll(), daemon.log.read_text())
            if world.sql(session) == "0":
                return False  # it works undisturbed until then
            daemon.send_signal(signal.SIGSTOP)
            still = f"{session} and {then}"
            if world.sql(still) != "0" and world.sql(still) != "0":
                return True
            daemon.send_signal(signal.SIGCONT)
            return False
        wait_until(frozen, f"the daemon was stopped while {where}")
        return time.monotonic()

    def taken_over_while(self, where, then="true", fault=None, **sandbox):
        world = self.world(credentials=1, products="account", no_oddities=True, settings=SETTINGS, **sandbox)
        if fault:
            kind, token, endpoint, speed = fault
            world.sandbox.fault(kind, token, endpoint, bytes_per_second=speed, times=1)
        ids = world.register_all()
        first = world.start("run")
        frozen = self.freeze(world, first, where, then)
        locked = world.sql("select lease_id from flanks_internal.leases")
        second = world.start("run")
        wait_until(lambda: world.sql("select lease_id from flanks_internal.leases") != locked, "the second has its lease")
        self.assertLess(time.monotonic() - frozen, LEASE + 30)
        wait_until(lambda: world.sql("select state from flanks.credentials") == "ok", "it is mirrored")
        self.assert_mirrors(world, ids)
        first.send_signal(signal.SIGCONT)
        wait_until(lambda: "lease" in first.log.read_text(), "the first says what it lost")
        self.ends(first)
        self.ends(second)
        self.assert_mirrors(world, ids)
        self.assertEqual(world.sql("select count(*) from flanks.transaction_revisions"), "0")

    def test_one_that_stands_still_in_a_copy_is_taken_over(self):
        self.taken_over_while("state = 'active' and query ilike '%copy %from stdin%'", then="wait_event = 'ClientRead'", transactions=400_000)

    def test_one_that_stands_still_between_two_statements_is_taken_over(self):
        # An answer that comes slowly: its transaction waits between two pieces of it.
        self.taken_over_while("state = 'idle in transaction' and now() - state_change > interval '100 ms'", transactions=20_000,
                              fault=("drip", "*", "account", 500_000))

    def test_a_row_that_something_else_locks_makes_the_daemon_unready_and_a_single_cycle_fail(self):
        world = self.world(credentials=3, transactions=8, products="account", no_oddities=True, settings=SETTINGS)
        world.register_all()
        admin = Admin(f"unix:{world.dir}/admin.socket")
        world.write_config(admin__listen=admin.where)
        psql = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.host, "-U", "postgres", "-d", world.database]
        with subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            other.stdin.write("begin; select 'locked' from flanks_internal.leases for update;\n")
            other.stdin.flush()
            self.assertEqual(other.stdout.readline().strip(), "locked")
            done = world.cli("run", "--once")
            self.assertEqual(done.returncode, 75, done.stdout + done.stderr)
            self.assertIn("3 credentials that nobody holds are due, but cannot be claimed", done.stderr)
            self.assertIn("something locks rows of flanks_internal.leases: see pg_locks and pg_stat_activity", done.stderr)
            daemon = world.start("run")
            wait_until(lambda: served_at(daemon.log.read_text()), "it listens")
            said = wait_until(lambda: (answer := admin.get("/-/ready"))[0] == 503 and answer[2], "it is not ready")
            self.assertIn("due credentials cannot be claimed (claim_locked)", said)
            self.assertEqual(world.sandbox.requests()["requests"], 0)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "3", "all are mirrored")
        wait_until(lambda: admin.get("/-/ready")[0] == 200, "it is ready again")
        wait_until(lambda: "credentials can be claimed again" in daemon.log.read_text(), "it says so")
        self.ends(daemon)

    def test_who_cannot_renew_its_lease_asks_the_provider_no_longer_than_it_lasts(self):
        world = self.world(credentials=1, transactions=8, products="account", no_oddities=True, settings=SETTINGS)
        ids = world.register_all()
        [(token, id)] = ids.items()
        world.sandbox.fault("stall_first_byte", token, "account", times=1)
        world.write_config(database__dsn=world.role("first"))
        first = world.start("run")
        wait_until(lambda: world.sandbox.requests()["endpoints"].get("account"), "the first asks")
        world.sql(f"revoke update on flanks_internal.leases from {world.database}_first")
        # Before the second begins: which of them acts first when the lease ends is not told by their clocks.
        ran_out = "the lease ran out before it could be renewed; the work in hand is dropped"
        wait_until(lambda: ran_out in first.log.read_text(), "the first drops its work")
        world.write_config()
        second = world.start("run")
        wait_until(lambda: world.sql("select state from flanks.credentials") == "ok", "the second has mirrored it")
        requests = world.sandbox.requests()["credentials"][token]
        self.assertEqual(requests["max_concurrent"], 1)
        self.assertEqual(requests["account"], 2)
        self.assert_mirrors(world, ids)
        self.ends(second)
        first.kill()

    def test_a_command_whose_lease_ran_out_has_failed_and_says_so(self):
        world = self.world(credentials=1, transactions=8, products="account", no_oddities=True, settings=SETTINGS)
        world.register_all()
        world.sandbox.fault("latency", "*", "account", ms=30000, times=1)
        command = world.start("sync")
        wait_until(lambda: world.sql("select count(*) from flanks_internal.leases where lease_id is not null") == "1", "it has its lease")
        psql = ["psql", "-X", "-q", "-h", world.cluster.host, "-U", "postgres", "-d", world.database]
        with subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as other:
            other.stdin.write("begin; select from flanks_internal.leases for update;\n")
            other.stdin.flush()
            wait_until(lambda: "lease ran out" in command.log.read_text(), "its lease has run out")
        self.assertEqual(command.wait(60), 3, command.log.read_text())
        self.assertIn("credential 1: the lease was lost; what was not stored yet is dropped", command.log.read_text())

    def test_a_slow_provider_does_not_end_the_transaction_of_a_window(self):
        """The server ends transactions that are idle for as long as a lease: ours are not, however slow an answer comes."""
        world = self.world(credentials=1, transactions=60, products="account", no_oddities=True, settings=SETTINGS)
        ids = world.register_all()
        world.sandbox.fault("drip", "*", "account", bytes_per_second=1500, times=1)
        begun = time.monotonic()
        world.ok("sync")
        self.assertGreater(time.monotonic() - begun, 2 * LEASE)
        self.assert_mirrors(world, ids)
        self.assertEqual(world.sandbox.requests()["endpoints"]["account"], 1)


if __name__ == "__main__":
    unittest.main()
