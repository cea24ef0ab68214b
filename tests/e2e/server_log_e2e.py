"""No token in PostgreSQL's own log, however much an operator has it say."""
import pathlib
import signal
import unittest

from world import WorldTest, wait_until

LOUD = ("log_statement = 'all'", "log_min_duration_statement = 0", "log_parameter_max_length = -1",
        "log_parameter_max_length_on_error = -1", "log_min_error_statement = 'debug5'", "log_error_verbosity = 'verbose'",
        "log_min_messages = 'debug1'")


class ServerLog(WorldTest):
    def loud(self, **options):
        world = self.world(settings={"sync": {"products": ["account"], "product_details": []}}, **options)
        for setting in LOUD:
            world.sql(f"alter database {world.database} set {setting}")
        return world

    def log(self, world):
        base = pathlib.Path(world.cluster.dir, "pg")
        elsewhere = base / "elsewhere"
        if elsewhere.exists():
            base = pathlib.Path(elsewhere.read_text().strip())
        return (base / "server.log").read_text(errors="replace")

    def assert_silent(self, world, tokens, *words):
        said = self.log(world)
        for word in words:
            self.assertIn(word, said, "the log is as loud as the test needs it")
        for token in tokens:
            self.assertNotIn(token, said)

    def watches_for(self, number, daemon):
        status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
        caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
        return caught >> (number - 1) & 1

    def test_every_way_that_a_token_goes(self):
        world = self.loud(credentials=3, transactions=8, products="account")
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        world.ok("credentials", "add", "--user", "ana", stdin=tokens[0])
        file = world.dir / "credentials.csv"
        file.write_text(f"user_id,credentials_token\nbob,{tokens[1]}\n")
        world.ok("credentials", "import", file)
        world.ok("credentials", "discover")
        world.cli("link", "exchange")
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        world.ok("sync")
        daemon = world.start("run")
        wait_until(lambda: self.watches_for(signal.SIGTERM, daemon), "it watches for signals")
        wait_until(lambda: world.sql("select count(*) from flanks.credentials where state <> 'ok'") == "0", "all are mirrored")
        daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(60), 0)
        world.ok("credentials", "show", 1)
        world.ok("verify", "--credential", 2)
        world.ok("credentials", "remove", 2)
        world.ok("credentials", "add", "--user", "bob", stdin=tokens[1])
        world.ok("erase", "--user", "ana", "--yes")
        self.assertEqual(world.cli("credentials", "add", "--user", "ana", stdin=tokens[0]).returncode, 1)
        world.ok("credentials", "add", "--user", "ana", "--even-if-erased", stdin=tokens[0])
        self.assertGreater(len(tokens), 3)
        self.assert_silent(world, tokens, "flanks-sync register_credentials", "flanks-sync look_up_tokens", "flanks-sync claim")

    def test_refusals_by_us_and_by_others(self):
        world = self.loud(credentials=1, transactions=8, products="account")
        secrets = ["tok-refused-1", "tok-refused-2", "tok-refused-3", "tok-refused-4"]
        for user, given in (("u" * 300, secrets[0]), (secrets[1], secrets[1]), ("ana", secrets[2] + " x")):
            self.assertEqual(world.cli("credentials", "add", "--user", user, stdin=given).returncode, 1)
        world.sql("alter table flanks_internal.credentials_tokens add constraint theirs check (length(credentials_token) < 5) not valid")
        done = world.cli("credentials", "add", "--user", "ana", stdin=secrets[3])
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn('"theirs" of flanks_internal.credentials_tokens refused a row', done.stderr)
        self.assertIn('"theirs" is no index or constraint of flanks-sync\'s', done.stderr)
        self.assertNotIn(secrets[3], done.stdout + done.stderr)
        world.sql("alter table flanks_internal.credentials_tokens drop constraint theirs")
        world.sql("create function public.theirs() returns trigger language plpgsql as $$ begin raise 'no'; end $$; "
                  "create trigger theirs before insert on flanks.user_credentials for each row execute function public.theirs()")
        done = world.cli("credentials", "add", "--user", "ana", stdin=secrets[3])
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("the function public.theirs() refused it, or failed: no (P0001)", done.stderr)
        self.assert_silent(world, secrets, "a constraint refused the row of credential", "ERROR:  P0001: no")

    def test_a_refused_call_of_an_application_says_no_value(self):
        world = self.loud(credentials=1, transactions=8, products="account")
        for user, token, words in (("", "tok-1", "user_id is empty or blank"), ("\u200b", "tok-1", "user_id is empty or blank"),
                                   ("u" * 257, "tok-1", "user_id is longer than 256 bytes"), ("ana", "", "credentials_token is empty"),
                                   ("ana", "to k", "credentials_token holds blanks or control characters"),
                                   ("my tok-1", "tok-1", "user_id holds the credentials_token")):
            with self.assertRaises(AssertionError) as refused:
                world.sql(f"select flanks.register_credential('{user}', '{token}')")
            message = str(refused.exception).split("\n", 1)[1]
            self.assertEqual(message.splitlines()[0], f"ERROR:  {words}")
            self.assertNotIn("tok-1", message)
            self.assertNotIn("to k", message)


if __name__ == "__main__":
    unittest.main()
