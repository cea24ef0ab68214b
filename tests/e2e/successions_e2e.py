"""What an operator and a client do about accounts that pass from one credential to another, by the commands and the database."""
import datetime
import json
import time
import unittest

from world import WorldTest

TODAY = datetime.date.today()
KINDS = ["account", "card", "investment", "liability"]


class Successions(WorldTest):
    def setUp(self):
        self.w = self.world(credentials=0, transactions=0, settings={
            "sync": {"products": ["account"], "product_details": ["account"], "overlap": "730d"}})
        self.stamp = int(time.time()) - 10_000

    def show(self, token, prefix, days, amount=-1, iban="ES9121000418450200051332"):
        self.stamp += 10
        self.w.sandbox.script({
            "credentials_token": token, "bank": "testbank", "last_update_timestamp": self.stamp,
            "products": {"account": [{"_id": f"{prefix}-account", "account_id": f"{prefix}-account", "iban": iban, "entity": "testbank",
                                      "alias": "Household", "balance": 10, "currency": "EUR"}]},
            "transactions": {"account": [{"_id": f"{prefix}-{n}", "account_id": f"{prefix}-account", "amount": amount, "currency": "EUR",
                                          "operationDate": str(TODAY - n * datetime.timedelta(days=1)), "description": f"day {n}"}
                                         for n in days]}})

    def register(self, user, token):
        return self.w.sql(f"select flanks.register_credential('{user}', '{token}')")

    def reconnected(self, amount=-1):
        """A login that showed ten days is removed; another one shows them, and older ones not."""
        self.show("first", "a", range(1, 16))
        old = self.register("ana", "first")
        self.w.ok("sync", "--credential", old)
        self.w.ok("credentials", "remove", old)
        self.show("second", "b", range(1, 11), amount)
        new = self.register("ana", "second")
        self.w.ok("sync", "--credential", new)
        return old, new

    def live(self):
        return self.w.sql("select string_agg(_id, ' ' order by operation_date desc, _id) from flanks.transactions where removed_at is null")

    def test_a_reconnected_account_counts_once_and_keeps_what_the_bank_no_longer_shows(self):
        old, new = self.reconnected()
        self.assertEqual(self.live(), " ".join([f"b-{n}" for n in range(1, 11)] + [f"a-{n}" for n in range(11, 16)]))
        self.assertEqual(self.w.sql("select count(*), sum(amount), min(users::text) from flanks.transactions_distinct"), "15|-15|{ana}")
        done = json.loads(self.w.ok("--json", "successions", "list", "--all"))
        self.assertEqual([(d["state"], d["from_credential_id"], d["to_credential_id"], d["paired_rows"], d["succeeded_rows"]) for d in done],
                         [("confirmed", int(old), int(new), 10, 10)])
        self.assertEqual(self.w.ok("successions", "list"), "nothing to decide\n")
        self.assertEqual(self.w.sql("select flanks.current_id('a-3'), flanks.current_id('b-3'), flanks.current_id('nobody') is null"), "b-3|b-3|t")
        self.assertEqual(self.w.sql("select iban, account_name, count(*) from flanks.transactions_current where _id like 'b-%' group by 1, 2"),
                         "ES9121000418450200051332|Household|10")
        self.assertEqual(self.w.sql("select count(*), min(balance) from flanks.assets"), "1|10")
        # A person's right to be forgotten reaches what their account was known by.
        self.w.ok("erase", "--user", "ana", "--yes")
        for table in ("flanks.transactions", "flanks.accounts", "flanks.real_accounts", "flanks_internal.real_account_keys", "flanks.successions"):
            self.assertEqual(self.w.sql(f"select count(*) from {table}"), "0", table)

    def test_what_does_not_pair_waits_for_a_person_who_may_say_yes(self):
        old, new = self.reconnected(amount=-2)
        self.assertEqual(self.w.sql("select count(*) from flanks.transactions where removed_at is not null"), "0")
        listed = self.w.ok("successions", "list")
        self.assertIn("0 of 10 pair", listed)
        self.assertIn("ES91...1332", listed)
        self.assertNotIn("ES9121000418450200051332", listed)
        number = json.loads(self.w.ok("--json", "successions", "list"))[0]["succession_id"]
        status = json.loads(self.w.ok("--json", "status"))
        self.assertEqual([s["who_must_act"] for s in status if s["credential_id"] == int(new)], ["operator"])
        shown = self.w.ok("successions", "show", number)
        self.assertIn(f"from credential {old} to credential {new}: open", shown)
        self.assertIn(f"only credential {old} shows, on days that both have read:\n", shown)
        self.assertRegex(shown, rf"(?m)^a-3 +{TODAY - datetime.timedelta(days=3)} +-1 +EUR +day 3$")
        self.assertRegex(shown, rf"(?m)^b-3 +{TODAY - datetime.timedelta(days=3)} +-2 +EUR +day 3$")
        self.assertNotIn("a-12", shown, "the new credential does not speak for that day")
        one = json.loads(self.w.ok("--json", "successions", "show", number))
        self.assertEqual([o["_id"] for o in one["unpaired_from"]], [f"a-{n}" for n in range(1, 11)])
        self.assertEqual([o["_id"] for o in one["unpaired_to"]], [f"b-{n}" for n in range(1, 11)])
        self.assertEqual((one["unpaired_from_rows"], one["unpaired_to_rows"]), (10, 10))
        self.assertEqual(one["unpaired_to"][0], {"_id": "b-1", "operation_date": str(TODAY - datetime.timedelta(days=1)), "amount": "-2",
                                                 "currency": "EUR", "description": "day 1"})
        self.assertIn("10 operations of credential", self.w.ok("successions", "confirm", number))
        self.assertEqual(self.w.sql("select count(*) from flanks.transactions_distinct"), "15")
        again = self.w.cli("successions", "confirm", number)
        self.assertEqual(again.returncode, 1)
        self.assertIn(f"succession {number} is confirmed already", again.stderr)
        self.assertIn("succession 999 does not exist", self.w.cli("successions", "reject", 999).stderr)

    def test_or_no(self):
        self.reconnected(amount=-2)
        number = json.loads(self.w.ok("--json", "successions", "list"))[0]["succession_id"]
        self.assertEqual(self.w.sql("select count(*) from flanks.transactions_distinct"), "15")
        self.assertIn("stay two", self.w.ok("successions", "reject", number))
        self.assertEqual(self.w.sql("select count(*), sum(amount) from flanks.transactions_distinct"), "25|-35")
        self.show("second", "b", range(1, 11), -2)
        self.w.ok("sync")
        self.assertEqual(self.w.ok("successions", "list"), "nothing to decide\n")
        self.assertEqual(self.w.sql("select count(*) from flanks.transactions where removed_at is not null"), "0")

    def test_of_many_that_do_not_pair_the_newest_are_shown(self):
        self.show("first", "a", range(1, 31))
        old = self.register("ana", "first")
        self.w.ok("sync", "--credential", old)
        self.w.ok("credentials", "remove", old)
        self.show("second", "b", range(1, 31), -2)
        self.w.ok("sync", "--credential", self.register("ana", "second"))
        number = json.loads(self.w.ok("--json", "successions", "list"))[0]["succession_id"]
        shown = self.w.ok("successions", "show", number)
        self.assertEqual(shown.count("... and 10 more, older\n"), 2)
        self.assertIn("a-20 ", shown)
        self.assertNotIn("a-21 ", shown)

    def test_a_rotated_token_keeps_its_credential_and_doubles_nothing(self):
        self.show("first", "a", range(1, 31))
        number = self.register("ana", "first")
        self.w.ok("sync")
        self.w.sandbox.script({"credentials_token": "first", "unknown": True})
        self.show("rotated", "z", range(1, 31))
        secret = self.w.dir / "token"
        secret.write_text("rotated\n")
        self.assertEqual(self.w.ok("credentials", "rotate", number, "--token-file", str(secret)),
                         f"credential {number} has its new token, and is due now\n")
        self.assertEqual(self.w.ok("credentials", "rotate", number, "--token-file", str(secret)),
                         f"credential {number} has this token already; nothing changes\n")
        self.w.ok("run", "--once")
        self.assertEqual(self.w.sql("select count(*), count(distinct credential_id) from flanks.transactions_current"), "30|1")
        self.assertEqual(self.w.sql("select count(*) from flanks.transactions where removal_reason = 'renumbered' "
                                    "and successor_id = replace(_id, 'a-', 'z-')"), "30")
        self.assertEqual(self.w.ok("removals", "list"), "nothing to decide\n")
        other = self.register("ben", "other")
        secret.write_text("other\n")
        refused = self.w.cli("credentials", "rotate", number, "--token-file", str(secret))
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"this token is registered as credential {other}", refused.stderr)
        self.assertEqual(self.w.cli("credentials", "rotate", number, other, "--token-file", str(secret)).returncode, 64)

    def show_all_kinds(self, token, prefix, each=1):
        """Products that no IBAN tells apart: known by the product's external_id, a card by bank, masked number and user."""
        self.stamp += 10
        products, transactions = {}, {}
        for kind in KINDS:
            ids = [f"{prefix}-{kind}-{i}" for i in range(each)]
            products[kind] = [{"_id": id, f"{kind}_id": id, "entity": "testbank", "balance": 10, "currency": "EUR",
                               **({"pan": f"************{1000 + i}"} if kind == "card" else {"external_id": f"ext-{kind}-{i}"})}
                              for i, id in enumerate(ids)]
            transactions[kind] = [{"_id": f"{id}-{n}", f"{kind}_id": id, "amount": -n - 100 * i, "currency": "EUR",
                                   "operationDate": str(TODAY - n * datetime.timedelta(days=1)), "description": f"day {n}"}
                                  for i, id in enumerate(ids) for n in range(1, 31)]
        self.w.sandbox.script({"credentials_token": token, "bank": "testbank", "last_update_timestamp": self.stamp,
                               "products": products, "transactions": transactions})

    def test_new_ids_under_one_credential_double_nothing_whatever_the_product_is_known_by(self):
        self.w.write_config(sync__products=KINDS, sync__product_details=KINDS)
        counts = ("select count(*), sum(amount) from flanks.transactions_distinct", "select count(*), sum(amount) from flanks.transactions_current",
                  "select count(*), sum(balance) from flanks.assets")
        for each in (1, 8):  # eight: so many vanish at once that a list alone would not be believed
            with self.subTest(each=each):
                self.show_all_kinds(f"first-{each}", f"a{each}", each)
                number = self.register(f"ana-{each}", f"first-{each}")
                self.w.ok("sync", "--credential", number)
                before = [self.w.sql(c) for c in counts]
                self.show_all_kinds(f"rotated-{each}", f"b{each}", each)
                self.w.sql(f"select flanks.replace_credentials_token({number}, 'rotated-{each}')")
                for prefix in ("c", "d"):  # and the provider renumbers under the same token
                    self.w.cli("sync", "--credential", number)
                    self.assertEqual([self.w.sql(c) for c in counts[:2]], before[:2])
                    self.show_all_kinds(f"rotated-{each}", f"{prefix}{each}", each)
                self.w.cli("sync", "--credential", number)
                self.show_all_kinds(f"rotated-{each}", f"d{each}", each)
                self.w.ok("sync", "--credential", number)
                self.assertEqual([self.w.sql(c) for c in counts], before)
                self.assertEqual(self.w.sql("select distinct removal_reason from flanks.transactions where removed_at is not null"), "renumbered")
                self.assertEqual(self.w.sql("select count(*) from flanks.transactions where aged_out_at is not null"), "0")
                self.w.ok("verify", "--credential", number)
                self.w.ok("erase", "--user", f"ana-{each}", "--yes")

    def test_a_closed_account_and_a_history_that_moves_on_keep_their_money(self):
        self.show("first", "a", range(1, 31))
        self.register("ana", "first")
        self.w.ok("sync")
        self.show("first", "a", range(1, 21))
        self.w.ok("sync")
        self.assertEqual(self.w.sql("select count(*), count(aged_out_at) from flanks.transactions_current"), "30|10")
        self.stamp += 10
        self.w.sandbox.script({"credentials_token": "first", "bank": "testbank", "last_update_timestamp": self.stamp,
                               "products": {"account": [{"_id": "o", "account_id": "o", "iban": "ES00", "entity": "testbank"}]},
                               "transactions": {"account": [{"_id": "o-1", "account_id": "o", "amount": 5, "operationDate": str(TODAY),
                                                             "currency": "EUR", "description": "other"}]}})
        self.w.ok("sync")
        self.assertEqual(self.w.sql("select count(*), sum(amount), count(aged_out_at) from flanks.transactions_distinct"), "31|-25|30")
        self.assertEqual(self.w.sql("select count(*) from flanks.accounts where removed_at is not null"), "1")
        self.assertEqual(self.w.ok("removals", "list"), "nothing to decide\n")


if __name__ == "__main__":
    unittest.main()
