"""A database that an older release left, with rows in it: `migrate up` makes it ours, and the mirror goes on exactly.

    python3 tests/e2e/upgrade_e2e.py --write     keeps a database of today's schema as databases/NNNN.sql.gz (NNNN: its newest
                                                 migration), before a release; older ones stay
"""
import gzip
import pathlib
import re
import subprocess
import sys
import time
import unittest

from world import PSQL, WorldTest

DATABASES = pathlib.Path(__file__).parent / "databases"
COLUMNS = ("_id, credential_id, product, account_id, operation_date, amount, currency, description, extra, first_seen_at, updated_at, "
           "removed_at, removal_reason, successor_id, aged_out_at")


def day(number):
    return f"2026-11-{number:02}"


def shows(token, prefix, days, stamp, changed=()):
    """What a credential shows: one operation a day; those in `changed` have another amount."""
    account = f"{prefix}-account"
    iban = {"a": "ES9121000418450200051332", "b": "ES9121000418450200051332", "c": "ES7921000813610123456789"}[prefix]
    return {"credentials_token": token, "bank": "testbank", "last_update_timestamp": stamp,
            "products": {"account": [{"_id": account, "account_id": account, "iban": iban, "entity": "testbank", "alias": "Household",
                                      "balance": 10, "currency": "EUR"}]},
            "transactions": {"account": [{"_id": f"{prefix}-{n}", "account_id": account, "amount": -9 if n in changed else -n, "currency": "EUR",
                                          "operationDate": day(n), "description": f"día {n}", "note": n} for n in days]}}


# The end of the story that a kept database tells.
END = {"second": ("b", range(6, 16), ()), "third": ("c", range(1, 20), (7,))}


def tell_story(world):
    """One account is connected again, another has a corrected and a removed row, one record is bad, one user is erased."""
    stamp = int(time.time()) - 10_000

    def show(token, prefix, days, changed=(), **more):
        nonlocal stamp
        stamp += 10
        script = shows(token, prefix, days, stamp, changed)
        script["transactions"]["account"] += more.get("bad", [])
        world.sandbox.script(script)

    def register(user, token):
        return world.sql(f"select flanks.register_credential('{user}', '{token}')")

    show("first", "a", range(1, 16))
    old = register("ana", "first")
    world.ok("sync", "--credential", old)
    world.ok("credentials", "remove", old)
    show("second", "b", range(6, 16))
    world.ok("sync", "--credential", register("ana", "second"))
    show("third", "c", range(1, 21), bad=[{"_id": "c-bad", "operationDate": "never", "amount": 1}])
    bob = register("bob", "third")
    world.cli("sync", "--credential", bob)
    show("third", "c", range(1, 20), changed=(7,))
    world.ok("sync", "--credential", bob)
    world.ok("backfill", "--credential", bob, "--from", day(1))
    register("carol", "fourth")
    world.ok("erase", "--user", "carol", "--yes")


class Upgrade(WorldTest):
    def setUp(self):
        self.w = self.world(migrate=False, credentials=0, transactions=0, settings={
            "sync": {"products": ["account"], "product_details": ["account"]}})

    def dump(self, database, *options):
        done = subprocess.run([pathlib.Path(PSQL).with_name("pg_dump"), "-h", self.w.cluster.host, "-U", "postgres", "--no-owner", *options, database],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.sub(r"^\\(un)?restrict .*\n", "", done.stdout, flags=re.M)

    def restore(self, text, database):
        done = subprocess.run([PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.w.cluster.host, "-U", "postgres", "-d", database],
                              input=text, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def schema(self, database):
        """Without the random number by which a database knows its own rows (flanks_internal.secrets)."""
        return re.sub(r"'-?\d{10,}'::bigint", "'N'::bigint", self.dump(database, "--schema-only"))

    def rows(self):
        return self.w.rows(f"select {COLUMNS} from flanks.transactions order by _id")

    def test_a_database_of_every_release_is_made_ours_and_the_mirror_goes_on(self):
        self.assertTrue(list(DATABASES.glob("*.sql.gz")))
        for kept in sorted(DATABASES.glob("*.sql.gz")):
            with self.subTest(kept=kept.name):
                self.setUp()
                self.upgraded(kept)

    def upgraded(self, kept):
        w = self.w
        self.restore(gzip.decompress(kept.read_bytes()).decode(), w.database)
        before = self.rows()
        self.assertEqual(len(before), 15 + 10 + 20)
        self.assertEqual(sum(row["removal_reason"] == "succeeded" for row in before), 10)
        others = "select (select count(*) from flanks.transaction_revisions), (select count(*) from flanks.quarantine), (select count(*) from flanks.sync_runs)"
        counted = w.sql(others)
        w.ok("migrate", "up")
        self.assertEqual(self.rows(), before, "no row changes by a change of the schema")
        self.assertEqual(w.sql(others), counted)

        # As one that is made today (and restored: a dump writes views in other words than they were made with).
        new = self.world(credentials=0, transactions=0)
        restored = w.cluster.new_database()
        self.restore(self.dump(new.database), restored)
        self.assertEqual(self.schema(w.database), self.schema(restored))
        classes = "--data-only", "-t", "flanks.error_classes"
        self.assertEqual(self.dump(w.database, *classes), self.dump(restored, *classes))

        # The provider shows what it showed, and one operation more.
        for token, (prefix, days, changed) in END.items():
            script = shows(token, prefix, days, int(time.time()) - 60, changed)
            if prefix == "c":
                script["transactions"]["account"].append({**script["transactions"]["account"][-1], "_id": "c-new"})
            w.sandbox.script(script)
        w.ok("sync")
        after = {row["_id"]: row for row in self.rows()}
        self.assertEqual(after.pop("c-new")["amount"], "-19")
        self.assertEqual(list(after.values()), before)
        w.ok("verify", "--from", day(1))


def write():
    case = Upgrade()
    case.setUp()
    try:
        case.w.ok("migrate", "up")
        tell_story(case.w)
        newest = case.w.sql("select lpad(max(version)::text, 4, '0') from flanks_internal.schema_migrations")
        DATABASES.mkdir(exist_ok=True)
        path = DATABASES / f"{newest}.sql.gz"
        path.write_bytes(gzip.compress(case.dump(case.w.database).encode(), mtime=0))
        print(path, path.stat().st_size)
    finally:
        case.doCleanups()


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main()
