"""Which days are asked for: to no end, and as much of history as the bank serves."""
import datetime
import json
import unittest

from world import WorldTest

TODAY = datetime.date.today()


def on(days):
    """So many days from today."""
    return (TODAY + datetime.timedelta(days=days)).isoformat()


def operation(name, days, amount=-1):
    return {"_id": name, "account_id": "a1", "amount": amount, "currency": "EUR", "operationDate": on(days), "description": name}


class Windows(WorldTest):
    def scripted(self, operations, **settings):
        world = self.world(settings={"sync": {"product_details": ["account"], **settings}}, credentials=0)
        world.ok("credentials", "add", "--user", "user-1", stdin="token-1")
        self.show(world, operations)
        return world

    def show(self, world, operations):
        world.sandbox.script({"credentials_token": "token-1", "products": {"account": [{"_id": "a1"}]},
                              "transactions": {"account": operations}})

    def due(self, world):
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")

    def current(self, world):
        return world.sql("select string_agg(_id, ' ' order by _id) from flanks.transactions_current")

    # ---- no end

    def test_what_is_dated_ahead_is_stored_today_covered_corrected_removed_and_verified(self):
        ahead = [operation("o0", 0), operation("o1", 1), operation("o40", 40), operation("o900", 900)]
        world = self.scripted([operation("old", -100), *ahead])
        self.due(world)
        self.assertEqual(self.current(world), "o0 o1 o40 o900 old")
        self.assertEqual(world.sql(f"select days @> date '{on(1)}' and days @> date '{on(900)}' and read_on = '{TODAY}' "
                                   "from flanks.coverage where product = 'account'"), "t")
        self.assertEqual(world.sql("select read_on is not null and upper(days) = read_on + 1 from flanks.coverage where product = 'card'"), "t")
        proof = json.loads(world.ok("--json", "verify"))
        self.assertEqual([w["compared"] for w in proof if w["product"] == "account"], [5])
        # Corrected, moved and gone while they still lie ahead; the others are read again and written no more.
        self.show(world, [operation("old", -100), operation("o0", 0), operation("o1", 1, -2), operation("o40", 41)])
        self.due(world)
        self.assertEqual(self.current(world), "o0 o1 o40 old")
        self.assertEqual(world.sql("select string_agg(_id || ' ' || reason, ', ' order by _id) from flanks.transaction_revisions"),
                         "o1 changed, o40 changed, o900 removed")
        self.assertEqual(world.sql(f"select operation_date from flanks.transactions where _id = 'o40'"), on(41))
        self.due(world)
        self.show(world, [operation("old", -100), operation("o0", 0), operation("o1", 1, -2), operation("o40", 41)])
        self.due(world)
        self.assertEqual(world.sql("select count(*) from flanks.transaction_revisions"), "3")
        self.assertEqual(world.sql("select count(distinct updated_at) from flanks.transactions"), "2")
        # A row of another hand ahead is found.
        world.sql("update flanks.transactions set amount = 7 where _id = 'o40'")
        self.assertEqual(world.cli("verify").returncode, 3)
        world.ok("backfill")
        self.assertEqual(world.sql("select amount from flanks.transactions where _id = 'o40'"), "-1")

    def test_a_payment_far_ahead_does_not_make_the_next_window_begin_later(self):
        world = self.scripted([operation("old", -100), operation("ahead", 300)])
        self.due(world)
        world.sql("update flanks.coverage set read_on = read_on - 90")
        self.show(world, [operation("old", -100), operation("ahead", 300), operation("late", -110)])
        self.due(world)
        self.assertEqual(self.current(world), "ahead late old", "read from sync.overlap before the day of the last reading")

    def test_only_a_window_that_ends_before_today_has_an_end(self):
        world = self.scripted([operation("old", -100), operation("o1", 1)])
        world.ok("backfill", "--from", on(-200), "--to", on(-1))
        self.assertEqual(self.current(world), "old")
        self.assertEqual(world.sql("select read_on is null from flanks.coverage where product = 'account'"), "t")
        world.ok("backfill", "--from", on(-200), "--to", on(0))
        self.assertEqual(self.current(world), "o1 old")

    # ---- what the bank serves

    def test_a_bank_that_serves_short_windows_is_asked_for_short_ones(self):
        world = self.scripted([operation(f"o{i:03}", -i * 7) for i in range(100)])
        world.sandbox.fault("refuse_window", endpoint="account", longest_days=90, times=-1)
        self.due(world)
        self.assertEqual(world.sql("select count(*) from flanks.transactions_current"), "100")
        self.assertEqual(world.sql("select window_days between 45 and 90 and history_days is null and last_sweep_at is not null "
                                   "from flanks.coverage where product = 'account'"), "t")
        self.assertEqual(world.sql("select state from flanks.sync_status"), "ok")
        world.sandbox.reset_requests()
        self.show(world, [operation(f"o{i:03}", -i * 7) for i in range(101)])
        self.due(world)
        self.assertEqual(world.sandbox.requests()["endpoints"]["account"], 1)

    def test_a_bank_that_keeps_less_history_is_read_as_far_as_it_goes_and_status_says_how_far(self):
        world = self.scripted([operation(f"o{i:03}", -i) for i in range(200)])
        world.sandbox.fault("refuse_window", endpoint="account", history_days=60, field="operationDate", times=-1)
        self.due(world)
        self.assertEqual(world.sql("select count(*), max(_id) from flanks.transactions_current"), "60|o059")
        self.assertEqual(world.sql(f"select history_days || ' ' || (days @> date '{on(-59)}' and not days @> date '{on(-60)}') || ' ' || "
                                   "(last_sweep_at is not null) from flanks.coverage where product = 'account'"), "60 true true")
        self.assertEqual(world.sql("select state || ' ' || history_from from flanks.sync_status"), f"ok {on(-59)}")
        self.assertIn(on(-59), world.ok("status", "--json"))
        # The next refresh asks for no more than that, a backfill and a full sweep do.
        world.sandbox.reset_requests()
        self.show(world, [operation(f"o{i:03}", -i) for i in range(200)])
        self.due(world)
        self.assertEqual(world.sandbox.requests()["endpoints"]["account"], 1)
        proof = json.loads(world.ok("--json", "verify"))
        self.assertEqual({w["outcome"] for w in proof if w["product"] == "account"}, {"equal"})
        world.sandbox.clear_faults()
        world.sql("update flanks.coverage set last_sweep_at = last_sweep_at - interval '40 days'")
        self.due(world)
        self.assertEqual(world.sql("select count(*) from flanks.transactions_current"), "200")
        self.assertEqual(world.sql("select history_from is null from flanks.sync_status"), "t")

    def test_verify_says_which_days_the_bank_serves_no_more(self):
        world = self.scripted([operation(f"o{i:03}", -i) for i in range(200)])
        self.due(world)
        world.sandbox.fault("refuse_window", endpoint="account", history_days=60, times=-1)
        said = world.ok("verify", "--product", "account")
        self.assertIn(f"the bank serves no operations before {on(-59)}", said)
        self.assertEqual(world.sql("select sum(compared) || ' ' || count(*) filter (where outcome = 'not_verifiable') "
                                   "from flanks.verifications"), "60 1")

    def test_a_bank_that_refuses_every_window_is_a_failure_that_says_so(self):
        world = self.scripted([operation("o", -1)])
        world.sandbox.fault("refuse_window", endpoint="account", longest_days=0, times=-1)
        world.sql("update flanks_internal.leases set next_due_at = now()")
        self.assertEqual(world.cli("run", "--once").returncode, 3)
        row = world.rows("select s.state, s.last_error, c.last_error_class, s.who_must_act from flanks.sync_status s join flanks.credentials c using (credential_id)")[0]
        self.assertEqual((row["state"], row["last_error_class"], row["who_must_act"]), ("error", "window_refused", "provider"))
        self.assertIn("it refused the operation dates that were asked for: ValidationError: value_error.date.range query.operationDate", row["last_error"])
        self.assertEqual(world.sql("select count(*) from flanks.coverage where product = 'account'"), "0")


if __name__ == "__main__":
    unittest.main()
