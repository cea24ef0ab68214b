"""Checks flanks-sandbox against the API contract, with another language's TLS, HTTP and JSON."""

import http.client
import json
import os
import re
import signal
import ssl
import sys
import threading
import time
import unittest
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from sandbox import Sandbox, TRANSACTIONS, Verbatim, exact, wait_until  # noqa: E402

TODAY = "2026-11-22"
STATUS = "/v0/bank/credentials/status"


def ids(records):
    return sorted(record["_id"] for record in records)


class WithSandbox(unittest.TestCase):
    options = {"credentials": 5, "transactions": 2000, "today": TODAY}

    @classmethod
    def setUpClass(cls):
        cls.box = Sandbox(**cls.options)
        cls.addClassCleanup(cls.box.stop)
        cls.tokens = [one["credentials_token"] for one in cls.box.credentials()]

    def tearDown(self):
        self.box.clear_faults()

    def held(self, token, product="account"):
        return [one["record"] for one in self.box.ledger(token) if one["product"] == product]


class Token(WithSandbox):
    keys = {"client_id": "sandbox-client", "client_secret": "sandbox-secret",
            "grant_type": "client_credentials"}

    def ask(self, **changed):
        body = {name: value for name, value in {**self.keys, **changed}.items() if value}
        return self.box.request("POST", "/v0/token", body)

    def test_right_keys_get_a_token_that_works(self):
        answer = self.ask()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["expires_in"], 3600)
        self.assertEqual(answer.json()["token_type"], "Bearer")
        self.assertNotIn("refresh_token", answer.json())
        self.assertEqual(self.box.transactions(self.tokens[0]).status, 200)

    def test_wrong_secret_403(self):
        self.assertEqual(self.ask(client_secret="wrong").status, 403)

    def test_wrong_grant_400(self):
        answer = self.ask(grant_type="password")
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["error"]["details"][0]["field"], "grant_type")

    def test_missing_key_400_names_the_field_and_a_trace(self):
        answer = self.ask(client_id="")
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["error"], {
            "code": "ValidationError",
            "details": [{"error_type": "missing", "field": "client_id"}]})
        self.assertTrue(answer.json()["trace_id"])

    def test_no_token_and_wrong_token_401(self):
        for headers in ({}, {"Authorization": "Bearer at-wrong"},
                        {"Authorization": self.box.access_token()}):
            answer = self.box.request("POST", STATUS, {"credentials_token": self.tokens[0]}, headers)
            self.assertEqual((answer.status, answer.json()), (401, {"error": "Invalid credentials"}))

    def test_expire_tokens_ends_all_of_them(self):
        self.box.access_token(fresh=True)
        self.box.control("POST", "expire-tokens", {})
        self.assertEqual(self.box.transactions(self.tokens[0]).status, 401)
        self.box.access_token(fresh=True)
        self.assertEqual(self.box.transactions(self.tokens[0]).status, 200)


class ShortToken(unittest.TestCase):
    def test_token_expires_by_itself(self):
        with Sandbox(token_lifetime=1, credentials=1, today=TODAY) as box:
            token = box.credentials()[0]["credentials_token"]
            began = time.monotonic()
            box.access_token()
            wait_until(lambda: box.transactions(token).status == 401, "the token expires", 5)
            self.assertGreater(time.monotonic() - began, 0.9)

    def test_password_grant_has_a_refresh_token(self):
        with Sandbox(grant_type="password", username="u", password="p", credentials=1) as box:
            keys = {"client_id": "sandbox-client", "client_secret": "sandbox-secret",
                    "grant_type": "password", "username": "u", "password": "p"}
            answer = box.request("POST", "/v0/token", keys)
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.json()["refresh_token"])
            wrong = box.request("POST", "/v0/token", {**keys, "password": "x"})
            self.assertEqual(wrong.status, 403)
            del keys["username"]
            self.assertEqual(box.request("POST", "/v0/token", keys).status, 400)


class Query(WithSandbox):
    def check(self, query, expected, product="account"):
        """The answer to `query` is what `expected(record)` picks from the ledger, and not empty."""
        for token in self.tokens[:2]:
            answer = self.box.transactions(token, product, query)
            self.assertEqual(answer.status, 200, answer.body)
            wanted = [one for one in self.held(token, product) if expected(one)]
            self.assertTrue(wanted, "the test proves nothing: no record matches")
            self.assertEqual(ids(answer.json()), ids(wanted))

    def test_no_query_and_empty_query_give_everything_as_the_ledger_says(self):
        for query in (None, {}):
            for product in TRANSACTIONS:
                answer = self.box.transactions(self.tokens[0], product, query)
                wanted = {one["_id"]: one for one in self.held(self.tokens[0], product)}
                self.assertEqual({one["_id"]: one for one in answer.json()}, wanted)
                self.assertEqual(len(wanted), 500)

    def test_bounds_are_inclusive(self):
        days = sorted(one["operationDate"][:10] for one in self.held(self.tokens[0]))
        low, high = days[100], days[150]
        self.check({"operationDate": [{"gte": low, "lte": high}]},
                   lambda one: low <= one["operationDate"][:10] <= high)
        self.check({"operationDate": [{"gte": low, "lte": low}]},
                   lambda one: one["operationDate"][:10] == low)

    def test_every_day_is_in_exactly_one_of_two_windows(self):
        for split in ("2024-11-22", "2025-02-28", "2026-01-01", "2026-11-21"):
            self.check({"operationDate": [{"lte": split}]},
                       lambda one, split=split: one["operationDate"][:10] <= split)

    def test_list_is_or_and_fields_are_and(self):
        self.check({"operationDate": [{"lte": "2025-01-31"}, {"gte": "2026-10-01"}],
                    "currency": ["EUR"]},
                   lambda one: one["currency"] == "EUR"
                   and not "2025-01-31" < one["operationDate"][:10] < "2026-10-01")
        self.check({"category": ["^Salary$", "Tax"], "amount": [{"lte": 0}]},
                   lambda one: one.get("category") in ("Salary", "Taxes")
                   and Decimal(one["amount"]) <= 0)

    def test_regex_anchored_and_not(self):
        self.check({"description": ["^TRANSFERENCIA.*"]},
                   lambda one: one["description"].startswith("TRANSFERENCIA"))
        self.check({"description": ["^C"]}, lambda one: one["description"].startswith("C"))
        self.check({"description": ["7$"]}, lambda one: one["description"].endswith("7"))
        self.check({"description": ["R[EÉ]CIBO .*[0-9]{6}$", "BIZUM"]},
                   lambda one: re.search("RECIBO [^\\r\\n]*[0-9]{6}$|BIZUM", one["description"]))

    def test_amounts_compare_exactly(self):
        self.check({"amount": [{"gte": 0.1, "lte": 100}]},
                   lambda one: Decimal("0.1") <= Decimal(one["amount"]) <= 100)
        self.check({"amount": [{"gte": 1e15}, {"lte": -2000.5}]},
                   lambda one: Decimal(one["amount"]) >= 10**15
                   or Decimal(one["amount"]) <= Decimal("-2000.5"))
        # Leading zeros are not digits: 0.1 is below 1.
        self.check({"amount": [{"gte": 1, "lte": 30}]},
                   lambda one: 1 <= Decimal(one["amount"]) <= 30)
        self.check({"amount": [{"gte": 100, "lte": 100}]},
                   lambda one: Decimal(one["amount"]) == 100)

    def test_null_and_missing_match_nothing(self):
        self.check({"shop": [".*"]}, lambda one: one.get("shop") is not None, "card")
        self.check({"valueDate": [{"gte": "2000-01-01"}]}, lambda one: one.get("valueDate"))

    def test_what_the_contract_does_not_name_is_refused(self):
        for query, field in (
                ({"colour": ["red"]}, "query.colour"),
                ({"operationDate": {"gte": "2026-01-01"}}, "query.operationDate"),
                ({"operationDate": [{"gte": "2026-02-30"}]}, "query.operationDate.0.gte"),
                ({"operationDate": [{"gt": "2026-01-01"}]}, "query.operationDate.0.gt"),
                ({"operationDate": ["2026-01-01"]}, "query.operationDate.0"),
                ({"amount": [{"gte": "12"}]}, "query.amount.0.gte"),
                ({"description": [7]}, "query.description.0"),
                ({"description": ["("]}, "query.description.0"),
                ([], "query")):
            answer = self.box.transactions(self.tokens[0], "account", query)
            self.assertEqual(answer.status, 400, query)
            self.assertEqual(answer.json()["error"]["code"], "ValidationError")
            self.assertEqual(answer.json()["error"]["details"][0]["field"], field)
            self.assertTrue(answer.json()["trace_id"])


class Credentials(WithSandbox):
    def test_missing_400_unknown_404(self):
        self.assertEqual(self.box.api("POST", STATUS, {}).status, 400)
        self.assertEqual(self.box.api("POST", STATUS, {"credentials_token": 7}).status, 400)
        for token in ("ct-none", self.tokens[0] + "0", self.tokens[0][:-1]):
            self.assertEqual(self.box.transactions(token).status, 404)

    def test_pending_and_not_created_are_objects_not_arrays(self):
        token = self.tokens[1]
        for fields in ({"pending": True}, {"pending": False,
                                           "created": {"transactions": {"account": False}}}):
            self.box.control("POST", "status", {"credentials_token": token, **fields})
            answer = self.box.transactions(token)
            self.assertEqual((answer.status, list(answer.json())), (200, ["message"]))
        status = self.box.api("POST", STATUS, {"credentials_token": token}).json()
        self.assertFalse(status["created"]["transactions"]["account"])
        self.assertTrue(status["created"]["transactions"]["card"])
        self.assertEqual(self.box.transactions(token, "card").status, 200)

    def test_errored_is_500_unless_ignored(self):
        token = self.tokens[2]
        self.box.control("POST", "status", {"credentials_token": token,
                                            "errored": {"transactions": {"card": True}}})
        self.assertEqual(self.box.transactions(token, "card").status, 500)
        ignored = self.box.transactions(token, "card", ignore_data_error=True)
        self.assertEqual((ignored.status, len(ignored.json())), (200, 500))
        self.assertEqual(self.box.transactions(token, "account").status, 200)

    def test_status_names_every_flag_of_the_contract(self):
        status = self.box.api("POST", STATUS, {"credentials_token": self.tokens[0]}).json()
        self.assertEqual(status["last_update_timestamp"], 1795234320)
        self.assertEqual((status["last_update"], status["time"]), ("2026-11-21", "04:12"))
        for group in ("errored", "created"):
            self.assertEqual(set(status[group]["product"]), {
                "auth", "account", "card", "portfolio", "investment", "liability", "holders"})
            self.assertEqual(set(status[group]["transactions"]), {
                "account", "card", "investment", "liability"})

    def test_force_gives_that_token(self):
        body = {"credentials_token": self.tokens[0], "force": "sca"}
        self.assertTrue(self.box.api("PUT", STATUS, body).json()["sca_token"])
        self.assertEqual(self.box.api("PUT", STATUS, {**body, "force": "x"}).status, 400)

    def test_products_answer_arrays_and_identity_an_object(self):
        base = "/v0/bank/credentials/"
        body = {"credentials_token": self.tokens[0]}
        for name in ("account", "card", "investment", "liability", "portfolio", "holder"):
            self.assertIsInstance(self.box.api("POST", base + name, body).json(), list)
        self.assertIn("_id", self.box.api("POST", base + "auth/", body).json())
        accounts = {one["_id"] for one in self.box.api("POST", base + "account", body).json()}
        self.assertEqual({one["account_id"] for one in self.held(self.tokens[0])}, accounts)

    def test_wrong_method_path_and_content_type(self):
        self.assertEqual(self.box.api("GET", STATUS).status, 405)
        self.assertEqual(self.box.api("POST", "/v0/nothing", {}).status, 404)
        headers = {"Authorization": "Bearer " + self.box.access_token(),
                   "Content-Type": "text/plain"}
        self.assertEqual(self.box.request("POST", STATUS, b"{}", headers).status, 400)


class Arrivals(unittest.TestCase):
    def test_lists_are_paged_and_complete(self):
        with Sandbox(credentials=250, transactions=8, today=TODAY) as box:
            wanted = sorted(one["credentials_token"] for one in box.credentials())
            path = "/v0/bank/credentials/list"
            pages = [box.api("POST", path, {"page": n}).json() for n in (1, 2, 3)]
            self.assertEqual([page["pages"] for page in pages], [3, 3, 3])
            listed = [item["credentials_token"] for page in pages for item in page["items"]]
            self.assertEqual(sorted(listed), wanted)
            sessions, token = [], None
            while True:
                page = box.api("POST", "/connect/v2/sessions/list-sessions", {
                    "query": {"status_in": ["Finished:OK"]}, "page_token": token}).json()
                sessions += [item["connection_id"] for item in page["items"]]
                token = page["next_page_token"]
                if token is None:
                    break
            self.assertEqual(sorted(sessions), wanted)
            gone = box.api("DELETE", "/v0/bank/credentials", {"credentials_token": wanted[0]})
            self.assertEqual(gone.status, 200)
            self.assertEqual(box.transactions(wanted[0]).status, 404)
            self.assertEqual(len(box.api("POST", path, {"page": 3}).json()["items"]), 49)

    def test_link_code_is_exchanged_once(self):
        with Sandbox(credentials=1, transactions=40) as box:
            code = box.control("POST", "links", {"external_id": "user-9"})["code"]
            codes = [one["code"] for one in box.api("GET", "/v0/platform/link").json()]
            self.assertIn(code, codes)
            made = box.api("POST", "/v0/platform/link", {"code": code})
            self.assertEqual(made.json()["extra"]["external_id"], "user-9")
            token = made.json()["credentials_token"]
            self.assertEqual(len(box.transactions(token).json()), 10)
            self.assertEqual(box.api("POST", "/v0/platform/link", {"code": code}).status, 404)

    def test_aggregation_pages_hold_every_transaction_once(self):
        with Sandbox(credentials=2, transactions=3000) as box:
            first = box.credentials()[0]["credentials_token"]
            found, token = [], None
            while True:
                page = box.api("POST", "/aggregation/v2/list-transactions", {
                    "query": {"connection_id_in": [first]}, "page_token": token}).json()
                found += [item["transaction_id"] for item in page["items"]]
                token = page["next_page_token"]
                if token is None:
                    break
            self.assertEqual(sorted(found), ids(one["record"] for one in box.ledger(first)))

    def test_aggregation_in_every_way_that_a_deployment_may_speak_it(self):
        with Sandbox(credentials=1, transactions=3000, no_oddities=True) as box:
            first = box.credentials()[0]["credentials_token"]
            days = sorted(one["record"]["operationDate"] for one in box.ledger(first))
            middle = days[len(days) // 2]

            def ask(call="transactions", **query):
                return box.api("POST", "/aggregation/v2/list-" + call, {"query": {"connection_id_in": [first], **query}})

            def dates(**query):
                return sorted(item["date"] for item in ask(**query).json()["items"])

            def complaints(**query):
                answer = ask(**query)
                self.assertEqual(answer.status, 400)
                return [(d["error_type"], d["field"]) for d in answer.json()["error"]["details"]]

            self.assertEqual(dates(date_from=days[-900]), [d for d in days if d >= days[-900]])
            self.assertEqual(dates(date_to=days[900]), [d for d in days if d <= days[900]])
            self.assertEqual(dates(date_from=middle, date_to=middle), [middle] * days.count(middle))
            self.assertEqual(dates(product_id_in=[]), [], "an empty list shows nothing")
            self.assertEqual(complaints(date_from="yesterday"), [("value_error.date", "query.date_from")])
            self.assertEqual(box.requests()["days"][:3], [f"{days[-900]}..", f"..{days[900]}", f"{middle}..{middle}"])
            box.speak(dates="refuse", last_page="absent", type_key="product_type", type="Account")
            self.assertEqual(complaints(date_from=middle, date_to=middle),
                             [("value_error.extra", "query.date_from"), ("value_error.extra", "query.date_to")])
            products = ask("products").json()
            self.assertEqual({p["product_type"] for p in products["items"]}, {"Account", "Card", "Investment", "Liability"})
            self.assertNotIn("next_page_token", products)
            self.assertIn("next_page_token", ask().json(), "of a page that is not the last one")
            box.speak(dates="ignore")
            self.assertEqual(len(dates(date_from=middle, date_to=middle)), 1000)
            self.assertEqual(ask("products").json()["items"][0]["type"], "account")
            answer = box.request("POST", "/_sandbox/aggregation", {"dates": "perhaps"})
            self.assertEqual((answer.status, answer.json()["error"]), (400, "dates cannot be perhaps"))

    def test_joint_account_shows_the_same_ids_twice(self):
        with Sandbox(credentials=4, transactions=40, joint=True) as box:
            tokens = [one["credentials_token"] for one in box.credentials()]
            account = [ids(box.transactions(token).json()) for token in tokens]
            self.assertEqual(account[0], account[1])
            self.assertNotEqual(account[0], account[2])
            box.refresh(tokens[1], correct=1, product="account")
            self.assertEqual(box.transactions(tokens[0]).body, box.transactions(tokens[1]).body)

    def test_one_of_two_who_share_an_account_may_not_show_all_of_it(self):
        with Sandbox(credentials=2, transactions=40, joint=True) as box:
            tokens = [one["credentials_token"] for one in box.credentials()]
            both = ids(box.transactions(tokens[0]).json())
            hidden = both[3:5]
            box.withhold(tokens[1], hidden)
            rest = [one for one in both if one not in hidden]
            self.assertEqual(ids(box.transactions(tokens[1]).json()), rest)
            self.assertEqual(ids(box.transactions(tokens[0]).json()), both)
            answer = box.request("POST", "/_sandbox/withhold", {"credentials_token": tokens[1], "product": "account", "ids": ["x"]})
            self.assertEqual(answer.status, 400)
            self.assertEqual(ids(box.transactions(tokens[1]).json()), rest)
            box.withhold(tokens[1], [])
            self.assertEqual(ids(box.transactions(tokens[1]).json()), both)


class Refresh(WithSandbox):
    def view(self, token):
        lines = self.box.ledger(token)
        found = {one["_id"]: one["record"] for one in lines}
        self.assertEqual(len(found), len(lines), "an _id is held twice")
        return found

    def updated(self, token):
        body = {"credentials_token": token}
        return self.box.api("POST", STATUS, body).json()["last_update_timestamp"]

    def test_refresh_does_what_it_says_and_nothing_else(self):
        token, before_time = self.tokens[0], self.updated(self.tokens[0])
        before = self.view(token)
        done = self.box.refresh(token, add=3, correct=2, back_date=2, remove=2, move_date=2,
                                renumber=2)
        after = self.view(token)
        named = {kind: {one["_id"] for one in events} for kind, events in done.items()}
        self.assertEqual(after.keys() - before.keys(),
                         named["added"] | named["back_dated"] | named["renumbered"])
        self.assertEqual(before.keys() - after.keys(), named["removed"]
                         | {one["previous_id"] for one in done["renumbered"]})
        changed = {key for key in before.keys() & after.keys() if before[key] != after[key]}
        self.assertEqual(changed, named["corrected"] | named["moved"])
        for kind, count in (("added", 3), ("corrected", 2), ("back_dated", 2), ("removed", 2),
                            ("moved", 2), ("renumbered", 2)):
            self.assertEqual(len(named[kind]), count, kind)
        for key in named["corrected"]:
            self.assertEqual(after[key]["operationDate"], before[key]["operationDate"])
        for key in named["moved"]:
            self.assertNotEqual(after[key]["operationDate"], before[key]["operationDate"])
        for key in named["added"]:
            self.assertEqual(after[key]["operationDate"][:10], TODAY)
        for key in named["back_dated"]:
            self.assertLess(after[key]["operationDate"][:10], "2026-10-15")
        self.assertGreater(self.updated(token), before_time)

    def test_an_empty_refresh_changes_the_time_alone(self):
        token = self.tokens[1]
        text, time_before = self.box.ledger_text(token), self.updated(token)
        self.box.refresh(token)
        self.assertEqual(self.box.ledger_text(token), text)
        self.assertGreater(self.updated(token), time_before)

    def test_what_is_lost_can_come_back(self):
        token = self.tokens[2]
        before = self.view(token)
        lost = self.box.refresh(token, lose_fraction=0.6)["lost"]
        self.assertEqual(len(lost), 1200)
        self.assertEqual(len(self.view(token)), 800)
        self.box.refresh(token, reappear=1200)
        self.assertEqual(self.view(token), before)

    def test_moved_records_are_found_by_their_new_date(self):
        token = self.tokens[3]
        moved = self.box.refresh(token, move_date=20, product="account")["moved"]
        after = self.view(token)
        for one in moved:
            date = after[one["_id"]]["operationDate"][:10]
            found = self.box.transactions(token, query={
                "operationDate": [{"gte": date, "lte": date}]}).json()
            self.assertIn(one["_id"], ids(found))

    def test_unknown_orders_are_refused(self):
        answer = self.box.request("POST", "/_sandbox/refresh", {"ad": 3})
        self.assertEqual(answer.status, 400)
        self.assertIn("ad", answer.json()["error"])


class Scripts(WithSandbox):
    base = "/v0/bank/credentials/"
    # What a reader of numbers would write otherwise, and what a careless cutter would cut at.
    odd = ('{"operationDate" :"2026-11-05T08:00:00", "_id": "}],\\"{[:\\\\", "amount":-0.10, "balance": 1.00E+2,'
           ' \n "zzz": 123456789012345678901234567890.10, "aaa": [[], {}, {"k": ["]"]}], "descri": "a\\u00f1 ñ"}')

    def script(self, token, *dates, **more):
        """Shows one operation of an account on each date, o0, o1, ..."""
        records = [{"_id": f"o{n}", "operationDate": date} for n, date in enumerate(dates)]
        self.box.script({"credentials_token": token, "transactions": {"account": records}, **more})

    def shown(self, token, query=None, product="account"):
        answer = self.box.transactions(token, product, query)
        self.assertEqual(answer.status, 200, answer.body)
        return [one["_id"] for one in answer.json()]

    def status(self, token):
        answer = self.box.api("POST", STATUS, {"credentials_token": token})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def listed(self):
        items, page = [], {"page": 0, "pages": 1}
        while page["page"] < page["pages"]:
            page = self.box.api("POST", self.base + "list", {"page": int(page["page"]) + 1}).json()
            items += page["items"]
        found = {item["credentials_token"]: item for item in items}
        self.assertEqual(len(found), len(items), "a token is listed twice")
        return found

    def test_records_and_products_are_served_verbatim(self):
        parts = {name: [Verbatim(self.odd), Verbatim('{"_id":"%s","amount":1.50}' % name)] for name in TRANSACTIONS}
        empty = Verbatim("{}")
        self.box.script({"credentials_token": "verbatim", "external_id": "user-1", "bank": "testbank",
                         "transactions": parts, "products": {name: [*texts, empty] for name, texts in parts.items()}})
        body = {"credentials_token": "verbatim"}
        for name, texts in parts.items():
            self.assertEqual(self.box.transactions("verbatim", name).body.decode(), "[" + ",\n".join(texts) + "]")
            self.assertEqual(self.box.api("POST", self.base + name, body).body.decode(),
                             "[" + ",\n".join([*texts, empty]) + "]")
        for name, answer in (("portfolio", b"[]"), ("holder", b"[]"), ("auth/", b"{}")):
            self.assertEqual(self.box.api("POST", self.base + name, body).body, answer)
        lines = self.box.ledger("verbatim")
        self.assertEqual([(one["product"], one["record"]) for one in lines],
                         [(name, exact(text)) for name in TRANSACTIONS for text in parts[name]])
        self.assertEqual(lines[0]["_id"], exact(self.odd)["_id"])

    def test_decimals_keep_their_digits_on_the_way_from_python(self):
        record = {"z": Decimal("-1500.10"), "a": [Decimal("1.0E-9"), None, True, "ñ"], "_id": "d"}
        self.box.script({"credentials_token": "digits", "transactions": {"card": [record]}})
        self.assertEqual(self.box.transactions("digits", "card").body.decode(),
                         '[{"z": -1500.10, "a": [1.0E-9, null, true, "ñ"], "_id": "d"}]')

    def test_windows_and_other_filters(self):
        self.script("window", "2026-11-10", "2026-11-12T23:59:59", "2026-11-11", "2026-11-13", None, "soon")
        for window, wanted in (({"gte": "2026-11-11", "lte": "2026-11-12"}, ["o1", "o2"]),
                               ({"lte": "2026-11-10"}, ["o0"]), ({"gte": "2026-11-13"}, ["o3"]),
                               ({"gte": "2026-11-14"}, [])):
            self.assertEqual(self.shown("window", {"operationDate": [window]}), wanted)
        for query in (None, {}):
            self.assertEqual(self.shown("window", query), ["o0", "o1", "o2", "o3", "o4", "o5"])
        self.box.script({"credentials_token": "filters", "transactions": {"card": [
            {"_id": "a", "amount": Decimal("0.10"), "description": "CAFÉ", "card_id": "c1", "valueDate": None},
            {"_id": "b", "amount": "-5.00", "description": None, "card_id": "c2", "valueDate": "2026-11-01"},
            {"_id": "c", "amount": None}]}})
        for query, wanted in (({"amount": [{"gte": 0.1}]}, ["a"]), ({"amount": [{"lte": 0}]}, ["b"]),
                              ({"description": ["^CAFÉ$"]}, ["a"]), ({"card_id": ["c"], "_id": ["b"]}, ["b"]),
                              ({"valueDate": [{"lte": "2026-11-01"}]}, ["b"])):
            self.assertEqual(self.shown("filters", query, "card"), wanted, query)
        self.assertEqual(self.box.transactions("filters", "card", {"colour": ["red"]}).status, 400)

    def test_a_script_replaces_all_that_was_shown(self):
        for token in ("replaced", self.tokens[4]):
            self.box.script({"credentials_token": token, "products": {"card": [{"card_id": "c"}]},
                             "transactions": {"account": [{"_id": "old"}], "card": [{"_id": "old"}]}})
            self.box.control("POST", "status", {"credentials_token": token, "blocked": True})
            self.assertEqual(self.status(token)["blocked"], True)
            self.box.script({"credentials_token": token, "transactions": {"account": [{"_id": "new"}]}})
            self.assertEqual([self.shown(token, None, name) for name in TRANSACTIONS], [["new"], [], [], []])
            for name in TRANSACTIONS:
                self.assertEqual(self.box.api("POST", self.base + name, {"credentials_token": token}).body, b"[]")
            self.assertEqual(self.status(token)["blocked"], False)

    def test_what_is_remembered_or_never_generated_is_no_obstacle(self):
        with Sandbox(credentials=1, products="account", remember=8, today=TODAY) as box:
            token = box.credentials()[0]["credentials_token"]
            self.assertEqual(len(box.transactions(token).json()), 1000)
            for n in range(2):
                box.script({"credentials_token": token, "transactions": {name: [{"_id": f"{n}"}] for name in TRANSACTIONS}})
                for name in TRANSACTIONS:
                    self.assertEqual(ids(box.transactions(token, name).json()), [f"{n}"])
                self.assertEqual([one["product"] for one in box.ledger(token)], list(TRANSACTIONS))

    def test_unknown_is_404_until_scripted_again(self):
        for token in ("forgotten", self.tokens[3]):
            self.script(token, "2026-11-10")
            before, order = self.status(token)["last_update_timestamp"], list(self.listed())
            for _ in range(2):
                self.script(token, unknown=True)
                body = {"credentials_token": token}
                answers = [self.box.transactions(token, name) for name in TRANSACTIONS]
                answers += [self.box.api("POST", self.base + name, body)
                            for name in (*TRANSACTIONS, "status", "portfolio", "holder", "auth/")]
                self.assertEqual({(answer.status, answer.body) for answer in answers},
                                 {(404, b'{"error": "Not found"}')})
                self.assertNotIn(token, self.listed())
            self.script(token, "2026-11-11", "2026-11-12")
            self.assertEqual(self.shown(token), ["o0", "o1"])
            self.assertEqual(list(self.listed()), order)
            self.assertGreater(self.status(token)["last_update_timestamp"], before)
        self.script("never-known", unknown=True)
        self.assertEqual(self.box.transactions("never-known").status, 404)
        self.assertEqual(self.box.api("DELETE", "/v0/bank/credentials", {"credentials_token": "forgotten"}).status, 200)
        self.assertEqual(self.box.transactions("forgotten").status, 404)
        self.script("forgotten", "2026-11-11")
        self.assertEqual(self.shown("forgotten"), ["o0"])

    def test_a_thousand_in_one_call_are_listed(self):
        with Sandbox(credentials=3, today=TODAY) as box:
            scripts = [{"credentials_token": f"t{n}", "external_id": None if n % 2 else f"user-{n}", "bank": "otherbank",
                        "transactions": {"account": [{"_id": f"{n}-{k}"} for k in range(20)]}} for n in range(1000)]
            box.script(scripts)
            pages = [box.api("POST", self.base + "list", {"page": n}).json() for n in range(1, 12)]
            items = [item for page in pages for item in page["items"]][3:]
            self.assertEqual(pages[0]["pages"], 11)
            self.assertEqual(items, [{"credentials_token": one["credentials_token"], "external_id": one["external_id"],
                                      "bank": "otherbank", "status": "ok"} for one in scripts])
            self.assertEqual([one["external_id"] for one in box.credentials()][3:], [one["external_id"] for one in scripts])
            for unknown, count in ((True, 10), (False, 11)):
                box.script([{**one, "unknown": unknown} for one in scripts[:10]])
                self.assertEqual(box.api("POST", self.base + "list", {"page": 1}).json()["pages"], count)
            for n in (0, 999):
                self.assertEqual(ids(box.transactions(f"t{n}").json()), sorted(f"{n}-{k}" for k in range(20)))

    def test_the_status_is_healthy_and_its_time_grows(self):
        began = int(time.time())
        self.script("times", "2026-11-10")
        status = self.status("times")
        self.assertEqual({status["pending"], status["blocked"], status["sca_token"], status["reset_token"]}, {False, None})
        for group, value in (("created", True), ("errored", False)):
            self.assertEqual({flag for part in status[group].values() for flag in part.values()}, {value})
        times = [status["last_update_timestamp"]]
        self.assertLessEqual(began, times[0])
        self.assertLessEqual(times[0], int(time.time()))
        for _ in range(3):
            self.script("times", "2026-11-10")
            times.append(self.status("times")["last_update_timestamp"])
        self.assertEqual(times, sorted(set(times)))
        self.script("times", "2026-11-10", last_update_timestamp=1764288000)
        self.assertEqual(self.status("times")["last_update_timestamp"], 1764288000)
        self.script("times", "2026-11-10")
        self.assertGreater(self.status("times")["last_update_timestamp"], 1764288000)

    def test_overrides_faults_and_refreshes(self):
        self.script("bent", "2026-11-10", "2026-11-11")
        self.box.fault("status", "bent", "account", status=503)
        self.assertEqual([self.box.transactions("bent").status for _ in range(2)], [503, 200])
        self.box.fault("bad_record", "bent", "account", records=["7", "8"], after_records=1)
        self.assertEqual([str(one if one in (7, 8) else one["_id"]) for one in self.box.transactions("bent").json()],
                         ["o0", "7", "8", "o1"])
        for changed in (False, True):
            self.box.fault("duplicate", "bent", "account", changed=changed)
            records = self.box.transactions("bent").json()
            self.assertEqual([one["_id"] for one in records], ["o0", "o0", "o1"])
            self.assertEqual(records[0] != records[1], changed)
        self.box.fault("big", "bent", "account", records=3)
        self.assertEqual(len(self.box.transactions("bent").json()), 5)
        self.box.fault("cut_json", "bent", "account")
        self.assertNotIn(b"]", self.box.transactions("bent").body)
        before = self.status("bent")["last_update_timestamp"]
        self.assertFalse(any(self.box.refresh("bent", add=4, correct=1).values()))
        self.assertEqual(self.status("bent")["last_update_timestamp"], before + 3600)
        self.assertEqual(self.shown("bent"), ["o0", "o1"])
        self.box.control("POST", "status", {"credentials_token": "bent", "pending": True})
        self.assertEqual(list(self.box.transactions("bent").json()), ["message"])

    def test_the_newer_calls_show_nothing_of_it(self):
        self.script("newer", "2026-11-10")
        for call in ("list-transactions", "list-products"):
            answer = self.box.api("POST", "/aggregation/v2/" + call, {"query": {"connection_id_in": ["newer"]}})
            self.assertEqual(answer.json(), {"items": [], "next_page_token": None})

    def test_wrong_scripts_are_refused_and_change_nothing(self):
        good = {"credentials_token": "refused"}
        for wrong, word in (({**good, "product": {}}, "product"), ({}, "credentials_token"),
                            ({"credentials_token": 7}, "credentials_token"), ({**good, "bank": "a b"}, "bank"),
                            ({**good, "products": {"loan": []}}, "loan"), ({**good, "unknown": 1}, "unknown"),
                            ({**good, "transactions": {"card": {}}}, "card"), ({**good, "external_id": 1}, "external_id"),
                            ({**good, "transactions": {"card": ["x"]}}, "object"), ({**good, "transactions": []}, "object"),
                            ({**good, "last_update_timestamp": 1.5}, "last_update_timestamp"),
                            ({"scripts": {}}, "scripts"), ({"scripts": [good, 7]}, "object")):
            for order in ([wrong] if "scripts" in wrong else [wrong, {"scripts": [good, wrong]}]):
                answer = self.box.request("POST", "/_sandbox/script", order)
                self.assertEqual(answer.status, 400, order)
                self.assertIn(word, answer.json()["error"])
        self.assertEqual(self.box.request("POST", "/_sandbox/script", b'{"credentials_token": "refused",}').status, 400)
        self.assertEqual(self.box.transactions("refused").status, 404)


class Faults(WithSandbox):
    def broken(self, kind, **parameters):
        self.box.fault(kind, self.tokens[0], "account", **parameters)
        return self.box.transactions(self.tokens[0], timeout=parameters.pop("timeout", 60))

    def test_a_fault_hits_its_credential_and_endpoint_so_many_times(self):
        self.box.fault("status", self.tokens[0], "account", status=503, retry_after=7, times=2)
        self.assertEqual(self.box.transactions(self.tokens[1]).status, 200)
        self.assertEqual(self.box.transactions(self.tokens[0], "card").status, 200)
        answers = [self.box.transactions(self.tokens[0]) for _ in range(3)]
        self.assertEqual([answer.status for answer in answers], [503, 503, 200])
        self.assertEqual(answers[0].headers["Retry-After"], "7")
        self.box.fault("status", self.tokens[0], status=401, skip=1)
        statuses = [self.box.transactions(self.tokens[0]).status for _ in range(3)]
        self.assertEqual(statuses, [200, 401, 200])

    def test_whole_answers_that_are_not_data(self):
        self.assertIn(b"<html>", self.broken("html").body)
        self.assertEqual(list(self.broken("error_object").json()), ["message"])
        self.assertEqual(self.broken("empty").body, b"")
        moved = self.broken("status", status=301)
        self.assertEqual((moved.status, bool(moved.headers["Location"])), (301, True))
        for kind in ("not_json", "cut_json", "invalid_utf8"):
            answer = self.broken(kind)
            self.assertEqual(answer.status, 200)
            with self.assertRaises(ValueError, msg=kind):
                answer.json()

    def test_cut_answers(self):
        for parameters in ({"after_bytes": 1000}, {"after_bytes": 1000, "chunked": True},
                           {"after_bytes": 0}):
            with self.assertRaises(http.client.IncompleteRead, msg=parameters):
                self.broken("truncate", **parameters)
        with self.assertRaises(http.client.IncompleteRead):
            self.broken("wrong_length")

    def test_reset_is_a_reset(self):
        # Without TLS, because Python's TLS calls a reset an end of file.
        with Sandbox(certificate=None, credentials=1, today=TODAY) as box:
            for after in (0, 1000):
                box.fault("reset", endpoint="account", after_bytes=after)
                with self.assertRaises(ConnectionResetError):
                    box.transactions(box.credentials()[0]["credentials_token"])

    def test_silence(self):
        for kind in ("stall_first_byte", "stall_body"):
            self.box.fault(kind, self.tokens[0], "account")
            with self.assertRaises(TimeoutError, msg=kind):
                self.box.transactions(self.tokens[0], timeout=3)
            self.box.clear_faults()
        self.box.fault("drip", self.tokens[0], "account", bytes_per_second=100)
        connection = self.box.connection(timeout=5)
        self.addCleanup(connection.close)
        connection.request("POST", TRANSACTIONS["account"],
                           json.dumps({"credentials_token": self.tokens[0]}),
                           {"Content-Type": "application/json",
                            "Authorization": "Bearer " + self.box.access_token()})
        began = time.monotonic()
        self.assertTrue(connection.sock.recv(30))
        self.assertLess(time.monotonic() - began, 4)

    def test_records_are_added(self):
        record = '{"_id": 7, "amount": NaN, "operationDate": "2026-02-30", "_id": 8}'
        self.assertTrue(self.broken("bad_record", record=record).body.endswith(
            record.encode() + b"]"))
        good = '{"_id":"x","amount":1.50,"operationDate":"2026-01-01"}'
        records = self.broken("bad_record", records=[good, good], after_records=2).json()
        self.assertEqual([one["_id"] == "x" for one in records[:5]],
                         [False, False, True, True, False])
        self.assertEqual(len(records), 502)
        same = self.broken("duplicate").json()
        self.assertEqual((len(same), same[0]), (501, same[1]))
        other = self.broken("duplicate", changed=True).json()
        self.assertEqual(other[0]["_id"], other[1]["_id"])
        self.assertNotEqual(other[0], other[1])

    def test_a_200_mb_answer_needs_no_memory(self):
        answer = self.broken("big", records=600000)
        self.assertGreater(len(answer.body), 200_000_000)
        self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
        with open(f"/proc/{self.box.process.pid}/status", encoding="ascii") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])
        self.assertLess(peak, 200_000)
        self.assertEqual(answer.body.count(b'"_id"'), 600500)

    def test_trailers_and_latency(self):
        connection = self.box.connection()
        self.addCleanup(connection.close)
        began = time.monotonic()
        self.box.fault("many_trailing_headers", self.tokens[0], "account", count=50)
        self.box.fault("latency", self.tokens[0], "card", ms=300)
        self.assertEqual(len(self.box.transactions(self.tokens[0]).json()), 500)
        self.box.transactions(self.tokens[0], "card")
        self.assertGreater(time.monotonic() - began, 0.3)

    def test_unknown_faults_are_refused(self):
        for order in ({"kind": "explode"}, {"kind": "status", "after_byte": 3}):
            self.assertEqual(self.box.request("POST", "/_sandbox/faults", order).status, 400)

    def test_token_faults(self):
        self.box.fault("status", endpoint="token", status=500)
        with self.assertRaises(AssertionError):
            self.box.access_token(fresh=True)
        self.box.access_token(fresh=True)


class Counters(WithSandbox):
    def test_requests_are_counted(self):
        self.box.access_token()
        self.box.reset_requests()
        self.box.fault("latency", endpoint="account", ms=3000, times=-1)
        threads = [threading.Thread(target=self.box.transactions, args=(token,))
                   for token in self.tokens[:1] * 3 + self.tokens[1:2]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counted = self.box.requests()
        self.assertEqual(counted["endpoints"], {"account": 4})
        first, second = (counted["credentials"][token] for token in self.tokens[:2])
        self.assertEqual(first, {"account": 3, "max_concurrent": 3})
        self.assertEqual(second, {"account": 1, "max_concurrent": 1})
        self.assertEqual((counted["max_concurrent"], counted["token_calls"]), (4, 0))
        self.assertGreaterEqual(counted["connections_accepted"], 4)

    def test_one_connection_serves_many_requests(self):
        self.box.access_token()
        connection = self.box.connection()
        self.addCleanup(connection.close)
        self.box.reset_requests()
        for _ in range(5):
            connection.request("POST", STATUS, json.dumps({"credentials_token": self.tokens[0]}),
                               {"Content-Type": "application/json",
                                "Authorization": "Bearer " + self.box.access_token()})
            self.assertEqual(connection.getresponse().read()[:1], b"{")
        self.assertLessEqual(self.box.requests()["connections_accepted"], 2)

    def test_the_log_tells_when_a_request_came_and_how_it_was_answered(self):
        self.box.access_token()
        before = time.time()
        self.box.fault("latency", endpoint="account", ms=1000)
        self.box.transactions(self.tokens[0])
        after = time.time()
        wait_until(lambda: self.box.arrivals(before), "it is in the log")
        [(at, status)] = self.box.arrivals(before)
        self.assertEqual(status, 200)
        self.assertLess(at, after - 0.9, "when it came, not when it was answered")

    def test_the_log_holds_no_secret(self):
        self.box.transactions(self.tokens[0])
        with open(self.box.request_log, encoding="utf-8") as log:
            text = log.read()
        self.assertIn("/v0/bank/credentials/data", text)
        for secret in (self.tokens[0], self.box.access_token(), "sandbox-secret"):
            self.assertNotIn(secret, text)


class Data(unittest.TestCase):
    def text_of(self, **options):
        with Sandbox(certificate=None, credentials=2, transactions=4000, today=TODAY,
                     **options) as box:
            return box.ledger_text()

    def test_the_seed_decides(self):
        self.assertEqual(self.text_of(seed=3), self.text_of(seed=3))
        self.assertNotEqual(self.text_of(seed=3), self.text_of(seed=4))

    def test_every_shape_of_amount_and_text_is_there(self):
        text = self.text_of()
        for amount in (b"0.1", b"1E+2", b"1e-7", b"123456789012345678.123456789012345678",
                       b"-0.123456789012345678", b'"1500.10"', b"-0.00", b"-1500", b"0"):
            self.assertIn(b'"amount":' + amount + b",", text)
        for part in (b"2.50", b'\\"', b"\\\\N", b"\\t", b"\\n", b"\\ud83c", "☕".encode(),
                     b'"balance":null', b'"shop":""', b'T00:00:00"', b'"transfer":{'):
            self.assertIn(part, text)
        records = [exact(line)["record"] for line in text.splitlines()]
        self.assertEqual(len({one["_id"] for one in records}), 8000)
        self.assertTrue(any("valueDate" not in one for one in records))
        self.assertIn("\\N", {one["description"] for one in records})
        days = sorted(one["operationDate"][:10] for one in records)
        self.assertEqual((days[0], days[-1]), ("2024-11-22", TODAY))

    def test_without_oddities_records_are_plain(self):
        for line in self.text_of(no_oddities=True).splitlines():
            record = json.loads(line, parse_float=str)["record"]
            self.assertRegex(record["amount"], r"^-?\d+\.\d\d$")
            self.assertRegex(record["operationDate"], r"^\d{4}-\d\d-\d\d$")


class Trust(unittest.TestCase):
    def test_certificates_that_nobody_should_trust(self):
        for name, word in (("expired", "expired"), ("other-host", "mismatch"), ("cn-only", "mismatch"),
                           ("self-signed", "self-signed"), ("unknown-ca", "self-signed")):
            with Sandbox(certificate=name, credentials=1) as box:
                with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                    box.credentials()
                self.assertIn(word, str(caught.exception).lower().replace("self signed",
                                                                         "self-signed"))

    def test_sigterm_ends_it_with_0_even_with_a_stalled_client(self):
        box = Sandbox(credentials=1, today=TODAY)
        token = box.credentials()[0]["credentials_token"]
        box.fault("stall_first_byte", token, "account")
        with self.assertRaises(TimeoutError):
            box.transactions(token, timeout=0.3)
        idle = box.connection()
        idle.connect()
        began = time.monotonic()
        box.process.send_signal(signal.SIGTERM)
        self.assertEqual(box.process.wait(5), 0)
        self.assertLess(time.monotonic() - began, 2)
        self.assertIn("flanks-sandbox listening on https://127.0.0.1:", box.stderr())
        idle.close()
        box.stop()


if __name__ == "__main__":
    unittest.main()
