"""100 000 requests to a provider that says at random what nobody asked for on resting connections: a repeated answer, half of
one, a 408, another connection's answer. After every round each row belongs to the credential whose answer held it.

    ./run-tests soak --only resting_connections [--requests N] [--seed N]
"""
import argparse
import random
import sys
import time
import unittest

from world import WorldTest

CREDENTIALS, ROWS, CONNECTIONS = 500, 20, 16
OPTIONS = argparse.Namespace(requests=100_000, seed=None)


class RestingConnections(WorldTest):
    def test_no_row_of_another(self):
        seed = OPTIONS.seed if OPTIONS.seed is not None else random.SystemRandom().randrange(2**31)
        print(f"seed {seed}", flush=True)
        world = self.world(credentials=CREDENTIALS, transactions=ROWS, seed=seed % 1000, settings={
            "flanks": {"max_connections": CONNECTIONS, "requests_per_second": 0, "timeouts": {"idle": "1s"}},
            "sync": {"concurrency": 2 * CONNECTIONS, "overlap": "730d"}})
        ids = world.register_all()
        chance = random.Random(seed)
        sent = rounds = failed = 0
        begun = time.monotonic()
        while sent < OPTIONS.requests:
            world.sandbox.clear_faults()
            what, percent, delay = chance.choice(("any", "any", "repeat", "foreign")), chance.choice((10, 30, 60)), chance.choice((0, 1, 3, 5))
            world.sandbox.fault("unasked", what=what, percent=percent, ms=delay, times=-1, seed=chance.randrange(2**31),
                                crossing=chance.random() < 0.2)
            done = world.cli("sync", timeout=1200)
            self.assertIn(done.returncode, (0, 3), done.stdout + done.stderr)
            failed += done.returncode == 3
            if done.returncode == 3:
                print(done.stdout[-1500:], done.stderr[-1500:], flush=True)
            self.assertEqual(world.sql("select count(*) from flanks.transaction_sightings"), "0", "rows under two credentials")
            if done.returncode == 0:
                self.assert_mirrors(world, ids)
            report = world.sandbox.requests()
            sent, rounds = report["requests"], rounds + 1
            print(f"round {rounds}: {what} {percent} % after {delay} ms: {sent} requests, {report['faults_served']} faults, "
                  f"{report['connections_accepted']} connections, {failed} rounds with a failure, {time.monotonic() - begun:.0f} s", flush=True)
            world.sandbox.refresh(add=2, correct=1)
        world.sandbox.clear_faults()
        world.ok("sync", timeout=1200)
        rows = self.assert_mirrors(world, ids)
        foreign = world.sql("select count(*) from flanks.transaction_sightings")
        print(f"{sent} requests, {rounds} rounds, {rows} rows, {foreign} foreign, {failed} rounds with a failure", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=OPTIONS.requests)
    parser.add_argument("--seed", type=int)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
