"""What `support` writes helps who was not there, and holds nothing of a person and no secret."""
import json
import re
import unittest

from world import WorldTest

USER = "maria.canary@example.com"
IBAN = "ES9121000418450200051332"


class Support(WorldTest):
    def test_it_tells_versions_configuration_states_and_failures(self):
        world = self.world(credentials=3, transactions=80, no_oddities=True)
        ids = world.register_all()
        world.ok("backfill")
        token = list(ids)[0]
        world.sandbox.fault("status", token, "account", status=503, times=-1, body=json.dumps({"error": "x"}))
        world.cli("sync")
        text = world.ok("support", "--output", "-")
        sections = re.findall(r"^== (.*) ==$", text, re.M)
        self.assertEqual(sections, ["program", "configuration", "doctor", "PostgreSQL", "settings of our session", "schema", "credentials by state",
                                    "problems, at most 200", "failures of the last 7 days, the latest 200", "runs of the last day",
                                    "quarantine that is open", "what waits for a person", "leases", "tables"])
        section = dict(zip(sections, re.split(r"^== .* ==\n", text, flags=re.M)[1:]))
        self.assertIn("flanks-sync " + world.ok("--version").split()[1], re.sub(" +", " ", section["program"]))
        self.assertRegex(section["program"], r"libpq\.so\.\S+")
        self.assertIn("history_months: 24  # default", section["configuration"])
        self.assertRegex(section["doctor"], r"ok +config .*\nok +dns ")
        self.assertIn(world.sql("show server_version"), section["PostgreSQL"])
        self.assertRegex(section["settings of our session"], r"statement_timeout +\d+ +ms")
        self.assertIn("0001_credentials.sql", section["schema"])
        self.assertRegex(section["credentials by state"], r"ok +nobody +2 ")
        self.assertRegex(section["problems, at most 200"], rf"{ids[token]} +error +\w+ +http_503 ")
        self.assertRegex(section["failures of the last 7 days, the latest 200"], rf" {ids[token]} +account +manual .*http_503 +\w+ +503 ")
        self.assertRegex(section["runs of the last day"], r"backfill +account +ok ")
        self.assertRegex(section["tables"], r"flanks\.transactions +\d")

    def test_no_canary_is_in_it(self):
        world = self.world(credentials=2, transactions=200, settings={
            "admin": {"listen": "none", "hosts": ["canary-host.internal"]},
            "sync": {"lease": "5s"}})
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        for token in tokens:
            world.ok("credentials", "add", "--user", USER, stdin=token)
        world.ok("credentials", "pause", "1", "--reason", "CANARYREASON of Maria")
        world.ok("credentials", "resume", "1")
        world.cli("sync")
        # Words of the provider that name a person, where words, codes and ids belong.
        world.sandbox.fault("status", tokens[0], "account", status=400, times=-1, body=json.dumps(
            {"error": {"code": f"{IBAN} of Maria Canary", "message": f"account {IBAN} of Maria Canary {tokens[0]}"}}))
        world.cli("sync")
        world.sql(f"update flanks.sync_runs set error_message = 'CANARYMESSAGE {IBAN}', error_hint = 'CANARYHINT', provider_code = '{IBAN}', "
                  f"trace_id = '21000418450200051332' where outcome = 'failed'")
        world.sql(f"update flanks.credentials set last_error = 'CANARYERROR {IBAN}', last_error_hint = 'CANARYHINT', bank = 'CANARYBANK'")
        password = "CANARYPASSWORD"
        (world.dir / "db_password").write_text(password + "\n")
        (world.dir / "db_password").chmod(0o600)
        world.write_config(sync__query={"description": ["CANARYFILTER"]}, database__password_file="db_password",
                           flanks__client_secret_file=None, flanks__client_secret_command=["/bin/sh", "-c", f"cat {world.dir}/client_secret", "CANARYARGUMENT"])
        texts = world.rows("select distinct unnest(array[_id, description, product_description, account_id, card_number]) as t from flanks.transactions "
                           "union select distinct unnest(array[iban, product_id]) from flanks.user_assets cross join lateral "
                           "(select case when number ~ '^[A-Z]{2}[0-9]{2}' then number end as iban) n "
                           "union select unnest(array[name, document]) from flanks.holders union select unnest(array[name, document]) from flanks.identities")
        canaries = [USER, IBAN, "21000418450200051332", "Maria", "CANARY", "canary", password, world.sandbox.client_secret, world.sandbox.client_id, *tokens,
                    *{t["t"] for t in texts if t["t"] and len(t["t"]) > 5}]
        self.assertGreater(len(canaries), 100)
        world.sandbox.fault("status", "*", "token", status=401, times=-1, body=json.dumps({"error": f"CANARYWORDS {IBAN}"}))
        for arguments in (("support", "--output", "-"), ("--json", "support")):
            done = world.cli(*arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("bad_request", done.stdout, "it tells of the failure")
            self.assertIn("(left out)", done.stdout)
            for canary in canaries:
                self.assertNotIn(canary, done.stdout + done.stderr)

    def test_a_secret_that_was_typed_where_its_file_belongs_is_said_nowhere(self):
        world = self.world(credentials=1, transactions=4)
        typed = ["CANARY9secret", "CANARY9/pass+word=="]
        world.write_config(flanks__client_secret_file=typed[0], database__password_file=typed[1])
        for command in (("support", "--output", "-"), ("run",), ("status",), ("doctor",), ("config", "check")):
            done = world.cli(*command)
            self.assertRegex(done.stdout + done.stderr, "(client_secret|password)_file")
            self.assertNotIn("CANARY", done.stdout + done.stderr, command)

    def test_it_is_written_also_where_nothing_works(self):
        world = self.world(credentials=1, transactions=4)
        world.write_config(database__dsn=f"host={world.cluster.host} user=postgres dbname=nowhere")
        text = world.ok("support", "--output", "-")
        self.assertIn("== database ==\nnot read: ", text)
        self.assertIn("history_months: 24", text)
        world.config.write_text("flanks:\n  client_idd: x\n")
        text = world.ok("support", "--output", "-")
        self.assertIn(f"{world.config}:2:3: flanks.client_idd: unknown key", text)
        self.assertIn("== program ==", text)
        empty = self.world(migrate=False, credentials=1, transactions=4)
        text = empty.ok("support", "--output", "-")
        self.assertIn("== credentials by state ==\nnot read: the database has no schema of flanks-sync yet\n", text)
        self.assertRegex(text, r"== PostgreSQL ==\nversion +encoding")


if __name__ == "__main__":
    unittest.main()
