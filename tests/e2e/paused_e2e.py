"""A pause holds for every command that does not name the credential by its number."""
import json
import unittest

from world import WorldTest


class Paused(WorldTest):
    def setUp(self):
        self.w = self.world(credentials=2, transactions=40, no_oddities=True)
        ids = self.w.register_all()
        self.token = min(ids, key=ids.get)
        self.id = ids[self.token]
        self.user = self.w.sql(f"select user_id from flanks.user_credentials where credential_id = {self.id}")
        self.w.ok("credentials", "pause", self.id, "--reason", "on holiday")

    def asked_for(self):
        """Whether the provider was asked anything about the paused credential."""
        return any(token == self.token for token, _ in self.w.sandbox.requests()["status_calls"])

    def test_what_does_not_name_it_leaves_it_out_and_says_so(self):
        for command in (("backfill",), ("backfill", "--user", self.user), ("verify",), ("verify", "--user", self.user),
                        ("sync",), ("sync", "--user", self.user)):
            with self.subTest(command):
                done = self.w.cli(*command)
                self.assertIn("info: 1 paused credential is left out", done.stderr)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertFalse(self.asked_for())
        preview = self.w.cli("--json", "backfill", "--dry-run")
        self.assertEqual(json.loads(preview.stdout)["credentials"], 1)
        self.assertIn("info: 1 paused credential is left out", preview.stderr)
        self.assertEqual(self.w.sql(f"select count(*) from flanks.transactions where credential_id = {self.id}"), "0")
        self.assertIn(str(self.id), self.w.ok("status", "--user", self.user), "status shows it")

    def test_what_names_it_fetches_it(self):
        for command in ("sync", "backfill", "verify"):
            self.w.sandbox.reset_requests()
            done = self.w.cli(command, "--credential", self.id)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotIn("left out", done.stderr)
            self.assertTrue(self.asked_for(), command)
        self.assertEqual(self.w.sql(f"select paused, next_due_at = 'infinity' from flanks.credentials "
                                    f"join flanks_internal.leases using (credential_id) where credential_id = {self.id}"), "t|t")

    def test_a_second_pause_keeps_the_reason_unless_it_brings_another(self):
        self.w.ok("credentials", "pause", self.id)
        self.assertIn("on holiday", self.w.ok("credentials", "show", self.id))
        self.w.ok("credentials", "pause", self.id, "--reason", "moved")
        self.assertIn("moved", self.w.ok("credentials", "show", self.id))


if __name__ == "__main__":
    unittest.main()
