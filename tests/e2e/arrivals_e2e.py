"""How credentials arrive: the provider's list, link codes, Connect sessions; and how one is deleted at the provider."""
import json
import re
import signal
import unittest

from world import WorldTest, wait_until


class Arrivals(WorldTest):
    def json(self, world, *arguments, code=0):
        done = world.cli("--json", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assert_no_token(world, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def assert_no_token(self, world, text):
        for c in world.sandbox.credentials():
            self.assertNotIn(c["credentials_token"], text)

    def linked(self, world):
        """{credentials_token: [user]} as registered here."""
        out = {}
        for row in world.rows("select t.credentials_token, u.user_id from flanks_internal.credentials_tokens t "
                              "left join flanks.user_credentials u using (credential_id) order by 1, 2"):
            out.setdefault(row["credentials_token"], []).append(row["user_id"])
        return out

    def test_discover_registers_every_page_once(self):
        world = self.world(credentials=230, transactions=1, no_oddities=True)
        expected = {c["credentials_token"]: [c["external_id"]] for c in world.sandbox.credentials()}
        dry = self.json(world, "credentials", "discover", "--dry-run")
        self.assertEqual((dry["new"], dry["known"], dry["pages"]), (230, 0, 3))
        self.assertEqual(self.linked(world), {})
        found = self.json(world, "credentials", "discover")
        self.assertEqual((found["new"], found["known"], found["pages"]), (230, 0, 3))
        self.assertEqual(self.linked(world), expected)
        again = self.json(world, "credentials", "discover")
        self.assertEqual((again["new"], again["known"]), (0, 230))
        self.assertEqual(self.linked(world), expected)

    def test_discover_leaves_the_operators_own_links_and_removals_alone(self):
        world = self.world(credentials=3, transactions=1, no_oddities=True)
        tokens = [c["credentials_token"] for c in world.sandbox.credentials()]
        ids = [int(json.loads(world.ok("--json", "credentials", "add", "--user", "my own name", stdin=t))["credential_id"]) for t in tokens[:2]]
        world.ok("credentials", "remove", ids[1])
        found = self.json(world, "credentials", "discover")
        self.assertEqual((found["new"], found["known"], found["removed"]), (1, 1, 1))
        self.assertEqual(world.sql(f"select array_to_string(users, ',') from flanks.sync_status where credential_id = {ids[0]}"), "my own name")
        self.assertEqual(world.sql(f"select state from flanks.sync_status where credential_id = {ids[1]}"), "removed")

    def test_a_credential_without_a_user_is_counted_and_not_registered_unless_given_one(self):
        world = self.world(credentials=7, transactions=1)  # the seventh has no external_id
        found = self.json(world, "credentials", "discover", code=3)
        self.assertEqual((found["new"], found["without_user"]), (6, 1))
        self.assertEqual(len(self.linked(world)), 6)
        found = self.json(world, "credentials", "discover", "--default-user", "nobody yet")
        self.assertEqual((found["new"], found["known"], found["without_user"]), (1, 6, 0))
        self.assertEqual(world.sql("select count(*) from flanks.user_credentials where user_id = 'nobody yet'"), "1")

    def test_discover_lives_with_what_the_provider_may_answer(self):
        world = self.world(credentials=1, transactions=1)

        def page(**body):
            world.sandbox.clear_faults()
            world.sandbox.fault("status", endpoint="list", status=200, body=json.dumps(body), times=-1)
        item = {"credentials_token": "token-of-a", "external_id": "a", "bank": None, "status": None}
        # Every page is the same one, and there is always another: it ends, and says so.
        page(items=[item, item], page=1, pages=1000000)
        found = self.json(world, "credentials", "discover", code=3)
        self.assertEqual((found["seen"], found["new"], found["cut_short"], found["cut_short_by"]), (1, 1, True, ["repeated_pages"]))
        self.assertLess(found["pages"], 10)
        # No number of pages.
        page(items=[item])
        self.assertEqual(self.json(world, "credentials", "discover")["known"], 1)
        # Items that are none, and a user who is a number.
        page(items=[None, 7, {}, {"credentials_token": None}, {"credentials_token": "with blanks"},
                    {"credentials_token": "token-of-b", "external_id": 42}], page=1, pages=1)
        found = self.json(world, "credentials", "discover", code=3)
        self.assertEqual((found["new"], found["unusable"]), (1, 5))
        self.assertEqual(self.linked(world)["token-of-b"], ["42"])
        # A name that cannot be stored does not hold up the next.
        page(items=[{"credentials_token": "token-of-c", "external_id": "x" * 300},
                    {"credentials_token": "token-of-d", "external_id": "d"}], pages=1)
        found = self.json(world, "credentials", "discover", code=3)
        self.assertEqual((found["refused"], found["new"]), (1, 1))
        # An error object is an error, not an empty list.
        page(message="try again later")
        done = world.cli("credentials", "discover")
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("try again later", done.stderr)

    def test_what_is_beyond_a_limit_is_not_taken_and_the_limit_is_named(self):
        world = self.world(credentials=230, transactions=1, no_oddities=True, settings={"limits": {"discovery_pages": 2}})
        found = self.json(world, "credentials", "discover", code=3)
        self.assertEqual((found["pages"], found["new"], found["cut_short"], found["cut_short_by"]), (2, 200, True, ["limits.discovery_pages"]))
        self.assertEqual(world.sandbox.requests()["endpoints"]["list"], 2)
        said = world.cli("credentials", "discover")
        self.assertEqual(said.returncode, 3, said.stderr)
        self.assertIn("not all was read: limits.discovery_pages is reached; raise it and run the command again\n", said.stdout)
        world.write_config(limits__discovery_pages=3, limits__discovery_credentials=210)
        found = self.json(world, "credentials", "discover", code=3)
        self.assertEqual((found["seen"], found["new"], found["cut_short_by"]), (210, 10, ["limits.discovery_credentials"]))
        world.write_config(limits__discovery_pages=3, limits__session_pages=2)
        found = self.json(world, "link", "sessions", code=3)
        self.assertEqual((found["pages"], found["known"], found["cut_short_by"]), (2, 200, ["limits.session_pages"]))
        world.write_config(limits__discovery_pages=3)
        found = self.json(world, "credentials", "discover")
        self.assertEqual((found["seen"], found["new"], found["cut_short"], found["cut_short_by"]), (230, 20, False, []))

    def test_the_daemon_says_which_limit_cut_its_discovery_short(self):
        world = self.world(credentials=3, transactions=1, no_oddities=True,
                           settings={"sync": {"discover_interval": "1s"}, "limits": {"discovery_credentials": 2}})
        daemon = world.start("run")
        wait_until(lambda: "cut_short_by=limits.discovery_credentials" in daemon.log.read_text(), "it names the limit")
        self.assertEqual(world.sql("select count(*) from flanks.credentials"), "2")
        # It works on all the same, and takes the rest as soon as it may.
        world.write_config(limits__discovery_credentials=3)
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "3", "the rest comes after a reload")
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)

    def test_the_daemon_discovers_on_a_schedule(self):
        world = self.world(credentials=2, transactions=20, no_oddities=True, settings={"sync": {"discover_interval": "1s"}})
        daemon = world.start("run")
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state = 'ok'") == "2", "both are found and read")
        world.sandbox.control("POST", "credentials", {"external_id": "a late one", "transactions": 5})
        wait_until(lambda: world.sql("select count(*) from flanks.user_credentials where user_id = 'a late one'") == "1", "found later")
        # A provider in trouble is no reason to stop.
        world.sandbox.fault("html", endpoint="list", times=2)
        wait_until(lambda: "HTML" in daemon.log.read_text(), "it says so")
        world.sandbox.control("POST", "credentials", {"external_id": "a later one", "transactions": 5})
        wait_until(lambda: world.sql("select count(*) from flanks.user_credentials where user_id = 'a later one'") == "1", "and goes on")
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)
        self.assert_no_token(world, daemon.log.read_text())

    def test_link_codes_are_exchanged_once_and_registered(self):
        world = self.world(credentials=1, transactions=5)  # two unused codes: user-link-1, user-link-2
        world.sandbox.control("POST", "links", {"external_id": ""})
        found = self.json(world, "link", "exchange", code=3)
        self.assertEqual((found["codes"], found["exchanged"], found["without_user"]), (3, 2, 1))
        self.assertEqual(sorted(u for users in self.linked(world).values() for u in users), ["user-link-1", "user-link-2"])
        found = self.json(world, "link", "exchange", "--default-user", "someone")
        self.assertEqual((found["codes"], found["exchanged"]), (1, 1))
        self.assertEqual(self.json(world, "link", "exchange")["codes"], 0)
        world.ok("run", "--once")
        self.assertEqual(world.sql("select count(*) from flanks.sync_status where state = 'ok'"), "3")

    def test_the_user_comes_from_the_named_parameter(self):
        world = self.world(credentials=1, transactions=1)
        links = [{"code": "code-1", "link_token": "l", "extra": {"external_id": "theirs", "customer": "ours"}},
                 {"code": "code-2", "link_token": "l", "extra": {"external_id": "theirs"}}]
        world.sandbox.fault("status", endpoint="links", status=200, body=json.dumps(links))
        world.sandbox.fault("status", endpoint="link", status=200, body=json.dumps({"credentials_token": "token-1"}))
        found = self.json(world, "link", "exchange", "--user-from", "customer", code=3)
        self.assertEqual((found["exchanged"], found["without_user"]), (1, 1))
        self.assertEqual(self.linked(world), {"token-1": ["ours"]})

    def test_a_code_is_not_spent_when_the_database_could_not_store_what_it_brings(self):
        world = self.world(credentials=1, transactions=1)
        world.sql("create function no() returns trigger language plpgsql as $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$")
        world.sql("create trigger no before insert on flanks_internal.credentials_tokens for each row execute function no()")
        done = world.cli("link", "exchange")
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("disk is full", done.stderr)
        self.assertEqual(world.sandbox.requests()["endpoints"].get("link", 0), 0, "no code was spent")

    def test_a_credential_that_could_not_be_stored_after_the_exchange_is_not_lost(self):
        world = self.world(credentials=1, transactions=1, no_oddities=True)
        # The rehearsal passes, what follows fails.
        world.sql("create sequence tries")
        world.sql("create function no() returns trigger language plpgsql as $$ begin "
                  "if nextval('public.tries') > 1 then raise exception 'the disk is full' using errcode = '53100'; end if; return new; end $$")
        world.sql("create trigger no before insert on flanks_internal.credentials_tokens for each row execute function no()")
        done = world.cli("link", "exchange", timeout=120)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("was exchanged and is used up, but its credential could not be stored", done.stderr)
        self.assertIn("credentials discover", done.stderr)
        self.assert_no_token(world, done.stdout + done.stderr)
        self.assertEqual(self.linked(world), {})
        world.sql("drop trigger no on flanks_internal.credentials_tokens")
        self.json(world, "credentials", "discover")
        self.assertIn(["user-link-1"], list(self.linked(world).values()))

    def test_an_answer_that_got_lost_is_said_and_the_code_not_sent_twice(self):
        world = self.world(credentials=1, transactions=1, no_oddities=True)
        world.sandbox.fault("truncate", endpoint="link", after_bytes=20)
        done = world.cli("link", "exchange")
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("may be used up", done.stderr)
        self.assertIn("credentials discover", done.stderr)
        self.assertEqual(world.sandbox.requests()["endpoints"]["link"], 1)

    def test_sessions_that_finished_are_registered_for_the_listed_user(self):
        world = self.world(credentials=210, transactions=1)
        listed = {c["credentials_token"]: [c["external_id"]] for n, c in enumerate(world.sandbox.credentials()) if n % 7 != 6}
        found = self.json(world, "link", "sessions", code=3)
        self.assertEqual((found["new"], found["without_user"], found["pages"]), (180, 30, 3))
        self.assertEqual(self.linked(world), listed)
        again = self.json(world, "link", "sessions", "--default-user", "someone")
        self.assertEqual((again["new"], again["known"]), (30, 180))

    def test_remove_upstream_deletes_there_first(self):
        world = self.world(credentials=4, transactions=5, no_oddities=True)
        ids = world.register_all()
        tokens = list(ids)
        world.sandbox.fault("status", endpoint="delete", status=204, body="")
        self.assertIn("deleted at the provider", world.ok("credentials", "remove", ids[tokens.pop()], "--upstream"))
        world.sandbox.fault("status", endpoint="delete", status=500, times=-1)
        done = world.cli("credentials", "remove", ids[tokens[0]], "--upstream")
        self.assertEqual(done.returncode, 69)
        self.assertEqual(world.sql(f"select removed_at is null from flanks.credentials where credential_id = {ids[tokens[0]]}"), "t",
                         "not removed here while it is there")
        world.sandbox.clear_faults()
        world.ok("credentials", "remove", ids[tokens[0]], ids[tokens[1]], "--upstream")
        self.assertEqual([c["credentials_token"] for c in world.sandbox.credentials()], tokens[2:] + list(ids)[3:])
        # Deleted there by somebody else: that is what was wanted.
        world.sandbox.api("DELETE", "/v0/bank/credentials", {"credentials_token": tokens[2]})
        said = world.ok("credentials", "remove", ids[tokens[2]], "--upstream")
        self.assertRegex(said, re.compile("unknown to the provider"))
        self.assertEqual(world.sql("select count(*) from flanks.credentials where removed_at is null"), "0")


if __name__ == "__main__":
    unittest.main()
