#!/usr/bin/env python3
"""A thousand lives of accounts (tests/support/lives.py), some four minutes: each real operation counts once in each of them.

    ./run-tests soak --only lives      FLANKS_LIVES=N and FLANKS_SEED=S choose how many and which
"""
import os
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/e2e")]
os.environ.setdefault("FLANKS_LIVES", "1000")
os.environ.setdefault("FLANKS_TEST_DEADLINE", "600")

from lives_e2e import Lives  # noqa: E402, F401

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
