"""Three daemons on one database for ten minutes, while they are stopped and continued at random, the database is lost in every
way, and the provider's statuses and answers are poisoned. At the end the mirror is exact, no second was above the limit, and no
credential was left unseen for longer than three intervals.

    ./run-tests soak --only three_daemons [--seconds N] [--seed N]
"""
import argparse
import random
import signal
import sys
import time
import unittest
from decimal import Decimal

from world import WorldTest, wait_until

CREDENTIALS, LIMIT, LEASE, INTERVAL = 200, 60, 10, 60
BURST = LIMIT // 10
DAY = 86400
OPTIONS = argparse.Namespace(seconds=600, seed=None)
POISON = (  # kind of fault, endpoint, parameters
    ("status", "status", {"status": 302, "location_hex": "68747470733a2f2fff2e6578616d706c652f"}),
    ("status", "status", {"status": 500}),
    ("status", "status", {"status": 429, "retry_after": "2"}),
    ("html", "status", {}), ("empty", "status", {}), ("not_json", "status", {}), ("cut_json", "status", {}),
    ("reset", "account", {}), ("truncate", "account", {}), ("invalid_utf8", "account", {}), ("cut_json", "account", {}),
    ("stall_first_byte", "account", {}), ("unasked", "*", {"what": "any", "ms": 2}),
    ("status", "account", {"status": 503, "retry_after": "1"}),
)


def densest_second(times):
    most = first = 0
    for last, time_of_last in enumerate(times):
        while times[first] <= time_of_last - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


class ThreeDaemons(WorldTest):
    def test_soak(self):
        seed = OPTIONS.seed if OPTIONS.seed is not None else random.SystemRandom().randrange(2**31)
        print(f"seed {seed}", flush=True)
        self.chance = random.Random(seed)
        self.world = world = self.world(credentials=CREDENTIALS, transactions=20, products="account", no_oddities=True, settings={
            "flanks": {"requests_per_second": LIMIT, "timeouts": {"first_byte": "5s"}},
            "sync": {"products": ["account"], "product_details": [], "lease": f"{LEASE}s", "poll": "1s", "interval": f"{INTERVAL}s",
                     "overlap": "730d", "sweep_interval": "300s"}})
        self.ids = world.register_all()
        self.tokens = list(self.ids)
        self.seen, self.gaps, self.odd_times, self.odd_flags, self.removed = {}, {}, set(), set(), {}
        daemons = [world.start("run") for _ in range(3)]
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where last_attempt_at is null") == "0", "all were seen once")
        begun = time.monotonic()
        stopped = {}  # daemon: until when
        next_order = {self.poison: 0, self.stop_one: 5, self.lose_database: 20, self.refresh: 15}
        every = {self.poison: 2, self.stop_one: 12, self.lose_database: 45, self.refresh: 20}
        while (now := time.monotonic() - begun) < OPTIONS.seconds:
            for daemon, until in list(stopped.items()):
                if now >= until:
                    daemon.send_signal(signal.SIGCONT)
                    del stopped[daemon]
            for order, at in next_order.items():
                if now >= at:
                    next_order[order] = now + self.chance.uniform(0.5, 1.5) * every[order]
                    order(now, daemons, stopped)
            self.look()
            time.sleep(0.5)
        for daemon in stopped:
            daemon.send_signal(signal.SIGCONT)
        self.quieten(daemons)
        times = [at for at, _ in world.sandbox.arrivals()]
        self.look()
        worst = max(self.gaps.values())
        print(f"{len(times)} requests, {densest_second(times)} in the densest second (limit {LIMIT}, burst {BURST}), "
              f"longest unseen {worst:.0f} s (interval {INTERVAL} s)", flush=True)
        print(world.sql("select outcome, error_class, count(*) from flanks.sync_runs group by 1, 2 order by 3 desc"), flush=True)
        self.assertLessEqual(densest_second(times), LIMIT + BURST)
        self.assertLessEqual(worst, 3 * INTERVAL)

    def look(self):
        """Notes when each credential was attempted, and how long it had not been."""
        try:
            rows = self.world.rows("select credential_id, extract(epoch from last_attempt_at) as at from flanks.sync_status")
        except AssertionError:
            return  # the database is away
        for row in rows:
            id, at = row["credential_id"], float(row["at"])
            self.gaps[id] = max(self.gaps.get(id, 0), at - self.seen.get(id, at))
            self.seen[id] = at

    def poison(self, *_):
        kind, endpoint, parameters = self.chance.choice(POISON)
        token = self.chance.choice(self.tokens)
        if self.chance.random() < 0.3:
            at = int(time.time()) + DAY * self.chance.choice((-400, -1, 1, 4000))
            self.world.sandbox.control("POST", "status", {"credentials_token": token, "last_update_timestamp": at})
            self.odd_times.add(token)
        elif self.chance.random() < 0.2:
            junk = self.chance.choice(("true", 1, {}, None))
            self.world.sandbox.control("POST", "status", {"credentials_token": token, "errored": {"transactions": {"account": junk}}})
            self.odd_flags.add(token)
        else:
            self.world.sandbox.fault(kind, token, endpoint, times=self.chance.randint(1, 3), **parameters)

    def stop_one(self, now, daemons, stopped):
        daemon = self.chance.choice(daemons)
        if daemon in stopped:
            return
        daemon.send_signal(signal.SIGSTOP)
        stopped[daemon] = now + self.chance.uniform(0.2, 40)

    def lose_database(self, *_):
        cluster, how = self.world.cluster, self.chance.choice(("terminate", "freeze", "kill"))
        print(f"{how}", flush=True)
        if how == "terminate":
            cluster.psql("postgres", f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{self.world.database}' "
                         "and application_name like 'flanks-sync%'")
        elif how == "freeze":
            cluster.freeze()
            time.sleep(self.chance.uniform(1, 8))
            cluster.thaw()
        else:
            cluster.kill()
            time.sleep(self.chance.uniform(0, 4))
            cluster.start_again()

    def refresh(self, *_):
        for token in self.chance.sample(self.tokens, 60):
            # More than five that vanish at once wait for a person (promise P5), and a flag that is no boolean proves nothing for long.
            remove = self.chance.randint(0, 1) if self.removed.get(token, 0) < 5 else 0
            self.removed[token] = self.removed.get(token, 0) + remove
            self.world.sandbox.refresh(token, add=self.chance.randint(0, 3), correct=self.chance.randint(0, 2), remove=remove,
                                       back_date=self.chance.randint(0, 1))

    def quieten(self, daemons):
        """The provider behaves again: everything is read, and then it is exact."""
        world = self.world
        world.sandbox.clear_faults()
        # What was set by hand stays until it is set again. Flags first: what is read without evidence is not read again until
        # the provider's next refresh.
        for token in self.odd_flags:
            world.sandbox.control("POST", "status", {"credentials_token": token, "errored": {"transactions": {"account": False}}})
        world.sandbox.refresh(add=1)
        for token in self.odd_times:
            world.sandbox.control("POST", "status", {"credentials_token": token, "last_update_timestamp": int(time.time())})
        for daemon in daemons:
            self.assertIsNone(daemon.poll(), daemon.log.read_text()[-4000:])
        deadline = time.monotonic() + 3 * INTERVAL
        while difference := self.difference():
            if time.monotonic() > deadline:
                self.fail(f"{len(difference)} differ, as {difference[:5]}; "
                          + world.sql("select string_agg(distinct outcome || ' ' || coalesce(error_message, '-'), E'\\n') from flanks.sync_runs "
                                      "where started_at > now() - interval '2 minutes'"))
            time.sleep(1)
        wait_until(lambda: world.sql("select count(*) from flanks.sync_status where state <> 'ok'") == "0", "all are ok")
        for daemon in daemons:
            daemon.send_signal(signal.SIGTERM)
        for daemon in daemons:
            self.assertEqual(daemon.wait(60), 0, daemon.log.read_text()[-4000:])


    def difference(self):
        """What the mirror has too much, too little or otherwise; nothing when it is exact. The first day of a window proves no
        absence: what was removed there stays."""
        expected = {line["record"]["_id"]: (line["credentials_token"], Decimal(str(line["record"]["amount"])))
                    for line in self.world.sandbox.ledger()}
        tokens = {id: token for token, id in self.ids.items()}
        stored = {row["_id"]: (tokens[int(row["credential_id"])], Decimal(row["amount"])) for row in self.world.rows(
            "select _id, credential_id, amount from flanks.transactions t where removed_at is null and "
            "not exists (select from flanks.coverage c where c.credential_id = t.credential_id and lower(c.days) >= t.operation_date)")}
        edge = {row["_id"] for row in self.world.rows(
            "select _id from flanks.transactions t join flanks.coverage c using (credential_id) where lower(c.days) >= t.operation_date")}
        return [(id, {"provider": expected.get(id), "mirror": stored.get(id)}) for id in {**expected, **stored}
                if id not in edge and expected.get(id) != stored.get(id)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=OPTIONS.seconds)
    parser.add_argument("--seed", type=int)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
