"""States of credentials: driven by what the provider says, never sticky; and whom a failing provider holds up."""
import json
import unittest

from world import WorldTest, wait_until


class States(WorldTest):
    def due(self, world):
        world.sql("update flanks_internal.leases set next_due_at = now() where lease_id is null")

    def cycle(self, world):
        """Everything is due once; gives {credential_id: row of sync_status}."""
        self.due(world)
        world.cli("run", "--once")
        return {int(r["credential_id"]): r for r in world.rows("select * from flanks.sync_status")}

    def state(self, world):
        return next(iter(self.cycle(world).values()))["state"]

    def test_a_credential_goes_through_every_state_and_comes_back_and_its_history_is_kept(self):
        world = self.world(credentials=1, transactions=20, no_oddities=True)
        token = world.sandbox.credentials()[0]["credentials_token"]
        say = lambda **fields: world.sandbox.control("POST", "status", {"credentials_token": token, **fields})
        ids = world.register_all()
        say(pending=True)
        self.assertEqual(self.state(world), "pending")
        say(pending=False)
        self.assertEqual(self.state(world), "ok")
        say(sca_token="abc")
        row = self.cycle(world)[ids[token]]
        self.assertEqual((row["state"], row["who_must_act"]), ("action_required", "end_user"))
        say(sca_token=None)
        self.assertEqual(self.state(world), "ok")
        say(blocked=True)
        self.assertEqual(self.state(world), "blocked")
        say(blocked=False)
        self.assertEqual(self.state(world), "ok")
        world.sandbox.fault("status", token=token, endpoint="status", status=404, times=-1)
        row = self.cycle(world)[ids[token]]
        self.assertEqual((row["state"], row["who_must_act"]), ("error", "provider"), "one 404 is not believed")
        world.sql("update flanks.credentials set not_found_since = not_found_since - interval '1 day'")
        row = self.cycle(world)[ids[token]]
        self.assertEqual((row["state"], row["who_must_act"]), ("gone", "operator"))
        self.assertNotEqual(row["next_run_at"], None, "it is asked again")
        world.sandbox.clear_faults()
        self.assertEqual(self.state(world), "ok")
        world.ok("credentials", "pause", ids[token], "--reason", "on holiday")
        world.ok("credentials", "resume", ids[token])
        history = world.rows("select state, why from flanks.credential_states order by from_at")
        self.assertEqual([h["state"] for h in history],
                         ["new", "pending", "ok", "action_required", "ok", "blocked", "ok", "error", "gone", "ok", "paused", "ok"])
        self.assertIn("authentication", history[3]["why"])
        self.assertIn("404", history[7]["why"])
        self.assertEqual(history[10]["why"], "on holiday")
        self.assert_mirrors(world, ids)

    def test_faults_of_the_provider_are_the_providers_to_mend(self):
        world = self.world(credentials=1, transactions=20, no_oddities=True, products="account",
                           settings={"sync": {"products": ["account"], "tries": 1}})
        ids = world.register_all()
        faults = [("html", {}), ("error_object", {"message": "no"}), ("empty", {}), ("not_json", {}), ("cut_json", {}),
                  ("invalid_utf8", {}), ("truncate", {}), ("wrong_length", {}), ("status", {"status": 500}),
                  ("stall_first_byte", {}), ("stall_body", {})]
        for kind, parameters in faults:
            with self.subTest(kind):
                world.sandbox.fault(kind, endpoint="account", times=-1, **parameters)
                if kind.startswith("stall"):
                    world.write_config(flanks__timeouts={"first_byte": "1s", "idle": "1s"})
                self.assertEqual(world.cli("sync").returncode, 3)
                world.write_config()
                row = world.rows("select state, who_must_act, last_error from flanks.sync_status")[0]
                self.assertEqual((row["state"], row["who_must_act"]), ("error", "provider"), row["last_error"])
                world.sandbox.clear_faults()
        world.ok("sync")
        self.assertEqual(world.sql("select state || who_must_act from flanks.sync_status"), "oknobody")
        self.assert_mirrors(world, ids)

    def test_a_failing_bank_is_left_alone_and_holds_up_nobody(self):
        world = self.world(credentials=6, transactions=20, no_oddities=True, settings={"sync": {"concurrency": 1}})
        bad = [world.sandbox.control("POST", "credentials", {"bank": "broken-bank", "external_id": f"b{n}", "transactions": 5})["credentials_token"]
               for n in range(9)]
        ids = world.register_all()
        world.ok("run", "--once")
        world.sandbox.refresh(add=4)
        for token in bad:
            world.sandbox.fault("html", token=token, endpoint="*", times=-1)
        world.sandbox.reset_requests()
        # The broken ones first: they must not keep the others from their turn.
        self.due(world)
        world.sql("update flanks_internal.leases set next_due_at = now() - interval '1 hour' where credential_id in "
                  "(select credential_id from flanks.credentials where bank = 'broken-bank')")
        self.assertEqual(world.cli("run", "--once").returncode, 3)
        asked = world.sandbox.requests()["credentials"]
        self.assertEqual(sum(1 for t in bad if t in asked), 5, "after five failures the bank is left alone")
        states = {r["credential_id"]: r for r in world.rows("select * from flanks.sync_status")}
        good = [t for t in ids if t not in bad]
        self.assertEqual({states[str(ids[t])]["state"] for t in good}, {"ok"})
        left_alone = [states[str(ids[t])] for t in bad if t not in asked]
        self.assertEqual({r["state"] for r in left_alone}, {"ok"}, "nothing is said of what was not tried")
        self.assertEqual({r["failures_in_a_row"] for r in left_alone}, {"0"})
        for token in good:
            self.assertEqual(int(world.sql(f"select count(*) from flanks.transactions where credential_id = {ids[token]}")),
                             len(world.sandbox.ledger(token)), "what is new of the other banks arrived")
        world.sandbox.clear_faults()
        self.assertEqual({r["state"] for r in self.cycle(world).values()}, {"ok"})
        self.assert_mirrors(world, ids)

    def test_refused_by_all_the_client_backs_off_says_so_and_recovers_by_itself(self):
        world = self.world(credentials=9, transactions=5, settings={"sync": {"concurrency": 1, "poll": "5s"}})
        world.register_all()
        world.sandbox.fault("status", endpoint="status", status=401, times=-1)
        daemon = world.start("run")
        wait_until(lambda: "fails for every credential; backing off" in daemon.log.read_text(), "it says that it backs off")
        asked = set(world.sandbox.requests()["credentials"])
        self.assertEqual(len(asked), 5, "it stopped asking")
        classes = world.sql("select distinct last_error_class from flanks.credentials where state = 'error'")
        self.assertEqual(classes, "unauthorized")
        world.sandbox.clear_faults()
        wait_until(lambda: "the provider answers again" in daemon.log.read_text(), "it recovers")
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "4", "those that waited are read")
        # Those that were refused are not parked: it was not them.
        latest = int(world.sql("select max(extract(epoch from next_run_at - now()))::int from flanks.sync_status where state = 'error'"))
        self.assertLessEqual(latest, 300)
        self.due(world)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "9", "all are well")
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)

    def test_refused_alone_a_credential_is_parked_and_asked_again(self):
        world = self.world(credentials=4, transactions=5, no_oddities=True)
        ids = world.register_all()
        token = list(ids)[1]
        world.sandbox.fault("status", token=token, endpoint="status", status=401, times=-1)
        self.cycle(world)
        row = self.cycle(world)[ids[token]]
        self.assertEqual((row["state"], row["who_must_act"]), ("error", "operator"))
        wait = int(world.sql(f"select extract(epoch from next_run_at - now())::int from flanks.sync_status where credential_id = {ids[token]}"))
        self.assertGreater(wait, 3600)
        self.assertEqual(world.sql("select count(*) from flanks.sync_status where state = 'ok'"), "3")
        world.sandbox.clear_faults()
        self.assertEqual({r["state"] for r in self.cycle(world).values()}, {"ok"})


if __name__ == "__main__":
    unittest.main()
