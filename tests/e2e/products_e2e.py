"""Every product of every credential: exact, current, with its balances day by day and who holds it.

Maps the provider's records by its own reading of the API contract and of the columns' comments, so that daemon and test
can disagree.
"""
import datetime
import decimal
import json
import unittest

from world import Number, WorldTest, number_of, parse

ENDPOINTS = {  # table: (its key, the provider's endpoint, the sandbox's name of it)
    "accounts": ("account_id", "account", "products/account"),
    "cards": ("card_id", "card", "products/card"),
    "investments": ("investment_id", "investment", "products/investment"),
    "liabilities": ("liability_id", "liability", "products/liability"),
    "portfolios": ("portfolio_id", "portfolio", "products/portfolio"),
    "identities": ("identity_id", "auth/", "products/auth"),
    "holders": ("holder_id", "holder", "products/holder"),
}
RENAMED = {"isOwner": "is_owner", "numOwners": "num_owners", "limit": "credit_limit", "contactInfo": "contact_info",
           "availableBalance": "available_balance", "refAccount": "ref_account", "refAccounts": "ref_accounts",
           "updated_at_timestamp": "provider_updated_at"}
BOOKS = ("first_seen_at", "updated_at", "removed_at", "real_account_id")  # columns of ours


def expected_product(key, columns, record):
    """The row that a record of the provider must become; numbers as Decimal, JSON parsed."""
    row = {c: None for c in columns}
    if key == "holder_id":
        row[key] = json.dumps([record["product_id"], record["rel"], "document", record["document"]],
                              ensure_ascii=False, separators=(",", ":"))
    else:
        row[key] = record.get(key, record.get("_id"))
    extra = {}
    for field, value in record.items():
        column = RENAMED.get(field, field)
        if field in (key, "_id") and value == row[key]:
            continue
        if column not in columns:
            extra[field] = value
        elif column == "provider_updated_at":
            row[column] = datetime.datetime.fromtimestamp(int(value.value), datetime.timezone.utc).strftime("%F %T+00")
        elif isinstance(value, Number):
            row[column] = value.text if column == "type" else number_of(value)
        else:
            row[column] = value
    row["extra"] = extra or None
    return row


def stored_product(row, types):
    out = {}
    for column, value in row.items():
        kind = types[column]
        if value is None:
            out[column] = None
        elif kind in ("numeric", "integer"):
            out[column] = decimal.Decimal(value)
        elif kind == "boolean":
            out[column] = value == "t"
        elif kind == "jsonb":
            out[column] = parse(value)
        else:
            out[column] = value
    return out


class Products(WorldTest):
    def provider_records(self, world, token, endpoint):
        answer = world.sandbox.api("POST", f"/v0/bank/credentials/{endpoint}", {"credentials_token": token})
        self.assertEqual(answer.status, 200, answer.body)
        body = parse(answer.body)
        return body if isinstance(body, list) else [body]

    def assert_products(self, world, ids):
        """Every product that the sandbox shows is in its table value by value, and nothing else is current."""
        total = 0
        for table, (key, endpoint, _) in ENDPOINTS.items():
            types = {r["column_name"]: r["data_type"] for r in world.rows(
                f"select column_name, data_type from information_schema.columns where table_schema = 'flanks' and table_name = '{table}'")}
            expected = {}
            for token, credential in ids.items():
                for record in self.provider_records(world, token, endpoint):
                    row = expected_product(key, [c for c in types if c not in (*BOOKS, "credential_id", "extra")], record)
                    expected[credential, row[key]] = {**row, "credential_id": str(credential)}
            stored = {}
            for row in world.rows(f"select * from flanks.{table} where removed_at is null"):
                row = {c: v for c, v in row.items() if c not in BOOKS}
                stored[int(row["credential_id"]), row[key]] = stored_product(row, types)
            for one in stored.values():
                one["credential_id"] = str(one["credential_id"])
            self.assertEqual(sorted(expected), sorted(stored), table)
            for name, row in expected.items():
                self.assertEqual(row, stored[name], table)
            total += len(expected)
        return total

    def serve(self, world, token, table, records):
        """From now on the provider shows these products."""
        world.sandbox.fault("error_object", token, ENDPOINTS[table][2], times=-1, body=json.dumps(records))

    def test_every_value_equals_the_providers_and_a_second_time_writes_no_row_version(self):
        world = self.world(credentials=4, transactions=60)
        ids = world.register_all()
        world.ok("backfill")
        self.assertEqual(self.assert_products(world, ids), 4 * (2 + 2 + 2 + 2 + 1 + 1 + 4))
        versions = "select " + " || ".join(f"(select coalesce(string_agg(xmin::text || ctid::text, ',' order by ctid), '') from flanks.{t})"
                                           for t in (*ENDPOINTS, "balances", "entities"))
        before = world.sql(versions)
        world.ok("sync")
        self.assertEqual(world.sql(versions), before)
        self.assertEqual(world.sql("select sum(unchanged), sum(updated + removed) from flanks.product_runs where trigger = 'manual'"),
                         f"{4 * 14}|0")
        self.assertEqual(world.sql("select distinct outcome from flanks.product_runs"), "ok")
        banks = {b["id"]: b["name"] for b in world.sandbox.api("GET", "/v0/bank/available").json()}
        self.assertEqual({r["entity_id"]: r["name"] for r in world.rows("select * from flanks.entities")}, banks)

    def test_the_daemon_asks_again_only_when_the_provider_has_refreshed(self):
        world = self.world(credentials=2, transactions=40)
        ids = world.register_all()
        world.ok("run", "--once")
        lists = lambda: {n: world.sandbox.requests()["endpoints"].get(n, 0) for *_, n in ENDPOINTS.values()}
        self.assertEqual(set(lists().values()), {2})
        world.sandbox.reset_requests()
        due = "update flanks_internal.leases set next_due_at = now()"
        world.sql(due)
        world.ok("run", "--once")
        self.assertEqual(set(lists().values()), {0}, "nothing newer")
        self.assertEqual(world.sandbox.requests()["endpoints"].get("available", 0), 0, "the banks are read once a day")
        world.sandbox.refresh()
        world.sql(due)
        world.ok("run", "--once")
        self.assertEqual(set(lists().values()), {2})
        self.assert_products(world, ids)

    def test_balances_over_refreshes_on_different_days(self):
        world = self.world(credentials=1, transactions=40)
        [(token, credential)] = world.register_all().items()
        world.ok("backfill")
        account = self.provider_records(world, token, "account")
        first = {r["_id"]: r["balance"].value for r in account}
        plain = [{k: (float(v.text) if isinstance(v, Number) else v) for k, v in r.items()} for r in account]
        days = [world.sql("select provider_updated_at::date from flanks.credentials")]
        for balance, advance in (("17.10", 86400), ("18.20", 60), ("-0.01", 86400)):
            world.sandbox.clear_faults()
            body = json.dumps([{**plain[0], "balance": "BALANCE"}, plain[1]]).replace('"BALANCE"', balance)
            world.sandbox.fault("error_object", token, "products/account", times=-1, body=body)
            world.sandbox.refresh(advance=advance)
            world.ok("sync")
            days.append(world.sql("select provider_updated_at::date from flanks.credentials"))
        self.assertEqual(len(set(days)), 3)
        stored = world.rows(f"select day, balance, currency from flanks.balances where product = 'account' and product_id = '{plain[0]['_id']}' order by day")
        self.assertEqual([(r["day"], decimal.Decimal(r["balance"]), r["currency"]) for r in stored],
                         [(days[0], first[plain[0]["_id"]], "EUR"), (days[2], decimal.Decimal("18.20"), "EUR"),
                          (days[3], decimal.Decimal("-0.01"), "EUR")])
        self.assertEqual(world.sql(f"select balance from flanks.accounts where account_id = '{plain[0]['_id']}'"), "-0.01")

    def test_a_vanished_product_is_marked_and_comes_back(self):
        world = self.world(credentials=1, transactions=40)
        [(token, _)] = world.register_all().items()
        world.ok("backfill")
        cards = [r["card_id"] for r in self.provider_records(world, token, "card")]
        state = lambda: [(r["card_id"], r["removed_at"] is not None) for r in world.rows("select * from flanks.cards order by card_id")]
        self.serve(world, token, "cards", [{"card_id": cards[0]}])
        world.sandbox.refresh()
        world.ok("sync")
        self.assertEqual(state(), sorted([(cards[0], False), (cards[1], True)]))
        self.assertEqual(world.sql("select count(*) from flanks.user_assets where product = 'card'"), "1")
        world.sandbox.clear_faults()
        world.sandbox.refresh()
        world.ok("sync")
        self.assertEqual(state(), sorted([(cards[0], False), (cards[1], False)]))

    def test_what_is_no_answer_removes_nothing_stops_no_other_list_and_shows_in_status(self):
        world = self.world(credentials=1, transactions=40)
        ids = world.register_all()
        [(token, _)] = ids.items()
        world.ok("backfill")
        for kind in ({"kind": "error_object"}, {"kind": "html"}, {"kind": "cut_json"}, {"kind": "empty"}, {"kind": "not_json"},
                     {"kind": "truncate", "after_bytes": 150}, {"kind": "status", "status": 404}):
            world.sandbox.clear_faults()
            for _, _, name in list(ENDPOINTS.values())[:3]:
                world.sandbox.fault(token=token, endpoint=name, times=-1, **kind)
            world.sandbox.refresh()
            done = world.cli("sync")
            self.assertEqual(done.returncode, 3, (kind, done.stdout, done.stderr))
            self.assertEqual(world.sql("select string_agg(product, ',' order by product) from flanks.product_coverage where outcome <> 'ok'"),
                             "account,card,investment", kind)
            status = world.cli("status")
            self.assertIn(world.sql("select last_error from flanks.sync_status where state = 'error'"), status.stdout, kind)
            self.assertTrue(world.sql("select reason from flanks.product_coverage where product = 'card'"), kind)
            self.assertEqual(world.sql("select count(*) from flanks.user_assets where product <> 'portfolio'"), "8", kind)
        world.sandbox.clear_faults()
        world.ok("sync")  # ... and then it recovers
        self.assert_products(world, ids)
        self.assertEqual(world.sql("select distinct outcome from flanks.product_coverage"), "ok")

    def test_a_list_that_the_provider_has_not_extracted_is_not_asked_for_and_is_no_failure(self):
        world = self.world(credentials=1, transactions=40)
        [(token, _)] = world.register_all().items()
        world.sandbox.control("POST", "status", {"credentials_token": token, "created": {"product": {"auth": False}},
                                                 "errored": {"product": {"holders": True}}})
        self.assertEqual(world.cli("backfill").returncode, 3)
        endpoints = world.sandbox.requests()["endpoints"]
        self.assertEqual((endpoints.get("products/auth", 0), endpoints.get("products/holder", 0)), (0, 0))
        self.assertEqual(world.rows("select product, outcome from flanks.product_coverage where outcome <> 'ok' order by 1"),
                         [{"product": "holder", "outcome": "failed"}, {"product": "identity", "outcome": "not_available"}])

    def test_bad_records_go_to_quarantine_and_the_rest_is_stored(self):
        world = self.world(credentials=1, transactions=40)
        ids = world.register_all()
        [(token, _)] = ids.items()
        world.sandbox.fault("error_object", token, "products/account", times=-1,
                            body='[{"_id":"good","balance":1.10},{"_id":"bad","balance":"NaN"},{"balance":1}]')
        done = world.cli("backfill")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("credential 1: 1 record is in quarantine\n", done.stdout)
        self.assertEqual(world.sql("select string_agg(account_id || ' ' || coalesce(balance::text, '-'), ', ' order by 1) from flanks.accounts"), "bad -, good 1.10")
        self.assertEqual(world.sql("select string_agg(reason || ' ' || stored_anyway || ' ' || convert_from(raw, 'UTF8'), '; ' order by reason) from flanks.quarantine where part = 'products'"),
                         'bad_value true {"_id":"bad","balance":"NaN"}; missing_id false {"balance":1}')
        self.assertEqual(world.sql("select outcome from flanks.product_coverage where product = 'account'"), "partial")

    def test_switched_off_asks_for_none(self):
        world = self.world(credentials=1, transactions=40, settings={"sync": {"product_details": []}})
        world.register_all()
        world.ok("backfill")
        self.assertEqual([e for e in world.sandbox.requests()["endpoints"] if e.startswith("products/")], [])

    def test_a_borrowers_assets_are_one_select(self):
        world = self.world(credentials=3, transactions=200)
        ids = world.register_all()
        world.ok("backfill")
        user, token = next((c["external_id"], c["credentials_token"]) for c in world.sandbox.credentials())
        banks = {b["id"]: b["name"] for b in world.sandbox.api("GET", "/v0/bank/available").json()}
        rows = world.rows(f"select * from flanks.user_assets where user_id = '{user}' and credential_id = {ids[token]}")
        expected = {}
        for table in ("accounts", "cards", "investments", "liabilities", "portfolios"):
            key, endpoint, _ = ENDPOINTS[table]
            for record in self.provider_records(world, token, endpoint):
                expected[record[key] if key in record else record["_id"]] = record
        self.assertEqual(sorted(r["product_id"] for r in rows), sorted(expected))
        ledger = [parse(line) for line in world.sandbox.ledger_text(token).splitlines()]
        holders = self.provider_records(world, token, "holder")
        for row in rows:
            record = expected[row["product_id"]]
            self.assertEqual(decimal.Decimal(row["balance"]), record["balance"].value)
            self.assertEqual(row["currency"], record.get("currency"))
            if "entity" in record:
                self.assertEqual(row["bank_name"], banks[record["entity"]])
            days = sorted(line["record"]["operationDate"][:10] for line in ledger
                          if line["record"].get(row["product"] + "_id") == row["product_id"])
            self.assertEqual(int(row["transactions"]), len(days), row)
            if days:
                self.assertEqual((row["first_operation_date"], row["last_operation_date"]), (days[0], days[-1]))
            people = [{k: h[k] for k in ("name", "document", "rel")} for h in holders if h["product_id"] == row["product_id"]]
            self.assertEqual(parse(row["holders"]) if row["holders"] else [], people)
            self.assertEqual([i["name"] for i in parse(row["identities"])], ["Ana Ejemplo"])
            self.assertIsNotNone(row["verified_at"])
            self.assertEqual(row["is_owner"], "t" if row["product"] == "account" else None)


if __name__ == "__main__":
    unittest.main()
