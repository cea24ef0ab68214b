"""The status page and its JSON twin: what people ask is on it, in the words of sync_status, and nothing that must not be."""
import base64
import concurrent.futures
import html
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from page_world import HINT, IBAN, LONG_ERROR, NASTY_BANK, NASTY_USER, populate, started
from world import BUILD, ROOT, WorldTest, wait_until

SCHEMA = json.loads((ROOT / "docs/status.schema.json").read_text())
MASKED = "\u2022\u2022\u2022\u2022"


class Text(html.parser.HTMLParser):
    """What a page says, without its tags; .ids in their order, .links, .tags."""

    def __init__(self, page):
        super().__init__()
        self.said, self.ids, self.links, self.tags = [], [], [], []
        self.feed(page)
        self.text = re.sub(r"\s+", " ", "".join(self.said))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag in ("td", "th", "p", "dt", "dd", "li", "h1", "h2", "h3", "div", "section", "summary", "nav", "option", "button", "label", "strong"):
            self.said.append(" ")
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])

    def handle_data(self, data):
        self.said.append(data)


class PageTest(WorldTest):
    def populated(self, **admin):
        world = self.world(credentials=8, transactions=240, seed=11, no_oddities=True)
        world.register_all()
        daemon, page = started(world, **admin)
        return world, daemon, page, populate(world)

    def read(self, page, path="/", status=200):
        got, headers, body = page.get(path)
        self.assertEqual(got, status, body)
        self.assertEqual(headers["Content-Type"], "text/html; charset=utf-8")
        return Text(body)

    def status(self, page, query="", status=200):
        got, headers, body = page.get("/api/v1/status" + query)
        self.assertEqual((got, headers["Content-Type"]), (status, "application/json"), body)
        answer = json.loads(body)
        self.validate(answer)
        return answer

    def validate(self, answer):
        import jsonschema
        jsonschema.Draft202012Validator(SCHEMA).validate(answer)


class Page(PageTest):
    def test_it_says_what_people_ask_in_the_order_in_which_they_ask(self):
        world, _, page, who = self.populated()
        told = self.read(page)
        order = ["summary", "problems", "backfills", "activity", "banks", "credentials", "configuration"]
        self.assertEqual([i for i in told.ids if i in order], order)
        self.assertRegex(told.text, r"Up, but 6 of 8 credentials have a problem; the worst lag is 2 d \(credential 3\)\.")
        lines = {int(r["credential_id"]): r for r in world.rows("select * from flanks.sync_status")}
        turns = {"nobody": "Who must act nobody", "end_user": "Who must act the end user", "operator": "Who must act an operator",
                 "provider": "Who must act the provider"}
        for name in ("blocked", "error", "stale", "sca", "quarantined", "review"):
            line = lines[who[name]]
            for words in (line["last_error"], line["last_error_hint"], line["what_next"], turns[line["who_must_act"]]):
                if words:
                    self.assertIn(words.replace(IBAN, MASKED + IBAN[-4:]), told.text, name)
        self.assertIn("flanks-sync removals list", told.text)
        self.assertRegex(told.text, r"Since 2 d ago \(\d{4}-\d\d-\d\d \d\d:\d\d UTC\)")
        # Problems in the view's order.
        expected = [r["credential_id"] for r in world.rows("select credential_id from flanks.sync_status where state <> 'removed'")]
        problems = [link.split("/")[2] for link in told.links if re.fullmatch(r"/credentials/\d+", link)][:6]
        self.assertEqual(problems, [i for i in expected if int(i) != who["healthy"] and int(i) != who["nasty"]])
        self.assertRegex(told.text, r"62 % ?: 20 of 32 windows of 8 credentials done; about 6 min left")
        rows = int(world.sql("select sum(fetched) from flanks.sync_runs"))
        self.assertIn(f"Rows read {rows:,}".replace(",", " "), told.text)
        bank = re.search(r"caixa-norte 1 1 (\d+\.\d) %", told.text)
        self.assertTrue(bank and 25 < float(bank.group(1)) < 40, told.text)
        self.assertIn("client_secret_file", told.text)
        self.assertIn("15", told.text)

    def test_without_a_problem_it_says_so(self):
        world = self.world(credentials=2, transactions=40, seed=3, no_oddities=True)
        world.register_all()
        _, page = started(world)
        told = self.read(page)
        self.assertRegex(told.text, r"Up and current: all 2 credentials agree with the provider; the worst lag is ")
        self.assertIn("Nothing fails, and nobody has to act.", told.text)
        self.assertIn("No backfill is under way.", told.text)
        answer = self.status(page)
        self.assertEqual((answer["summary"]["level"], answer["summary"]["current"], answer["problems"]), ("ok", 2, []))
        wait_until(lambda: sum(h["daemon_requests"] or 0 for h in self.status(page)["activity"]) == len(world.sandbox.answered()),
                   "every call to the provider is a request of this daemon")

    def test_text_of_others_stays_text(self):
        world, _, page, who = self.populated()
        paths = ("/", "/credentials", f"/credentials/{who['nasty']}", "/credentials?q=%3Cscript%3E&bank=%22%3E%3Cb%3E&state=%3Ci%3E")
        for path in paths:
            body = page.get(path)[2]
            self.assertNotIn("<script>alert", body)
            self.assertEqual(Text(body).tags.count("script"), 1, path)
            self.assertNotIn("<b>", body)
            self.assertNotIn("<i>", body)
        for path in paths[:3]:
            self.assertIn(NASTY_USER, self.read(page, path).text)
            self.assertIn(NASTY_BANK, self.read(page, path).text)
        status, _, body = page.get("/%3Cscript%3E<img>", headers={"Accept": "text/html"})
        self.assertEqual(status, 404)
        self.assertNotIn("<img>", body)

    def test_credentials_are_searched_sorted_and_paged(self):
        world, _, page, who = self.populated()

        def listed(query):
            table = self.read(page, "/credentials" + query)
            return [int(link.split("/")[2]) for link in table.links if re.fullmatch(r"/credentials/\d+", link)]

        everyone = sorted(who.values())
        self.assertEqual(listed(""), everyone)
        self.assertEqual(listed("?sort=-id"), everyone[::-1])
        self.assertEqual(listed(f"?q={who['stale']}"), [who["stale"]] if len(str(who["stale"])) > 1 else
                         [i for i in everyone if i == who["stale"] or str(who["stale"]) in world.sql(
                             f"select string_agg(user_id, ',') || coalesce(max(bank), '') from flanks.user_credentials join flanks.credentials "
                             f"using (credential_id) where credential_id = {i}")])
        self.assertEqual(listed("?q=SCRIPT"), [who["nasty"]])
        self.assertEqual(listed("?q=o%27hara"), [who["nasty"]])
        self.assertEqual(listed("?bank=caixa-norte"), [who["error"]])
        self.assertEqual(listed("?state=stale"), [who["stale"]])
        self.assertEqual(listed("?state=problem"), sorted(set(everyone) - {who["healthy"], who["nasty"]}))
        self.assertEqual(listed("?state=problem&q=caixa"), [who["error"]])
        self.assertEqual(listed("?sort=agreed")[0], who["error"])
        self.assertEqual(listed("?sort=state")[0], who["stale"])
        banks = [r["bank"] for r in world.rows("select bank from flanks.credentials order by bank, credential_id")]
        self.assertEqual([world.sql(f"select bank from flanks.credentials where credential_id = {i}") for i in listed("?sort=bank")], banks)
        self.assertEqual(listed("?state=nonsense"), [])
        self.assertEqual(listed("?q=%25"), [], "a sign of LIKE means itself")
        world.sql("with c as (insert into flanks.credentials (bank) select 'many' from generate_series(1, 120) returning credential_id) "
                  "insert into flanks.user_credentials select 'crowd-' || credential_id, credential_id from c")
        first, second, third = listed("?q=crowd"), listed("?q=crowd&page=2"), listed("?q=crowd&page=3")
        self.assertEqual([len(first), len(second), len(third)], [50, 50, 20])
        self.assertEqual(len({*first, *second, *third}), 120)
        told = self.read(page, "/credentials?q=crowd&page=2")
        self.assertIn("Page 2 of 3", told.text)
        self.assertIn("/credentials?q=crowd&page=3", told.links)
        self.assertIn("There is no page 9", self.read(page, "/credentials?q=crowd&page=9").text)
        beyond = self.status(page, "?q=crowd&page=9")["credentials"]
        self.assertEqual((beyond["total"], beyond["page"], beyond["rows"]), (120, 9, []))
        self.assertIn("No credential fits", self.read(page, "/credentials?q=nobody-at-all&page=2").text)
        for query in ("?q=nobody-at-all", "?page=900", "?state=removed"):
            self.assertNotIn("No credential is registered", self.read(page, "/" + query).text)

    def test_each_credential_has_a_page_of_its_own(self):
        world, _, page, who = self.populated()
        told = self.read(page, f"/credentials/{who['error']}")
        self.assertIn(LONG_ERROR.replace(IBAN, MASKED + IBAN[-4:]), told.text)
        self.assertIn(HINT, told.text)
        self.assertIn("account transactions", told.text)
        self.assertIn("card list", told.text)
        self.assertIn("error", told.text)
        for product in ("account", "card", "investment", "liability"):
            self.assertRegex(told.text, product + r" \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d, without a gap")
        self.assertRegex(page.get(f"/credentials/{who['error']}")[2], r'aria-label="account: 2[45] of 2[45] months covered whole')
        told = self.read(page, f"/credentials/{who['quarantined']}")
        self.assertRegex(told.text, r"bad_amount card, transactions not stored 3 3")
        self.assertRegex(told.text, r"impossible_date card, transactions not stored 3 3")
        self.assertNotIn("canary", told.text)
        told = self.read(page, f"/credentials/{who['healthy']}")
        self.assertIn(f"{MASKED}1332", told.text)
        self.assertRegex(told.text, rf"account \(real account \d+\) {who['blocked']} to {who['healthy']} confirmed 79 of 80")
        for missing in ("/credentials/999999", "/credentials/0", "/credentials/x"):
            status, _, body = page.get(missing, headers={"Accept": "text/html"})
            self.assertEqual(status, 404, missing)
            self.assertIn("There is no", Text(body).text)

    def test_no_token_no_secret_no_account_number_is_anywhere(self):
        world, _, page, who = self.populated()
        everything = "".join(page.get(path)[2] for path in (
            "/", "/credentials", "/api/v1/status", *(f"/credentials/{i}" for i in who.values())))
        for c in world.sandbox.credentials():
            self.assertNotIn(c["credentials_token"], everything)
        self.assertNotIn(world.sandbox.client_secret + "\n", everything)
        for number in [IBAN] + world.sql("select iban from flanks.accounts union select pan from flanks.cards").split("\n"):
            if number:
                self.assertNotIn(number, everything)
        self.assertNotIn("canary", everything)

    def test_without_the_database_it_says_what_is_known(self):
        world, _, page, who = self.populated()
        self.read(page)
        world.cluster.freeze()
        self.addCleanup(world.cluster.thaw)
        begin = time.monotonic()
        told = self.read(page, status=503)
        self.assertLess(time.monotonic() - begin, 12)
        self.assertIn("The daemon runs, but the database cannot be asked: it has not answered within 3 s.", told.text)
        self.assertIn(LONG_ERROR.replace(IBAN, MASKED + IBAN[-4:]), told.text, "what was known stays")
        answer = self.status(page, status=503)
        self.assertEqual((answer["ready"], answer["database"]["up"], answer["summary"]["level"]), (False, False, "down"))
        self.assertEqual(len(answer["problems"]), 6)
        self.assertIn("it has not answered", self.read(page, f"/credentials/{who['error']}", 503).text)
        self.read(page, "/credentials", 503)
        world.cluster.thaw()
        wait_until(lambda: "Up, but" in page.get("/")[2], "it is up again")

    def test_who_waits_for_pages_leaves_places_for_health(self):
        world, _, page, _ = self.populated()
        world.cluster.freeze()
        self.addCleanup(world.cluster.thaw)
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            asked = [pool.submit(page.get, "/credentials") for _ in range(24)]
            time.sleep(0.5)
            begin = time.monotonic()
            self.assertEqual(page.get("/-/healthy")[0], 200)
            self.assertLess(time.monotonic() - begin, 2)
            answers = [a.result() for a in asked]
        self.assertEqual({a[0] for a in answers}, {503})
        refused = [a for a in answers if "Retry-After" in a[1]]
        self.assertTrue(refused)
        self.assertIn("others wait for a page", refused[0][2])

    def test_a_refused_database_is_told_with_the_reason(self):
        world, _, page, _ = self.populated()
        world.cluster.psql("postgres", f"alter database {world.database} with allow_connections false; "
                           f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{world.database}'")
        # One that was connected is told of its end first.
        wait_until(lambda: "cannot open database" in page.get("/")[2], "it is told")
        told = self.read(page, status=503).text
        self.assertIn(f'cannot open database "{world.database}"', told)
        self.assertIn("Who must act an operator", told)
        base = self.status(page, status=503)["database"]
        self.assertIn(f'cannot open database "{world.database}"', base["trouble"])
        self.assertEqual((base["up"], base["who_must_act"]), (False, "operator"))


class Twin(PageTest):
    def test_it_says_what_the_page_says(self):
        world, _, page, who = self.populated()
        answer = self.status(page)
        self.assertEqual(answer["summary"]["problems"], 6)
        self.assertIn(answer["summary"]["sentence"], self.read(page).text)
        command = {line["credential_id"]: line for line in json.loads(world.ok("status", "--json"))}
        told = {line["credential_id"]: line for line in answer["credentials"]["rows"]}
        self.assertEqual(set(told), set(command))
        moving = ("lag_seconds",)
        for number, line in command.items():
            for key, value in line.items():
                if key not in moving:
                    expected = value.replace(IBAN, MASKED + IBAN[-4:]) if isinstance(value, str) else value
                    self.assertEqual(told[number][key], expected, (number, key))
        self.assertEqual({p["credential_id"] for p in answer["problems"]}, set(who.values()) - {who["healthy"], who["nasty"]})
        backfill = answer["backfills"][0]
        self.assertEqual((backfill["windows"], backfill["windows_done"], backfill["windows_failed"]), (32, 20, 1))
        self.assertAlmostEqual(backfill["seconds_left"], 12 * 600 / 20, delta=40)
        self.assertEqual(sum(h["rows_fetched"] for h in answer["activity"]), int(world.sql("select sum(fetched) from flanks.sync_runs")))
        self.assertEqual(sum(b["credentials"] for b in answer["banks"]), 8)
        only = self.status(page, "?state=stale")["credentials"]
        self.assertEqual([r["credential_id"] for r in only["rows"]], [who["stale"]])

    def test_it_is_valid_before_anything_was_mirrored_and_without_a_schema(self):
        world = self.world(credentials=1, transactions=4)
        _, page = started(world)
        answer = self.status(page)
        self.assertEqual((answer["summary"]["credentials"], answer["states"], answer["banks"]), (0, [], []))
        self.assertIn("No credential is registered yet", answer["summary"]["sentence"])
        self.assertIn("No credential is registered", self.read(page).text)
        world.sql("insert into flanks_internal.schema_migrations (version, name, sha256) values (9999, '9999_later', 'x')")
        wait_until(lambda: page.get("/api/v1/status")[0] == 503, "it is told")
        answer = self.status(page, status=503)
        self.assertFalse(answer["ready"])
        self.assertIn("the database is newer than this program", answer["database"]["trouble"])


    def test_the_schema_names_every_problem_of_the_mirror(self):
        names = re.search(r"problems\{([^}]*)\}", (ROOT / "sync/types.cpp").read_text()).group(1)
        schema = SCHEMA["properties"]["daemon"]["properties"]["problems"]["items"]["properties"]["problem"]["enum"]
        self.assertEqual(schema, re.findall(r'"(\w+)"', names))

    def test_what_the_database_and_other_daemons_say_is_told(self):
        world = self.world(credentials=2, transactions=40, seed=3, no_oddities=True)
        world.register_all()
        _, page = started(world)
        world.sql("update flanks_internal.schedule set next_due_at = now() - interval '1 hour'")
        wait_until(lambda: "Nobody works on what is due" in page.get("/")[2], "it is told")
        told = self.read(page).text
        self.assertNotIn("Current Up", told)
        self.assertNotIn("Nothing fails", told)
        self.assertIn("2 credentials have been due since", told)
        answer = self.status(page)
        self.assertEqual(answer["summary"]["level"], "look")
        self.assertEqual([(p["problem"], p["error_class"], p["process"], p["who_must_act"]) for p in answer["daemon"]["problems"]],
                         [("working", "work_overdue", "the database", "operator")])
        world.sql("insert into flanks_internal.mirror_problems (problem, process, error_class, error) "
                  "values ('reloading', 'other:7', 'configuration', 'line 3 is wrong'), ('clock', 'other:7', 'clock_apart', 'an hour ahead')")
        wait_until(lambda: "line 3 is wrong" in page.get("/")[2], "the other daemon is told")
        self.assertEqual({p["problem"] for p in self.status(page)["daemon"]["problems"]}, {"working", "reloading", "clock"})


class Guarded(PageTest):
    def test_every_answer_has_the_headers_and_nothing_can_be_changed(self):
        world = self.world(credentials=1, transactions=4)
        _, page = started(world)
        for path in ("/", "/credentials", "/credentials/77", "/api/v1/status", "/page.css", "/page.js", "/icon.svg", "/metrics", "/nothing"):
            _, headers, _ = page.get(path)
            policy = headers["Content-Security-Policy"]
            self.assertTrue(policy.startswith("default-src 'none';"), path)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            for name, value in (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
                                ("Cache-Control", "no-store"), ("Cross-Origin-Resource-Policy", "same-origin")):
                self.assertEqual(headers[name], value, path)
            self.assertIn("camera=()", headers["Permissions-Policy"])
            for method in ("POST", "PUT", "DELETE"):
                self.assertEqual(page.get(path, method)[0], 405)
            self.assertEqual(page.get(path, "HEAD")[2], "")
        self.assertEqual(page.get("/page.js")[1]["Content-Type"], "text/javascript; charset=utf-8")
        self.assertEqual(page.get("/page.css")[1]["Content-Type"], "text/css; charset=utf-8")
        body = page.get("/")[2]
        self.assertFalse(re.search(r'(?:src|href|action)="(?:https?:)?//', body), "nothing is fetched from elsewhere")
        self.assertNotIn(" style=", body)

    def test_a_password_guards_all_but_health(self):
        world = self.world(credentials=1, transactions=4)
        password = world.dir / "page_password"
        password.write_text("correct horse\n")
        password.chmod(0o600)
        _, page = started(world, password_file="page_password")

        def get(path, text=None):
            field = {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()} if text is not None else {}
            return page.get(path, headers=field)

        for path in ("/", "/credentials", "/credentials/1", "/api/v1/status", "/page.css", "/metrics", "/nothing"):
            status, headers, body = get(path)
            self.assertEqual(status, 401, path)
            self.assertEqual(headers["WWW-Authenticate"], 'Basic realm="flanks-sync", charset="UTF-8"')
            self.assertNotIn("correct horse", body)
        for path in ("/-/healthy", "/-/ready"):
            self.assertEqual(get(path)[0], 200)
        for user in ("", "operator", "anybody"):
            self.assertEqual(get("/", user + ":correct horse")[0], 200)
            self.assertEqual(get("/metrics", user + ":correct horse")[0], 200)
        codes = [get("/", "operator:wrong" + str(n))[0] for n in range(14)]
        self.assertEqual(codes[:10], [401] * 10)
        self.assertIn(429, codes[10:])
        limited = wait_until(lambda: (a := get("/", "operator:wrong")) and a[0] == 429 and a, "it is limited")
        self.assertEqual(limited[1]["Retry-After"], "2")
        self.assertEqual(get("/-/healthy")[0], 200)
        wait_until(lambda: get("/", "operator:correct horse")[0] == 200, "the right one passes again")
        log = "".join(d.log.read_text() for d in world.daemons)
        self.assertNotIn("correct horse", log)
        self.assertEqual(log.count("wrong passwords for the admin listener from 127.0.0.1"), 1, "once a minute")
        self.assertNotIn("correct horse", get("/", "operator:correct horse")[2])

    def test_a_password_file_that_is_open_to_others_is_refused(self):
        world = self.world(credentials=1, transactions=4)
        password = world.dir / "page_password"
        password.write_text("correct horse\n")
        password.chmod(0o644)
        world.settings = {"admin": {"listen": "127.0.0.1:0", "password_file": "page_password"}}
        world.write_config()
        done = world.cli("run", timeout=30)
        self.assertEqual(done.returncode, 78)
        self.assertIn("admin.password_file", done.stderr)
        self.assertIn("chmod 0400", done.stderr)


class Browser(PageTest):
    """In Debian's chromium, driven by playwright-core; axe-core looks for what keeps people out."""

    MODULES = {"playwright-core": "1.48.2", "axe-core": "4.10.2"}

    def modules(self):
        """A folder whose node_modules has what the test needs; from npm, once a build folder."""
        chromium = shutil.which("chromium")
        if not chromium or not shutil.which("node") or not shutil.which("npm"):
            self.skipTest("chromium, node or npm is not installed: the page was not tested in a browser")
        folder = BUILD / "browser"
        folder.mkdir(parents=True, exist_ok=True)
        if not all((folder / "node_modules" / m / "package.json").exists() for m in self.MODULES):
            (folder / "package.json").write_text('{"private": true}\n')
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock",
                                   *(f"{m}@{v}" for m, v in self.MODULES.items())], cwd=folder, capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                self.skipTest("npm is out of reach: the page was not tested in a browser: " + done.stderr.strip()[-300:])
        return folder, chromium

    def test_people_can_use_it(self):
        folder, chromium = self.modules()
        world, _, page, who = self.populated()
        shots = pathlib.Path(os.environ.get("FLANKS_SCREENSHOTS") or tempfile.mkdtemp(prefix="flanks-page-"))
        if "FLANKS_SCREENSHOTS" not in os.environ:
            self.addCleanup(shutil.rmtree, shots, True)
        order = {"url": f"http://{page.where}", "chromium": chromium, "shots": str(shots), "who": who, "user": NASTY_USER, "bank": NASTY_BANK}
        done = subprocess.run(["node", ROOT / "tests/browser/page.mjs", folder, json.dumps(order)], capture_output=True, text=True, timeout=900)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
