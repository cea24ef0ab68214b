"""A day of 24 seconds: the daemon finds what the provider refreshes soon after it does, with six status calls a day."""
import time
import unittest

from compressed_days import Mirrored, Provider, live, settings
from world import WorldTest, wait_until

DAY = 24


class CompressedDay(WorldTest):
    def test_rows_come_soon_after_the_refresh_and_no_day_has_more_calls_than_allowed(self):
        provider = Provider(credentials=40, days=1, seed=7, failing=0)
        world = self.world(credentials=0, settings={"sync": settings(DAY, polls=6)})
        mirror = Mirrored(world, provider, DAY)
        start = time.time()
        mirror.begin(start)
        daemon = world.start("run")
        live([mirror], provider, DAY, start)
        wait_until(lambda: mirror.missing() == 0, "every row is there")
        self.assertIsNone(daemon.poll(), daemon.log.read_text())
        found = mirror.found(start, until=1.0)
        self.assertGreater(found["refreshes"], 30)
        self.assertLess(found["p50"], 180, "minutes of a day; a poll at a fixed time: 720")
        self.assertLessEqual(found["most"], 6, found)


if __name__ == "__main__":
    unittest.main()
