#!/usr/bin/env python3
"""Days of some minutes, the daemon against the provider's stand-in: how late the rows are by the schedule that learns, beside one
poll a day at a fixed time (sync.polls_per_day: 1), in minutes of a real day.

    ./run-tests soak --only compressed_days      FLANKS_DAY=480 (seconds), FLANKS_DAYS=8, FLANKS_CREDENTIALS=200, FLANKS_SEED=1
"""
import os
import pathlib
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support")]
DAY, DAYS, CREDENTIALS, SEED = (int(os.environ.get(f"FLANKS_{name}", default))
                                for name, default in (("DAY", 480), ("DAYS", 8), ("CREDENTIALS", 200), ("SEED", 1)))
os.environ.setdefault("FLANKS_TEST_DEADLINE", str(2 * DAY))

from compressed_days import Mirrored, Provider, live, settings  # noqa: E402
from world import WorldTest, wait_until  # noqa: E402


class CompressedDays(WorldTest):
    def test_rows_are_there_within_a_quarter_of_an_hour_as_a_rule(self):
        # From a Wednesday: a short run has a weekend too.
        provider = Provider(CREDENTIALS, DAYS, SEED, first_day=2)
        mirrors = {name: Mirrored(self.world(credentials=0, settings={"sync": settings(DAY, polls)}), provider, DAY)
                   for name, polls in (("learned", 6), ("fixed", 1))}
        start = time.time() + 2
        for mirror in mirrors.values():
            mirror.begin(start)
            mirror.world.start("run")
        live(mirrors.values(), provider, DAY, start)
        time.sleep(max(0.0, start + DAYS * DAY - time.time()))
        found = {}
        for name, mirror in mirrors.items():
            wait_until(lambda: mirror.missing() == 0, "every row is there")
            found[name] = mirror.found(start, after=1, until=DAYS)  # the first day is for learning
        print(f"\n{CREDENTIALS} credentials, {DAYS - 1} days of {DAY} s after one of learning, seed {SEED}; minutes of a real day\n"
              "| schedule | refreshes | median | 95 % | status calls a credential and day | most in any day |\n|---|---|---|---|---|---|")
        for name, f in found.items():
            print(f"| {name} | {f['refreshes']} | {f['p50']:.0f} | {f['p95']:.0f} | {f['calls']:.1f} | {f['most']} |", flush=True)
        self.assertLessEqual(found["learned"]["most"], 6)
        self.assertLessEqual(found["fixed"]["most"], 1)
        # A second, to which the schedule counts, is so many minutes of a real day.
        second = 1440 / DAY
        self.assertLessEqual(found["learned"]["p50"], 15 + second)
        self.assertLessEqual(found["learned"]["p95"], 60 + 2 * second)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
