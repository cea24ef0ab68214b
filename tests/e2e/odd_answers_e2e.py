"""Answers that are odd in ways that people of this trade report: what can be stored is, what cannot is told, and nothing is made up."""
import json
import time
import unittest

from world import PRODUCTS, WorldTest

ACCOUNT = {"sync": {"products": ["account"], "product_details": [], "overlap": "730d"}}
LISTS = {"sync": {"products": ["account"], "product_details": ["account"]}}


class OddAnswers(WorldTest):
    def one(self, settings=None, **options):
        world = self.world(**{"credentials": 1, "transactions": 12, "products": "account", "no_oddities": True,
                              "settings": settings or ACCOUNT, **options})
        [(token, id)] = world.register_all().items()
        return world, token, id

    def serve(self, world, token, body, endpoint="account", times=-1, **more):
        world.sandbox.clear_faults()
        world.sandbox.fault("status", token, endpoint, status=200, body=body if isinstance(body, str) else json.dumps(body), times=times, **more)

    def record(self, id, **more):
        return {"_id": id, "amount": -1.5, "operationDate": "2026-11-24", **more}

    # ---- records

    def test_junk_in_an_optional_field_costs_that_field_only(self):
        world, token, _ = self.one()
        junk = {"v1": {"valueDate": "2026-02-30"}, "v2": {"valueDate": "0000-00-00"}, "b1": {"balance": "N/A"},
                "b2": {"balance": {"amount": 1, "currency": "EUR"}}, "d1": {"description": ["a", "b"]}, "c1": {"currency": 978},
                "e1": {"category": {"id": 3}}, "n1": {"balance": "1.234,56"}, "n2": {"balance": True}}
        good = {"ok1": {"valueDate": "", "balance": ""}, "ok2": {"valueDate": None, "balance": None}, "ok3": {}}
        self.serve(world, token, [self.record(id, **more) for id, more in {**junk, **good}.items()])
        world.ok("sync")
        rows = {row["_id"]: row for row in world.rows(
            "select _id, amount, value_date, balance, description, currency, category, extra from flanks.transactions")}
        self.assertEqual(set(rows), {*junk, *good}, "each operation is there")
        columns = {"valueDate": "value_date", "balance": "balance", "description": "description", "currency": "currency", "category": "category"}
        for id, more in junk.items():
            [(name, value)] = more.items()
            self.assertEqual(rows[id]["amount"], "-1.5")
            if name in ("valueDate", "balance"):
                self.assertIsNone(rows[id][columns[name]], id)
                self.assertEqual(json.loads(rows[id]["extra"])[name], value, id)
                self.assertEqual(world.sql(f"select count(*) from flanks.quarantine where _id = '{id}' and stored_anyway"), "1", id)
        for id in good:
            self.assertEqual((rows[id]["value_date"], rows[id]["balance"]), (None, None))
        self.assertEqual(world.sql("select outcome, quarantined, warnings > 4 from flanks.sync_runs"), "ok|0|t")

    def test_a_blank_id_is_none_and_merges_nothing(self):
        world, token, id = self.one()
        blanks = (" ", "", "\u00a0", "\u200b\u2003", "\t")
        self.serve(world, token, [self.record(b, amount=n) for n, b in enumerate(blanks)] + [self.record("good")])
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertEqual(world.sql("select string_agg(_id, ',') from flanks.transactions"), "good")
        self.assertEqual(world.sql("select sum(records) from flanks.quarantine where not stored_anyway"), str(len(blanks)))
        self.assertEqual(world.sql("select outcome from flanks.sync_runs"), "partial")
        self.assertEqual(world.cli("status", "--exit-code").returncode, 3)

    def test_an_array_in_which_nothing_is_an_object_is_an_error(self):
        for body in ("[1]", "[[]]", "[[{\"_id\":\"x\"}]]", "[null]", "[\"a\",\"b\"]"):
            with self.subTest(body):
                world, token, id = self.one()
                self.serve(world, token, body)
                self.assertEqual(world.cli("sync").returncode, 3)
                self.assertEqual(world.sql("select count(*) from flanks.coverage"), "0")
                self.assertEqual(world.sql("select outcome, error_class from flanks.sync_runs"), "failed|unexpected_body")

    # ---- lists of products

    def test_a_list_that_lacks_a_record_is_no_success(self):
        for settings, body, stored in (
                (LISTS, [{"balance": "1.10"}, {"account_id": "a2", "balance": 5}], "a2"),
                (LISTS, [{"account_id": "  ", "balance": 1}, {"account_id": "a2", "balance": 5}], "a2")):
            with self.subTest(str(body)):
                world, token, _ = self.one(settings)
                self.serve(world, token, body, "products/account")
                self.assertEqual(world.cli("sync").returncode, 3)
                self.assertEqual(world.sql("select string_agg(account_id, ',') from flanks.accounts"), stored)
                self.assertEqual(world.sql("select outcome from flanks.product_runs where product = 'account'"), "partial")
                self.assertNotEqual(world.cli("status", "--exit-code").returncode, 0)
                world.sandbox.refresh(token, add=1)
                world.sql("update flanks_internal.leases set next_due_at = now()")
                self.assertEqual(world.cli("run", "--once").returncode, 3)

    def test_junk_in_an_optional_field_of_a_product_costs_that_field_only(self):
        world, token, _ = self.one(LISTS)
        self.serve(world, token, [{"account_id": "a1", "balance": "1.234,56", "iban": "ES1"}, {"account_id": "a2", "balance": "5.10"}],
                   "products/account")
        world.ok("sync")
        self.assertEqual(world.rows("select account_id, balance, iban, extra->>'balance' as said from flanks.accounts order by 1"), [
            {"account_id": "a1", "balance": None, "iban": "ES1", "said": "1.234,56"},
            {"account_id": "a2", "balance": "5.10", "iban": None, "said": None}])
        self.assertEqual(world.sql("select count(*) from flanks.quarantine where stored_anyway and part = 'products'"), "1")

    # ---- flags

    def test_a_flag_that_is_no_boolean_is_no_evidence(self):
        for field, values in (("errored", ("true", 1, {}, [])), ("created", ("false", 0, {}))):
            for value in values:
                with self.subTest(field, value=value):
                    world, token, _ = self.one()
                    world.ok("sync")
                    before = world.sql("select count(*) from flanks.transactions")
                    gone = world.sandbox.ledger(token)[5]["record"]["_id"]
                    world.sandbox.withhold(token, [gone])
                    world.sandbox.refresh(token, add=1)
                    world.sandbox.control("POST", "status", {"credentials_token": token, field: {"transactions": {"account": value}}})
                    world.cli("sync")
                    self.assertEqual(world.sql("select count(*) from flanks.transactions where removed_at is not null"), "0")
                    self.assertGreaterEqual(int(world.sql("select count(*) from flanks.transactions")), int(before))

    # ---- quarantine

    def test_a_record_that_is_mended_is_read_at_the_next_refresh_and_resolved(self):
        world, token, id = self.one({"sync": {**ACCOUNT["sync"], "overlap": "1d"}})
        old = {"_id": "old-1", "amount": "junk", "operationDate": "2026-03-01"}
        world.sandbox.fault("bad_record", token, "account", record=json.dumps(old), times=-1)
        self.assertEqual(world.cli("sync").returncode, 3)
        entry = "select xmin, last_seen_at, resolved_at from flanks.quarantine where _id = 'old-1'"
        before = world.sql(entry)
        world.sandbox.refresh(token, add=1)
        self.assertEqual(world.cli("sync").returncode, 3)
        self.assertEqual(world.sql(entry), before, "the same bad record again writes nothing")
        world.sandbox.clear_faults()
        world.sandbox.fault("bad_record", token, "account", record=json.dumps({**old, "amount": -3}), times=-1)
        world.sandbox.refresh(token, add=1)
        world.ok("sync")
        self.assertEqual(world.sql("select amount from flanks.transactions where _id = 'old-1'"), "-3")
        self.assertEqual(world.sql("select resolved_at is not null from flanks.quarantine where _id = 'old-1'"), "t")
        world.ok("status", "--exit-code")

    # ---- watermarks

    def test_a_refresh_of_the_future_or_the_past_stops_nothing(self):
        for offset in (400 * 86400, -400 * 86400, 3600):
            with self.subTest(offset=offset):
                world, token, id = self.one()
                world.sandbox.control("POST", "status", {"credentials_token": token, "last_update_timestamp": int(time.time()) + offset})
                world.ok("sync")
                self.assertLessEqual(world.sql("select coalesce(max(provider_seen_at), now()) <= now() + interval '1 minute' from flanks.coverage"), "t")
                world.sandbox.refresh(token, add=1)
                world.sandbox.control("POST", "status", {"credentials_token": token, "last_update_timestamp": int(time.time())})
                world.sql("update flanks_internal.leases set next_due_at = now()")
                world.ok("run", "--once")
                self.assert_mirrors(world, {token: id})
                for command in (("backfill", "--restart"), ("sync",)):
                    world.ok(*command)

    def test_a_bad_watermark_that_is_there_heals_by_itself(self):
        world, token, id = self.one()
        world.ok("sync")
        world.sql("update flanks.coverage set provider_seen_at = '2999-01-01'")
        world.sandbox.refresh(token, add=2)
        world.sql("update flanks_internal.leases set next_due_at = now()")
        world.ok("run", "--once")
        self.assert_mirrors(world, {token: id})
        self.assertEqual(world.sql("select provider_seen_at < now() + interval '1 minute' from flanks.coverage"), "t")

    # ---- secrets

    def test_a_secret_that_the_provider_repeats_is_stored_nowhere(self):
        world, token, id = self.one({"sync": {"products": list(PRODUCTS)}}, products="account,card,investment,liability")
        secrets = (token, world.sandbox.client_secret)
        echo = {"connection_id": token, "credentials_token": token, "description": f"pay {token} now", "debug": {"s": [world.sandbox.client_secret, {token: 1}]}}
        for product in PRODUCTS:
            for body in ([self.record(f"{product}-1", **echo), self.record(f"{product}-2", amount=token, **echo), {"_id": token, "amount": 1, "operationDate": "2026-11-01"}],):
                world.sandbox.fault("status", token, product, status=200, body=json.dumps(body), times=-1)
            world.sandbox.fault("status", token, f"products/{product}", status=200, times=-1, body=json.dumps(
                [{f"{product}_id": f"{product}-p", "name": f"my {token}", **echo}, {f"{product}_id": token, "balance": token}]))
        world.cli("sync")
        world.sandbox.fault("status", token, "status", status=500, times=-1, body=json.dumps({"error": f"no {token} {world.sandbox.client_secret}"}),
                            location="https://e.example/")
        world.sandbox.clear_faults()
        world.sandbox.fault("status", token, "status", status=302, times=-1, location=f"https://{token}.example/{token}?x={world.sandbox.client_secret}")
        failed = world.cli("sync")
        said = failed.stdout + failed.stderr + world.ok("status") + world.ok("--json", "status")
        for table in world.rows("select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'flanks%'"):
            if table["name"] != "flanks_internal.credentials_tokens":
                said += world.sql(f"select coalesce(string_agg(t::text, E'\\n'), '') from {table['name']} t")
        said += world.sql("select coalesce(string_agg(convert_from(raw, 'UTF8'), E'\\n'), '') from flanks.quarantine")
        self.assertGreater(int(world.sql("select count(*) from flanks.transactions")), 3)
        self.assertIn("***", said)
        for one in secrets:
            self.assertNotIn(one, said)

    # ---- HTTP

    def test_identity_in_any_case_is_no_compression_and_anything_else_is_refused(self):
        world, token, _ = self.one()
        for value in ("Identity", "IDENTITY", "identity, Identity", " identity ", ""):
            with self.subTest(value):
                self.serve(world, token, [self.record("a")], headers={"Content-Encoding": value})
                world.ok("sync")
        for value in ("gzip", "identity, br", "GZIP", "x\u00e9", "identity;q=1"):
            with self.subTest(value):
                self.serve(world, token, [self.record("a")], headers={"Content-Encoding": value})
                done = world.cli("sync")
                self.assertEqual(done.returncode, 3)
                self.assertIn("is compressed, though that was not asked for", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
