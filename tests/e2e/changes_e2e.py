"""flanks.changes_after(): what a consumer sees who tails the mirror, is killed at any moment and goes on where it was."""
import datetime
import os
import random
import subprocess
import unittest

import lives
from mirrored_lives import MirroredLives
from world import PSQL, WorldTest

TODAY = datetime.date.today()
SEED = os.environ.get("FLANKS_SEED", "11")
COUNT = int(os.environ.get("FLANKS_CHANGES_LIVES", "12"))
KILLS = 200


def operations(count, amount=-1, first=0):
    return [{"_id": f"o{i:04}", "account_id": "a", "amount": amount, "currency": "EUR",
             "operationDate": (TODAY - datetime.timedelta(days=i % 300)).isoformat()} for i in range(first, first + count)]


class Consumer:
    """Holds flanks.transactions by _id. `saved` is what it had written down, with its position, when it was killed last."""

    ROW = "_id || '|' || t::text"

    def __init__(self, world):
        self.w = world
        self.position, self.rows = 0, {}
        self.saved = (0, {})

    def read(self, condition):
        return dict(line.split("|", 1) for line in self.w.sql(f"select {self.ROW} from flanks.transactions t where {condition}").splitlines())

    def begin_from_a_snapshot(self):
        lines = self.w.sql("begin isolation level repeatable read; select flanks.changes_position(); "
                           f"select {self.ROW} from flanks.transactions t; commit").splitlines()
        self.position, self.rows = int(lines[0]), dict(line.split("|", 1) for line in lines[1:])
        self.save()

    def save(self):
        self.saved = (self.position, dict(self.rows))

    def killed(self):
        self.position, self.rows = self.saved[0], dict(self.saved[1])

    def take(self, most):
        """Deals with so many changes at most; how many there were."""
        changes = self.w.rows(f"select * from flanks.changes_after({self.position}, {most})")
        again = []
        for c in changes:
            self.position = int(c["position"])
            if c["kind"] != "window":
                self.rows.pop(c["_id"], None)
            if c["kind"] == "erase":
                continue
            if c["kind"] != "window":
                again.append(f"_id = '{c['_id']}'")
            elif c["credential_id"] is None:
                self.rows, again = {}, ["true"]
            else:
                again.append(f"credential_id = {c['credential_id']} and product = '{c['product']}' "
                             f"and operation_date between '{c['first_day']}' and '{c['last_day']}'")
        if again:
            self.rows.update(self.read(" or ".join(again)))
        return len(changes)


class Changes(WorldTest):
    def setUp(self):
        self.w = self.world(credentials=0, settings={"sync": {"product_details": [], "products": ["account"]}})
        self.w.ok("credentials", "add", "--user", "user-1", stdin="token-1")

    def show(self, records, command="sync"):
        self.w.sandbox.script({"credentials_token": "token-1", "transactions": {"account": records}})
        self.w.ok(command)

    def since(self, position):
        return self.w.sql("select string_agg(concat_ws(' ', kind, _id, credential_id, first_day, last_day), ', ' order by position >> 24, kind, _id) "
                          f"from flanks.changes_after({position}, 100000)")

    def last(self):
        return self.w.sql("select coalesce(max(position), 0) from flanks.changes")

    def test_each_kind_of_change_is_a_line_and_an_unchanged_re_read_is_none(self):
        w = self.w
        self.show(operations(3))
        self.assertEqual(self.since(0), "insert o0000 1, insert o0001 1, insert o0002 1")
        at = self.last()
        self.show(operations(3))
        w.ok("backfill", "--restart")
        self.assertEqual(self.last(), at, "nothing has changed")
        self.show(operations(1, amount=-2) + operations(2, first=1))
        self.assertEqual(self.since(at), "update o0000 1")
        at = self.last()
        self.show(operations(1, amount=-2) + operations(1, first=2))
        self.assertEqual(self.since(at), "remove o0001 1")
        at = self.last()
        self.show(operations(1, amount=-2) + operations(2, first=1))
        self.assertEqual(self.since(at), "update o0001 1", "it is shown again")
        at = self.last()
        w.sql("update flanks.transactions set description = 'by hand' where _id = 'o0001'")
        self.assertEqual(self.since(at), "update o0001 1", "whoever writes")
        at = self.last()
        w.ok("erase", "--user", "user-1", "--yes")
        self.assertEqual(self.since(at), "erase o0000, erase o0001, erase o0002")

    def test_many_rows_at_once_are_one_line_a_window(self):
        w = self.w
        self.show(operations(250))
        days = (TODAY - datetime.timedelta(days=249)).isoformat() + " " + TODAY.isoformat()
        self.assertEqual(self.since(0), f"window 1 {days}")
        at = self.last()
        self.show(operations(250, amount=-2), "backfill")
        lines = self.since(at).split(", ")
        self.assertLess(len(lines), 110, "written in a few statements, of which those with many rows are one line each")
        self.assertTrue(any(line.startswith("window 1 ") for line in lines), lines)
        at = self.last()
        w.sql("insert into flanks.transactions (_id, credential_id, product, operation_date, amount, content_hash) "
              "values ('by-hand', 1, 'account', '2026-01-01', 1, gen_random_uuid())")
        self.assertEqual(self.since(at), "window")
        at = self.last()
        w.sql("truncate flanks.transactions cascade")
        self.assertEqual(self.since(at), "window")

    def test_nothing_appears_behind_a_reader(self):
        w = self.w
        self.show(operations(3))
        at = self.last()
        slow = subprocess.Popen([PSQL, "-XqAt", "-h", w.cluster.host, "-U", "postgres", "-d", w.database],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        slow.stdin.write("begin; insert into flanks.changes (kind, _id) values ('update', 'slow'); select 'written';\n")
        slow.stdin.flush()
        self.assertEqual(slow.stdout.readline(), "written\n")
        w.sql("update flanks.transactions set shop = 'quick' where _id = 'o0001'")  # commits first, and began later
        self.assertEqual(self.since(at), "", "the older transaction has not ended")
        slow.stdin.write("commit;\n")
        slow.stdin.close()
        slow.wait()
        slow.stdout.close()
        self.assertEqual(self.since(at), "update slow, update o0001 1")

    def test_positions_of_another_cluster_are_refused(self):
        self.show(operations(1))
        self.w.sql("insert into flanks.changes (position, kind) values ((pg_current_xact_id()::text::bigint + 1000000) << 24, 'window')")
        with self.assertRaisesRegex(AssertionError, "changes of another cluster.*\n.*truncate flanks.changes"):
            self.since(0)

    def test_who_listens_is_woken_when_the_configuration_says_so(self):
        w = self.w

        def woken():
            """How many notifications a session got that listened while a row was changed."""
            done = subprocess.run([PSQL, "-XqAt", "-h", w.cluster.host, "-U", "postgres", "-d", w.database], text=True, capture_output=True,
                                  input="listen flanks_changes; update flanks.transactions set shop = 'a' where _id = 'o0000'; select 1;\n")
            return done.stdout.count('Asynchronous notification "flanks_changes"')
        self.show(operations(1))
        w.ok("run", "--once")
        self.assertEqual(woken(), 0)
        w.settings["sync"]["notify_changes"] = "true"
        w.write_config()
        w.ok("run", "--once")
        self.assertEqual(woken(), 1)


class ChangesOfLives(MirroredLives):
    def test_a_consumer_that_is_killed_again_and_again_ends_equal_to_the_table(self):
        print(f"\nseed {SEED}, {COUNT} lives, {KILLS} kills", flush=True)
        self.new_world()
        random_, today = random.Random(SEED), datetime.date.today()
        everyone = [(lives.JointLife if n % 2 else lives.Life)(SEED, n, today) for n in range(COUNT)]
        from_the_start, late = Consumer(self.w), None
        kills = 0
        for step in range(lives.STEPS):
            self.step(everyone, step)
            if step == lives.STEPS // 3:
                late = Consumer(self.w)
                late.begin_from_a_snapshot()
            for consumer in filter(None, (from_the_start, late)):
                for _ in range(2 * KILLS // lives.STEPS):
                    consumer.take(random_.randint(1, 40))
                    if random_.random() < 0.4:
                        consumer.save()
                    else:
                        consumer.killed()
                        kills += 1
        self.assertGreaterEqual(kills, KILLS)
        whole = from_the_start.read("true")
        self.assertGreater(len(whole), 500)
        for consumer in (from_the_start, late):
            while consumer.take(1000):
                pass
            self.assertEqual(consumer.rows, whole)
        kinds = {r["kind"] for r in self.w.rows("select distinct kind from flanks.changes")}
        self.assertLessEqual({"insert", "update", "remove", "succeed"}, kinds)


if __name__ == "__main__":
    unittest.main()
