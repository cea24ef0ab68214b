"""The proof: verify finds what was planted by hand, names it, and says nothing where there is nothing to say."""
import json
import unittest

from world import WorldTest


class Verify(WorldTest):
    def mirrored(self, **options):
        world = self.world(**{"credentials": 1, "transactions": 400, "seed": 3, **options})
        ids = world.register_all()
        world.ok("backfill")
        return world, ids

    def verify(self, world, *arguments, code):
        done = world.cli("--json", "verify", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def differences(self, world, *arguments, code=3):
        return [{**d, "product": r["product"]} for r in self.verify(world, *arguments, code=code) for d in r["differences"]]

    def some_id(self, world, condition="true"):
        return world.sql(f"select _id from flanks.transactions where {condition} order by _id limit 1")

    def test_a_faithful_mirror_is_proved_and_nothing_is_written_but_the_record(self):
        world, ids = self.mirrored(credentials=2)
        before = world.row_versions()
        coverage = world.rows("select * from flanks.coverage order by 1, 2")
        lines = self.verify(world, code=0)
        self.assertEqual({(r["credential_id"], r["product"]) for r in lines},
                         {(i, p) for i in ids.values() for p in ("account", "card", "investment", "liability")})
        self.assertEqual({r["outcome"] for r in lines}, {"equal"})
        self.assertEqual(sum(r["compared"] for r in lines), 800)
        self.assertEqual(world.row_versions(), before)
        self.assertEqual(world.rows("select * from flanks.coverage order by 1, 2"), coverage)
        self.assertEqual(world.sql("select count(*), sum(compared) from flanks.verifications where outcome = 'equal'"), "8|800")
        self.assertEqual(world.sql("select count(*) from flanks_internal.leases where lease_id is not null"), "0")
        self.assertIn("800 operations compared, 0 differences", world.ok("verify"))
        self.assertRegex(world.ok("credentials", "show", min(ids.values())), r"proved card +equal, \d{4}-")

    def test_a_missing_row_is_found_and_named(self):
        world, _ = self.mirrored()
        gone = self.some_id(world)
        world.sql(f"delete from flanks.transactions where _id = '{gone}'")
        found = self.differences(world)
        self.assertEqual([(d["what"], d["_id"]) for d in found], [("missing", gone)])
        self.assertEqual(world.sql("select outcome, missing, extra, altered from flanks.verifications where outcome <> 'equal'"),
                         "different|1|0|0")

    def test_an_altered_amount_is_found_though_its_hash_was_left_alone(self):
        world, _ = self.mirrored()
        key = self.some_id(world)
        old = world.sql(f"select amount from flanks.transactions where _id = '{key}'")
        world.sql(f"update flanks.transactions set amount = amount + 0.01 where _id = '{key}'")
        new = world.sql(f"select amount from flanks.transactions where _id = '{key}'")
        found = self.differences(world)
        self.assertEqual([(d["what"], d["_id"], d["values"]) for d in found],
                         [("altered", key, [{"column": "amount", "provider": old, "database": new}])])
        text = world.cli("verify")
        self.assertEqual(text.returncode, 3)
        self.assertIn(f'amount: provider "{old}", database "{new}"', text.stdout)

    def test_the_same_value_in_other_digits_is_no_difference(self):
        world, _ = self.mirrored()
        world.sql("update flanks.transactions set amount = amount::numeric(60, 30)")
        self.verify(world, code=0)

    def test_an_extra_row_is_found_and_named(self):
        world, _ = self.mirrored()
        key = self.some_id(world, "product = 'card'")
        world.sql("insert into flanks.transactions select (jsonb_populate_record(t, '{\"_id\": \"invented\"}')).* "
                  f"from flanks.transactions t where _id = '{key}'")
        found = self.differences(world)
        self.assertEqual([(d["what"], d["_id"], d["product"]) for d in found], [("extra", "invented", "card")])

    def test_an_altered_digit_inside_of_json_is_found(self):
        world, _ = self.mirrored(transactions=4000)
        for column in ("transfer", "extra"):
            key = self.some_id(world, f"{column} is not null and {column}::text ~ '[0-9]'")
            self.assertTrue(key, f"the sandbox made no {column} with a digit")
            before = world.sql(f"select {column} from flanks.transactions where _id = '{key}'")
            world.sql(f"update flanks.transactions set {column} = translate({column}::text, '0123456789', '1234567890')::jsonb "
                      f"where _id = '{key}'")
            found = self.differences(world)
            self.assertEqual([(d["what"], d["_id"], [v["column"] for v in d["values"]]) for d in found],
                             [("altered", key, [column])])
            self.assertEqual(json.loads(found[0]["values"][0]["provider"]), json.loads(before))
            quoted = before.replace("'", "''")
            world.sql(f"update flanks.transactions set {column} = '{quoted}' where _id = '{key}'")

    def test_a_row_marked_removed_that_the_provider_shows_is_found(self):
        world, _ = self.mirrored()
        key = self.some_id(world)
        world.sql(f"update flanks.transactions set removed_at = now() where _id = '{key}'")
        found = self.differences(world)
        self.assertEqual([(d["_id"], [v["column"] for v in d["values"]]) for d in found], [(key, ["removed_at"])])

    def test_a_row_that_the_provider_removed_and_we_did_is_no_difference(self):
        world, _ = self.mirrored()
        removed = world.sandbox.refresh(remove=1)["removed"][0]["_id"]
        found = self.differences(world)
        self.assertEqual([(d["what"], d["_id"]) for d in found], [("extra", removed)])
        world.sql(f"update flanks.transactions set removed_at = now() where _id = '{removed}'")
        self.verify(world, code=0)

    def test_a_hash_that_does_not_fit_its_row_and_every_other_column_are_found(self):
        world, _ = self.mirrored(transactions=100)
        texts = world.sql("select column_name from information_schema.columns where (table_schema, table_name, data_type) = "
                          "('flanks', 'transactions', 'text') and column_name not in ('_id', 'product', 'removal_reason', "
                          "'successor_id')").split("\n")
        self.assertIn("description", texts)
        changes = {"content_hash": "gen_random_uuid()", "operation_date": "operation_date + 1", "value_date": "'2001-01-01'",
                   "balance": "coalesce(balance, 0) + 1", "credential_id": "credential_id + 1000",
                   **{c: f"coalesce({c}, '') || 'x'" for c in texts}}
        key = self.some_id(world, "product = 'account'")
        for column, value in changes.items():
            world.sql("create table if not exists kept as select * from flanks.transactions where false; truncate kept; "
                      f"insert into kept select * from flanks.transactions where _id = '{key}'; "
                      f"update flanks.transactions set {column} = {value} where _id = '{key}'")
            found = self.differences(world, "--product", "account")
            self.assertEqual([(d["_id"], [v["column"] for v in d["values"]]) for d in found], [(key, [column])], column)
            world.sql(f"delete from flanks.transactions where _id = '{key}'; insert into flanks.transactions select * from kept")
        self.verify(world, code=0)

    def test_a_row_under_the_wrong_product_is_extra_there(self):
        world, _ = self.mirrored()
        key = self.some_id(world, "product = 'account'")
        world.sql(f"update flanks.transactions set product = 'card' where _id = '{key}'")
        self.assertEqual([(d["what"], d["_id"], d["product"]) for d in self.differences(world)], [("extra", key, "card")])

    def test_repair_puts_right_what_was_found_and_proves_it_again(self):
        world, _ = self.mirrored(credentials=2)
        ids = world.sql("select _id from flanks.transactions order by _id limit 4").split("\n")
        world.sql("create table truth as select * from flanks.transactions")
        world.sql(f"delete from flanks.transactions where _id = '{ids[0]}'; "
                  f"update flanks.transactions set amount = amount + 1 where _id = '{ids[1]}'; "
                  f"update flanks.transactions set removed_at = now() where _id = '{ids[2]}'; "
                  "insert into flanks.transactions select (jsonb_populate_record(t, '{\"_id\": \"invented\"}')).* "
                  f"from flanks.transactions t where _id = '{ids[3]}'")
        found = self.differences(world, "--repair", code=0)
        self.assertEqual(sorted((d["what"], d["_id"]) for d in found),
                         sorted([("missing", ids[0]), ("altered", ids[1]), ("altered", ids[2]), ("extra", "invented")]))
        columns = world.sql("select string_agg(attname, ',') from pg_attribute where attrelid = 'truth'::regclass and attnum > 0 "
                            "and attname not in ('first_seen_at', 'updated_at')")
        self.assertEqual(world.sql(f"select count(*) from (select {columns} from flanks.transactions where _id <> 'invented' "
                                   f"except select {columns} from truth) t"), "0")
        self.assertEqual(world.sql("select count(*) from flanks.transactions"), "801")
        self.assertEqual(world.sql("select removed_at is not null from flanks.transactions where _id = 'invented'"), "t")
        revisions = world.rows("select r._id, r.reason, s.trigger from flanks.transaction_revisions r "
                               "join flanks.sync_runs s using (sync_run_id) order by 1")
        self.assertEqual(sorted(tuple(r.values()) for r in revisions),
                         sorted([(ids[1], "changed", "repair"), (ids[2], "restored", "repair"), ("invented", "removed", "repair")]))
        self.assertEqual(world.sql("select count(*), sum(missing + extra + altered) from flanks.verifications where outcome = 'repaired'"),
                         world.sql("select count(*), sum(missing + extra + altered) from flanks.verifications where outcome = 'different'"))
        self.assertIn("0 differences", world.ok("verify"))
        requests = len(world.sandbox.requests())
        text = world.ok("verify", "--repair")
        self.assertNotIn("repaired", text)
        self.assertLess(len(world.sandbox.requests()) - requests, 12, "what is equal is not written")

    def test_repair_says_in_words_what_it_did(self):
        world, _ = self.mirrored()
        world.sql(f"delete from flanks.transactions where _id = '{self.some_id(world)}'")
        text = world.ok("verify", "--repair")
        self.assertRegex(text, r"credential \d+ \w+ [\d-]+ to [\d-]+: REPAIRED: 1 missing, 0 extra, 0 altered of \d+ operations; equal now")
        self.assertRegex(text, r"400 operations compared, 0 differences; 3 windows equal, 0 different, 1 repaired, ")

    def test_repair_removes_nothing_that_the_brake_would_not(self):
        world, _ = self.mirrored()
        world.sql("insert into flanks.transactions select (jsonb_populate_record(t, jsonb_build_object('_id', 'invented ' || _id))).* "
                  "from flanks.transactions t where product = 'account'")
        lines = [r for r in self.verify(world, "--repair", code=3) if r["outcome"] != "equal"]
        self.assertEqual([(r["product"], r["outcome"]) for r in lines], [("account", "different")])
        self.assertRegex(lines[0]["detail"], "none was removed; look at it with flanks-sync removals list, then confirm or reject")
        self.assertEqual(world.sql("select count(*) from flanks.transactions where removed_at is not null"), "0")
        self.assertEqual(world.sql("select count(*) from flanks.removal_reviews where state = 'open'"), "1")

    def test_what_the_provider_cannot_answer_is_not_a_difference(self):
        world, ids = self.mirrored()
        token = next(iter(ids))
        world.sql(f"delete from flanks.transactions where _id = '{self.some_id(world)}'")
        for status in ({"pending": True}, {"pending": False, "errored": {"transactions": {p: True for p in (
                "account", "card", "investment", "liability")}}}):
            world.sandbox.control("POST", "status", {"credentials_token": token, **status})
            lines = self.verify(world, code=75)
            self.assertEqual({r["outcome"] for r in lines}, {"not_verifiable"})
            self.assertTrue(all(r["detail"] for r in lines), lines)
        self.assertEqual(world.sql("select count(*) from flanks.verifications where outcome <> 'not_verifiable'"), "0")

    def test_a_failing_provider_proves_nothing_and_says_so(self):
        world, ids = self.mirrored()
        world.sandbox.fault("cut_json", next(iter(ids)), "account", times=-1)
        lines = self.verify(world, code=3)
        outcomes = {r["product"]: r["outcome"] for r in lines}
        self.assertEqual(outcomes, {"account": "failed", "card": "equal", "investment": "equal", "liability": "equal"})

    def test_a_provider_that_cannot_be_reached_is_told_as_everywhere(self):
        world, _ = self.mirrored()
        world.write_config(flanks__base_url="https://127.0.0.1:1")
        done = world.cli("--json", "verify")
        self.assertEqual(done.returncode, 69, done.stdout + done.stderr)
        self.assertEqual({r["outcome"] for r in json.loads(done.stdout)}, {"failed"})
        self.assertRegex(done.stderr, "error: .*Connection refused.*\nhint: ")

    def test_an_answer_that_broke_off_once_is_asked_for_again(self):
        world, ids = self.mirrored(transactions=6000, products="account", settings={"sync": {"products": ["account"]}})
        # Before its first batch was taken, which the client repeats; and after, which only the proof can.
        for after_bytes in (3000, 1500000):
            world.sandbox.fault("truncate", next(iter(ids)), "account", times=1, after_bytes=after_bytes, chunked=True)
            lines = self.verify(world, code=0)
            self.assertEqual([(r["outcome"], r["compared"]) for r in lines], [("equal", 6000)])

    def test_a_window_that_is_too_large_is_compared_in_halves(self):
        world, ids = self.mirrored()
        world.sandbox.fault("status", next(iter(ids)), "account", times=1, status=413)
        lines = [r for r in self.verify(world, code=0) if r["product"] == "account"]
        self.assertEqual([r["outcome"] for r in lines], ["equal", "equal"])

    def test_the_window_and_the_choice_bound_what_is_compared(self):
        world, ids = self.mirrored(credentials=2)
        first, second = sorted(ids.values())
        old = world.sql(f"select _id from flanks.transactions where credential_id = {first} and product = 'account' "
                        "order by operation_date limit 1")
        day = world.sql(f"select operation_date from flanks.transactions where _id = '{old}'")
        after = world.sql(f"select date '{day}' + 1")
        world.sql(f"delete from flanks.transactions where _id = '{old}'")
        self.verify(world, "--credential", first, "--product", "account", "--from", after, code=0)
        self.verify(world, "--credential", second, code=0)
        self.verify(world, "--credential", first, "--product", "card", code=0)
        self.assertEqual([d["_id"] for d in self.differences(world, "--from", day, "--to", day)], [old])

    def test_a_joint_accounts_row_is_proved_for_both_and_a_known_conflict_is_no_difference(self):
        world, ids = self.mirrored(credentials=3, joint=True)
        self.assertGreater(int(world.sql("select count(*) from flanks.transaction_sightings")), 0)
        self.verify(world, code=0)
        shared = world.sql("select _id from flanks.transaction_sightings order by 1 limit 1")
        world.sql(f"update flanks.transactions set description = 'planted' where _id = '{shared}'")
        found = self.differences(world)
        self.assertEqual([(d["_id"], [v["column"] for v in d["values"]]) for d in found], [(shared, ["description"])] * 2)
        # Known to differ for the second credential, and in quarantine: only the owner's is a difference.
        world.sql(f"with s as (delete from flanks.transaction_sightings where _id = '{shared}' returning *) "
                  "insert into flanks.quarantine (credential_id, product, reason, detail, _id, raw, truncated, first_sync_run_id, "
                  "last_sync_run_id) select credential_id, product, 'joint_conflict', 'planted', _id, '', false, "
                  "gen_random_uuid(), gen_random_uuid() from s")
        self.assertEqual([(d["_id"], [v["column"] for v in d["values"]]) for d in self.differences(world)],
                         [(shared, ["description"])])

    def test_bad_records_and_repeated_ones_are_no_differences(self):
        world = self.world(credentials=1, transactions=100, seed=5)
        ids = world.register_all()
        token = next(iter(ids))
        world.sandbox.fault("duplicate", token, "account", times=-1, changed=True)
        world.sandbox.fault("bad_record", token, "card", times=-1, records=['{"_id": "no-date", "amount": 1}', '{"amount": 1}'])
        self.assertIn(world.cli("backfill").returncode, (0, 3))
        lines = {r["product"]: r for r in self.verify(world, code=0)}
        self.assertEqual(lines["card"]["quarantined"], 1)

    def test_a_daemon_that_holds_the_lease_is_waited_for_and_then_named(self):
        world, ids = self.mirrored()
        world.write_config(sync__lease="1s")  # as long as it waits
        world.sql("update flanks_internal.leases set lease_id = gen_random_uuid(), expires_at = now() + interval '1 hour'")
        done = world.cli("verify")
        self.assertEqual(done.returncode, 75, done.stderr)
        self.assertIn("another worker holds its lease", done.stderr)

    def test_nothing_covered_is_not_proved(self):
        world = self.world(credentials=1, transactions=20)
        world.register_all()
        self.assertEqual({r["outcome"] for r in self.verify(world, code=75)}, {"not_verifiable"})

    def test_no_token_is_ever_printed(self):
        world, ids = self.mirrored(credentials=2)
        world.sql("update flanks.transactions set amount = amount + 1")
        for arguments in (("verify",), ("--json", "verify"), ("--log-level", "trace", "verify")):
            done = world.cli(*arguments)
            self.assertEqual(done.returncode, 3)
            for secret in [*ids, world.sandbox.client_secret]:
                self.assertNotIn(secret, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
