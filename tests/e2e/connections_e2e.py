"""A connection that rests may hold bytes that nobody asked for: they are never the answer to the next request, and cost
nobody a failure."""
import unittest

from world import WorldTest

ONE_CONNECTION = {"flanks": {"max_connections": 1, "requests_per_second": 0, "timeouts": {"idle": "1s"}}, "sync": {"concurrency": 4}}


class Connections(WorldTest):
    def mirror_all(self, world, ids):
        done = world.cli("sync")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_mirrors(world, ids)
        self.assertEqual(world.sql("select count(*) from flanks.sync_runs where outcome not in ('ok', 'not_available')"), "0")
        self.assertEqual(world.sql("select count(*) from flanks.product_runs where outcome <> 'ok'"), "0")
        self.assertEqual(world.sql("select count(*) from flanks.transaction_sightings"), "0", "rows of another credential")

    def test_what_comes_on_a_resting_connection_is_nobodys_answer(self):
        for what in ("repeat", "half", "timeout", "foreign"):
            for rest in (0, 2):
                with self.subTest(what, rest=rest):
                    world = self.world(credentials=8, transactions=20, settings=ONE_CONNECTION)
                    ids = world.register_all()
                    world.sandbox.fault("unasked", what=what, ms=rest, times=-1)
                    self.mirror_all(world, ids)

    def test_a_repetition_that_crosses_the_next_request_is_not_its_answer(self):
        for what in ("repeat", "half", "timeout"):
            with self.subTest(what):
                world = self.world(credentials=8, transactions=20, settings=ONE_CONNECTION)
                ids = world.register_all()
                world.sandbox.fault("unasked", what=what, ms=2000, crossing=True, times=-1)
                self.mirror_all(world, ids)

    def test_a_connection_that_is_lost_at_each_request_is_tried_three_times(self):
        world = self.world(credentials=1, transactions=20, products="account", settings=ONE_CONNECTION)
        world.register_all()
        world.sandbox.fault("reset", "*", "token", after_bytes=0, times=-1)
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertEqual(world.sandbox.requests()["token_calls"], 3)

    def test_each_loss_of_a_rested_connection_is_excused_once_a_request(self):
        world = self.world(credentials=1, transactions=20, settings=ONE_CONNECTION)
        ids = world.register_all()
        world.ok("sync")
        world.sandbox.reset_requests()
        # The first call goes over a new connection, the token and the status before it make it a rested one.
        world.sandbox.fault("reset", "*", "account", after_bytes=0, times=-1)
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertEqual(world.sandbox.requests()["endpoints"]["account"], 4)
        world.sandbox.clear_faults()
        self.mirror_all_again(world, ids)

    def mirror_all_again(self, world, ids):
        world.ok("sync")
        self.assert_mirrors(world, ids)


if __name__ == "__main__":
    unittest.main()
