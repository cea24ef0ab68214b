"""sync.source: v2. The same tables from the paged interface: every page, no page twice, no half of them."""
import datetime
import json
import unittest

from world import WorldTest, parse, number_of, wait_until, PRODUCTS


def on(days):
    """So many days from today, UTC."""
    return (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=days)).isoformat()


TODAY_ALONE = f"{on(0)}..{on(0)}"  # what is asked to learn whether the deployment filters by day


class Aggregation(WorldTest):
    def world_v2(self, speaks=None, **options):
        world = self.world(settings={"sync": {"source": "v2"}}, **options)
        world.sandbox.speak(**(speaks or {}))
        return world

    def due(self, world):
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")

    def days(self, world):
        """Which days were asked for since the last time, one entry a request, in order."""
        days = world.sandbox.requests()["days"]
        world.sandbox.reset_requests()
        return days

    def assert_v2_mirrors(self, world, ids):
        expected = {}
        for line in map(parse, world.sandbox.ledger_text().splitlines()):
            r = line["record"]
            key = f"{line['product']}_id"
            expected[line["_id"]] = (line["product"], ids[line["credentials_token"]], r[key], number_of(r["amount"]),
                                     r["currency"], r["description"], r["operationDate"][:10], r.get("category"))
        stored = {}
        for r in world.rows("select * from flanks.transactions where removed_at is null and aged_out_at is null"):
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
        # 2250 of each product: three pages of at most 1000. And one question whether there are windows.
        self.assertEqual(requests["v2/transactions"], 1 + 2 * 4 * 3)
        before = world.row_versions()
        world.ok("sync")
        self.assertEqual(world.row_versions(), before)
        world.ok("verify")

    def test_the_daemon_follows_the_provider_in_windows(self):
        world = self.world_v2(credentials=2, transactions=300, seed=22)
        ids = world.register_all()
        self.due(world)
        first, *whole = self.days(world)
        self.assertEqual(first, TODAY_ALONE)
        begin = world.sql("select distinct lower(days) from flanks.coverage")
        self.assertEqual(whole, [f"{begin}.."] * 8)
        # The daily window: what is new is there, what has vanished within it is removed.
        known = {line["_id"]: line for line in world.sandbox.ledger() if line["credentials_token"] == min(ids)}
        recent = [i for i, line in known.items() if line["product"] == "account" and on(-25) <= line["record"]["operationDate"][:10]]
        world.sandbox.withhold(min(ids), recent[:1])
        world.sandbox.refresh(add=5)
        self.due(world)
        self.assertEqual(self.days(world), [TODAY_ALONE] + [f"{on(-30)}.."] * 8)
        self.assertEqual(world.rows("select _id, removal_reason from flanks.transactions where removed_at is not null"),
                         [{"_id": recent[0], "removal_reason": "absent"}])
        world.sandbox.withhold(min(ids), [])
        world.sandbox.refresh()
        self.due(world)
        self.assert_v2_mirrors(world, ids)
        # What lies before it: the full sweep.
        world.sandbox.refresh(correct=8, back_date=4, move_date=4, remove=4)
        world.sql("update flanks.coverage set last_sweep_at = last_sweep_at - interval '40 days'")
        self.due(world)
        self.assertEqual(set(self.days(world)[-8:]), {f"{begin}.."})
        self.assert_v2_mirrors(world, ids)
        # Only a window that ends has an end.
        world.ok("backfill", "--from", on(-60), "--to", on(-31))
        self.assertEqual(self.days(world), [TODAY_ALONE] + [f"{on(-60)}..{on(-31)}"] * 8)
        world.ok("verify")

    def test_a_deployment_without_dates_is_asked_with_them_once_a_process(self):
        for dates in ("refuse", "ignore"):
            with self.subTest(dates):
                world = self.world_v2({"dates": dates}, credentials=3, transactions=300, seed=26)
                ids = world.register_all()
                daemon = world.start("run")
                read = lambda: world.sql("select count(*) from flanks.sync_runs where outcome = 'ok'")
                idle = lambda: world.sql("select count(*) from flanks_internal.leases where next_due_at > now() + interval '1 minute'") == "3"
                wait_until(lambda: read() == "12" and idle(), "all is stored")
                gone = world.sandbox.refresh(add=5, correct=8, back_date=4, move_date=2, remove=7)["removed"]
                world.sql("update flanks_internal.leases set next_due_at = now()")
                wait_until(lambda: read() == "24" and idle(), "the refresh is stored")
                daemon.terminate()
                self.assertEqual(daemon.wait(30), 0)
                self.assert_v2_mirrors(world, ids)
                # Of whatever age.
                self.assertEqual(world.sql("select string_agg(_id, ' ' order by _id) from flanks.transactions "
                                           "where removed_at is not null or aged_out_at is not null"),
                                 " ".join(sorted(one["_id"] for one in gone)))
                days = self.days(world)
                self.assertEqual([d for d in days if d], [TODAY_ALONE])
                self.assertEqual(len(days), 1 + 2 * 3 * 4)
                # All history comes each time, is compared with what is remembered, and is no sweep.
                self.assertEqual(world.sql("select count(distinct (window_from, window_to)) from flanks.sync_runs where outcome = 'ok'"), "1")
                self.assertEqual(world.sql("select count(*) from flanks.coverage where last_sweep_at < last_success_at"), "12")
                before = world.row_versions()
                world.sandbox.refresh()
                self.due(world)
                self.assertEqual(world.row_versions(), before)
                self.assertEqual(self.days(world), [TODAY_ALONE] + [""] * 12, "the next process asks again")
                world.ok("verify")

    def test_a_part_of_history_without_dates_covers_that_part_and_stores_all_that_comes(self):
        world = self.world_v2({"dates": "refuse"}, credentials=1, transactions=300, seed=27)
        ids = world.register_all()
        world.ok("backfill", "--from", on(-60), "--to", on(-31))
        self.assert_v2_mirrors(world, ids)
        self.assertEqual(world.sql("select distinct lower(days) || ' ' || upper(days) - 1 from flanks.coverage"), f"{on(-60)} {on(-31)}")

    def test_a_deployment_that_learns_dates_is_asked_for_windows_after_a_restart(self):
        world = self.world_v2({"dates": "refuse"}, credentials=1, transactions=300, seed=28)
        ids = world.register_all()
        self.due(world)
        world.sandbox.speak()
        world.sandbox.refresh(add=5)
        self.days(world)
        self.due(world)
        self.assertEqual(self.days(world), [TODAY_ALONE] + [f"{on(-30)}.."] * 4)
        self.assert_v2_mirrors(world, ids)

    def test_a_window_that_is_too_long_is_asked_for_in_parts(self):
        world = self.world_v2(credentials=1, transactions=3000, seed=29)
        ids = world.register_all()
        world.sandbox.fault("refuse_window", endpoint="v2/transactions", longest_days=90, field="query.date_from", times=-1)
        self.due(world)
        self.assert_v2_mirrors(world, ids)
        self.assertEqual(world.sql("select count(*) from flanks.coverage where window_days between 45 and 90 "
                                   "and history_days is null and last_sweep_at is not null"), "4")
        first, *days = self.days(world)
        self.assertEqual(first, TODAY_ALONE)
        self.assertTrue(all(days), "never without")
        self.assertTrue(any(not d.endswith("..") for d in days))

    def test_other_spellings_and_an_end_that_is_not_said(self):
        world = self.world_v2({"last_page": "absent", "type_key": "product_type", "type": "Account"},
                              credentials=2, transactions=9000, seed=30)
        ids = world.register_all()
        world.ok("backfill")
        self.assertEqual(self.assert_v2_mirrors(world, ids), 18000)
        world.sandbox.speak(last_page="absent", type="Account")
        world.ok("verify")

    def test_without_products_of_a_kind_nothing_is_asked(self):
        world = self.world_v2(credentials=1, transactions=40, seed=31, products="card")
        ids = world.register_all()
        world.ok("sync")
        self.assert_v2_mirrors(world, ids)
        self.assertEqual(len(self.days(world)), 2, "whether there are windows, and the cards")

    def test_a_question_that_fails_is_the_failure_of_who_asked(self):
        world = self.world_v2(credentials=3, transactions=300, seed=32)
        ids = world.register_all()
        world.sandbox.fault("status", "*", "v2/transactions", times=1, status=418)
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertEqual(world.sql("select count(*), min(error_class) from flanks.sync_runs where outcome = 'failed'"), "1|http_418")
        self.assertEqual(world.sql("select count(*) from flanks.coverage"), "11")
        world.ok("sync")
        self.assert_v2_mirrors(world, ids)

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
