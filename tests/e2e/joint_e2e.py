"""An account of two people, under two credentials: one row an operation, there as long as one of them shows it."""
import json
import unittest

from world import WorldTest, parse


class Joint(WorldTest):
    def setUp(self):
        # The provider's history is shorter than ours: no row lies in the days that prove nothing.
        self.w = self.world(credentials=2, transactions=30, joint=True, products="account", months=23,
                            settings={"sync": {"overlap": "730d", "products": ["account"]}})
        self.ids = {c["credentials_token"]: int(self.w.sql(f"select flanks.register_credential('person {n}', '{c['credentials_token']}')"))
                    for n, c in enumerate(self.w.sandbox.credentials())}
        (self.ana, self.first), (self.ben, self.second) = self.ids.items()
        self.w.ok("backfill", "--credential", self.first)
        self.w.ok("backfill", "--credential", self.second)
        self.shared = sorted(line["_id"] for line in self.w.sandbox.ledger(self.ana))

    # ---- what is in the database

    def owners(self, ids=None):
        rows = self.w.rows("select _id, credential_id from flanks.transactions where removed_at is null")
        return {row["_id"]: int(row["credential_id"]) for row in rows if ids is None or row["_id"] in ids}

    def removed(self):
        return {row["_id"] for row in self.w.rows("select _id from flanks.transactions where removed_at is not null")}

    def sightings(self):
        return {(row["_id"], int(row["credential_id"])) for row in self.w.rows("select _id, credential_id from flanks.transaction_sightings")}

    def history(self, id):
        return self.w.sql(f"select string_agg(reason, ' ' order by revision_id) from flanks.transaction_revisions where _id = '{id}'").split()

    def sync(self, token, code=0):
        """The provider has refreshed this credential, and it is fetched; the run of it."""
        self.w.sandbox.refresh(token)
        done = self.w.cli("--json", "sync", "--credential", self.ids[token])
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)[0]

    # ---- the story

    def test_one_row_an_operation_and_a_second_look_writes_nothing(self):
        self.assertEqual(len(self.shared), 30)
        self.assertEqual(self.owners(), {id: self.first for id in self.shared})
        self.assertEqual(self.sightings(), {(id, self.second) for id in self.shared})
        self.assertEqual(self.w.sql("select distinct array_to_string(users, '|') from flanks.transactions_current"), "person 0|person 1")
        self.assertEqual(self.w.sql("select count(*) from flanks.transactions_current"), "30")
        runs = self.w.rows("select credential_id, sum(inserted) as new, sum(unchanged) as same from flanks.sync_runs group by 1 order by 1")
        self.assertEqual([(r["new"], r["same"]) for r in runs], [("30", "0"), ("0", "30")])
        before = self.w.row_versions()
        self.sync(self.ana)
        self.sync(self.ben)
        self.assertEqual(self.w.row_versions(), before)
        self.assertEqual(len(self.sightings()), 30)

    def test_gone_from_one_side_it_stays_and_gone_from_both_it_is_removed(self):
        at_first, at_second = self.shared[0], self.shared[1]
        self.w.sandbox.withhold(self.ana, [at_first])
        self.w.sandbox.withhold(self.ben, [at_second])
        self.assertEqual(self.sync(self.ana)["removed"], 0)
        self.assertEqual(self.sync(self.ben)["removed"], 0)
        self.assertEqual(self.removed(), set())
        # The owner does not show it: it is handed over. The other does not: it loses its sighting, the row is as it was.
        self.assertEqual(self.owners((at_first, at_second)), {at_first: self.second, at_second: self.first})
        self.assertEqual(self.history(at_first), ["handed_over"])
        self.assertEqual(self.history(at_second), [])
        self.assertEqual({s for s in self.sightings() if s[0] in (at_first, at_second)}, set())

        both = [at_first, at_second]
        self.w.sandbox.withhold(self.ana, both)
        self.assertEqual(self.sync(self.ana)["removed"], 1)
        self.assertEqual(self.removed(), {at_second})
        self.w.sandbox.withhold(self.ben, both)
        self.assertEqual(self.sync(self.ben)["removed"], 1)
        self.assertEqual(self.removed(), set(both))
        self.assertEqual(self.history(at_first), ["handed_over", "removed"])
        self.assertEqual(self.w.sql("select count(*) from flanks.transactions_current"), "28")

        # It comes back with whoever shows it first, and the other one joins.
        self.w.sandbox.withhold(self.ben, [])
        self.assertEqual(self.sync(self.ben)["updated"], 2)
        self.assertEqual(self.owners(both), {at_first: self.second, at_second: self.second})
        self.assertEqual(self.removed(), set())
        self.w.sandbox.withhold(self.ana, [])
        self.assertEqual(self.sync(self.ana)["updated"], 0)
        self.assertEqual(self.history(at_first), ["handed_over", "removed", "restored"])
        self.assertEqual({s for s in self.sightings() if s[0] in both}, {(id, self.first) for id in both})

    def test_erasing_the_owner_hands_its_rows_to_the_other_who_goes_on(self):
        only_hers = self.shared[0]
        self.w.sandbox.withhold(self.ben, [only_hers])
        self.sync(self.ben)
        done = json.loads(self.w.ok("--json", "erase", "--user", "person 0", "--yes"))
        self.assertEqual(done["handed_over"], 29)
        self.assertEqual(self.owners(), {id: self.second for id in self.shared[1:]})
        self.assertEqual(self.sightings(), set())
        self.assertEqual(self.w.sql(f"select count(*) from flanks.transactions where _id = '{only_hers}'"), "0")
        before = self.w.row_versions()
        self.sync(self.ben)
        self.assertEqual(self.w.row_versions(), before, "the rows are his as if they had always been")
        # What he does not show any more is removed: nobody else shows it.
        self.w.sandbox.withhold(self.ben, [only_hers, self.shared[1]])
        self.assertEqual(self.sync(self.ben)["removed"], 1)
        self.assertEqual(self.removed(), {self.shared[1]})

    def test_another_content_from_the_other_side_waits_in_quarantine_and_changes_nothing(self):
        id = self.shared[0]
        record = next(parse(line)["record"] for line in self.w.sandbox.ledger_text(self.ana).splitlines() if parse(line)["_id"] == id)
        stored = self.w.rows(f"select * from flanks.transactions where _id = '{id}'")
        other = json.dumps({"_id": id, "operationDate": record["operationDate"], "amount": 987654321, "description": "another story"})
        self.w.sandbox.withhold(self.ben, [id])
        self.w.sandbox.fault("bad_record", token=self.ben, endpoint="account", record=other, times=-1)
        for _ in range(2):
            self.assertEqual(self.sync(self.ben, code=3)["outcome"], "partial")
            self.assertEqual(self.w.rows(f"select * from flanks.transactions where _id = '{id}'"), stored)
        waiting = self.w.rows("select reason, _id, credential_id, detail, convert_from(raw, 'UTF8')::jsonb ->> 'description' as said from flanks.quarantine")
        self.assertEqual(waiting, [{"reason": "joint_conflict", "_id": id, "credential_id": str(self.second), "said": "another story",
                                    "detail": f"stored with other content through credential {self.first}"}])
        self.assertEqual(self.history(id), [])
        # He shows it, if differently: it is not absent there, and stays when the owner shows it no more.
        self.assertIn((id, self.second), self.sightings())
        # The bank agrees with itself again.
        self.w.sandbox.clear_faults()
        self.w.sandbox.withhold(self.ben, [])
        self.assertEqual(self.sync(self.ben)["outcome"], "ok")


if __name__ == "__main__":
    unittest.main()
