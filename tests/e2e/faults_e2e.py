"""What the provider may do to us (design, section 5): each fault at its worst, what is stored, what is said; and then it
recovers."""
import unittest

from world import WorldTest

# fault, its parameters, the error class of the run
BROKEN_ANSWERS = [
    ("truncate", {"after_bytes": 3000}, "truncated"),
    ("truncate", {"after_bytes": 3000, "chunked": True}, "truncated"),
    ("wrong_length", {"delta": 10}, "truncated"),
    ("reset", {"after_bytes": 3000}, "connection_reset|truncated"),
    ("html", {}, "html"),
    ("error_object", {"message": "credentials are being processed"}, "error_object"),
    ("empty", {}, "empty_body"),
    ("not_json", {}, "invalid_json"),
    ("cut_json", {}, "invalid_json|truncated"),
    ("invalid_utf8", {}, "invalid_json|invalid_utf8"),
    ("many_trailing_headers", {"count": 20000}, "bad_response"),
    ("status", {"status": 500}, "http_500"),
    ("status", {"status": 404}, "not_found"),
    ("status", {"status": 204, "body": ""}, "no_content"),
    ("status", {"status": 304, "body": ""}, "not_modified"),
    ("status", {"status": 302, "location": "https://elsewhere.example/steal"}, "redirect"),
    ("status", {"status": 401}, "unauthorized"),
    ("stall_first_byte", {}, "first_byte_timeout"),
    ("stall_body", {"after_bytes": 3000}, "idle_timeout"),
    ("drip", {"bytes_per_second": 300}, "total_timeout"),
]
SLOW = ("stall_first_byte", "stall_body", "drip")
# For these alone: a machine that is busy may take as long to give a good answer.
SHORT = {"first_byte": "1s", "idle": "1s", "total": "3s"}
QUICK = {"sync": {"tries": 2, "products": ["account"], "history_months": 24}}


class Faults(WorldTest):
    def test_a_broken_answer_stores_nothing_says_why_and_recovers(self):
        world = self.world(credentials=1, transactions=200, products="account", settings=QUICK)
        ids = world.register_all()
        token, number = next(iter(ids.items()))
        for kind, parameters, error_class in BROKEN_ANSWERS:
            with self.subTest(kind, **parameters):
                world.sql("truncate flanks.sync_runs, flanks.coverage, flanks.transactions cascade")
                world.sql("update flanks_internal.leases set next_due_at = now()")
                world.sandbox.fault(kind, token, "account", times=-1, **parameters)
                if kind in SLOW:
                    world.write_config(flanks__timeouts=SHORT)
                done = world.cli("sync", "--credential", number)
                world.write_config()
                self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
                row = world.rows("select * from flanks.sync_runs where outcome = 'failed' order by started_at desc limit 1")[0]
                self.assertRegex(row["error_class"], f"^({error_class})$", row)
                self.assertTrue(row["error_message"])
                self.assertEqual(world.sql("select count(*) from flanks.transactions"), "0", "nothing is half stored")
                self.assertEqual(world.sql("select count(*) from flanks.coverage"), "0", "coverage claims nothing")
                self.assertNotEqual(world.sql("select state from flanks.sync_status"), "ok")
                self.assertNotIn(token, done.stdout + done.stderr)
                world.sandbox.clear_faults()
                world.ok("sync", "--credential", number)
                self.assert_mirrors(world, ids)

    def test_rate_limits_pause_and_use_up_no_try(self):
        world = self.world(credentials=2, transactions=100, products="account", settings=QUICK)
        ids = world.register_all()
        world.sandbox.fault("status", "*", "account", status=429, retry_after="1", times=3)
        world.ok("backfill")
        self.assert_mirrors(world, ids)

    def test_too_large_is_asked_for_in_halves(self):
        world = self.world(credentials=1, transactions=3000, products="account",
                           settings={**QUICK, "flanks": {"max_response_bytes": "300KiB"}})
        ids = world.register_all()
        world.ok("backfill")
        self.assert_mirrors(world, ids)
        self.assertGreater(int(world.sql("select count(*) from flanks.sync_runs where outcome = 'ok'")), 1)
        self.assertEqual(world.sql("select days from flanks.coverage"),
                         world.sql("select datemultirange(daterange(min(window_from), max(window_to), '[]')) from flanks.sync_runs"))

    def test_a_record_sent_twice_is_one_row_and_a_different_one_leaves_a_revision(self):
        world = self.world(credentials=1, transactions=50, products="account", settings=QUICK)
        ids = world.register_all()
        token = next(iter(ids))
        world.sandbox.fault("duplicate", token, "account")
        world.ok("sync")
        self.assert_mirrors(world, ids)
        self.assertEqual(world.sql("select duplicates from flanks.sync_runs where product = 'account'"), "1")
        world.sandbox.fault("duplicate", token, "account", changed=True)
        world.ok("sync")
        self.assertEqual(world.sql("select count(*) from flanks.transaction_revisions"), "1")
        world.ok("sync")
        self.assert_mirrors(world, ids)

    def test_u0000_is_stored_as_ufffd_and_the_original_is_kept(self):
        world = self.world(credentials=1, transactions=10, products="account", settings=QUICK)
        world.register_all()
        record = ('{"_id": "nul-1", "amount": 1.50, "operationDate": "2026-11-01", "description": "A\\u0000B", '
                  '"unknown": {"k": "x\\u0000y", "n": 2.50}}')
        world.sandbox.fault("bad_record", "*", "account", record=record)
        world.ok("sync")
        self.assertEqual(world.sql("select description, extra -> 'unknown' from flanks.transactions where _id = 'nul-1'"),
                         'A\ufffdB|{"k": "x\ufffdy", "n": 2.50}')
        self.assertEqual(world.sql("select convert_from(raw, 'UTF8') from flanks.quarantine where stored_anyway"), record)

    def test_status_and_token_faults_are_failures_of_the_run(self):
        world = self.world(credentials=2, transactions=20, products="account", settings=QUICK)
        ids = world.register_all()
        token = next(iter(ids))
        for kind, parameters in (("status", {"status": 500}), ("html", {}), ("empty", {}), ("not_json", {}),
                                 ("error_object", {"message": "x"}), ("stall_first_byte", {})):
            with self.subTest(kind):
                world.sandbox.fault(kind, token, "status", times=-1, **parameters)
                if kind in SLOW:
                    world.write_config(flanks__timeouts=SHORT)
                self.assertEqual(world.cli("sync").returncode, 3)
                world.write_config()
                world.sandbox.clear_faults()
        world.sandbox.control("POST", "expire-tokens")
        world.sandbox.fault("status", "*", "token", status=500, times=1)
        world.ok("sync")
        self.assert_mirrors(world, ids)


if __name__ == "__main__":
    unittest.main()
