"""How late rows are in a simulated year: by our schedule, and by one poll a day at a fixed time."""
import json
import statistics
import subprocess

from measure import Bar, Figure
from world import BUILD, DEADLINE


def freshness(rounds, quick):
    """A simulated year of 1 000 credentials (tests/unit/refresh_simulation.hpp): minutes from a refresh of the provider to our reading it."""
    found = {"learned": [], "fixed": []}
    for seed in range(1, (1 if quick else max(3, rounds)) + 1):
        done = subprocess.run([BUILD / "tests/polls", "freshness", str(seed)], capture_output=True, text=True, check=True, timeout=DEADLINE)
        for one in json.loads(done.stdout):
            found[one.pop("schedule")].append(one)

    def figure(name, key, unit, bar):
        learned, fixed = ([one[key] for one in found[which]] for which in ("learned", "fixed"))
        return Figure(f"simulated year: {name}", unit, learned, bar, yardstick=f"{statistics.median(fixed):.1f} by a poll a day at a fixed time")

    return [
        figure("until half of the refreshes are read", "p50", "minutes", Bar(at_most=15)),
        figure("until 95 % are", "p95", "minutes", Bar(at_most=60)),
        figure("status calls of a credential and day, on average", "calls_a_day", "calls", Bar(at_most=6)),
        figure("most status calls of any credential in any 24 hours", "most_calls", "calls", Bar(at_most=6)),
    ]
