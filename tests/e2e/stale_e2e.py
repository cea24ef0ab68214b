"""A provider that stops refreshing, and a login that stops having operations: told, never taken for good health."""
import datetime
import json
import time
import unittest

from admin import Admin
from world import WorldTest, wait_until

TODAY = datetime.date.today()
HOUR = 3600


class Stale(WorldTest):
    def scripted(self, refreshed, operations=(), products=({"_id": "a1"},), **options):
        """Credentials token-1, token-2, ... that the provider refreshed so many seconds ago."""
        world = self.world(settings={"sync": {"product_details": ["account"]}}, credentials=0, **options)
        self.show(world, refreshed, operations, products)
        for i in range(len(refreshed)):
            world.ok("credentials", "add", "--user", f"user-{i + 1}", stdin=f"token-{i + 1}")
        world.ok("run", "--once")
        return world

    def show(self, world, refreshed, operations=(), products=({"_id": "a1"},)):
        world.sandbox.script([{"credentials_token": f"token-{i + 1}", "bank": f"bank-{i % 2}", "last_update_timestamp": int(time.time()) - ago,
                               "products": {"account": [{**p, "_id": f"{p['_id']}-{i}"} for p in products]},
                               "transactions": {"account": [{**o, "_id": f"{o['_id']}-{i}"} for o in operations]}}
                              for i, ago in enumerate(refreshed)])

    def poll(self, world):
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")

    def test_a_provider_that_stops_refreshing_is_first_in_status_in_words_and_heals_by_itself(self):
        world = self.scripted([2 * HOUR, 73 * HOUR, 71 * HOUR])
        row = world.rows("select * from flanks.sync_status")[0]
        self.assertEqual((row["credential_id"], row["state"], row["stale"], row["who_must_act"]), ("2", "stale", "t", "provider"))
        since = world.sql("select to_char(provider_updated_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from flanks.credentials where credential_id = 2")
        self.assertEqual(row["last_error"], f"the provider has not refreshed it since {since} UTC: what happened at the bank since then is missing")
        self.assertTrue(row["what_next"].startswith("the provider must refresh it; asked again "), row["what_next"])
        self.assertLess(world.sql("select lag < '1 minute' from flanks.sync_status where credential_id = 2"), "u", "it agrees, and is stale all the same")
        self.assertEqual(world.sql("select string_agg(credential_id || state, ' ' order by credential_id) from flanks.sync_status"), "1ok 2stale 3ok")
        done = world.cli("status", "--exit-code")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertTrue(done.stdout.startswith("credential 2 (user-2): stale\n"), done.stdout)
        self.assertIn("who:   provider", done.stdout)
        said = json.loads(world.ok("--json", "status"))
        # Those that are well follow in the order of their lag, which two attempts of one run decide.
        self.assertEqual((said[0]["credential_id"], {s["credential_id"]: s["stale"] for s in said}), (2, {1: False, 2: True, 3: False}))
        # The provider goes on.
        self.show(world, [2 * HOUR, 60, 71 * HOUR])
        self.poll(world)
        self.assertEqual(world.sql("select count(*) from flanks.sync_status where stale or state <> 'ok'"), "0")
        self.assertEqual(world.cli("status", "--exit-code").returncode, 0)

    def test_the_limit_is_the_configured_one(self):
        world = self.scripted([30 * HOUR])
        self.assertEqual(world.sql("select state from flanks.sync_status"), "ok")
        world.settings["sync"]["stale_after"] = "24h"
        world.write_config()
        world.ok("run", "--once")
        self.assertEqual(world.sql("select state from flanks.sync_status"), "stale")

    def test_metrics_tell_the_oldest_refresh_and_the_stale_ones_of_each_bank(self):
        world = self.scripted([2 * HOUR, 73 * HOUR, 80 * HOUR, 100 * HOUR])
        world.sql("update flanks_internal.leases set next_due_at = now() + interval '1 hour'")
        world.settings["admin"] = {"listen": f"unix:{world.dir}/admin.sock"}
        world.write_config()
        world.start("run")
        wait_until((world.dir / "admin.sock").exists, "metrics are served")
        admin = Admin(f"unix:{world.dir}/admin.sock")
        scraped = admin.fresh_metrics(time.time())
        self.assertEqual({dict(k[1:])["bank"]: v for k, v in scraped.items() if k[0] == "flanks_stale_credentials"}, {"bank-0": 1, "bank-1": 2})
        self.assertEqual({dict(k[1:])["state"]: v for k, v in scraped.items() if k[0] == "flanks_credentials" and v}, {"ok": 1, "stale": 3})
        oldest = next(v for k, v in scraped.items() if k[0] == "flanks_oldest_provider_refresh_timestamp_seconds")
        self.assertAlmostEqual(oldest, time.time() - 100 * HOUR, delta=120)

    def test_a_refresh_dated_ahead_counts_from_when_it_was_told(self):
        world = self.scripted([-400 * 24 * HOUR])
        self.assertEqual(world.sql("select state, provider_updated_at <= now() from flanks.sync_status"), "ok|t")
        world.sql("update flanks.credentials set provider_refresh_seen_at = now() - interval '4 days'")
        self.poll(world)
        self.assertEqual(world.sql("select state from flanks.sync_status"), "stale")

    def test_products_that_are_all_old_by_their_own_stamps_are_stale_and_one_cancelled_product_is_not(self):
        old, new = int(time.time()) - 200 * HOUR, int(time.time()) - HOUR
        world = self.scripted([HOUR], products=({"_id": "a1", "updated_at_timestamp": old}, {"_id": "a2", "updated_at_timestamp": new}))
        self.assertEqual(world.sql("select state, stale_products from flanks.sync_status"), "ok|1")
        self.show(world, [60], products=({"_id": "a1", "updated_at_timestamp": old}, {"_id": "a2", "updated_at_timestamp": old}))
        self.poll(world)
        self.assertEqual(world.sql("select state, stale_products, who_must_act from flanks.sync_status"), "stale|2|provider")
        self.assertIn("has refreshed none of its products since", world.sql("select last_error from flanks.sync_status"))

    def test_a_blocked_login_is_the_end_users_turn_however_old_its_data(self):
        world = self.scripted([100 * HOUR])
        world.sandbox.control("POST", "status", {"credentials_token": "token-1", "blocked": True})
        self.poll(world)
        self.assertEqual(world.sql("select state, stale, who_must_act from flanks.sync_status"), "blocked|t|end_user")

    def test_a_rhythm_that_stops_is_told_as_unusually_quiet_and_is_no_error(self):
        def days(*ago):
            return [{"_id": f"o{a}", "amount": -1, "operationDate": (TODAY - datetime.timedelta(days=a)).isoformat()} for a in ago]
        for quiet, ago in ((True, range(15, 400)), (False, range(14, 400)), (True, range(22, 400, 7)), (False, range(21, 400, 7)),
                           (False, range(40, 700, 30)), (True, range(95, 700, 30)), (False, (20, 60, 300))):
            world = self.scripted([HOUR], days(*ago))
            row = world.rows("select state, who_must_act, unusually_quiet, what_next, last_error from flanks.sync_status")[0]
            self.assertEqual((row["state"], row["who_must_act"], row["unusually_quiet"]), ("ok", "nobody", "t" if quiet else "f"), (ago, row))
            self.assertEqual(row["what_next"].startswith("unusually quiet: its last operation is of "), quiet, row)
            self.assertEqual(world.cli("status", "--exit-code").returncode, 0)


if __name__ == "__main__":
    unittest.main()
