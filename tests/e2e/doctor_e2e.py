"""doctor: each thing that keeps the mirror from working is found, named, and said what to do about; changing nothing."""
import json
import unittest

from world import WorldTest

CHECKS = ["config", "dns", "tcp", "tls", "provider_clock", "token", "database", "settings", "database_clock", "disk", "schema",
          "rights", "encryption", "daemon", "credentials"]


class Doctor(WorldTest):
    def doctor(self, world, code):
        done = world.cli("--json", "doctor")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return {f["check"]: f for f in json.loads(done.stdout)}

    def failing(self, world, code, check, says, hint=""):
        found = self.doctor(world, code)
        self.assertEqual([c for c, f in found.items() if f["result"] == "fail"], [check], found)
        self.assertIn(says, found[check]["says"])
        self.assertIn(hint, found[check]["hint"] or "")
        return found

    def test_of_what_is_well_every_line_is_ok(self):
        world = self.world(credentials=2, transactions=40)
        world.register_all()
        world.ok("run", "--once")
        found = self.doctor(world, 0)
        self.assertEqual(list(found), CHECKS)
        self.assertEqual({f["result"] for f in found.values()}, {"ok"}, found)
        self.assertIn("PostgreSQL 1", found["database"]["says"])
        self.assertIn("certificate is good until", found["tls"]["says"])
        self.assertIn("2 credentials, none with a problem", found["credentials"]["says"])
        lines = world.ok("doctor").splitlines()
        self.assertEqual([line.split()[:2] for line in lines], [["ok", check] for check in CHECKS])
        # It asks for tokens and nothing else, and leaves no trace in the database.
        world.sandbox.reset_requests()
        before = world.row_versions()
        world.ok("doctor")
        self.assertEqual(set(world.sandbox.requests()["endpoints"]), {"token"})
        self.assertEqual(world.row_versions(), before)

    def test_the_way_to_the_provider_is_walked_step_by_step(self):
        world = self.world(credentials=0)
        for base_url, check, says in (("https://nowhere.invalid", "dns", "nowhere.invalid"),
                                      ("https://127.0.0.1:1", "tcp", "cannot connect to 127.0.0.1:1: Connection refused")):
            with self.subTest(check):
                world.write_config(flanks__base_url=base_url)
                self.failing(world, 69, check, says)
        world.write_config(flanks__client_id="somebody-else")
        found = self.failing(world, 77, "token", "somebody-else")
        # What is ours is looked at all the same.
        self.assertEqual(found["schema"]["result"], "ok")

    def test_a_certificate_that_is_not_to_be_trusted(self):
        for certificate, hint in (("expired", "the provider must renew"), ("other-host", "flanks.base_url"), ("unknown-ca", "flanks.ca_file")):
            with self.subTest(certificate):
                world = self.world(credentials=0, certificate=certificate)
                self.failing(world, 69, "tls", "is not trusted", hint)

    def test_a_database_that_is_not_as_it_must_be(self):
        world = self.world(migrate=False, credentials=0)
        found = self.failing(world, 78, "schema", "", "migrate up")
        self.assertNotIn("rights", found)
        world.ok("migrate", "up")
        self.doctor(world, 0)
        dsn = world.role("daemon")
        world.write_config(database__dsn=dsn)
        self.doctor(world, 0)
        role = f"{world.database}_daemon"
        world.sql(f"revoke update on flanks.transactions from {role}")
        self.failing(world, 77, "rights", f"permission denied for table transactions: {role} lacks update on flanks.transactions", "roles.sql")
        world.sql(f"grant update on flanks.transactions to {role}; alter table flanks.transactions enable row level security")
        self.failing(world, 77, "rights", "row security hides rows", "flanks.transactions")
        world.sql("alter table flanks.transactions disable row level security")
        world.write_config(database__dsn=dsn.replace("dbname=", "dbname=no_such_"))
        self.failing(world, 69, "database", "no_such_")

    def test_a_mistake_in_the_configuration_is_all_that_it_says(self):
        world = self.world(credentials=0)
        world.write_config(sync__intervall="1h")
        found = self.failing(world, 78, "config", "sync.intervall")
        self.assertEqual(list(found), ["config"])

    def test_credentials_with_a_problem_are_counted_as_status_does(self):
        world = self.world(credentials=3, transactions=30)
        ids = world.register_all()
        world.ok("run", "--once")
        world.sandbox.control("POST", "status", {"credentials_token": min(ids), "blocked": True})
        world.sql("update flanks_internal.leases set next_due_at = now() - interval '1 hour'; update flanks_internal.schedule set next_due_at = now() - interval '1 hour'")
        found = self.doctor(world, 0)
        self.assertEqual((found["daemon"]["result"], found["daemon"]["says"]),
                         ("warn", "3 credentials are due for up to 60 min, and nobody works on them"))
        world.cli("run", "--once")
        found = self.doctor(world, 0)
        self.assertEqual(found["daemon"]["result"], "ok")
        self.assertEqual((found["credentials"]["result"], found["credentials"]["says"]),
                         ("warn", "1 of 3 credentials has a problem: 1 blocked"))
        self.assertEqual(world.cli("status", "--exit-code").returncode, 3)


if __name__ == "__main__":
    unittest.main()
