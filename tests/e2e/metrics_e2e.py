"""The admin listener: what it tells is what the tables say, and nobody who talks to it can harm the daemon."""
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

from admin import Admin, metric, served_at
from world import PRODUCTS, WorldTest, wait_until

KINDS = ("fetched", "inserted", "updated", "unchanged", "removed", "quarantined", "duplicates")


class MetricsTest(WorldTest):
    def prepared(self, listen="unix", settings=None, **options):
        """A world whose daemon listens at a socket in the world's directory, or at `listen`."""
        world = self.world(**{"credentials": 2, "transactions": 60, "seed": 7, "settings": settings, **options})
        where = f"unix:{world.dir}/admin.socket" if listen == "unix" else listen
        world.settings = {**world.settings, "admin": {**world.settings.get("admin", {}), "listen": where}}
        world.write_config()
        return world

    def started(self, *listen, **options):
        """A world, its daemon, its admin listener."""
        world = self.prepared(*listen, **options)
        return world, *self.start(world)

    def start(self, world):
        daemon = world.start("run")
        found = wait_until(lambda: served_at(daemon.log.read_text()) or daemon.poll() is not None, "it listens")
        self.assertIsNot(found, True, daemon.log.read_text())
        return daemon, Admin(found)

    def connected(self, admin):
        s = admin.socket()
        self.addCleanup(s.close)
        return s

    def mirrored(self, world):
        ids = world.register_all()
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where last_attempt_at is null") == "0" and
                   world.sql("select count(*) from flanks_internal.leases where lease_id is not null") == "0", "all were tried")
        return ids


class Metrics(MetricsTest):
    def test_every_number_is_the_one_that_the_tables_give(self):
        world, daemon, admin = self.started(credentials=3)
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        world.sandbox.fault("status", tokens[0], "card", times=-1, status=500)
        world.sandbox.fault("bad_record", tokens[1], "card", times=-1, records=['{"_id": "no-date", "amount": 1}'])
        world.sandbox.fault("duplicate", tokens[1], "account", times=1)
        self.mirrored(world)
        scraped = admin.fresh_metrics(time.time())
        expected = {}
        for name, rows, table, products in (
                ("flanks_windows_total", "flanks_rows_total", "sync_runs", PRODUCTS),
                ("flanks_product_lists_total", "flanks_product_list_rows_total", "product_runs",
                 (*PRODUCTS, "portfolio", "identity", "holder"))):
            for product in products:
                for outcome in ("ok", "partial", "failed", "suspicious", "unchanged_upstream", "not_available"):
                    expected[metric(name, product=product, outcome=outcome)] = int(world.sql(
                        f"select count(*) from flanks.{table} where product = '{product}' and outcome = '{outcome}'"))
                for kind in KINDS:
                    column = "0" if (table, kind) == ("product_runs", "duplicates") else kind
                    expected[metric(rows, product=product, kind=kind)] = int(world.sql(
                        f"select coalesce(sum({column}), 0) from flanks.{table} where product = '{product}'"))
        for row in world.rows("select error_class, count(*) from (select error_class from flanks.sync_runs where outcome = 'failed' "
                              "union all select error_class from flanks.product_runs where outcome = 'failed') f group by 1"):
            expected[metric("flanks_failures_total", error_class=row["error_class"])] = int(row["count"])
        expected[metric("flanks_provider_pauses_total")] = 0
        expected[metric("flanks_unrecorded_failures_total")] = 0
        counters = {k: v for k, v in scraped.items() if k in expected or k[0] in {name for name, *_ in expected}}
        self.assertEqual(counters, expected)
        self.assertGreater(counters[metric("flanks_failures_total", error_class="http_500")], 0)
        self.assertGreater(counters[metric("flanks_rows_total", product="card", kind="quarantined")], 0)
        self.assertGreater(counters[metric("flanks_rows_total", product="account", kind="duplicates")], 0)
        self.assertEqual(scraped[metric("flanks_database_up")], 1)
        self.assertEqual(scraped[metric("flanks_credentials_due")], 0)
        self.check_with_promtool(admin)

    def test_a_pause_of_the_provider_shows_while_it_lasts_and_is_counted(self):
        world, daemon, admin = self.started()
        world.sandbox.fault("status", status=429, retry_after="4", times=1)
        world.register_all()
        paused = wait_until(lambda: (found := admin.metrics()) and found[metric("flanks_provider_pause_end_timestamp_seconds")] and found, "paused")
        self.assertAlmostEqual(paused[metric("flanks_provider_pause_end_timestamp_seconds")], time.time() + 2.5, delta=2.6)
        self.assertEqual(paused[metric("flanks_provider_pauses_total")], 1)
        self.check_with_promtool(admin)
        after = wait_until(lambda: not (found := admin.metrics())[metric("flanks_provider_pause_end_timestamp_seconds")] and found, "it is over")
        self.assertEqual(after[metric("flanks_provider_pauses_total")], 1)
        wait_until(lambda: admin.metrics()[metric("flanks_rate_limit_wait_seconds_sum")] >= 4, "what waited in it went on")

    def check_with_promtool(self, admin):
        promtool = shutil.which("promtool")
        if promtool:
            done = subprocess.run([promtool, "check", "metrics"], input=admin.get("/metrics")[2], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_credentials_by_state_who_is_due_and_the_oldest_success(self):
        world = self.prepared(credentials=6, settings={"sync": {"poll": "1h"}})
        world.sql("alter table flanks.credentials disable trigger user")
        ids = sorted(world.register_all().values())
        # The daemon sleeps for an hour: the tables are ours.
        world.sql("update flanks_internal.leases set next_due_at = now() + interval '1 hour'")
        daemon, admin = self.start(world)
        world.sql(f"update flanks_internal.leases set next_due_at = now() - interval '1 s' where credential_id in ({ids[0]}, {ids[1]})")
        # One that a living worker has is as due as before, and waits for nobody.
        world.sql("update flanks_internal.leases set lease_id = gen_random_uuid(), holder = 'other', expires_at = now() + interval '1 hour', "
                  f"next_due_at = now() - interval '1 s' where credential_id = {ids[4]}")
        world.sql("update flanks.credentials set state = 'ok'; update flanks_internal.schedule set confirmed_at = now()")
        world.sql(f"update flanks_internal.schedule set confirmed_at = now() - interval '2 days' where credential_id = {ids[0]}")
        world.sql(f"update flanks_internal.schedule set confirmed_at = null where credential_id = {ids[1]}")
        world.sql(f"update flanks.credentials set state = 'error', created_at = now() - interval '5 days' "
                  f"where credential_id = {ids[1]}")
        world.sql(f"update flanks.credentials set paused = true where credential_id = {ids[2]}")
        world.sql(f"update flanks.credentials set removed_at = now() where credential_id = {ids[3]}")
        scraped = admin.fresh_metrics(time.time())
        states = {dict(k[1:])["state"]: v for k, v in scraped.items() if k[0] == "flanks_credentials"}
        self.assertEqual(states, {"new": 0, "pending": 0, "ok": 3, "stale": 0, "action_required": 0, "blocked": 0, "error": 1, "gone": 0,
                                  "paused": 1, "removed": 1})
        self.assertEqual({r["state"]: float(r["count"]) for r in world.rows(
            "select state, count(*) from flanks.sync_status group by 1")}, {k: v for k, v in states.items() if v})
        self.assertEqual(scraped[metric("flanks_credentials_due")], 2)
        self.assertEqual(scraped[metric("flanks_leases_held")], 1)
        oldest = {dict(k[1:])["state"]: v for k, v in scraped.items() if k[0] == "flanks_oldest_success_timestamp_seconds"}
        self.assertEqual(set(oldest), {"ok", "error"}, "of those that occur, without paused and removed")
        self.assertAlmostEqual(oldest["ok"], time.time() - 2 * 86400, delta=120)
        self.assertAlmostEqual(oldest["error"], time.time() - 5 * 86400, delta=120)

    def test_what_verify_found_is_a_metric_until_it_is_healed(self):
        world, daemon, admin = self.started()
        ids = self.mirrored(world)
        first = min(ids.values())

        def proofs():
            scraped = admin.fresh_metrics(time.time())
            ended = {(dict(k[1:])["product"], dict(k[1:])["outcome"]): v for k, v in scraped.items() if k[0] == "flanks_verifications"}
            differing = {(dict(k[1:])["product"], dict(k[1:])["kind"]): v for k, v in scraped.items()
                         if k[0] == "flanks_verification_differences"}
            self.assertEqual(len(ended), 16)
            self.assertEqual(len(differing), 12)
            return ({k: v for k, v in ended.items() if v}, {k: v for k, v in differing.items() if v},
                    scraped.get(metric("flanks_last_verification_timestamp_seconds")))

        self.assertEqual(proofs(), ({}, {}, None), "nothing was proved yet")
        world.sql(f"create table kept as select * from flanks.transactions where credential_id = {first} and product = 'account' "
                  "order by _id limit 3")
        world.sql("update flanks.transactions set amount = amount + 1 where _id in (select _id from kept order by _id limit 2)")
        world.sql("delete from flanks.transactions where _id in (select _id from kept order by _id offset 2)")
        self.assertEqual(world.cli("verify").returncode, 3)
        ended, differing, at = proofs()
        self.assertEqual(ended, {("account", "different"): 1, ("account", "equal"): 1, **{(p, "equal"): 2 for p in PRODUCTS[1:]}})
        self.assertEqual(differing, {("account", "altered"): 2, ("account", "missing"): 1})
        self.assertEqual(str(int(at)), world.sql("select floor(extract(epoch from max(finished_at))) from flanks.verifications"))
        # A proof of another product says nothing of this one.
        world.ok("verify", "--product", "card")
        self.assertEqual(proofs()[:2], (ended, differing))
        world.sql("update flanks.transactions t set amount = k.amount from kept k where k._id = t._id")
        world.sql("insert into flanks.transactions select * from kept on conflict do nothing")
        world.ok("verify", "--product", "account")
        self.assertEqual(proofs()[:2], ({(p, "equal"): 2 for p in PRODUCTS}, {}))
        # One command may speak of a product in several windows: what is wrong in one is wrong.
        world.sql("insert into flanks.verifications (run_id, credential_id, product, outcome, extra, started_at) "
                  f"select u, {first}, 'card', o, n, now() from (select gen_random_uuid() as u) g, "
                  "(values ('different', 4), ('equal', 0)) v(o, n)")
        self.assertEqual(proofs()[:2], ({**{(p, "equal"): 2 for p in PRODUCTS}, ("card", "equal"): 1, ("card", "different"): 1},
                                        {("card", "extra"): 4}))
        # Who was removed is nobody's trouble any more.
        world.ok("credentials", "remove", first)
        self.assertEqual(proofs()[:2], ({(p, "equal"): 1 for p in PRODUCTS}, {}))

    def test_no_secret_and_nobodys_name_in_any_answer(self):
        world, daemon, admin = self.started(credentials=3)
        world.sandbox.fault("status", "*", "card", times=-1, status=403)
        ids = self.mirrored(world)
        users = [row["user_id"] for row in world.rows("select user_id from flanks.user_credentials")]
        # The page is for operators, who must find a user.
        page = "".join(str(admin.get(path)) for path in ("/", "/credentials", "/credentials/1", "/api/v1/status"))
        self.assertIn(users[0], page)
        said = "".join(str(admin.get(path)) for path in ("/metrics", "/-/ready", "/-/healthy", "/nothing"))
        world.sql("drop schema flanks_internal cascade")
        said += "".join(str(admin.get(path)) for path in ("/metrics", "/-/ready"))
        self.assertIn("503", said)
        for name in (*ids, *users, world.sandbox.client_secret, world.sandbox.client_id, world.sandbox.access_token()):
            self.assertNotIn(name, said)
        for secret in (*ids, world.sandbox.client_secret, world.sandbox.access_token()):
            self.assertNotIn(secret, page)
        self.assertNotIn("credential_id", said)


class Readiness(MetricsTest):
    def ready(self, admin):
        """(status, [(check, error_class, says), ...])"""
        status, headers, text = admin.get("/-/ready")
        self.assertEqual(headers["Content-Type"], "application/json")
        told = json.loads(text)
        self.assertEqual((list(told), told["ready"], status), (["ready", "reasons"], not told["reasons"], 503 if told["reasons"] else 200))
        for reason in told["reasons"]:
            self.assertEqual(list(reason), ["check", "error_class", "says", "hint", "who_must_act"])
        return status, [tuple(reason.values())[:3] for reason in told["reasons"]]

    def test_a_database_that_is_gone_and_comes_back(self):
        world, daemon, admin = self.started()
        self.mirrored(world)
        self.assertEqual(self.ready(admin), (200, []))
        before = admin.metrics()
        self.addCleanup(world.cluster.start_again)
        world.cluster.kill()
        status, [(check, error_class, says)] = self.ready(admin)
        self.assertEqual((status, check), (503, "database"))
        self.assertRegex(error_class, r"\Adatabase_\w+\Z")
        self.assertEqual(says, f"the database cannot be used ({error_class}); the log says more")
        self.assertEqual(admin.get("/-/healthy")[::2], (200, "healthy\n"))
        scraped = admin.metrics()
        self.assertEqual(scraped[metric("flanks_database_up")], 0)
        self.assertEqual(scraped[metric("flanks_ready")], 0)
        for name in ("flanks_credentials", "flanks_leases_held", "flanks_table_rows", "flanks_database_read_timestamp_seconds"):
            self.assertFalse([k for k in scraped if k[0] == name], "what only the database knows")
        self.assertEqual({k: v for k, v in scraped.items() if k[0] == "flanks_rows_total"},
                         {k: v for k, v in before.items() if k[0] == "flanks_rows_total"})
        world.cluster.start_again()
        wait_until(lambda: self.ready(admin) == (200, []), "ready again")
        wait_until(lambda: admin.metrics()[metric("flanks_database_up")] == 1, "up again")
        self.assertIsNone(daemon.poll())

    def test_a_database_that_hangs_holds_up_no_answer(self):
        world, daemon, admin = self.started()
        self.mirrored(world)
        admin.metrics()
        pids = [int(p) for p in world.sql("select pid from pg_stat_activity where application_name like 'flanks-sync%' "
                                          f"and datname = '{world.database}'").split()]
        self.addCleanup(lambda: [os.kill(p, signal.SIGCONT) for p in pids if os.path.exists(f"/proc/{p}")])
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        self.assertEqual(admin.metrics()[metric("flanks_database_up")], 0)
        self.assertEqual(self.ready(admin), (503, [("database", "database_silent", "the database has not answered within 3 s")]))
        self.assertLess(time.monotonic() - began, 20)

        def healthy_within():
            began = time.monotonic()
            self.assertEqual(admin.get("/-/healthy")[0], 200)
            return time.monotonic() - began
        self.assertLess(min(healthy_within() for _ in range(3)), 1)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: self.ready(admin) == (200, []), "ready again")
        wait_until(lambda: admin.metrics()[metric("flanks_database_up")] == 1, "up again")

    def test_gauges_that_cannot_be_read_are_those_of_the_last_time_and_the_log_says_so_once(self):
        world, daemon, admin = self.started()
        self.mirrored(world)
        before = admin.fresh_metrics(time.time())
        world.sql("alter table flanks.verifications rename to elsewhere")
        # At once, unless the reading before was slow.
        wait_until(lambda: admin.metrics() and "cannot read the gauges of the database" in daemon.log.read_text(), "it is in the log")
        after = wait_until(lambda: (found := admin.metrics())[metric("flanks_database_up")] == 1 and found, "it is up")
        for name in ("flanks_credentials", "flanks_verifications", "flanks_database_read_timestamp_seconds"):
            self.assertEqual({k: v for k, v in after.items() if k[0] == name}, {k: v for k, v in before.items() if k[0] == name})
        self.assertEqual(daemon.log.read_text().count("cannot read the gauges of the database"), 1)

    def test_a_schema_that_is_taken_away_is_told_in_words(self):
        world, daemon, admin = self.started()
        world.sql("drop schema flanks cascade; drop schema flanks_internal cascade")
        # A claim of that moment may have met the drop in a deadlock.
        wait_until(lambda: self.ready(admin) == (
            503, [("schema", "database_schema", "the database has no schema of flanks-sync yet")]), "it is told")
        admin.get("/metrics")
        log = wait_until(lambda: "cannot read the gauges" in daemon.log.read_text() and daemon.log.read_text(), "it is logged")
        self.assertIn('error="the database has no schema of flanks-sync yet"', log)
        self.assertNotIn("does not exist", log)

    def test_a_schema_that_does_not_fit(self):
        world, daemon, admin = self.started()
        world.sql("insert into flanks_internal.schema_migrations (version, name, sha256) values (9999, '9999_later', 'x')")
        self.assertEqual(self.ready(admin), (
            503, [("schema", "database_schema", "the database is newer than this program: it has migration 9999_later")]))
        world.sql("delete from flanks_internal.schema_migrations where version = 9999")
        self.assertEqual(self.ready(admin), (200, []))

    def test_keys_that_the_provider_refuses(self):
        world = self.world(credentials=1, transactions=20)
        world.settings = {"admin": {"listen": f"unix:{world.dir}/admin.socket"}}
        world.write_config()
        (world.dir / "client_secret").write_text("not-the-secret\n")
        daemon, admin = self.start(world)
        self.assertEqual(self.ready(admin), (200, []), "nobody was asked yet")
        world.register_all()
        wait_until(lambda: self.ready(admin) == (
            503, [("token", "token_refused", "nothing can be fetched until an operator acts (token_refused); the log says more")]), "not ready")
        self.assertGreater(admin.metrics()[metric("flanks_failures_total", error_class="token_refused")], 0)

    def test_not_ready_while_stopping_and_what_is_asked_is_still_answered(self):
        world, daemon, admin = self.started(credentials=1, latency=3000)
        world.register_all()
        wait_until(lambda: world.sandbox.requests()["endpoints"].get("status", 0), "work is in hand")
        idle = self.connected(admin)
        daemon.send_signal(signal.SIGTERM)
        wait_until(lambda: self.ready(admin) == (503, [("daemon", None, "the daemon is stopping")]), "stopping")
        self.assertEqual(daemon.wait(60), 0, daemon.log.read_text())
        self.assertEqual(idle.recv(1), b"")
        self.assertFalse(os.path.exists(admin.where[5:]), "the socket's file is gone")


class Requests(MetricsTest):
    def test_what_is_there_and_what_is_not(self):
        world, daemon, admin = self.started("127.0.0.1:0")
        status, headers, text = admin.get("/nothing?x=1")
        self.assertEqual(status, 404)
        self.assertEqual(text.splitlines()[0], "there is no /nothing; there is:")
        self.assertEqual([line.split()[0] for line in text.splitlines()[1:]], ["/", "/credentials", "/api/v1/status", "/metrics", "/-/healthy", "/-/ready"])
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(admin.get("/-/healthy?probe=1")[::2], (200, "healthy\n"))
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            status, headers, text = admin.get("/metrics", method, body=None if method == "BREW" else "x")
            self.assertEqual((status, headers["Allow"], text),
                             (405, "GET, HEAD", "there is nothing to change here: only GET and HEAD\n"))
        status, headers, text = admin.get("/-/healthy", "HEAD")
        self.assertEqual((status, headers["Content-Length"], text), (200, "8", ""))

    def test_a_page_of_another_site_learns_nothing(self):
        world, daemon, admin = self.started("127.0.0.1:0", settings={"admin": {"hosts": ["metrics.internal"]}})
        port = admin.where.rsplit(":", 1)[1]

        def ask(head, version="1.1"):
            return admin.raw(f"GET /metrics HTTP/{version}\r\n{head}Connection: close\r\n\r\n".encode("latin-1"))

        for host in (f"evil.example:{port}", "127.0.0.1.evil.example", "10.0.0.1"):
            answer = ask(f"Host: {host}\r\n")
            self.assertEqual(answer.split("\r\n")[0], "HTTP/1.1 421 Misdirected Request")
            self.assertTrue(answer.endswith(
                f'this is asked for at the host "{host}", which is none of this daemon: it answers for localhost, 127.0.0.1, [::1], '
                'the address of admin.listen and the names in admin.hosts of its configuration\n'), answer)
        self.assertIn('the host "evil?<b>"', ask("Host: evil\xf1<b>\r\n"))
        for head, version, status in ((f"Host: localhost:{port}\r\n", "1.1", 200), ("Host: [::1]\r\n", "1.1", 200),
                                      ("Host: Metrics.internal:80\r\n", "1.1", 200), ("", "1.0", 200), ("", "1.1", 400),
                                      ("Host: localhost\r\nHost: localhost\r\n", "1.1", 400),
                                      ("Host: evil.example\r\n", "1.0", 421)):
            self.assertEqual(ask(head, version).split()[1], str(status), (head, version))
        refused = "the admin listener refuses requests for a host that is not its own"
        wait_until(lambda: refused in daemon.log.read_text(), "it is in the log")
        self.assertEqual(daemon.log.read_text().count(refused), 1)
        self.assertIn(f"host=evil.example:{port} hint=\"name the host in admin.hosts", daemon.log.read_text())

    def test_a_unix_socket_takes_every_host_but_one_must_be_named(self):
        world, daemon, admin = self.started()
        self.assertIn("200 OK", admin.raw(b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"))
        self.assertIn("400 Bad Request", admin.raw(b"GET /metrics HTTP/1.1\r\n\r\n"))

    def test_one_connection_serves_many_requests(self):
        world, daemon, admin = self.started("127.0.0.1:0")
        connection = admin.connection()
        self.addCleanup(connection.close)
        for path, status in (("/-/healthy", 200), ("/metrics", 200), ("/no", 404), ("/-/healthy", 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read() != b""), (status, True))
        connection.request("HEAD", "/-/healthy")
        self.assertEqual(connection.getresponse().read(), b"")
        connection.request("GET", "/-/healthy")
        self.assertEqual(connection.getresponse().read(), b"healthy\n")
        two = admin.raw(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(two.count("HTTP/1.1 200 OK"), 2, two)
        self.assertIn("HTTP/1.0 200 OK", admin.raw(b"GET /-/healthy HTTP/1.0\r\n\r\n"))

    def test_requests_that_are_none(self):
        world, daemon, admin = self.started()
        head = b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
        for sent, said in ((head + b"X: " + b"x" * 9000 + b"\r\n\r\n", "431 Request Header Fields Too Large"),
                           (b"GET /" + b"x" * 1000000, "431 Request Header Fields Too Large"),
                           (head + b"Content-Length: 5\r\n\r\nhello", "413 Payload Too Large"),
                           (head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "400 Bad Request"),
                           (head + b"Transfer-Encoding: identity\r\n\r\n", "400 Bad Request"),
                           (head + b"Transfer-Encoding: xchunked\r\n\r\n", "400 Bad Request"),
                           (head + b"Content-Length: 2000000\r\n\r\n", "413 Payload Too Large"),
                           (b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", "405 Method Not Allowed"),
                           (b"hello\r\n\r\n", "400 Bad Request"),
                           (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "400 Bad Request")):
            answer = admin.raw(sent)
            self.assertEqual(answer.split("\r\n")[0], "HTTP/1.1 " + said, sent[:60])
            self.assertIn("Connection: close", answer)
        self.assertIn("longer than 8 KiB", admin.raw(head + b"X: " + b"x" * 9000))
        self.assertIn(f"there is no /?%0a{'y' * 95}; there is:", admin.raw(b"GET /\xff%0a" + b"y" * 500 + b" HTTP/1.0\r\n\r\n"))
        self.assertEqual(admin.get("/-/healthy")[0], 200)

    def test_who_sends_slowly_is_closed_and_holds_up_nobody(self):
        world, daemon, admin = self.started("127.0.0.1:0", settings={"log": {"level": "debug"}})
        slow = [self.connected(admin) for _ in range(40)]  # more than there are places
        for s in slow:
            try:
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            except OSError:
                pass  # its place went to another one
        began = time.monotonic()
        self.assertEqual(admin.metrics()[metric("flanks_database_up")], 1)
        self.assertLess(time.monotonic() - began, 4.9, "less than what a slow request may take")
        last = slow[-1]
        last.settimeout(0.2)

        def dripped():
            try:
                last.sendall(b"x")
                return last.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True
        wait_until(dripped, "a request that drips is ended")
        self.assertLess(time.monotonic() - began, 30)
        wait_until(lambda: "an admin connection ran out of time" in daemon.log.read_text(), "it is in the log")
        self.assertIn("wait=request_timeout", daemon.log.read_text())
        if os.geteuid() == 0:  # nobody else may look into a process that is not dumpable
            wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) < 40, "their descriptors are given back")

    def test_many_who_do_not_read_their_answers_do_not_hold_up_health(self):
        world, daemon, admin = self.started()
        for _ in range(16):
            deaf = self.connected(admin)
            deaf.settimeout(0.5)
            try:
                for _ in range(3000):
                    deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            except OSError:
                pass
        began = time.monotonic()
        self.assertEqual(admin.get("/-/healthy")[0], 200)
        self.assertLess(time.monotonic() - began, 5)

    def test_who_does_not_read_the_answer_holds_up_nobody(self):
        world, daemon, admin = self.started()
        deaf = self.connected(admin)
        deaf.settimeout(3)
        try:
            for _ in range(3000):
                deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        except TimeoutError:
            pass
        self.assertEqual(admin.get("/-/healthy")[0], 200)
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(30), 0, daemon.log.read_text())


class Addresses(MetricsTest):
    def listening(self, family, address):
        s = socket.socket(family)
        self.addCleanup(s.close)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(address)
        s.listen()
        return s

    def refused(self, world, listen, *said):
        world.write_config(admin__listen=listen)
        done = world.cli("run")
        self.assertEqual(done.returncode, 78, done.stderr)
        for text in (f"error: cannot listen at {listen} (admin.listen): ", "hint: name an address of this machine that is free", *said):
            self.assertIn(text, done.stderr)

    def test_an_address_that_was_chosen_must_be_free(self):
        world = self.world(credentials=1, transactions=10)
        taken = self.listening(socket.AF_INET, ("127.0.0.1", 0))
        self.refused(world, f"127.0.0.1:{taken.getsockname()[1]}", "Address already in use")
        self.refused(world, "203.0.113.1:9464", "Cannot assign requested address")
        path = f"{world.dir}/admin.socket"
        self.listening(socket.AF_UNIX, path)
        self.refused(world, "unix:" + path, "Address already in use")
        (world.dir / "file").write_text("mine")
        self.refused(world, f"unix:{world.dir}/file", "File exists")
        self.assertEqual((world.dir / "file").read_text(), "mine")
        self.refused(world, "unix:/nowhere/admin.socket", "No such file or directory")

    def test_the_default_address_may_be_taken_by_another_daemon(self):
        try:
            self.listening(socket.AF_INET, ("127.0.0.1", 9464))
        except OSError:
            pass  # it is taken, then
        world = self.world(credentials=1, transactions=10, settings={"admin": {"listen": None}})
        world.register_all()
        daemon = world.start("run")
        wait_until(lambda: world.sql("select count(*) from flanks.credentials where state = 'ok'") == "1", "it works")
        log = daemon.log.read_text()
        self.assertIn("cannot listen at 127.0.0.1:9464 (admin.listen): Address already in use; going on without metrics", log)
        self.assertIn("give this one another admin.listen, or none", log)
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)

    def test_a_file_that_a_killed_daemon_left_is_replaced(self):
        world, daemon, admin = self.started()
        daemon.kill()
        daemon.wait()
        path = admin.where[5:]
        self.assertTrue(os.path.exists(path))
        daemon, admin = self.start(world)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
        self.assertEqual(admin.get("/-/healthy")[0], 200)
        # Nobody takes the file of a daemon that lives; and it takes away its own only.
        self.refused(world, admin.where, "Address already in use")
        os.unlink(path)
        self.listening(socket.AF_UNIX, path)
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)
        self.assertTrue(os.path.exists(path))

    def test_ipv6(self):
        try:
            self.listening(socket.AF_INET6, ("::1", 0))
        except OSError:
            self.skipTest("no IPv6 here")
        world, daemon, admin = self.started("[::1]:0")
        self.assertRegex(admin.where, r"\A\[::1\]:[1-9]\d*\Z")
        self.assertEqual(admin.get("/-/ready")[0], 200)

    @unittest.skipUnless(os.geteuid() == 0, "nobody else may look into a process that is not dumpable")
    def test_none_and_once_listen_nowhere(self):
        world = self.world(credentials=1, transactions=10)
        world.write_config(admin__listen=f"unix:{world.dir}/admin.socket")
        world.ok("run", "--once")
        self.assertFalse((world.dir / "admin.socket").exists())
        world.write_config(admin__listen="none")
        daemon = world.start("run")
        wait_until(lambda: " runs" in daemon.log.read_text(), "it runs")
        sockets = subprocess.run(["ls", "-l", f"/proc/{daemon.pid}/fd"], capture_output=True, text=True).stdout
        with open(f"/proc/{daemon.pid}/net/tcp") as table:
            listening = {line.split()[9] for line in table.readlines()[1:] if line.split()[3] == "0A"}
        self.assertFalse([inode for inode in listening if f"socket:[{inode}]" in sockets])


if __name__ == "__main__":
    unittest.main()
