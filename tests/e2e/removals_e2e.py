"""The provider changes its mind, refresh after refresh: after each one the database is the sandbox's ledger, with what
vanished marked as removed, and what vanished all at once waiting for a person."""
import json
import unittest

from world import PRODUCTS, WorldTest


class Removals(WorldTest):
    def story(self, credentials=2, transactions=300, only=PRODUCTS, **sync):
        # The provider's history is shorter than ours: no row lies in the days that prove nothing.
        world = self.world(credentials=credentials, transactions=transactions, months=23, products=",".join(only),
                           settings={"sync": {"overlap": "730d", "products": list(only), **sync}})
        ids = world.register_all()
        world.ok("sync")
        self.assert_mirrors(world, ids, removals=True)
        return world, ids

    def step(self, world, ids, code=0, **orders):
        """One refresh, one sync; then the database is the ledger."""
        done = world.sandbox.refresh(**orders)
        result = world.cli("--json", "sync")
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assert_mirrors(world, ids, removals=True)
        return done, json.loads(result.stdout)

    def total(self, result, key):
        return sum(line[key] for line in result)

    def open_reviews(self, world):
        return json.loads(world.ok("--json", "removals", "list"))

    def test_a_life_of_refreshes_leaves_the_ledger_and_every_old_version(self):
        world, ids = self.story()
        revisions = 0
        for orders in ({"add": 8}, {"correct": 8}, {"remove": 8}, {"back_date": 8}, {"move_date": 8}, {"renumber": 8},
                       {"reappear": 4}, {"add": 4, "correct": 4, "remove": 4, "renumber": 4, "move_date": 4, "back_date": 4},
                       {"reappear": 8, "remove": 4}, {}):
            before = {row["_id"]: row for row in world.rows("select _id, operation_date, amount, description from flanks.transactions")}
            done, result = self.step(world, ids, **orders)
            self.assert_old_versions(world, before, done["corrected"] + done["moved"])
            gone = len(done["removed"]) + len(done["renumbered"]) + len(done["lost"])
            self.assertEqual(self.total(result, "removed"), gone, orders)
            revisions += gone + len(done["corrected"]) + len(done["moved"]) + len(done["reappeared"])
            self.assertEqual(int(world.sql("select count(*) from flanks.transaction_revisions")), revisions, orders)
        before = world.row_versions()
        world.ok("sync")
        self.assertEqual(world.row_versions(), before, "a re-read writes nothing")
        self.assertEqual(self.open_reviews(world), [])
        self.phases(world, ids)
        # What vanished is out of sight and not out of reach.
        shown = int(world.sql("select count(*) from flanks.transactions_current"))
        removed = int(world.sql("select count(*) from flanks.transactions where removed_at is not null"))
        self.assertGreater(removed, 0)
        self.assertEqual(shown + removed, int(world.sql("select count(*) from flanks.transactions")))

    def test_backfill_says_how_many_were_removed(self):
        world, _ = self.story(credentials=1, only=("account",))
        gone = len(world.sandbox.refresh(remove=4)["removed"])
        lines = world.ok("backfill").splitlines()
        self.assertEqual(lines[0].split()[:7], ["product", "windows", "fetched", "inserted", "updated", "unchanged", "removed"])
        self.assertEqual([line.split()[6] for line in lines if line.startswith("account ")], [str(gone)])

    def assert_old_versions(self, world, before, changed):
        """The newest revision of every changed operation is the version that was there before."""
        kept = {row["_id"]: row for row in world.rows(
            "select distinct on (_id) _id, content ->> 'operation_date' as operation_date, content ->> 'amount' as amount, "
            "content ->> 'description' as description from flanks.transaction_revisions order by _id, revision_id desc")}
        for change in changed:
            self.assertEqual(before[change["_id"]], kept[change["_id"]])

    def phases(self, world, ids):
        """The life goes on: a bank that is pending, one whose extraction failed, one that asks for SCA, a great loss."""
        flags = {product: True for product in PRODUCTS}
        healed = {"transactions": {product: False for product in PRODUCTS}}
        for phase, end, code in (({"pending": True}, {"pending": False}, 0),
                                 ({"errored": {"transactions": flags}}, {"errored": healed}, 3)):
            marked = world.sql("select count(*) from flanks.transactions where removed_at is not null")
            for token in ids:
                world.sandbox.control("POST", "status", {"credentials_token": token, **phase})
            world.sandbox.refresh(remove=4, add=2)
            self.assertEqual(world.cli("sync").returncode, code, phase)
            self.assertEqual(world.sql("select count(*) from flanks.transactions where removed_at is not null"), marked, phase)
            for token in ids:
                world.sandbox.control("POST", "status", {"credentials_token": token, **end})
            self.step(world, ids)
        for sca in ("sca-token", None):
            for token in ids:
                world.sandbox.control("POST", "status", {"credentials_token": token, "sca_token": sca})
            self.step(world, ids, correct=2)
            states = world.sql("select distinct state from flanks.sync_status")
            self.assertEqual(states, "action_required" if sca else "ok")
        world.sandbox.refresh(lose_fraction=0.6)
        self.assertEqual(world.cli("sync").returncode, 3)
        for review in self.open_reviews(world):
            world.ok("removals", "confirm", review["sync_run_id"].upper())
        self.assert_mirrors(world, ids, removals=True)
        self.step(world, ids, reappear=6, add=2)

    def test_a_refresh_that_loses_most_rows_waits_for_a_person(self):
        world, ids = self.story(credentials=1, transactions=400)
        kept = int(world.sql("select count(*) from flanks.transactions"))
        lost = world.sandbox.refresh(lose_fraction=0.6, add=4)["lost"]
        done = world.cli("sync")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("suspicious", done.stdout)
        # What came is stored, what is missing stays.
        self.assertEqual(world.sql("select count(*), count(removed_at) from flanks.transactions"), f"{kept + 4}|0")
        status = world.cli("status", "--exit-code")
        self.assertEqual(status.returncode, 3)
        self.assertIn("removals list", status.stdout)
        reviews = self.open_reviews(world)
        self.assertEqual({r["product"] for r in reviews}, set(PRODUCTS))
        self.assertEqual(sum(r["missing_rows"] for r in reviews), len(lost))
        # Some come back; the same question stays, about fewer rows.
        back = world.sandbox.refresh(reappear=20)["reappeared"]
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertEqual({r["sync_run_id"] for r in self.open_reviews(world)}, {r["sync_run_id"] for r in reviews})
        self.assertEqual(sum(r["missing_rows"] for r in self.open_reviews(world)), len(lost) - len(back))
        for r in reviews:
            world.ok("removals", "confirm", r["sync_run_id"])
        self.assert_mirrors(world, ids, removals=True)
        self.assertEqual(world.cli("removals", "confirm", reviews[0]["sync_run_id"]).returncode, 1)
        world.ok("sync")
        world.ok("status", "--exit-code")
        # ... and they can come back after that.
        self.step(world, ids, reappear=12)

    def test_a_rejected_loss_is_not_asked_about_again_until_the_rows_were_shown(self):
        world, ids = self.story(credentials=1, transactions=100, only=["account"])
        world.sandbox.refresh(lose_fraction=0.6, product="account")
        self.assertEqual(world.cli("sync").returncode, 3)
        for r in self.open_reviews(world):
            world.ok("removals", "reject", r["sync_run_id"])
        world.ok("sync")
        self.assertEqual(world.sql("select count(*) from flanks.transactions where removed_at is not null"), "0")
        world.sandbox.refresh(reappear=400)
        world.ok("sync")
        self.assertEqual(world.sql("select count(*) from flanks.removal_candidates"), "0")
        world.sandbox.refresh(lose_fraction=0.6, product="account")
        self.assertEqual(world.cli("sync").returncode, 3)

    def test_no_answer_that_is_not_whole_removes_anything(self):
        world, ids = self.story(credentials=1, transactions=100, only=["account"], tries=1)
        world.sandbox.refresh(remove=4)
        for fault in ({"kind": "truncate", "after_bytes": 3000}, {"kind": "cut_json"}, {"kind": "empty"}, {"kind": "html"},
                      {"kind": "error_object"}, {"kind": "wrong_length"}, {"kind": "status", "status": 500},
                      {"kind": "error_object", "body": "[]"}):
            world.sandbox.fault(endpoint="account", times=-1, **fault)
            self.assertEqual(world.cli("sync").returncode, 3, fault)
            self.assertEqual(world.sql("select count(*) from flanks.transactions where removed_at is not null"), "0", fault)
            world.sandbox.clear_faults()
        # The last one was whole and empty: a person is asked; the next answer takes most of that back.
        reviews = self.open_reviews(world)
        self.assertEqual([r["reason"] for r in reviews], ["empty_answer"])
        self.assertEqual(world.cli("sync").returncode, 3)
        world.ok("removals", "confirm", reviews[0]["sync_run_id"])
        self.assert_mirrors(world, ids, removals=True)

    def test_pending_and_errored_remove_nothing_and_sca_does_not_matter(self):
        world, ids = self.story(credentials=1, transactions=100)
        token = next(iter(ids))
        removed = "select count(*) from flanks.transactions where removed_at is not null"
        world.sandbox.refresh(remove=4)
        world.sandbox.control("POST", "status", {"credentials_token": token, "pending": True})
        world.cli("sync")
        self.assertEqual(world.sql(removed), "0")
        errored = {"transactions": {product: True for product in PRODUCTS}}
        world.sandbox.control("POST", "status", {"credentials_token": token, "pending": False, "errored": errored})
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertEqual(world.sql(removed), "0")
        healed = {"transactions": {product: False for product in PRODUCTS}}
        world.sandbox.control("POST", "status", {"credentials_token": token, "errored": healed, "sca_token": "sca"})
        world.ok("sync")
        self.assertEqual(world.sql(removed), "4")
        self.assert_mirrors(world, ids, removals=True)

    def test_what_the_daily_window_cannot_see_the_sweep_finds(self):
        world, ids = self.story(credentials=1, transactions=400, overlap="0d")
        world.sandbox.refresh(remove=8, back_date=8, correct=8)
        world.ok("sync")
        self.assertLess(int(world.sql("select count(*) from flanks.transactions where removed_at is not null")), 8)
        world.sql("update flanks.coverage set last_sweep_at = last_sweep_at - interval '40 days'; "
                  "update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")
        self.assert_mirrors(world, ids, removals=True)
        self.assertEqual(world.sql("select count(*) from flanks.sync_runs where trigger = 'sweep' and outcome = 'ok'"), "4")
        self.assertEqual(world.sql("select count(*) from flanks.coverage where last_sweep_at < now() - interval '1 day'"), "0")

    def test_windows_that_were_too_large_are_halved_remembered_and_decided_about_as_one(self):
        world, ids = self.story(credentials=1, transactions=200, only=["account"])
        world.sandbox.refresh(remove=4, move_date=4, lose_fraction=0)
        world.sandbox.fault("status", endpoint="account", status=413, times=2)
        world.ok("sync")
        self.assert_mirrors(world, ids, removals=True)
        self.assertEqual(world.sql("select count(*) from flanks.transaction_revisions where reason = 'restored'"), "0")
        size = int(world.sql("select window_days from flanks.coverage where window_days is not null"))
        self.assertLess(size, 200)
        world.sandbox.reset_requests()
        world.ok("sync")
        self.assertEqual(world.sandbox.requests()["endpoints"]["account"], 4)
        self.assertEqual(int(world.sql("select window_days from flanks.coverage where window_days is not null")), 2 * size)


if __name__ == "__main__":
    unittest.main()
