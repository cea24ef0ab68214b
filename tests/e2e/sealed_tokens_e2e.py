"""Encryption at rest: with encryption.key_file no dump holds a token, and everything works as before; without the right key
it is said which one is needed."""
import base64
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import unittest

from world import PSQL, WorldTest, wait_until

UNSEALED = "select count(*) from flanks_internal.credentials_tokens where credentials_token is not null"


class SealedTokens(WorldTest):
    def key(self, world, name, octets=None):
        """Makes a file with a key; gives its fingerprint."""
        octets = octets or os.urandom(32)
        path = world.dir / name
        path.write_text(base64.b64encode(octets).decode() + "\n")
        path.chmod(0o600)
        return hashlib.sha256(octets).hexdigest()[:16]

    def configure(self, world, key="new", previous=None):
        world.write_config(encryption__key_file=key, encryption__previous_key_file=previous)

    def dump(self, world):
        return subprocess.run([pathlib.Path(PSQL).with_name("pg_dump"), "-h", world.cluster.host, "-U", "postgres", world.database],
                              check=True, capture_output=True, text=True).stdout

    def table_file(self, world):
        """The bytes of the table on the server's disk, what vacuum left of it."""
        world.sql("vacuum full flanks_internal.credentials_tokens")
        world.sql("checkpoint")
        path = world.sql("select current_setting('data_directory') || '/' || pg_relation_filepath('flanks_internal.credentials_tokens')")
        return pathlib.Path(path).read_bytes()

    def due(self, world):
        world.sql("update flanks_internal.leases set next_due_at = now(); update flanks_internal.schedule set next_due_at = now()")

    def sealed(self, **options):
        """A world whose tokens are all sealed under the key `new`."""
        world = self.world(credentials=3, transactions=60, no_oddities=True, **options)
        ids = world.register_all()
        mark = self.key(world, "new")
        self.configure(world)
        world.ok("run", "--once")
        self.assertEqual(world.sql(UNSEALED), "0")
        return world, ids, mark

    def test_no_dump_holds_a_token_and_the_mirror_is_whole(self):
        world = self.world(credentials=3, transactions=60, no_oddities=True)
        ids = world.register_all()
        for token in ids:
            self.assertIn(token, self.dump(world), "the search below would find it")
            self.assertIn(token.encode(), self.table_file(world))
        self.key(world, "new")
        self.configure(world)
        done = world.cli("run", "--once")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("tokens sealed", done.stderr)
        dump, table = self.dump(world), self.table_file(world)
        for token in ids:
            self.assertNotIn(token, dump)
            self.assertNotIn(token.encode(), table)
            self.assertNotIn(token, done.stderr)
        self.assert_mirrors(world, ids)
        for command in (("sync", "--credential", "1"), ("backfill",), ("verify",)):
            world.ok(*command)
        # Registering in SQL knows no key, and finds the sealed ones.
        self.assertEqual(world.register_all(), ids)
        self.assertEqual(world.sql(UNSEALED), "0")
        found = {f["check"]: f for f in json.loads(world.ok("--json", "doctor"))}
        self.assertIn("3 of 3 tokens are sealed", found["encryption"]["says"])

    def test_a_running_daemon_seals_what_is_registered_meanwhile_and_changes_its_key_at_a_reload(self):
        world = self.world(credentials=3, transactions=60, no_oddities=True)
        self.key(world, "old")
        self.configure(world, "old")
        daemon = world.start("run")
        wait_until(lambda: "flanks-sync" in daemon.log.read_text(), "it runs")
        ids = world.register_all()
        idle = "select count(*) from flanks_internal.leases where lease_id is null and next_due_at > now()"
        done = "select count(*) from flanks.credentials where last_success_at is not null"
        wait_until(lambda: world.sql(done) == "3" and world.sql(idle) == "3" and world.sql(UNSEALED) == "0", "all are mirrored and sealed")
        self.assert_mirrors(world, ids)
        mark = self.key(world, "new")
        self.configure(world, "new", "old")
        daemon.send_signal(signal.SIGHUP)
        newly = "select count(*) from flanks_internal.credentials_tokens where encode(substring(sealed_token from 2 for 8), 'hex') = '%s'" % mark
        wait_until(lambda: world.sql(newly) == "3", "all are sealed with the new key")
        wait_until(lambda: "tokens sealed" in daemon.log.read_text(), "and the log says so")
        # A key that opens nothing is not taken.
        self.key(world, "other")
        self.configure(world, "other")
        world.write_config(sync__stale_after="9d")
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "configuration not reloaded" in daemon.log.read_text(), "it is refused")
        wait_until(lambda: "The configuration could not be reloaded, since" in world.cli("status").stdout, "status tells it")
        self.assertEqual(world.sql("select stale_after from flanks_internal.settings"), "3 days", "a refused file changes nothing")
        self.assertIn(f"sealed with key {mark}", daemon.log.read_text())
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)
        self.configure(world, "new")
        self.due(world)
        world.ok("run", "--once")
        self.assertNotRegex(daemon.log.read_text(), "|".join(ids))

    def test_without_the_key_or_with_another_one_nothing_runs_and_the_key_is_named(self):
        world, ids, mark = self.sealed()
        before = world.sandbox.requests()
        other = self.key(world, "other")
        for key, says, file in ((None, "encryption.key_file is not set", "encryption.key_file"),
                                ("other", f"encryption.key_file holds key {other}", "encryption.previous_key_file")):
            self.configure(world, key)
            for command in (("run",), ("run", "--once"), ("sync", "--credential", "1"), ("backfill",), ("verify",),
                            ("credentials", "remove", "--upstream", "1")):
                done = world.cli(*command)
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertIn(f"3 credentials_tokens are sealed with key {mark}, and {says}", done.stderr)
                self.assertIn(f"name the file that holds key {mark} in {file}", done.stderr)
                self.assertIn("flanks-sync credentials rotate", done.stderr)
            found = {f["check"]: f for f in json.loads(world.cli("--json", "doctor").stdout)}
            self.assertEqual((found["encryption"]["result"], found["encryption"]["error_class"]), ("fail", "sealed_token"))
            self.assertIn(mark, found["encryption"]["says"])
        self.assertEqual(before["endpoints"].get("status"), world.sandbox.requests()["endpoints"].get("status"))
        # The key is lost for good: with another one, each token is given again.
        tokens = {i: t for t, i in ids.items()}
        world.ok("credentials", "rotate", 1, stdin=tokens[1])
        self.due(world)
        done = world.cli("run", "--once")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(world.sql("select string_agg(last_error_class, ' ') from flanks.credentials"), "sealed_token sealed_token")
        world.ok("credentials", "rotate", 2, stdin=tokens[2])
        world.sql(f"select flanks.replace_credentials_token(3, '{tokens[3]}')")  # in SQL, without the key
        world.ok("run", "--once")
        self.assertEqual(world.sql(UNSEALED), "0")
        self.assert_mirrors(world, ids)

    def test_a_row_that_was_altered_fails_alone_and_says_who_must_act(self):
        world, ids, _ = self.sealed()
        world.sql("update flanks_internal.credentials_tokens set sealed_token = set_byte(sealed_token, 30, get_byte(sealed_token, 30) # 1) where credential_id = 1")
        self.due(world)
        self.assertEqual(world.cli("run", "--once").returncode, 3)
        rows = world.rows("select credential_id, s.state, c.last_error_class, s.last_error, s.last_error_hint, who_must_act from flanks.sync_status s join flanks.credentials c using (credential_id) order by 1")
        self.assertEqual([r["last_error_class"] for r in rows], ["sealed_token", None, None])
        self.assertEqual((rows[0]["state"], rows[0]["who_must_act"]), ("error", "operator"))
        self.assertIn("its row was altered, or copied from another credential", rows[0]["last_error"])
        self.assertIn("flanks-sync credentials rotate 1", rows[0]["last_error_hint"])


if __name__ == "__main__":
    unittest.main()
