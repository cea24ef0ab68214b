"""Metrics as those meet them who watch: after scripted events each number is the one that the events give; docs/metrics.md,
the alerts and the dashboard know the families that there are and no others; a real Prometheus takes them.

    prometheus_e2e.py --write    writes docs/metrics.md anew
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from admin import Admin, metric, served_at  # noqa: E402
from prometheus import Prometheus, catalog, family_of, names_in  # noqa: E402
from sandbox import TRANSACTIONS  # noqa: E402
from world import ROOT, WorldTest, World, wait_until  # noqa: E402

DOCUMENT = ROOT / "docs/metrics.md"
ALERTS = ROOT / "contrib/prometheus/alerts.yml"
ALERTS_TEST = ROOT / "contrib/prometheus/alerts_test.yml"
DASHBOARD = ROOT / "contrib/grafana/flanks-sync.json"
STATUS = "/v0/bank/credentials/status"


class Eventful:
    """A daemon to which everything has happened that a metric tells of."""

    def __init__(self):
        self.world = world = World(credentials=3, transactions=60, seed=7, months=23, token_lifetime=900, settings={
            "sync": {"interval": "1h", "overlap": "730d"}, "admin": {"listen": "127.0.0.1:0"}})
        self.began = time.time()
        self.daemon = world.start("run")
        found = wait_until(lambda: served_at(self.daemon.log.read_text()) or self.daemon.poll() is not None, "it listens")
        assert found is not True, self.daemon.log.read_text()
        self.admin = Admin(found)
        self.first = self.admin.get("/metrics")[2]
        self.tokens = tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        world.sandbox.fault("status", tokens[0], "status", status=429, retry_after=3, times=1)
        world.sandbox.fault("status", tokens[0], "card", status=500, times=1)
        world.sandbox.fault("reset", tokens[0], "investment", after_bytes=0, times=1)
        world.sandbox.fault("bad_record", tokens[1], "card", times=-1, records=['{"_id": "no-date", "amount": 1}'])
        world.sandbox.fault("status", tokens[2], "liability", status=500, times=-1)
        self.ids = world.register_all()
        self.paused = wait_until(lambda: (m := self.admin.metrics())[metric("flanks_provider_pause_end_timestamp_seconds")] and m,
                                 "it is paused")
        self.rest()
        # One operation vanishes, and the access token is taken back.
        self.gone = world.sql("select _id from flanks.transactions where product = 'account' "
                              f"and credential_id = {self.ids[tokens[0]]} order by operation_date desc offset 3 limit 1")
        world.sandbox.withhold(tokens[0], [self.gone])
        world.sandbox.refresh(tokens[0])
        world.sandbox.control("POST", "expire-tokens")
        world.sql(f"update flanks_internal.leases set next_due_at = now() where credential_id = {self.ids[tokens[0]]}")
        wait_until(lambda: world.sql("select count(*) from flanks.transactions where removed_at is not null") == "1", "it is removed")
        self.rest()
        world.sql("analyze flanks.transactions")
        self.asked = world.sandbox.requests()
        self.scraped, self.scraped_at = self.admin.fresh_metrics(time.time()), time.time()
        world.cli("verify")
        world.write_config(sync__intervall="1h")
        self.daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: self.admin.metrics()[metric("flanks_config_last_reload_successful")] == 0, "the reload was refused")
        world.write_config(sync__intervall=None)
        self.text = self.admin.get("/metrics")[2]

    def rest(self):
        world = self.world
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where last_attempt_at is null or running") == "0" and
                   self.admin.metrics()[metric("flanks_workers_busy")] == 0, "nobody works")

    def close(self):
        self.world.close()


class Told(WorldTest):
    @classmethod
    def setUpClass(cls):
        cls.it = Eventful()
        cls.addClassCleanup(cls.it.close)

    def value(self, name, **labels):
        return self.it.scraped[metric(name, **labels)]

    def total(self, name, **labels):
        """The sum of all series that have these labels."""
        found = [v for k, v in self.it.scraped.items() if k[0] == name and set(labels.items()) <= set(k[1:])]
        self.assertTrue(found, (name, labels))
        return sum(found)

    def number(self, query):
        return float(self.it.world.sql(query))

    # ---- what has happened

    def test_every_request_is_counted_by_its_endpoint_and_code(self):
        calls = "flanks_http_request_duration_seconds_count"
        names = {"token": "/v0/token", "status": STATUS, **TRANSACTIONS, "products/holder": "/v0/bank/credentials/holder"}
        for name, endpoint in names.items():
            self.assertEqual(self.total(calls, endpoint=endpoint), self.it.asked["endpoints"][name], endpoint)
        self.assertEqual(self.value(calls, endpoint=STATUS, code="429"), 1)
        self.assertEqual(self.value(calls, endpoint=TRANSACTIONS["card"], code="500"), 1)
        self.assertEqual(self.value(calls, endpoint=TRANSACTIONS["investment"], code="none"), 1)
        self.assertEqual(self.total(calls, endpoint=TRANSACTIONS["liability"], code="500"), 3, "the tries of one request")
        self.assertEqual(self.total(calls, code="401"), 1)
        self.assertGreater(self.total("flanks_http_request_duration_seconds_sum", endpoint=STATUS, code="200"), 0)

    def test_what_was_sent_again_and_why(self):
        again = "flanks_http_retries_total"
        self.assertEqual(self.value(again, endpoint=STATUS, cause="paused"), 1)
        self.assertEqual(self.value(again, endpoint=TRANSACTIONS["card"], cause="failed"), 1)
        self.assertEqual(self.value(again, endpoint=TRANSACTIONS["investment"], cause="failed"), 1)
        self.assertEqual(self.value(again, endpoint=TRANSACTIONS["liability"], cause="failed"), 2)
        self.assertEqual(self.value(again, endpoint=TRANSACTIONS["account"], cause="failed"), 0)
        self.assertEqual(self.total(again, cause="token_refused"), 1)

    def test_a_pause_and_the_waits_in_it(self):
        end = self.it.paused[metric("flanks_provider_pause_end_timestamp_seconds")]
        self.assertTrue(self.it.began + 3 <= end <= self.it.began + 60, end)
        self.assertEqual(self.value("flanks_provider_pause_end_timestamp_seconds"), 0)
        self.assertEqual(self.value("flanks_provider_pauses_total"), 1)
        self.assertGreater(self.value("flanks_rate_limit_wait_seconds_sum"), 2)
        self.assertEqual(self.value("flanks_rate_limit_wait_seconds_count"), sum(self.it.asked["endpoints"].values()))

    def test_the_access_token(self):
        self.assertEqual(self.value("flanks_token_refreshes_total", outcome="ok"), self.it.asked["endpoints"]["token"])
        self.assertEqual(self.value("flanks_token_refreshes_total", outcome="ok"), 2)
        self.assertEqual(self.value("flanks_token_refreshes_total", outcome="failed"), 0)
        self.assertAlmostEqual(self.value("flanks_access_token_expiry_timestamp_seconds"), self.it.scraped_at + 900, delta=120)

    def test_runs_rows_and_quarantine_are_those_of_the_tables(self):
        for outcome in ("ok", "partial", "failed", "suspicious"):
            for trigger in ("schedule", "sweep"):
                self.assertEqual(self.value("flanks_runs_total", trigger=trigger, outcome=outcome), self.number(
                    f"select (select count(*) from flanks.sync_runs where trigger = '{trigger}' and outcome = '{outcome}') + "
                    f"(select count(*) from flanks.product_runs where trigger = '{trigger}' and outcome = '{outcome}')"))
        self.assertGreater(self.total("flanks_runs_total", outcome="partial"), 0)
        self.assertEqual(self.value("flanks_rows_written_total", table="transactions", operation="remove"), 1)
        self.assertEqual(self.value("flanks_rows_written_total", table="transactions", operation="insert"),
                         self.number("select count(*) from flanks.transactions"))
        for table in ("accounts", "cards", "holders"):
            self.assertEqual(self.value("flanks_rows_written_total", table=table, operation="insert"),
                             self.number(f"select count(*) from flanks.{table}"), table)
        self.assertEqual(self.value("flanks_quarantine_records", reason="missing_date", stored="no"), 1)
        self.assertEqual(self.value("flanks_failures_total", error_class="http_500"), 1)

    def test_credentials_and_how_old_the_oldest_is(self):
        states = {dict(k[1:])["state"]: v for k, v in self.it.scraped.items() if k[0] == "flanks_credentials"}
        self.assertEqual({k: v for k, v in states.items() if v},
                         {r["state"]: float(r["n"]) for r in self.it.world.rows(
                             "select state, count(*) as n from flanks.sync_status group by 1")})
        self.assertEqual(len(states), 10, "zeros too")
        for state in ("ok", "error"):
            self.assertAlmostEqual(self.value("flanks_oldest_success_timestamp_seconds", state=state), self.it.scraped_at, delta=120)
        self.assertNotIn(metric("flanks_oldest_success_timestamp_seconds", state="gone"), self.it.scraped)
        self.assertEqual(self.value("flanks_oldest_provider_refresh_timestamp_seconds"), self.number(
            "select floor(extract(epoch from min(provider_updated_at))) from flanks.sync_status"))
        self.assertEqual(self.value("flanks_leases_held"), 0)

    def test_the_database(self):
        self.assertEqual(self.value("flanks_database_pool_connections", pool="workers"), 4)
        self.assertEqual(self.value("flanks_database_pool_connections_in_use", pool="workers"), 0)
        self.assertEqual(self.total("flanks_database_jobs_waiting"), 0)
        self.assertGreater(self.value("flanks_database_pool_wait_seconds_count", pool="workers"), 0)
        for statement in ("begin", "commit", "claim_due", "read_state_gauges"):
            self.assertGreater(self.value("flanks_database_statement_duration_seconds_count", statement=statement), 0)
        self.assertEqual(self.value("flanks_table_rows", table="flanks.transactions"), self.number("select count(*) from flanks.transactions"))
        self.assertEqual(self.value("flanks_table_size_bytes", table="flanks.transactions"),
                         self.number("select pg_total_relation_size('flanks.transactions')"))
        self.assertEqual({dict(k[1:])["table"] for k in self.it.scraped if k[0] == "flanks_table_size_bytes"},
                         set(self.it.world.sql("select schemaname || '.' || tablename from pg_tables "
                                               "where schemaname like 'flanks%'").split()))

    def test_a_table_that_somebody_has_for_himself_holds_up_no_scrape(self):
        world = self.it.world
        lock = subprocess.Popen(["psql", "-X", "-q", "-h", world.cluster.host, "-U", "postgres", "-d", world.database],
                                stdin=subprocess.PIPE, text=True)
        try:
            lock.stdin.write("begin; lock table flanks.transaction_revisions in access exclusive mode;\n")
            lock.stdin.flush()
            wait_until(lambda: world.sql("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted "
                                         "and relation = 'flanks.transaction_revisions'::regclass") == "1", "it is locked")
            before = time.time()
            scraped = self.it.admin.fresh_metrics(before)
            self.assertNotIn(metric("flanks_table_rows", table="flanks.transaction_revisions"), scraped)
        finally:
            lock.stdin.close()
            lock.wait(30)

    def test_the_process(self):
        pid = self.it.daemon.pid
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        self.assertAlmostEqual(self.value("process_resident_memory_bytes") / (int(status["VmRSS"].split()[0]) * 1024), 1, delta=0.2)
        self.assertAlmostEqual(self.value("process_start_time_seconds"), self.it.began, delta=3)
        self.assertGreater(self.value("process_cpu_seconds_total"), 0)
        limits = re.search(r"Max open files +(\d+)", pathlib.Path(f"/proc/{pid}/limits").read_text())
        self.assertEqual(self.value("process_max_fds"), float(limits.group(1)))
        if os.geteuid() == 0:  # nobody else may look into a process that is not dumpable
            self.assertAlmostEqual(self.value("process_open_fds"), len(os.listdir(f"/proc/{pid}/fd")), delta=4)
        self.assertGreater(self.value("flanks_event_loop_lag_seconds_count"), 2)
        self.assertEqual(self.value("flanks_ready"), 1)
        self.assertAlmostEqual(self.value("flanks_last_look_timestamp_seconds"), self.it.scraped_at, delta=120)

    def test_what_works_now_shows(self):
        world, admin = self.it.world, self.it.admin
        world.sandbox.fault("latency", self.it.tokens[0], "status", ms=10000, times=1)
        world.sql(f"update flanks_internal.leases set next_due_at = now() where credential_id = {self.it.ids[self.it.tokens[0]]}")
        # Its lease is known to the daemon before it is to the database: a scrape may fall between the two.
        busy = wait_until(lambda: (m := admin.metrics())[metric("flanks_workers_busy")] and m[metric("flanks_leases_held")] and m,
                          "a worker works")
        self.assertEqual(busy[metric("flanks_workers_busy")], 1)
        self.assertEqual(busy[metric("flanks_leases_held")], 1)
        self.assertGreater(busy[metric("flanks_workers")], 1)
        self.it.rest()
        self.assertEqual(admin.fresh_metrics(time.time())[metric("flanks_leases_held")], 0)

    # ---- what is written about them

    def test_no_id_is_a_label(self):
        for token in (*self.it.tokens, *(row["user_id"] for row in self.it.world.rows("select user_id from flanks.user_credentials"))):
            self.assertNotIn(token, self.it.text)
        labels = set().union(*(labels or set() for _, _, labels in catalog(self.it.text).values()))
        self.assertEqual(labels, {"version", "state", "bank", "product", "outcome", "kind", "trigger", "table", "operation", "reason",
                                  "stored", "error_class", "endpoint", "code", "cause", "statement", "pool", "check", "clock", "hint", "meaning", "who_must_act"})

    def test_every_family_is_there_from_the_first_scrape_on(self):
        self.assertEqual(list(catalog(self.it.first)), list(catalog(self.it.text)))

    def test_promtool_finds_nothing_to_complain_about(self):
        for text in (self.it.first, self.it.text):
            self.promtool("check", "metrics", input=text)

    def test_docs_metrics_md_is_what_the_daemon_tells(self):
        self.assertEqual(DOCUMENT.read_text() if DOCUMENT.exists() else "", document(self.it.text),
                         "docs/metrics.md is out of date: write it anew with python3 tests/e2e/prometheus_e2e.py --write")

    def test_alerts_are_right_and_each_is_explained_and_tested(self):
        self.promtool("check", "rules", str(ALERTS))
        self.promtool("test", "rules", str(ALERTS_TEST))
        text = ALERTS.read_text()
        alerts = re.findall(r"- alert: (\w+)", text)
        self.assertGreater(len(alerts), 20)
        self.assertEqual(re.findall(r"runbook: (\S+)", text), [f"docs/alerts.md#{a.lower()}" for a in alerts])
        self.assertEqual(len(re.findall(r"labels: \{severity: (?:critical|warning|info), who: (?:operator|provider|end_user|\"\{\{ \$labels.who_must_act \}\}\")\}", text)),
                         len(alerts))
        sections = re.findall(r"^## (\w+)\nMeans: .+?\nWho must act: .+?\nNext step: ", (ROOT / "docs/alerts.md").read_text(), re.M | re.S)
        self.assertEqual(sorted(sections), sorted(alerts))
        fired = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", ALERTS_TEST.read_text())
        self.assertEqual(set(fired), set(alerts))

    def test_alerts_and_dashboard_ask_for_what_there_is(self):
        there = set(catalog(self.it.text)) | {"up"}
        asked = set()
        for where, expressions in (("alerts", re.findall(r"expr: (?:>\n)?((?:.|\n(?!        \w+:))+)", ALERTS.read_text())),
                                   ("dashboard", dashboard_expressions())):
            self.assertGreater(len(expressions), 20, where)
            for expression in expressions:
                names = names_in(expression)
                self.assertTrue(names, expression)
                self.assertEqual(names - there, set(), f"{where}: {expression}")
                asked |= names
        self.assertEqual(there - asked - {"process_virtual_memory_bytes"}, set(), "nobody looks at these")

    def test_a_real_prometheus_takes_them_and_every_question_of_the_dashboard(self):
        prometheus = Prometheus(self.it.admin.where, ALERTS)
        self.addCleanup(prometheus.stop)
        wait_until(lambda: prometheus.query("up") and [v for _, v in prometheus.query("up")] == [1], "it is scraped")
        wait_until(lambda: prometheus.query("count_over_time(flanks_ready[1m]) > 4"), "it was scraped several times")
        families = {family_of(name) for name in prometheus.api("label/__name__/values")}
        told = {name for name, (_, _, labels) in catalog(self.it.text).items() if labels is not None}
        self.assertEqual(told - families, set())
        self.assertEqual(prometheus.query('flanks_credentials{state="error"}')[0][1], self.value("flanks_credentials", state="error"))
        kinds = {name: entry[0]["type"] for name, entry in prometheus.api("metadata").items()}
        for name, (kind, _, _) in catalog(self.it.text).items():
            self.assertEqual(kinds[name], kind)
        for expression in dashboard_expressions():
            for variable, value in (("$instance", ".*"), ("$__rate_interval", "1m")):
                expression = expression.replace(variable, value)
            self.assertIsNotNone(prometheus.query(expression), expression)
        self.assertTrue(prometheus.query('histogram_quantile(0.9, sum by (le) (flanks_http_request_duration_seconds_bucket))'))
        wait_until(lambda: all(rule["health"] == "ok" for group in prometheus.api("rules")["groups"] for rule in group["rules"]),
                   "every alert was evaluated")
        # What is wrong in this world, and nothing else.
        wrong = {"FlanksSyncDown", "FlanksSyncNotReady", "FlanksSyncDatabaseDown", "FlanksSyncStandsStill", "FlanksSyncUnrecorded",
                 "FlanksSyncMirrorBehind", "FlanksSyncKeysRefused"}

        def right():
            pending = {a["labels"]["alertname"] for a in prometheus.api("alerts")["alerts"]}
            return {"FlanksSyncCredentialsFail", "FlanksSyncQuarantine"} <= pending and not pending & wrong
        wait_until(right, "these two alerts are pending, and none that is not true")  # a scrape may be missed meanwhile

    def promtool(self, *arguments, input=None):
        done = subprocess.run(["promtool", *arguments], input=input, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr.strip()), (0, ""), done.stdout)


def dashboard_expressions():
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel.get("targets", [])]


SECTIONS = (("The process", r"process_|flanks_event_loop"), ("The database", r"flanks_database_(statement|pool|jobs)"),
            ("The provider", r"flanks_(http|token|access_token|rate_limit|provider)_"),
            ("What this daemon has done", r"flanks_\w+_total$"),
            ("The mirror, as the database tells it", r"flanks_(credentials|problems|leases|oldest|stale|quarantine|reviews|verification|last_ver|table|database_read)"),
            ("The daemon", r""))


def document(text):
    """docs/metrics.md for a scrape in which every family has a number."""
    parts = {title: [] for title, _ in reversed(SECTIONS)}
    for name, (kind, said, labels) in catalog(text).items():
        if labels is None:
            raise AssertionError(f"{name} has no number here: bring about what it tells of")
        title = next(title for title, pattern in SECTIONS if re.match(pattern, name))
        parts[title].append(f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in sorted(labels))} | {said} |")
    lines = ["# Metrics", "",
             "What `/metrics` tells (`admin.listen`, text format 0.0.4). Written from a scrape of the daemon by",
             "`python3 tests/e2e/prometheus_e2e.py --write`; a test compares it. Every family is named from the first scrape on; one",
             "without a line under its name has no number yet. Times are in seconds, moments in seconds since 1970: an age is",
             "`time() - ...`. No label names a person or a credential. Numbers of the database are those of all daemons on it;",
             "all others belong to one process.", "",
             "Alerts: [contrib/prometheus/alerts.yml](../contrib/prometheus/alerts.yml), explained in [alerts.md](alerts.md).",
             "Dashboard: [contrib/grafana/flanks-sync.json](../contrib/grafana/flanks-sync.json)."]
    for title, rows in parts.items():
        lines += ["", f"## {title}", "", "| metric | type | labels | what it says |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        it = Eventful()
        try:
            DOCUMENT.write_text(document(it.text))
        finally:
            it.close()
    else:
        unittest.main()
