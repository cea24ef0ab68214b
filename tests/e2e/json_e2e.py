"""What --json prints is one document, valid by the schema of its command in docs/schemas; every command has one that is tested here."""
import json
import subprocess
import unittest

import jsonschema

from world import BINARY, ROOT, WorldTest

SCHEMAS = ROOT / "docs/schemas"
used = set()


class Json(WorldTest):
    def checked(self, world, schema, *arguments, code=0, **options):
        done = world.cli("--json", *arguments, **options)
        self.assertIn(done.returncode, code if isinstance(code, tuple) else (code,), (arguments, done.stdout, done.stderr))
        self.assertEqual(done.stdout.count("\n"), done.stdout.strip().count("\n") + 1)
        document = json.loads(done.stdout)
        text = (SCHEMAS / f"{schema}.json").read_text()
        validator = jsonschema.Draft202012Validator(json.loads(text))
        wrong = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(document)]
        self.assertEqual(wrong, [], (arguments, schema))
        used.add(schema)
        return document

    def test_1_commands_that_read_and_write(self):
        world = self.world(credentials=4, transactions=80)
        self.assertEqual(self.checked(world, "status", "status"), [])
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        self.checked(world, "credentials-discover", "credentials", "discover", "--dry-run")
        first = self.checked(world, "credentials-add", "credentials", "add", "--user", "ana", stdin=tokens[0])["credential_id"]
        file = world.dir / "users.csv"
        file.write_text(f"user_id,credentials_token\nluis,{tokens[1]}\n")
        self.checked(world, "credentials-import", "credentials", "import", file)
        self.assertEqual(self.checked(world, "credentials-discover", "credentials", "discover")["new"], 2)
        self.checked(world, "credentials-discover", "link", "sessions")
        self.checked(world, "link-exchange", "link", "exchange")
        self.assertIn(None, [c["last_success_at"] for c in self.checked(world, "credentials-list", "credentials", "list")])
        self.checked(world, "status", "status")
        self.checked(world, "backfill-dry-run", "backfill", "--dry-run")
        self.checked(world, "backfill", "backfill", code=(0, 3))
        self.assertEqual(self.checked(world, "credentials-show", "credentials", "show", first)[0]["coverage"][0]["last_verification"], None)
        self.checked(world, "verify", "verify")
        shown = self.checked(world, "credentials-show", "credentials", "show", first, 2)
        self.assertEqual(shown[0]["coverage"][0]["last_verification"], "equal")
        world.sql("update flanks.transactions set description = 'other' where _id = (select min(_id) from flanks.transactions)")
        self.checked(world, "verify", "verify", code=3)
        self.assertEqual(len(self.checked(world, "sync", "sync", code=(0, 3))), 6)
        world.sandbox.fault("error_object", tokens[0], "*", times=-1)
        self.assertIn("failed", [c["outcome"] for c in self.checked(world, "sync", "sync", code=3)])
        self.assertTrue(self.checked(world, "backfill", "backfill", code=3)["incomplete"])
        self.checked(world, "status", "status", "--problems", "--exit-code", code=3)
        world.sql("update flanks_internal.leases set lease_id = gen_random_uuid(), expires_at = now() + interval '1 hour' where credential_id = 1")
        world.write_config(sync__lease="1s")  # as long as it waits
        self.assertEqual(self.checked(world, "sync", "sync", "--credential", "1", code=75), [{"credential_id": 1, "outcome": "locked"}])
        world.write_config()
        world.sql("update flanks_internal.leases set lease_id = null, expires_at = null")
        for change, extra in (("pause", ("--reason", "why")), ("resume", ()), ("rotate", ())):
            done = self.checked(world, "credentials-change", "credentials", change, first, *extra, stdin="another-token")
            self.assertEqual([c["credential_id"] for c in done], [first])
        self.assertEqual(self.checked(world, "credentials-change", "credentials", "rotate", first, stdin="another-token"),
                         [{"credential_id": first, "change": "unchanged"}])
        done = world.cli("--json", "credentials", "pause", "1", "77")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (1, [{"credential_id": 1, "change": "paused"}]))
        self.assertEqual(self.checked(world, "credentials-show", "credentials", "show", 1)[0]["state"], "paused")
        self.checked(world, "credentials-change", "credentials", "remove", 2)
        self.checked(world, "credentials-change", "credentials", "remove", "--upstream", 3)
        self.checked(world, "prune", "prune", "--dry-run")
        self.checked(world, "prune", "prune")
        self.checked(world, "erase", "erase", "--user", "ana", "--yes")

    def test_2_reviews(self):
        # The provider's history is shorter than ours: no row lies in the days that prove nothing.
        world = self.world(credentials=1, transactions=400, months=23, products="account",
                           settings={"sync": {"products": ["account"], "overlap": "730d"}})
        world.register_all()
        world.ok("sync")
        for decision in ("confirm", "reject"):
            world.sandbox.refresh(remove=100)
            self.checked(world, "sync", "sync", code=3)
            [review] = self.checked(world, "removals-list", "removals", "list")
            self.checked(world, "removals-decision", "removals", decision, review["sync_run_id"])
        self.checked(world, "removals-list", "removals", "list", "--all")
        self.assertEqual(self.checked(world, "successions-list", "successions", "list", "--all"), [])
        world.sql("insert into flanks.credentials (credential_id) overriding system value values (50), (51)")
        world.sql("with r as (insert into flanks.real_accounts (product) values ('account') returning real_account_id) "
                  "insert into flanks.successions (real_account_id, product, from_credential_id, to_credential_id, state, compared_rows, paired_rows) "
                  "select real_account_id, 'account', 50, 51, 'open', 10, 4 from r")
        [one] = self.checked(world, "successions-list", "successions", "list")
        self.checked(world, "succession", "successions", "show", one["succession_id"])
        self.checked(world, "succession", "successions", "reject", one["succession_id"])

    def test_3_schema_and_configuration(self):
        world = self.world(migrate=False, credentials=1, transactions=4)
        self.checked(world, "migrate-status", "migrate", "status", code=78)
        self.assertIn("create table flanks.transactions", self.checked(world, "migrate-plan", "migrate", "plan")["sql"])
        self.assertIn("0001_credentials.sql", self.checked(world, "migrate-up", "migrate", "up")["applied"])
        self.assertEqual(self.checked(world, "migrate-up", "migrate", "up"), {"applied": []})
        self.checked(world, "migrate-status", "migrate", "status")
        self.checked(world, "config-check", "config", "check")
        self.assertEqual(self.checked(world, "config-text", "config", "show")["yaml"], world.ok("config", "show"))
        self.checked(world, "config-text", "config", "example")
        self.checked(world, "doctor", "doctor", code=(0, 1))
        world.write_config(database__dsn=f"host={world.cluster.host} user=postgres dbname=nowhere")
        self.assertEqual(self.checked(world, "doctor", "doctor", code=69)[-1]["result"], "fail")
        world.write_config()
        self.checked(world, "support", "support")
        self.checked(world, "help", "--help")
        self.checked(world, "help", "credentials", "add", "--help")

    def test_4_every_command_has_a_schema(self):
        self.assertEqual(used, {file.stem for file in SCHEMAS.glob("*.json")}, "schemas that no output was checked by")
        program = json.loads(subprocess.run([BINARY, "--json", "--help"], capture_output=True, text=True, check=True).stdout)
        titles = " ".join(json.loads(file.read_text())["title"] for file in SCHEMAS.glob("*.json"))
        for command in program["commands"]:
            for leaf in command["commands"] or [command]:
                if leaf["name"] != "run":  # it prints no result: what it does is in the log
                    self.assertRegex(titles, rf"\b{leaf['name']}\b", leaf["path"])

    def test_names_are_spelt_one_way(self):
        def names(schema):
            if isinstance(schema, dict):
                for name in schema.get("properties", {}):
                    yield name
                for value in schema.values():
                    yield from names(value)
            elif isinstance(schema, list):
                for value in schema:
                    yield from names(value)

        for file in SCHEMAS.glob("*.json"):
            for name in names(json.loads(file.read_text())):
                self.assertRegex(name, r"^(_id|[a-z]+(_[a-z]+)*)$", file.name)


if __name__ == "__main__":
    unittest.main()
