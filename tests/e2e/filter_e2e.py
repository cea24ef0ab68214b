"""sync.query: what passes is mirrored, and coverage speaks of nothing else."""
import unittest

from world import WorldTest, parse, number_of


class Filter(WorldTest):
    def expected(self, world, passes):
        return sorted(line["_id"] for line in map(parse, world.sandbox.ledger_text().splitlines()) if passes(line["record"]))

    def stored(self, world):
        return world.sql("select _id from flanks.transactions where removed_at is null order by _id").split()

    def test_only_what_passes_every_field_is_mirrored(self):
        query = {"amount": [{"gte": 100}, {"lte": -100}], "currency": ["^EUR$"]}
        world = self.world(credentials=2, transactions=400, seed=11, no_oddities=True, settings={"sync": {"query": query}})
        world.register_all()
        world.ok("backfill")
        passes = lambda r: abs(number_of(r["amount"])) >= 100 and r["currency"] == "EUR"
        expected = self.expected(world, passes)
        self.assertTrue(0 < len(expected) < 800, len(expected))
        self.assertEqual(self.stored(world), expected)
        self.assertEqual(world.sql("select distinct query from flanks.coverage"),
                         '"amount":[{"gte":100},{"lte":-100}],"currency":["^EUR$"]')
        world.ok("verify")

    def test_a_change_of_the_filter_forgets_coverage_and_fetches_all_history(self):
        world = self.world(credentials=1, transactions=200, seed=12, no_oddities=True,
                           settings={"sync": {"query": {"amount": [{"lte": 0}]}, "overlap": "1d"}})
        world.register_all()
        world.ok("sync")
        self.assertEqual(self.stored(world), self.expected(world, lambda r: number_of(r["amount"]) <= 0))
        # Nothing newer upstream, and yet all history is read again: what was covered says nothing about the rest.
        del world.settings["sync"]["query"]
        world.write_config()
        self.assertEqual(world.cli("verify").returncode, 75, "nothing is covered without the filter")
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")
        self.assertEqual(self.stored(world), self.expected(world, lambda r: True))
        self.assertEqual(world.sql("select distinct query, days from flanks.coverage where product = 'account'").split("|")[0], "")
        world.ok("verify")
        # And back again: what no longer passes stays, is not removed, and is no difference.
        everything = self.stored(world)
        world.write_config(sync__query={"amount": [{"lte": 0}]})
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")
        self.assertEqual(self.stored(world), everything)
        self.assertEqual(world.sql("select count(*) from flanks.coverage where query = ''"), "0")
        world.ok("verify")

    def test_the_same_filter_in_another_order_changes_nothing(self):
        world = self.world(credentials=1, transactions=50, settings={"sync": {"query": {
            "currency": ["^EUR$", "^USD$"], "amount": [{"gte": 1}]}}})
        world.register_all()
        world.ok("run", "--once")
        world.sandbox.reset_requests()
        world.write_config(sync__query={"amount": [{"gte": 1}], "currency": ["^USD$", "^EUR$", "^USD$"]})
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")
        self.assertNotIn("account", world.sandbox.requests()["endpoints"])

    def test_mistakes_are_told_with_their_places_before_anything_is_sent(self):
        world = self.world(credentials=1, transactions=10)
        text = world.config.read_text()
        for query, complaint in {
            "{operationDate: [{gte: 2026-01-01}]}": "sync.query.operationDate: belongs to the window",
            "{categry: [a]}": "did you mean category?",
            "{shop: abc}": "must be a list of filters",
            "{shop: [\"(\"]}": "never closes a (",
            "{amount: [\"^1\"]}": "takes ranges",
            "{amount: [{gt: 1}]}": "bounds gte and lte",
            "{amount: [{gte: abc}]}": "decimal number",
            "{valueDate: [{gte: 2026-02-30}]}": "a day that exists",
            "{amount: [{gte: 5, lte: -5}]}": "lte lies below gte",
        }.items():
            world.config.write_text(text.replace("sync:\n", f"sync:\n  query: {query}\n"))
            done = world.cli("run", "--once")
            self.assertEqual(done.returncode, 78, query)
            self.assertIn(complaint, done.stderr)
            self.assertRegex(done.stderr, r"config\.yaml:\d+:\d+: sync\.query")
        self.assertNotIn("token", world.sandbox.requests()["endpoints"])


if __name__ == "__main__":
    unittest.main()
