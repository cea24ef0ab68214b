#!/usr/bin/env python3
"""Measures flanks-sync whole way against a sandbox over TLS and a throwaway PostgreSQL with fsync on, every figure beside
its yardstick in the same run, rounds of the two alternated.

    ./run-tests bench [--rounds N] [--only NAME ...] [--peers] [--quick] [--json FILE]

--peers puts dlt, a Singer target and the upsert of Stripe's sync engine beside it (docs/comparison.md), in place of the other
figures unless --only names some.
--quick takes a tenth of the work: to see that it runs, not for figures.
"""
import argparse
import json
import os
import pathlib
import platform
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/bench")]
os.environ.setdefault("FLANKS_TEST_DEADLINE", "600")

import beside_peers  # noqa: E402
import day  # noqa: E402
import feed  # noqa: E402
import freshness  # noqa: E402
import in_memory  # noqa: E402
import schedule  # noqa: E402
import whole_way  # noqa: E402
from measure import table  # noqa: E402
from world import Cluster  # noqa: E402

SCENARIOS = {
    "in-memory": in_memory.in_memory,
    "rows": whole_way.rows,
    "one-response": whole_way.one_response,
    "latency": whole_way.latency,
    "schedule": schedule.schedule,
    "day": day.day,
    "feed": feed.feed,
    "freshness": freshness.freshness,
}


def machine():
    with open("/proc/cpuinfo") as cpus:
        model = next((line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=sorted(SCENARIOS))
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", default=str(ROOT / "build/bench.json"))
    options = parser.parse_args()
    Cluster.shared = Cluster(fsync="on")
    figures, peers, peer_figures = [], "", []
    if options.peers and options.only is None:
        options.only = []
    try:
        for name, scenario in SCENARIOS.items():
            if options.only is None or name in options.only:
                print(f"{name} ...", file=sys.stderr, flush=True)
                figures += scenario(options.rounds, options.quick)
        if options.peers:
            print("peers ...", file=sys.stderr, flush=True)
            peers, peer_figures = beside_peers.compare(options.rounds, options.quick)
        server = Cluster.shared.psql("postgres", "show server_version", "-A", "-t").strip()
    finally:
        Cluster.shared.stop()
    about = f"{machine()}, PostgreSQL {server}, fsync on, {options.rounds} rounds{', quick' if options.quick else ''}"
    print("\n\n".join([about, *([table(figures)] if figures else []), *([peers] if peers else [])]))
    pathlib.Path(options.json).write_text(json.dumps(
        {"machine": about, "figures": [f.as_json() for f in figures], "peers": peer_figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
