"""Erasing a person: nothing of them is left in any table, and nothing brings them back; others keep what is theirs."""
import json
import unittest

from world import WorldTest, wait_until

COLUMNS = """select format('%I.%I', n.nspname, c.relname) as "table", quote_ident(a.attname) as "column", t.typname as type
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace join pg_type t on t.oid = a.atttypid
where n.nspname in ('flanks', 'flanks_internal') and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped"""


class Erase(WorldTest):
    def register(self, world):
        """Every credential for a user of its own, whose name is nobody else's text; gives {credentials_token: credential_id}."""
        return {c["credentials_token"]: int(world.sql(f"select flanks.register_credential('person number {n}', '{c['credentials_token']}')"))
                for n, c in enumerate(world.sandbox.credentials())}

    def tables(self, world):
        """{table: {column: type}} of everything that holds rows."""
        out = {}
        for row in world.rows(COLUMNS):
            out.setdefault(row["table"], {})[row["column"]] = row["type"]
        return out

    def places_of(self, world, texts):
        """Where any of `texts` stands, in any column of any table, as text or as bytes."""
        quoted = ", ".join("'" + t.replace("'", "''") + "'" for t in texts)
        looks = []
        for table, columns in self.tables(world).items():
            for column, kind in columns.items():
                within = f"convert_to(p, 'UTF8') in {column}" if kind == "bytea" else f"p in {column}::text"
                looks.append(f"select '{table}.{column}' where exists "
                             f"(select from {table}, texts where position({within}) > 0)")
        return world.sql(f"with texts as materialized (select unnest(array[{quoted}]) p) " + " union all ".join(looks)).split()

    def distinctive(self, records):
        """Texts of these records that identify a person: ids, descriptions, names, account numbers."""
        texts = set()
        for record in records:
            texts.add(record["_id"])
            for key in ("description", "account_id", "card_id", "investment_id", "liability_id"):
                if len(record.get(key) or "") >= 12:
                    texts.add(record[key])
            for value in (record.get("transfer") or {}).values():
                if isinstance(value, str) and len(value) >= 12:
                    texts.add(value)
        return texts

    def texts_only_of(self, world, mine, others, shared):
        """What only the credentials `mine` hold at the provider, and not in a `shared` operation."""
        by_token = {}
        for line in world.sandbox.ledger():
            by_token.setdefault(line["credentials_token"], []).append(line["record"])
        everything = [r for m in mine for r in by_token[m]]
        kept = "\n".join(self.distinctive([r for t in others for r in by_token[t]] + [r for r in everything if r["_id"] in shared]))
        return [t for t in self.distinctive(everything) if t not in kept and "\0" not in t]

    def test_nothing_of_the_person_is_left_and_the_joint_account_stays_with_the_other(self):
        world = self.world(credentials=5, transactions=60, joint=True)
        ids = self.register(world)
        tokens = list(ids)
        joint_first, joint_other = tokens[0], tokens[1]  # 2 shares the account of 1
        users = {t: f"person number {n}" for n, t in enumerate(tokens)}
        person = users[joint_first]
        second = tokens[3]
        world.sql(f"select flanks.register_credential('{person}', '{second}')")
        world.sql(f"delete from flanks.user_credentials where credential_id = {ids[second]} and user_id <> '{person}'")
        world.sql("delete from flanks_internal.former_users")
        third = tokens[4]  # another user's as well: only the link may go
        world.sql(f"select flanks.register_credential('{person}', '{third}')")
        world.sandbox.fault("bad_record", token=second, endpoint="account",
                            record='{"description": "the secret life of a person", "amount": 1}')
        world.ok("sync", "--credential", ids[joint_first])  # whoever is first owns the rows of the joint account
        self.assertEqual(world.cli("run", "--once").returncode, 3, "one record is in quarantine")
        world.sandbox.refresh(token=joint_first, correct=4, add=3)
        world.sandbox.refresh(token=second, correct=4, add=3)
        world.cli("sync", "--credential", ids[joint_first])
        world.cli("sync", "--credential", ids[second])
        world.cli("backfill", "--user", person)
        joint_ids = {r["_id"] for r in world.rows(f"select _id from flanks.transaction_sightings where credential_id = {ids[joint_other]}")}
        self.assertGreater(len(joint_ids), 0, "the joint account is one")
        self.assertGreater(int(world.sql("select count(*) from flanks.transaction_revisions")), 0)
        self.assertEqual(self.places_of(world, ["the secret life of a person"]), ["flanks.quarantine.raw"])
        # A table that a later migration may bring.
        world.sql("create table flanks.later_accounts (account bigint generated always as identity primary key, "
                  "credential_id bigint not null references flanks.credentials, iban text)")
        world.sql("create table flanks.a_later_one (credential_id bigint not null references flanks.credentials, "
                  "account bigint references flanks.later_accounts, note text)")
        world.sql(f"insert into flanks.later_accounts (credential_id, iban) values ({ids[second]}, 'ES00-of-the-person')")
        world.sql(f"insert into flanks.a_later_one select {ids[second]}, account, 'note-of-the-person' from flanks.later_accounts")
        mine = [joint_first, second]
        others = [t for t in tokens if t not in mine]
        texts = self.texts_only_of(world, mine, others, joint_ids)
        texts += [person, joint_first, second, "ES00-of-the-person", "note-of-the-person", "the secret life of a person"]
        self.assertGreater(len(texts), 50)
        self.assertNotEqual(self.places_of(world, texts), [])
        before = int(world.sql(f"select count(*) from flanks.transactions where credential_id = {ids[third]}"))

        refused = world.cli("erase", "--user", person)
        self.assertEqual(refused.returncode, 64, refused.stderr)
        self.assertIn("--yes", refused.stderr)
        self.assertNotEqual(self.places_of(world, [person]), [], "nothing was erased without being confirmed")
        done = json.loads(world.ok("--json", "erase", "--user", person, "--yes"))

        self.assertEqual(done["erased"], sorted([ids[joint_first], ids[second]]))
        self.assertEqual(done["kept"], [ids[third]])
        # What is left says to those who follow flanks.changes_after() which rows to forget, and nothing else.
        self.assertEqual(self.places_of(world, texts), ["flanks.changes._id"])
        self.assertEqual(world.sql("select count(*) from flanks.changes where (kind <> 'erase' or credential_id is not null) and _id in "
                                   "(select _id from flanks.changes where kind = 'erase')"), "0")
        for table, columns in self.tables(world).items():
            if "credential_id" in columns:
                self.assertEqual(world.sql(f"select count(*) from {table} where credential_id in ({ids[joint_first]}, {ids[second]})"),
                                 "0", table)
        # The joint rows are the other one's now, whole, and the mirror of the others is as it was.
        self.assertEqual(done["handed_over"], len(joint_ids))
        owned = {r["_id"] for r in world.rows(f"select _id from flanks.transactions where credential_id = {ids[joint_other]}")}
        self.assertLessEqual(joint_ids, owned)
        self.assertEqual(int(world.sql(f"select count(*) from flanks.transactions where credential_id = {ids[third]}")), before)
        self.assertEqual(world.sql(f"select array_to_string(users, '|') from flanks.sync_status where credential_id = {ids[third]}"), users[third])
        again = world.cli("erase", "--user", person, "--yes")
        self.assertEqual(again.returncode, 1)
        self.assertIn("nothing is stored of user", again.stderr)
        # The one who remains goes on: a re-read finds the joint rows as they are.
        world.ok("sync", "--credential", ids[joint_other])
        world.sql("drop table flanks.a_later_one, flanks.later_accounts")

    def test_it_does_not_come_back_unless_an_operator_says_so(self):
        world = self.world(credentials=2, transactions=30)
        ids = self.register(world)
        token, other = list(ids)
        person = "person number 0"
        world.ok("run", "--once")
        world.ok("erase", "--user", person, "--yes")
        with self.assertRaisesRegex(AssertionError, "was erased with the data of its user"):
            world.sql(f"select flanks.register_credential('{person}', '{token}')")
        add = world.cli("credentials", "add", "--user", person, stdin=token)
        self.assertEqual(add.returncode, 1)
        self.assertIn("--even-if-erased", add.stderr)
        self.assertNotIn(token, add.stdout + add.stderr)
        imported = world.cli("credentials", "import", "-", stdin=f"user_id,credentials_token\n{person},{token}\nyou,{other}\n")
        self.assertEqual(imported.returncode, 3, imported.stderr)
        found = json.loads(world.cli("--json", "credentials", "discover").stdout)
        self.assertEqual((found["new"], found["known"], found["erased"]), (0, 1, 1))
        self.assertEqual(world.sql("select count(*) from flanks.credentials"), "1")
        world.ok("credentials", "add", "--user", person, "--even-if-erased", stdin=token)
        world.ok("run", "--once")
        self.assertGreater(int(world.sql(f"select count(*) from flanks.transactions where credential_id <> {ids[other]}")), 0)

    def test_a_fetch_in_flight_cannot_commit(self):
        world = self.world(credentials=1, transactions=400, settings={"sync": {"products": ["account"], "lease": "5s"}})
        ids = self.register(world)
        token = list(ids)[0]
        person = "person number 0"
        world.sandbox.fault("drip", token=token, endpoint="account", bytes_per_second=2000)
        world.sandbox.fault("drip", token=token, endpoint="account", bytes_per_second=200000)
        daemon = world.start("run")
        wait_until(lambda: world.sandbox.requests()["endpoints"].get("account", 0) >= 1, "it is being fetched")
        world.ok("erase", "--user", person, "--yes")
        wait_until(lambda: "lease" in daemon.log.read_text(), "the daemon saw that its lease is gone")
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)
        for table, columns in self.tables(world).items():
            if "credential_id" in columns:
                self.assertEqual(world.sql(f"select count(*) from {table}"), "0", table)
        self.assertEqual(self.places_of(world, [person, token]), [])

    def test_a_credential_that_was_removed_before_is_erased_with_its_user(self):
        world = self.world(credentials=2, transactions=30)
        ids = self.register(world)
        token, other = list(ids)
        person = "person number 0"
        world.ok("run", "--once")
        world.ok("credentials", "remove", ids[token])
        self.assertGreater(int(world.sql(f"select count(*) from flanks.transactions where credential_id = {ids[token]}")), 0)
        world.ok("erase", "--user", person, "--yes")
        self.assertEqual(world.sql(f"select count(*) from flanks.transactions where credential_id = {ids[token]}"), "0")
        self.assertEqual(self.places_of(world, [person]), [])

    def test_every_table_that_holds_text_is_within_reach(self):
        """A table with neither credential_id nor user_id must be known to hold nothing of a person, or erase must learn it."""
        world = self.world(credentials=1, transactions=1)
        impersonal = {"flanks_internal.schema_migrations", "flanks_internal.erased_tokens",
                      "flanks_internal.backfills",  # erase deletes the plans that name the user
                      "flanks.removal_candidates",  # go with their review, which names the credential
                      "flanks.real_accounts", "flanks_internal.real_account_keys", "flanks.successions",  # erase deletes what is known by them
                      "flanks.unknown_fields",  # names and types of fields, no values
                      "flanks.entities", "flanks.entity_refresh",  # banks
                      "flanks.error_classes",  # the same in every database
                      "flanks_internal.secrets",  # random values of the database
                      "flanks_internal.rate_limit",  # a process, as host:pid
                      "flanks_internal.mirror_problems"}  # of no credential
        out_of_reach = [t for t, columns in self.tables(world).items()
                        if not {"credential_id", "user_id"} & set(columns) and t not in impersonal and
                        {"text", "jsonb", "json", "bytea", "varchar", "_text"} & set(columns.values())]
        self.assertEqual(out_of_reach, [])


if __name__ == "__main__":
    unittest.main()
