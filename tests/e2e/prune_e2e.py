"""What is older than `retention:` keeps goes: by hand, and by the daemon itself."""
import json
import unittest

from world import WorldTest, wait_until


class Prune(WorldTest):
    def aged(self, **settings):
        """One credential whose life so far is 100 days old, and a young run of each product."""
        world = self.world(credentials=1, transactions=40, settings={"retention": settings} if settings else {})
        world.register_all()
        world.ok("sync")
        world.ok("sync")
        for table in ("sync_runs", "product_runs"):
            world.sql(f"update flanks.{table} set started_at = started_at - interval '100 days', finished_at = finished_at - interval '100 days'")
        world.ok("sync")
        return world

    def lines(self, world, *options):
        return {(line["table"], line["key"]): line for line in json.loads(world.ok("--json", "prune", *options))}

    def runs(self, world):
        return int(world.sql("select count(*) from flanks.sync_runs"))

    def test_a_dry_run_says_what_prune_deletes(self):
        world = self.aged()
        before = self.runs(world)
        said = self.lines(world, "--dry-run")
        old = int(world.sql("select count(*) from flanks.sync_runs where started_at < now() - interval '90 days'"))
        runs = said[("flanks.sync_runs", "retention.run_logs")]
        self.assertEqual((runs["rows"], runs["dry_run"]), (old, True))
        self.assertGreater(old, 0)
        self.assertRegex(runs["older_than"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIsNone(said[("flanks.transaction_revisions", "retention.revisions")]["older_than"])
        self.assertEqual(self.runs(world), before)
        shown = world.ok("prune", "--dry-run")
        self.assertRegex(shown, r"table +would be deleted +older than +key\n")
        self.assertRegex(shown, rf"flanks\.sync_runs +{old} +20\S+ \S+ UTC +retention\.run_logs\n")
        self.assertRegex(shown, r"flanks\.transactions +0 +never +retention\.removed_rows\n")
        transactions = world.sql("select count(*) from flanks.transactions")
        self.assertRegex(world.ok("prune"), rf"flanks\.sync_runs +{old} ")
        self.assertEqual(self.runs(world), before - old)
        self.assertEqual({line["rows"] for line in self.lines(world).values()}, {0})
        self.assertEqual(world.sql("select count(*) from flanks.transactions"), transactions)

    def test_never_is_never(self):
        world = self.aged(run_logs="never")
        before = self.runs(world)
        self.assertRegex(world.ok("prune"), r"flanks\.sync_runs +0 +never ")
        self.assertEqual(self.runs(world), before)

    def test_the_daemon_prunes_once_a_day_with_the_rights_that_it_has(self):
        world = self.aged()
        world.write_config(database__dsn=world.role("daemon"))
        daemon = world.start("run")
        old = "select count(*) from flanks.sync_runs where started_at < now() - interval '90 days'"
        wait_until(lambda: world.sql(old) == "0", "the daemon has deleted the old runs")
        wait_until(lambda: "deleted what is older than retention.* keeps" in daemon.log.read_text(), "it says so")
        self.assertIn("flanks.sync_runs (retention.run_logs)", daemon.log.read_text())
        self.assertEqual(world.sql("select pruned_at > now() - interval '1 hour' from flanks_internal.settings"), "t")
        # Another one leaves it alone.
        left = self.runs(world)
        world.sql("update flanks.sync_runs set started_at = started_at - interval '200 days' "
                  "where sync_run_id = (select sync_run_id from flanks.sync_runs order by started_at limit 1)")
        second = world.start("run")
        wait_until(lambda: " runs" in second.log.read_text(), "it has started")
        for each in (daemon, second):
            each.terminate()
            self.assertEqual(each.wait(60), 0)
        self.assertNotIn("deleted what is older", second.log.read_text())
        self.assertGreaterEqual(self.runs(world), left)

    def test_what_it_cannot_do_it_says(self):
        world = self.world(migrate=False, credentials=1, transactions=1)
        done = world.cli("prune")
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("flanks-sync migrate up", done.stderr)
        world.write_config(retention__run_logs="1h")
        done = world.cli("prune", "--dry-run")
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn('retention.run_logs: "1h" must be between 24h and 3650d', done.stderr)


if __name__ == "__main__":
    unittest.main()
