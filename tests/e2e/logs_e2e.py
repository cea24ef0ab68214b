"""What operators read: fields, levels, colours, the journal and its catalog; the trace under which the provider was asked;
and a reader that stands still."""
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
import unittest

from admin import Admin, metric
from journal import Journal
from world import BINARY, PRODUCTS, WorldTest, wait_until

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")
REFUSAL = json.dumps({"success": False, "error": {"code": "ValidationError", "details": []}, "trace_id": "theirs-4711"})
DROPPED = re.compile(r"lines of the log were dropped: they were not taken as fast as they came lines=(\d+)\n")
LINES_DROPPED_ID = "60f0b62d42a648c69955503a034f1db3"
RUN_FAILED_ID = "e69c82b65a984e5299485f1fae4d5f54"


def lines_of(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Logs(WorldTest):
    def small(self, credentials=1, **settings):
        options = {"log": {"format": "json", "level": "debug"}, "sync": {}, **settings}
        world = self.world(credentials=credentials, transactions=8, no_oddities=True, settings=options)
        world.register_all()
        return world

    def once(self, world, *options, **env):
        return lines_of(world.cli(*options, "run", "--once", env=env).stderr)

    def make_due(self, world):
        world.sql("update flanks_internal.leases set next_due_at = now()")

    # ---- the trace

    def requests_by_trace(self, world):
        found = {}
        for line in world.sandbox.answered():
            match = TRACEPARENT.fullmatch(line["traceparent"])
            self.assertTrue(match, f"{line['path']}: {line['traceparent']!r}")
            found.setdefault(match.group(1), []).append((line["path"], match.group(2)))
        return found

    def test_every_request_carries_the_trace_of_its_run_and_the_log_tells_it(self):
        world = self.small(credentials=3)
        lines = self.once(world)
        requests = self.requests_by_trace(world)
        traces = {}
        for line in lines:
            if "credential_id" in line:
                traces.setdefault(line["credential_id"], set()).add(line["our_trace_id"])
        self.assertEqual([len(t) for t in traces.values()], [1, 1, 1], "one for all that a run asks for")
        runs = {t for (t,) in traces.values()}
        self.assertEqual(len(runs), 3, "and none for two")
        tokens = 0
        for trace in runs:
            paths = [path for path, _ in requests[trace]]
            self.assertEqual(len(paths) - paths.count("/v0/token"), 12, "the status, seven lists, four windows")
            tokens += paths.count("/v0/token")
        self.assertEqual(tokens, 1, "the token's is that of the run that needed it first")
        others = [path for trace, calls in requests.items() if trace not in runs for path, _ in calls]
        self.assertEqual(others, ["/v0/bank/available"])
        ids = [request for calls in requests.values() for _, request in calls]
        self.assertEqual(len(set(ids)), len(ids), "each request has an id of its own")
        # The next cycle is another trace, and nothing in it is made of what is secret.
        self.make_due(world)
        again = {line["our_trace_id"] for line in self.once(world) if "credential_id" in line}
        self.assertEqual((len(again), again & runs), (3, set()))
        sent = "".join(line["traceparent"] for line in world.sandbox.answered())
        secrets = [c["credentials_token"] for c in world.sandbox.credentials()] + [world.sandbox.client_secret]
        for secret in secrets:
            self.assertNotIn(secret.encode().hex()[:16], sent)
            for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256):
                self.assertNotIn(digest(secret.encode()).hexdigest()[:16], sent)

    def test_a_try_is_a_request_of_the_same_trace(self):
        world = self.small()
        world.sandbox.fault("status", endpoint="card", status=503, times=1)
        self.once(world)
        path = "/v0/bank/credentials/card/transaction"
        tries = [TRACEPARENT.fullmatch(r["traceparent"]).groups() for r in world.sandbox.answered() if r["path"] == path]
        self.assertEqual((len(tries), len({t for t, _ in tries}), len({r for _, r in tries})), (2, 1, 2))

    def test_a_discovery_asks_under_a_trace_and_its_failure_names_both(self):
        world = self.small(credentials=0)
        world.settings["sync"]["discover_interval"] = "60s"
        world.write_config()
        world.sandbox.fault("status", endpoint="list", status=400, body=REFUSAL, times=-1)
        daemon = world.start("run")
        wait_until(lambda: "cannot discover" in daemon.log.read_text(), "it failed")
        (line,) = [l for l in lines_of(daemon.log.read_text()) if l["message"].startswith("cannot discover")]
        self.assertEqual((line["trace_id"], line["endpoint"], line["http_status"]), ("theirs-4711", "/v0/bank/credentials/list", 400))
        self.assertIn(("/v0/bank/credentials/list"), [path for path, _ in self.requests_by_trace(world)[line["our_trace_id"]]])

    # ---- lines

    def test_a_failure_names_endpoint_status_and_the_traces_of_both_sides(self):
        world = self.small()
        world.sandbox.fault("status", endpoint="card", status=400, body=REFUSAL, times=-1)
        world.sandbox.fault("status", endpoint="products/holder", status=400, body=REFUSAL, times=-1)
        lines = self.once(world)
        (failed,) = [l for l in lines if l["message"] == "run failed"]
        row = world.rows("select * from flanks.sync_runs where outcome = 'failed'")[0]
        self.assertEqual((failed["level"], failed["message_id"], failed["product"], failed["run_id"]),
                         ("warn", RUN_FAILED_ID, "card", row["run_id"]))
        (listed,) = [l for l in lines if l["message"] == "products not fetched"]
        for line, path in ((failed, "card/transaction"), (listed, "holder")):
            self.assertEqual((line["endpoint"], line["http_status"], line["error_class"], line["provider_code"], line["trace_id"]),
                             (f"/v0/bank/credentials/{path}", 400, "bad_request", "ValidationError", "theirs-4711"))
            self.assertIn(line["endpoint"], [p for p, _ in self.requests_by_trace(world)[line["our_trace_id"]]])

    def test_keys_that_are_refused_are_told_with_the_traces_of_the_token_call(self):
        world = self.small(credentials=2)
        world.sandbox.fault("status", endpoint="token", status=401, body=REFUSAL, times=-1)
        lines = self.once(world)
        told = [l for l in lines if l["message"] == "run failed"]
        told += [l for l in lines if l["message"].startswith("nothing can be fetched until an operator acts")]
        self.assertGreaterEqual(len(told), 2, lines)
        for line in told:
            self.assertEqual((line["endpoint"], line["http_status"], line["trace_id"]), ("/v0/token", 401, "theirs-4711"))
            self.assertIn("/v0/token", [p for p, _ in self.requests_by_trace(world)[line["our_trace_id"]]])

    def test_a_run_is_one_line_and_what_brought_nothing_is_for_debugging(self):
        world = self.small(log={"format": "json"})
        said = ("flanks-sync 0.1.0 runs", "flanks-sync ends")
        lines = self.once(world)
        windows = [l for l in lines if l["message"] == "window stored"]
        self.assertEqual(sorted(l["product"] for l in windows), sorted(PRODUCTS))
        self.assertEqual(len(windows), int(world.sql("select count(*) from flanks.sync_runs")))
        news = world.sql("select string_agg(product, ' ' order by product) from flanks.product_runs where inserted + updated + removed > 0")
        self.assertEqual(sorted(l["product"] for l in lines if l["message"] == "products stored"), news.split())
        # Read again, and nothing is new: the windows are runs that ended, the lists are not worth a line.
        world.sandbox.refresh()
        self.make_due(world)
        world.sql("delete from flanks.product_runs")
        lines = self.once(world)
        self.assertEqual(len([l for l in lines if l["message"] == "window stored"]), 4)
        news = world.sql("select string_agg(product, ' ' order by product) from flanks.product_runs where inserted + updated + removed > 0")
        self.assertEqual(sorted(l["product"] for l in lines if l["message"] == "products stored"), news.split())
        self.assertLessEqual({l["message"] for l in lines}, {"window stored", "products stored", *said})
        world.sandbox.refresh()
        self.make_due(world)
        lines = self.once(world, "--log-level", "debug")
        self.assertIn("debug", {l["level"] for l in lines if l["message"] == "products stored"})
        # Nothing newer at the provider.
        self.make_due(world)
        self.assertEqual([l["message"] for l in self.once(world)], list(said))
        self.make_due(world)
        quiet = [l["message"] for l in self.once(world, "--log-level", "debug")]
        self.assertEqual(quiet.count("not fetched"), 4)

    def on_a_terminal(self, world, **env):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BINARY, "--config", world.config, "run", "--once"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, **env})
        os.close(theirs)
        text = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # its last writer has ended
                break
            if not piece:
                break
            text += piece
        os.close(ours)
        self.assertEqual(process.wait(60), 0, text)
        return text.decode()

    def test_colours_are_for_terminals_that_want_them(self):
        world = self.small(credentials=0, log={"format": "auto"})
        os.environ.pop("NO_COLOR", None)
        self.assertRegex(self.on_a_terminal(world, TERM="xterm"), r"\d{3}Z \x1b\[32minfo \x1b\[0m flanks-sync 0\.1\.0 runs ")
        for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
            text = self.on_a_terminal(world, **env)
            self.assertIn("Z info  flanks-sync 0.1.0 runs", text)
            self.assertNotIn("\x1b", text)
        piped = world.cli("run", "--once", env={"TERM": "xterm"}).stderr
        self.assertIn("Z info  flanks-sync 0.1.0 runs", piped)
        self.assertNotIn("\x1b", piped)

    # ---- a reader that stands still

    def make_noise(self, world):
        """More lines than may wait: 4 of each credential and poll."""
        for _ in range(4):
            asked = world.sql("update flanks_internal.leases set next_due_at = now() returning now()").split("\n")[0]
            wait_until(lambda: world.sql("select count(*) from flanks.sync_status where running or last_attempt_at is null "
                                         f"or last_attempt_at <= '{asked}'") == "0", "all were asked for again")

    def noisy(self, **log):
        world = self.world(credentials=150, transactions=1, no_oddities=True, products="account", settings={
            "log": {"level": "debug", **log}, "sync": {"product_details": [], "concurrency": 16},
            "flanks": {"requests_per_second": 1000}})
        world.write_config(admin__listen=f"unix:{world.dir}/admin.socket")
        return world, world.register_all()

    def metric(self, world):
        return int(Admin(f"unix:{world.dir}/admin.socket").metrics()[metric("flanks_log_lines_dropped_total")])

    def full_pipe(self):
        read, write = os.pipe()
        filler = os.open(f"/proc/self/fd/{write}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(filler, b"\n" * 4096)
        except BlockingIOError:
            pass
        os.close(filler)
        self.addCleanup(os.close, read)
        return read, write

    def start_into(self, world, write):
        daemon = subprocess.Popen([BINARY, "--config", world.config, "run"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=write)
        os.close(write)
        world.daemons.append(daemon)
        return daemon

    def test_a_pipe_that_nobody_reads_stops_no_mirror_and_says_what_it_cost(self):
        world, ids = self.noisy()
        read, write = self.full_pipe()
        daemon = self.start_into(world, write)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "150", "all are mirrored")
        self.assert_mirrors(world, ids)
        self.make_noise(world)
        lost = self.metric(world)
        self.assertGreater(lost, 0)
        self.assertIsNone(daemon.poll())
        # Somebody reads again.
        text = []

        def take():
            while piece := os.read(read, 65536):
                text.append(piece)

        reader = threading.Thread(target=take, daemon=True)
        reader.start()
        wait_until(lambda: DROPPED.search(b"".join(text).decode()), "it tells what was lost, though nothing else happens")
        before = b"".join(text).decode()
        told = DROPPED.search(before)
        self.assertEqual((int(told.group(1)), before[told.end():]), (lost, ""), "where they are missing: at the end")
        self.make_noise(world)
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)
        reader.join(60)
        after = b"".join(text).decode()
        self.assertIn("not fetched", after[len(before):])
        self.assertIn("flanks-sync ends", after)

    def test_a_pipe_that_nobody_reads_holds_up_the_end_for_two_seconds(self):
        world = self.small(log={"format": "text"})
        _, write = self.full_pipe()
        daemon = self.start_into(world, write)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "1", "it is mirrored")
        begin = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)
        self.assertLess(time.monotonic() - begin, 8)

    # ---- the journal

    def journal(self):
        why = Journal.why_not()
        if why:
            self.skipTest(f"no journal here: {why}")
        journal = Journal()
        self.addCleanup(journal.stop)
        return journal

    def test_the_journal_has_fields_and_its_catalog_says_what_to_do(self):
        journal = self.journal()
        world = self.small(log={"format": "journal"})
        world.sandbox.fault("status", endpoint="card", status=400, body=REFUSAL, times=-1)
        done = subprocess.run(journal.inside(BINARY, "--config", world.config, "run", "--once"), capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (3, ""))
        (failed,) = wait_until(lambda: journal.entries(f"MESSAGE_ID={RUN_FAILED_ID}"), "the run's line is in the journal")
        run_id = world.sql("select run_id from flanks.sync_runs where outcome = 'failed'")
        expected = {"PRIORITY": "4", "FLANKS_CREDENTIAL_ID": "1", "FLANKS_RUN_ID": run_id, "FLANKS_PRODUCT": "card",
                    "FLANKS_ENDPOINT": "/v0/bank/credentials/card/transaction", "FLANKS_HTTP_STATUS": "400",
                    "FLANKS_ERROR_CLASS": "bad_request", "FLANKS_TRACE_ID": "theirs-4711"}
        self.assertEqual({name: failed.get(name) for name in expected}, expected)
        self.assertRegex(failed["FLANKS_OUR_TRACE_ID"], "^[0-9a-f]{32}$")
        self.assertTrue(failed["MESSAGE"].startswith("run failed credential_id=1 product=card "), failed["MESSAGE"])
        stored = ("FLANKS_CREDENTIAL_ID=1", "PRIORITY=6", "FLANKS_OUTCOME=ok", "FLANKS_PRODUCT=account")
        wait_until(lambda: {e["MESSAGE"].split(" credential_id")[0] for e in journal.entries(*stored)} == {"window stored", "products stored"},
                   "both are in the journal, and nothing else")
        explained = journal.text("-x", f"MESSAGE_ID={RUN_FAILED_ID}")
        self.assertIn("Subject: run failed", explained)
        self.assertIn("where error_class = 'bad_request'", " ".join(re.sub("\u2591", "", explained).split()))

    def test_a_service_writes_to_the_journal_by_itself(self):
        journal = self.journal()
        world = self.small(credentials=0, log={"format": "auto"})
        done = subprocess.run(journal.as_service(BINARY, "--config", world.config, "run", "--once"), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        entries = wait_until(journal.entries, "it is in the journal")
        self.assertEqual(entries[0]["MESSAGE"].split(" base_url")[0], "flanks-sync 0.1.0 runs")

    def test_a_journald_that_stands_still_stops_no_mirror(self):
        journal = self.journal()
        world, ids = self.noisy(format="journal")
        journal.freeze()
        daemon = subprocess.Popen(journal.inside(BINARY, "--config", world.config, "run"), stdin=subprocess.DEVNULL)
        world.daemons.append(daemon)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "150", "all are mirrored")
        self.assert_mirrors(world, ids)
        wait_until(lambda: self.make_noise(world) or self.metric(world) > 0, "lines are dropped")
        journal.thaw()
        wait_until(lambda: journal.entries(f"MESSAGE_ID={LINES_DROPPED_ID}"), "it tells what was lost")
        self.assertGreater(int(journal.entries(f"MESSAGE_ID={LINES_DROPPED_ID}")[0]["FLANKS_LINES"]), 0)
        self.assertEqual(journal.entries(f"MESSAGE_ID={LINES_DROPPED_ID}")[0]["PRIORITY"], "4")
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
