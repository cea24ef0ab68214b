"""One rate limit and one pause for all daemons of a database: what the provider sees of it, by its own clock."""
import re
import signal
import socket
import subprocess
import time
import unittest

from world import WorldTest, wait_until

LIMIT = 60  # requests per second: a tenth of what the slowest machine does, so that only the limit holds them back
BURST = LIMIT // 10  # a tenth of a second's worth
WINDOW = 5  # seconds
# A sandbox that gets no processor finds at once what came meanwhile: one request of each connection of a daemon.
QUEUED = 16


def densest_window(times):
    """The most requests that came within any WINDOW."""
    most = first = 0
    for last, time_of_last in enumerate(times):
        while times[first] <= time_of_last - WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most


class RateLimit(WorldTest):
    def loaded(self, **settings):
        """A world with more to fetch than any of these tests waits for, two requests a credential."""
        world = self.world(credentials=2500, transactions=20, products="account", no_oddities=True, seed=5, settings={
            "flanks": {"requests_per_second": LIMIT, **settings},
            "sync": {"lease": "120s", "products": ["account"], "product_details": []}})
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        for first in range(0, len(tokens), 500):
            some = ",".join(tokens[first:first + 500])
            world.sql(f"select count(flanks.register_credential('u', t)) from unnest('{{{some}}}'::text[]) t")
        return world

    def arrivals(self, world, since=0.0):
        return [at for at, _ in world.sandbox.arrivals(since)]

    def has_sent(self, world, requests, since=0.0):
        return wait_until(lambda: (found := self.arrivals(world, since)) and len(found) >= requests and found,
                          f"{requests} requests came")

    def ends(self, *daemons):
        for daemon in daemons:
            daemon.send_signal(signal.SIGTERM)
        for daemon in daemons:
            self.assertEqual(daemon.wait(60), 0, daemon.log.read_text())

    def assert_kept_to_the_limit(self, times, daemons, why=None):
        self.assertLessEqual(densest_window(times), WINDOW * LIMIT + BURST + QUEUED * daemons, why)

    def writes(self, world):
        world.sql("select pg_stat_force_next_flush()")
        return int(world.sql("select n_tup_upd from pg_stat_user_tables where relid = 'flanks_internal.rate_limit'::regclass"))

    def test_two_daemons_together_keep_to_the_limit(self):
        world = self.loaded()
        both = [world.start("run"), world.start("run")]
        times = self.has_sent(world, 15 * LIMIT)
        for daemon in both:
            self.assertIn("credential_id=", daemon.log.read_text(), "both had a share of the work")
        self.ends(*both)
        times = self.arrivals(world)
        self.assert_kept_to_the_limit(times, len(both))
        self.assertLessEqual(len(times), LIMIT * (times[-1] - times[0]) + BURST + 1 + QUEUED * len(both))

    def test_one_write_of_the_bucket_is_enough_for_100_requests(self):
        world = self.loaded()
        both = [world.start("run"), world.start("run")]
        self.has_sent(world, 8 * LIMIT)  # grants grow to their size
        before, begun = self.writes(world), time.time()
        self.has_sent(world, 15 * LIMIT, since=begun)
        written, elapsed = self.writes(world) - before, time.time() - begun
        self.ends(*both)
        # By the time, not by what came: each of the two may have asked for what it has not used yet, or sent what waits to be read.
        self.assertLessEqual(written, LIMIT * elapsed / 100 + 4)
        self.assertEqual(world.sql("select n_tup_upd - n_tup_hot_upd from pg_stat_user_tables "
                                   "where relid = 'flanks_internal.rate_limit'::regclass"), "0", "all on one page")

    def test_a_daemon_alone_reaches_the_limit(self):
        world = self.loaded()
        daemon = world.start("run")
        # Some window, because in any one the machine may have had something else to do.
        wait_until(lambda: densest_window(self.arrivals(world)) >= 0.95 * WINDOW * LIMIT, "it does")
        self.ends(daemon)
        self.assert_kept_to_the_limit(self.arrivals(world), 1)

    def test_a_daemon_that_stood_still_does_not_make_up_for_it(self):
        world = self.loaded()
        both = [world.start("run"), world.start("run")]
        self.has_sent(world, 3 * LIMIT)
        for daemon in both:
            daemon.send_signal(signal.SIGSTOP)
            stopped = time.time()
            self.has_sent(world, 4 * LIMIT, since=stopped)  # by the other
            daemon.send_signal(signal.SIGCONT)
            self.has_sent(world, (WINDOW + 1) * LIMIT, since=time.time())
        self.ends(*both)
        self.assert_kept_to_the_limit(self.arrivals(world), len(both))

    def paused(self, world, seconds):
        """The provider tells one request to come back in so many seconds; gives when it did."""
        begun = time.time()
        world.sandbox.fault("status", status=429, retry_after=str(seconds), times=1)
        return wait_until(lambda: [at for at, status in world.sandbox.arrivals(begun) if status == 429],
                          "one was told to slow down")[0]

    def test_a_pause_that_one_is_told_holds_for_both(self):
        for limit in (LIMIT, 0):
            with self.subTest(requests_per_second=limit):
                world = self.loaded(requests_per_second=limit)
                both = [world.start("run"), world.start("run")]
                for daemon in both:
                    wait_until(lambda: "credential_id=" in daemon.log.read_text(), "it works")
                told = self.paused(world, 8)
                self.has_sent(world, 20, since=told + 8)
                for daemon in both:
                    wait_until(lambda: "pause is over" in daemon.log.read_text(), "it says that it goes on")
                self.ends(*both)
                silent = [at - told for at in self.arrivals(world, told + 3)]
                self.assertGreaterEqual(silent[0], 8, "within three seconds both know, and wait")
                asked = []
                for daemon in both:
                    log = daemon.log.read_text()
                    asked += re.findall("the provider asks us to wait; no process sends before until=(?:.*)http_status=429 "
                                        "asked=(.*)", log)
                    self.assertEqual(log.count("asks us to wait"), 1, log)
                    self.assertEqual(log.count("the provider's pause is over pause_seconds="), 1, log)
                by_the_one, by_the_other = sorted(asked)  # quoted text comes first
                self.assertRegex(by_the_one, '^"this process" error="(GET|POST) /v0/.* answered 429')
                self.assertRegex(by_the_other, f"^{socket.gethostname()}:({both[0].pid}|{both[1].pid})$")

    def test_a_pause_outlives_who_was_told(self):
        world = self.loaded()
        daemon = world.start("run")
        told = self.paused(world, 8)
        wait_until(lambda: world.sql("select paused_until > now() from flanks_internal.rate_limit") == "t", "it is stored")
        daemon.kill()
        daemon.wait()
        restarted = time.time()
        self.assertLess(restarted, told + 6, "the machine is too slow for this test")
        daemon = world.start("run")
        first = self.has_sent(world, 1, since=restarted)[0]
        self.ends(daemon)
        self.assertGreaterEqual(first, told + 8)

    def test_a_pause_longer_than_a_request_may_wait_ends_a_command_and_the_next_one_sends_nothing(self):
        world = self.world(credentials=1, transactions=5, products="account", settings={"sync": {"products": ["account"]}})
        [number] = world.register_all().values()
        world.sandbox.fault("status", endpoint="status", status=429, retry_after="3600", times=1)
        first = world.cli("sync", "--credential", number)
        self.assertEqual(first.returncode, 3, first.stdout + first.stderr)
        self.assertRegex(first.stderr, "the provider asks us to wait; no process sends before until=.* http_status=429")
        world.sandbox.reset_requests()
        second = world.cli("sync", "--credential", number)
        self.assertEqual(second.returncode, 3, second.stdout + second.stderr)
        self.assertIn("the provider asked us to wait longer than a request may", second.stdout)
        self.assertEqual(world.sandbox.requests()["requests"], 0)
        # As its comment says: an operator can end it.
        world.sql("update flanks_internal.rate_limit set paused_until = null, next_at = now()")
        world.ok("sync", "--credential", number)

    def test_without_the_bucket_a_daemon_uses_its_grant_and_waits_until_it_is_back(self):
        world = self.loaded()
        daemon = world.start("run")
        self.has_sent(world, 5 * LIMIT)
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.host, "-U", "postgres", "-d", world.database]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as psql:
            psql.stdin.write("begin; lock table flanks_internal.rate_limit in access exclusive mode;\n"
                             "select extract(epoch from next_at), extract(epoch from clock_timestamp()) from flanks_internal.rate_limit;\n")
            psql.stdin.flush()
            granted_until, locked = map(float, psql.stdout.readline().split("|"))
            wait_until(lambda: time.time() > self.arrivals(world)[-1] + 3, "it has stopped sending")
            rest = self.arrivals(world, locked)
            self.assertTrue(rest, "what was granted is used")
            self.assertLessEqual(rest[-1], granted_until + 2)
            self.assertIsNone(daemon.poll())
        released = time.time()
        times = self.has_sent(world, (WINDOW + 2) * LIMIT, since=released)
        self.ends(daemon)
        self.assert_kept_to_the_limit(times, 1, "what was missed is not made up for")

    def test_a_database_that_stands_still_stops_the_requests_and_they_go_on_with_it(self):
        world = self.loaded()
        daemon = world.start("run")
        self.has_sent(world, 3 * LIMIT)
        world.cluster.freeze()
        self.addCleanup(world.cluster.thaw)
        frozen = time.time()
        wait_until(lambda: time.time() > self.arrivals(world)[-1] + 2, "it has stopped sending")
        self.assertLess(self.arrivals(world)[-1], frozen + 6, "no longer than two grants last")
        world.cluster.thaw()
        self.has_sent(world, (WINDOW + 2) * LIMIT, since=time.time())
        self.ends(daemon)
        self.assert_kept_to_the_limit(self.arrivals(world), 1)


if __name__ == "__main__":
    unittest.main()
