"""What the steps of a row cost without network and database: Google Benchmark's figures as lines of the table."""
import json
import os
import statistics
import subprocess

from measure import Bar, Figure
from world import BUILD

# Name at Google Benchmark, what it is for people, unit, counter, scale.
RATES = (("parse_stage", "parse stage", "MB/s", "bytes_per_second", 1e-6),
         ("raw_bytes", "JSON checked and raw bytes hashed, nothing read", "MB/s", "bytes_per_second", 1e-6),
         ("content_hash", "content hash", "M rows/s", "items_per_second", 1e-6),
         ("decimal", "decimal check", "M/s", "items_per_second", 1e-6),
         ("fingerprint_set_load/1000000", "fingerprints loaded, 1 M", "M rows/s", "items_per_second", 1e-6),
         ("fingerprint_set_find/1000000", "rows compared, 1 M", "M rows/s", "items_per_second", 1e-6),
         ("window_plan", "window plan", "M plans/s", "items_per_second", 1e-6))


def in_memory(rounds, quick):
    seconds = 0.05 if quick else 0.5
    done = subprocess.run([BUILD / "flanks_bench", f"--benchmark_repetitions={rounds}", f"--benchmark_min_time={seconds}",
                           "--benchmark_enable_random_interleaving=true", "--benchmark_format=json"],
                          capture_output=True, text=True, env={**os.environ})
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found = {}
    for one in json.loads(done.stdout)["benchmarks"]:
        if one["run_type"] == "iteration":
            found.setdefault(one["run_name"], []).append(one)
    parse = found["parse_ratio"]
    empty = statistics.median(one["bytes_per_second"] for one in found["parse_empty_handler"]) / 1e6
    ours = statistics.median(one["bytes_per_second"] for one in found["parse_stage"]) / 1e6
    lines = [Figure("parse stage / basic_parser with an empty handler", "x", [one["ratio"] for one in parse], Bar(at_least=0.6),
                    f"{ours:.0f} MB/s", f"empty handler {empty:.0f} MB/s")]
    for name, words, unit, counter, scale in RATES:
        lines.append(Figure(words, unit, [one[counter] * scale for one in found[name]], Bar()))
    return lines
