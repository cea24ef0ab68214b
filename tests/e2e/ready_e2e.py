"""/-/ready, doctor and status --exit-code agree on what is wrong, in the same words; /-/ready names nobody, and keeps to its
schema."""
import json
import time
import unittest

import jsonschema

from admin import Admin, served_at
from world import ROOT, WorldTest, wait_until

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/ready.schema.json").read_text()))


class Ready(WorldTest):
    def started(self, secret=None):
        world = self.world(credentials=1, transactions=20, settings={"sync": {"poll": "200ms"}})
        admin = Admin(f"unix:{world.dir}/admin.socket")
        world.write_config(admin__listen=admin.where)
        if secret:
            (world.dir / "client_secret").write_text(secret + "\n")
        daemon = world.start("run")
        wait_until(lambda: served_at(daemon.log.read_text()), "it listens")
        return world, admin

    def doctor(self, world):
        done = world.cli("--json", "doctor")
        return done.returncode, [f for f in json.loads(done.stdout) if f["result"] == "fail"]

    def answer(self, admin):
        """(status, what /-/ready says), by its schema."""
        status, headers, text = admin.get("/-/ready")
        self.assertEqual(headers["Content-Type"], "application/json")
        said = json.loads(text)
        self.assertEqual([f"{'/'.join(map(str, e.path))}: {e.message}" for e in SCHEMA.iter_errors(said)], [])
        self.assertEqual(status, 200 if said["ready"] else 503)
        return status, said

    def agree(self, world, admin, check, error_class, code, status_code):
        def told():
            reasons = self.answer(admin)[1]["reasons"]
            return [(r["check"], r["error_class"]) for r in reasons] == [(check, error_class)] and reasons[0]

        reason = wait_until(told, f"{check} is told")
        doctor_code, failing = self.doctor(world)
        # What the daemon has met is told beside what doctor meets now.
        found = [(f["check"], f["error_class"]) for f in failing]
        self.assertEqual([f for f in found if f != ("mirror", error_class)], [(check, error_class)])
        self.assertEqual(doctor_code, code)
        self.assertEqual(world.cli("status", "--exit-code").returncode, status_code)
        self.assertEqual(reason["who_must_act"], "operator")
        self.assertTrue(reason["hint"])
        for name in (world.cluster.host, world.database, world.sandbox.client_id, world.sandbox.client_secret):
            self.assertNotIn(name, json.dumps(reason))
        return reason, failing[0]

    def test_all_is_well(self):
        world, admin = self.started()
        world.register_all()
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "1", "it is mirrored")
        self.assertEqual(self.answer(admin), (200, {"ready": True, "reasons": []}))
        self.assertEqual(self.doctor(world), (0, []))
        self.assertEqual(world.cli("status", "--exit-code").returncode, 0)

    def test_a_schema_that_is_too_new(self):
        world, admin = self.started()
        world.sql("insert into flanks_internal.schema_migrations (version, name, sha256) values (9999, '9999_later', 'x')")
        reason, failing = self.agree(world, admin, "schema", "database_schema", 78, 78)
        self.assertEqual((reason["says"], reason["hint"]), (failing["says"], failing["hint"]))

    def test_keys_that_the_provider_refuses(self):
        world, admin = self.started(secret="not-the-secret")
        world.register_all()
        self.agree(world, admin, "token", "token_refused", 77, 3)
        wait_until(lambda: world.sql("select problem from flanks_internal.mirror_problems") == "fetching", "the database is told")
        world.daemons[-1].terminate()
        world.daemons[-1].wait()
        self.assertEqual(world.sql("select count(*) from flanks_internal.mirror_problems"), "0", "who is stopped takes back what it said")

    def test_a_database_that_is_down(self):
        world, admin = self.started()
        self.addCleanup(world.cluster.start_again)
        world.cluster.kill()
        self.agree(world, admin, "database", "database_unreachable", 69, 69)

    def test_a_database_that_is_back_is_believed_at_once(self):
        world = self.world(credentials=1, transactions=20, settings={"sync": {"poll": "15s"}})
        admin = Admin(f"unix:{world.dir}/admin.socket")
        world.write_config(admin__listen=admin.where)
        daemon = world.start("run")
        wait_until(lambda: served_at(daemon.log.read_text()), "it listens")
        self.addCleanup(world.cluster.start_again)
        world.cluster.psql("postgres", "checkpoint")  # the cluster commits without waiting: a crash would take the schema along
        world.cluster.kill()
        wait_until(lambda: "cannot claim due credentials" in daemon.log.read_text(), "a look has failed")
        world.cluster.start_again()
        begin = time.monotonic()
        wait_until(lambda: self.answer(admin)[0] == 200, "it is ready")
        self.assertLess(time.monotonic() - begin, 8, "long before the next look")

    def test_a_reader_who_may_not_see_the_migrations_asks_by_the_exit_code_too(self):
        world = self.world(credentials=1, transactions=10)
        world.register_all()
        world.ok("run", "--once")
        reader = f"{world.database}_reader"
        world.sql(f"create role {reader} login; grant usage on schema flanks to {reader}; grant select on all tables in schema flanks to "
                  f"{reader}; grant execute on all functions in schema flanks to {reader}")
        world.write_config(database__dsn=f"host={world.cluster.host} user={reader} dbname={world.database}")
        world.ok("status", "--exit-code")


if __name__ == "__main__":
    unittest.main()
