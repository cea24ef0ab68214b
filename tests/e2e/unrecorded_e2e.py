"""What cannot be written down is no reason to stop, to hammer the provider, or to look well (promise P15)."""
import time
import unittest

from admin import Admin, metric, served_at
from world import WorldTest, wait_until

HEALTHY = 40
SETTINGS = {"sync": {"products": ["account"], "product_details": [], "concurrency": 8, "interval": "300s", "lease": "5s"},
            "flanks": {"requests_per_second": 0}}
CRUEL = "https://m\xf6ved.example/\xff\xfe"  # as bytes of latin-1

# What a customer's database may have against one credential's records, {id} being that credential.
OBSTACLES = {
    "check of sync_runs": ("alter table flanks.sync_runs add constraint theirs check (credential_id <> {id}) not valid", "theirs"),
    "trigger of sync_runs": (
        "create function public.theirs() returns trigger language plpgsql as $$ begin "
        "if new.credential_id = {id} then raise exception 'not on my watch'; end if; return new; end $$; "
        "create trigger theirs before insert on flanks.sync_runs for each row execute function public.theirs()", "not on my watch"),
    "trigger of credentials": (
        "create function public.theirs() returns trigger language plpgsql as $$ begin "
        "if new.credential_id = {id} then raise exception 'not on my watch'; end if; return new; end $$; "
        "create trigger theirs before update on flanks.credentials for each row execute function public.theirs()", "not on my watch"),
    "row security of sync_runs": (
        "alter table flanks.sync_runs enable row level security; "
        "create policy theirs on flanks.sync_runs to public using (true) with check (credential_id <> {id})", "sync_runs"),
    "no right on sync_runs": ("revoke insert on flanks.sync_runs from {role}", "sync_runs"),
    "no right on credentials": ("revoke update on flanks.credentials from {role}", "credentials"),
}
FOR_ALL = ("row security of sync_runs", "no right on sync_runs", "no right on credentials")


class Unrecorded(WorldTest):
    def troubled(self, obstacle=None, **settings):
        """A world of one poor credential among healthy ones; gives it with their ids and the poor one's token and id."""
        world = self.world(credentials=HEALTHY + 1, transactions=8, products="account", no_oddities=True,
                           settings={**SETTINGS, **settings})
        ids = world.register_all()
        poor = next(iter(ids))
        if obstacle:
            dsn = world.role("daemon")
            world.sql(obstacle.format(id=ids[poor], role=f"{world.database}_daemon"))
            world.write_config(database__dsn=dsn)
        return world, ids, poor

    def asked(self, world, token):
        return sum(count for call, count in world.sandbox.requests()["credentials"].get(token, {}).items() if call != "max_concurrent")

    def assert_others_are_mirrored(self, world, ids, poor):
        others = {token: id for token, id in ids.items() if token != poor}
        got = world.rows("select credential_id::text as id, count(*)::text as n from flanks.transactions group by 1")
        self.assertEqual({row["id"]: row["n"] for row in got if row["id"] != str(ids[poor])},
                         {str(id): "8" for id in others.values()})

    def test_words_of_a_server_that_are_no_utf8_are_recorded(self):
        world, ids, poor = self.troubled()
        for endpoint in ("status", "account"):
            with self.subTest(endpoint):
                world.sandbox.fault("status", poor, endpoint, status=302, times=-1, location_hex=CRUEL.encode("latin-1").hex())
                done = world.cli("sync", "--credential", ids[poor])
                self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
                self.assertEqual(world.sql(f"select error_class from flanks.sync_runs where credential_id = {ids[poor]} "
                                           "order by started_at desc limit 1"), "redirect")
                world.sandbox.clear_faults()
        world.sandbox.fault("status", poor, "status", status=302, times=-1, location_hex=CRUEL.encode("latin-1").hex())
        world.sql("update flanks_internal.leases set next_due_at = now(); update flanks_internal.schedule set failures_in_a_row = 0")
        world.sandbox.reset_requests()
        self.assertEqual(world.cli("run", "--once").returncode, 3)
        self.assert_others_are_mirrored(world, ids, poor)
        self.assertEqual(self.asked(world, poor), 1)

    def test_run_once_tells_what_it_could_not_record_and_goes_on(self):
        for name, (obstacle, said) in OBSTACLES.items():
            with self.subTest(name):
                world, ids, poor = self.troubled(obstacle)
                done = world.cli("run", "--once")
                self.assertIn(done.returncode, (3, 77), done.stdout + done.stderr)
                self.assertRegex(done.stderr, f"cannot .*{said}")
                self.assertLessEqual(self.asked(world, poor), 2, "a status and a list")
                if name not in FOR_ALL:
                    self.assert_others_are_mirrored(world, ids, poor)

    def test_an_attempt_whose_end_alone_cannot_be_recorded_has_failed(self):
        world, ids, poor = self.troubled(
            "create function public.theirs() returns trigger language plpgsql as $$ begin "
            "if new.credential_id = {id} and new.state is distinct from old.state then "
            "raise exception 'not on my watch'; end if; return new; end $$; "
            "create trigger theirs before update on flanks.credentials for each row execute function public.theirs()")
        done = world.cli("run", "--once")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertRegex(done.stderr, "cannot record what happened to a credential .*not on my watch")
        self.assertEqual(world.sql(f"select string_agg(distinct outcome, ' ') from flanks.sync_runs where credential_id = {ids[poor]}"), "ok")
        self.assert_others_are_mirrored(world, ids, poor)

    def test_a_daemon_comes_back_with_the_delay_of_a_failure(self):
        for name, (obstacle, _) in OBSTACLES.items():
            with self.subTest(name):
                world, ids, poor = self.troubled(obstacle, admin={"listen": "127.0.0.1:0"})
                daemon = world.start("run")
                worked = (lambda: world.sql("select count(distinct credential_id) from flanks.transactions where "
                                            f"credential_id <> {ids[poor]}") == str(HEALTHY))
                failed = (lambda: self.unrecorded(daemon) > 0 or
                          " error " in daemon.log.read_text().lower())
                if name not in FOR_ALL:
                    wait_until(worked, "the healthy ones are mirrored")
                wait_until(failed, "it tells of it")
                held = "select count(*) from flanks_internal.leases where lease_id is not null"
                wait_until(lambda: world.sql(held) == "0", "nothing is in hand")
                asked = self.asked(world, poor)
                self.assertLessEqual(asked, 4)
                # The daemon looks for work once a second: ten looks later nothing has been asked again.
                looks = time.monotonic() + 5
                wait_until(lambda: time.monotonic() > looks, "some looks later")
                self.assertLessEqual(self.asked(world, poor) - asked, 1)
                if name not in FOR_ALL:
                    self.assertEqual(world.sql(f"select next_due_at > now() from flanks_internal.leases where credential_id = {ids[poor]}"), "t")
                    self.assertGreater(self.unrecorded(daemon), 0)

    def unrecorded(self, daemon):
        where = served_at(daemon.log.read_text())
        return Admin(where).metrics()[metric("flanks_unrecorded_failures_total")] if where else 0

    def test_run_once_works_on_each_credential_once(self):
        world = self.world(credentials=67, transactions=8, products="account", no_oddities=True, settings={
            "sync": {**SETTINGS["sync"], "interval": "1s"}, "flanks": SETTINGS["flanks"]})
        ids = world.register_all()
        begun = time.monotonic()
        done = world.cli("run", "--once")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(time.monotonic() - begun, 0)
        self.assertEqual(world.sandbox.requests()["endpoints"]["status"], 67)
        self.assert_mirrors(world, ids)

    def test_a_pause_longer_than_a_request_may_wait_is_told_in_status_and_releases_the_credential(self):
        for endpoint in ("token", "status", "account"):
            with self.subTest(endpoint):
                world = self.world(credentials=1, transactions=8, products="account", settings=SETTINGS)
                [id] = world.register_all().values()
                world.sandbox.fault("status", "*", endpoint, status=429, retry_after="86400", times=-1)
                begun = time.monotonic()
                done = world.cli("run", "--once")
                # Without a token nothing can go on.
                self.assertEqual(done.returncode, 69 if endpoint == "token" else 3, done.stdout + done.stderr)
                self.assertLess(time.monotonic() - begun, 60)
                self.assertEqual(world.sandbox.requests()["endpoints"][endpoint], 1)
                [row] = world.rows("select state, last_error, next_run_at - now() > interval '23 hours' as late from flanks.sync_status")
                self.assertEqual(row["late"], "t", row)
                self.assertIn("and asks to wait 86400 s", row["last_error"])

    def test_a_token_endpoint_that_is_busy_for_ever_is_waited_for_once_by_all(self):
        world = self.world(credentials=8, transactions=8, products="account", settings={
            "flanks": SETTINGS["flanks"], "sync": {**SETTINGS["sync"], "concurrency": 8}})
        world.register_all()
        world.sandbox.fault("status", "*", "token", status=429, retry_after="1", times=-1)
        begun = time.monotonic()
        done = world.cli("sync")
        self.assertEqual(done.returncode, 69, done.stdout + done.stderr)
        self.assertLessEqual(world.sandbox.requests()["endpoints"]["token"], 2 * 21, "20 pauses of one request, and who came as it ended")
        self.assertLess(time.monotonic() - begun, 60)


if __name__ == "__main__":
    unittest.main()
