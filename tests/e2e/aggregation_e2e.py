"""sync.source: v2. The same tables from the paged interface: every page, no page twice, no half of them."""
import json
import unittest

from world import WorldTest, parse, number_of, PRODUCTS


class Aggregation(WorldTest):
    def world_v2(self, speaks=None, **options):
        world = self.world(settings={"sync": {"source": "v2"}}, **options)
        world.sandbox.speak(**(speaks or {}))
        return world

    def assert_v2_mirrors(self, world, ids):
        expected = {}
        for line in map(parse, world.sandbox.ledger_text().splitlines()):
            r = line["record"]
            key = f"{line['product']}_id"
            expected[line["_id"]] = (line["product"], ids[line["credentials_token"]], r[key], number_of(r["amount"]),
                                     r["currency"], r["description"], r["operationDate"][:10], r.get("category"))
        stored = {}
        for r in world.rows("select * from flanks.transactions where removed_at is null"):
            stored[r["_id"]] = (r["product"], int(r["credential_id"]), r[r["product"] + "_id"], number_of(r["amount"]),
                                r["currency"], r["description"], r["operation_date"], r["category"])
        self.assertEqual(len(expected), len(stored))
        for key, row in expected.items():
            self.assertEqual(row, stored[key])
        return len(expected)

    def test_every_page_of_every_product_is_mirrored_and_proved(self):
        world = self.world_v2(credentials=2, transactions=9000, seed=21)
        ids = world.register_all()
        world.ok("backfill")
        self.assertEqual(self.assert_v2_mirrors(world, ids), 18000)
        requests = world.sandbox.requests()["endpoints"]
        self.assertEqual([requests.get(p, 0) for p in PRODUCTS], [0, 0, 0, 0])
        # 2250 of each product: three pages of at most 1000.
        self.assertEqual(requests["v2/transactions"], 2 * 4 * 3)
        before = world.row_versions()
        world.ok("sync")
        self.assertEqual(world.row_versions(), before)
        world.ok("verify")

    def test_the_daemon_follows_the_provider(self):
        world = self.world_v2(credentials=2, transactions=300, seed=22)
        ids = world.register_all()
        world.ok("run", "--once")
        world.sandbox.refresh(add=5, correct=3, back_date=4, move_date=2)
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")
        self.assert_v2_mirrors(world, ids)
        today = world.sql("select distinct upper(days) - 1 from flanks.coverage")
        self.assertEqual(len(today.split()), 1)
        self.assertEqual(world.sql("select count(*) from flanks.coverage where last_sweep_at is not null"), "8")

    def test_other_spellings_and_an_end_that_is_not_said(self):
        world = self.world_v2({"last_page": "absent", "type_key": "product_type", "type": "Account"},
                              credentials=2, transactions=9000, seed=30)
        ids = world.register_all()
        world.ok("backfill")
        self.assertEqual(self.assert_v2_mirrors(world, ids), 18000)
        world.sandbox.speak(last_page="absent", type="Account")
        world.ok("verify")

    def test_a_page_that_fails_stores_nothing_of_the_others_and_is_asked_for_again(self):
        world = self.world_v2(credentials=1, transactions=9000, seed=23)
        ids = world.register_all()
        world.sandbox.fault("cut_json", "*", "v2/transactions", times=-1, skip=1)
        done = world.cli("sync")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(world.sql("select count(*) from flanks.transactions"), "0")
        self.assertEqual(world.sql("select count(*) from flanks.coverage"), "0")
        world.sandbox.clear_faults()
        world.sandbox.fault("status", "*", "v2/transactions", times=1, skip=1, status=503)
        world.ok("sync")
        self.assert_v2_mirrors(world, ids)

    def test_an_error_object_is_never_no_transactions(self):
        world = self.world_v2(credentials=1, transactions=100, seed=24)
        ids = world.register_all()
        world.ok("sync")
        for endpoint in ("v2/transactions", "v2/products"):
            world.sandbox.fault("error_object", "*", endpoint, times=-1, message="later")
            self.assertEqual(world.cli("sync").returncode, 3)
            self.assert_v2_mirrors(world, ids)
            world.sandbox.clear_faults()

    def test_a_page_token_that_comes_twice_ends_the_walk(self):
        world = self.world_v2(credentials=1, transactions=100, seed=25)
        ids = world.register_all()
        page = json.dumps({"items": [], "next_page_token": "again"})
        world.sandbox.fault("error_object", "*", "v2/transactions", times=-1, body=page)
        done = world.cli("sync")
        self.assertEqual(done.returncode, 3)
        self.assertIn("came before", done.stdout + done.stderr)
        self.assertEqual(world.sql("select count(*) from flanks.coverage"), "0")

    def test_a_filter_is_refused_with_it(self):
        world = self.world(credentials=1, transactions=10)
        world.write_config(sync__source="v2", sync__query={"shop": ["a"]})
        done = world.cli("config", "check")
        self.assertEqual(done.returncode, 78)
        self.assertIn("sync.query: belongs to sync.source: v1 only", done.stderr)


if __name__ == "__main__":
    unittest.main()
