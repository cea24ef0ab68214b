"""Logical replication (pgoutput) as the second way to follow the mirror: what a subscriber of the tables for readers gets."""
import collections
import datetime
import unittest

from world import Cluster, WorldTest

TODAY = datetime.date.today()


def operations(count, amount=-1, first=0):
    return [{"_id": f"o{i:04}", "account_id": "a", "amount": amount, "currency": "EUR",
             "operationDate": (TODAY - datetime.timedelta(days=i)).isoformat()} for i in range(first, first + count)]


class Subscriber:
    """Reads the messages of pgoutput, protocol version 1 (PostgreSQL, 'Logical Replication Message Formats')."""

    def __init__(self, world, publication, tables):
        self.w, self.publication, self.tables = world, publication, {}
        world.sql(f"create publication {publication} for {tables}")
        world.sql(f"select pg_create_logical_replication_slot('{world.database}_{publication}', 'pgoutput')")

    def new(self):
        """{'insert flanks.transactions': 3, ...} since the last call."""
        self.w.sql("checkpoint")  # only what is flushed is decoded
        lines = self.w.sql("select encode(data, 'hex') from pg_logical_slot_get_binary_changes("
                           f"'{self.w.database}_{self.publication}', null, null, 'proto_version', '1', 'publication_names', '{self.publication}')")
        found = collections.Counter()
        for message in map(bytes.fromhex, lines.split()):
            kind, number = chr(message[0]), int.from_bytes(message[1:5], "big")
            if kind == "R":
                schema, name, _ = message[5:].split(b"\0", 2)
                self.tables[number] = f"{schema.decode()}.{name.decode()}"
            elif kind in "IUD":
                found[f"{ {'I': 'insert', 'U': 'update', 'D': 'delete'}[kind]} {self.tables[number]}"] += 1
            elif kind not in "BC":  # begin, commit
                found[f"message {kind}"] += 1
        return dict(found)

    def close(self):
        self.w.sql(f"select pg_drop_replication_slot('{self.w.database}_{self.publication}')")


class Logical(WorldTest):
    @classmethod
    def setUpClass(cls):
        Cluster.get().set(wal_level="logical")

    def setUp(self):
        self.w = self.world(credentials=0, settings={"sync": {"product_details": ["account"], "products": ["account"]}})
        self.w.ok("credentials", "add", "--user", "user-1", stdin="token-1")

    def subscriber(self, name, tables):
        made = Subscriber(self.w, name, tables)
        self.addCleanup(made.close)
        return made

    def show(self, records):
        """The provider refreshes, and shows these operations of one account."""
        self.w.sandbox.script({"credentials_token": "token-1", "transactions": {"account": records},
                               "products": {"account": [{"_id": "a", "account_id": "a", "iban": "ES9121000418450200051332", "balance": 10}]}})

    def cycle(self):
        self.w.sql("update flanks_internal.leases set next_due_at = now()")
        self.w.ok("run", "--once")

    def days_pass(self):
        """The next window is another one: it begins so many days later after the last reading."""
        self.w.sql("update flanks.coverage set read_on = read_on - 3, days = datemultirange(daterange(lower(days), upper(days) - 3))")

    def test_an_unchanged_re_read_on_a_later_day_sends_no_row_and_a_changed_row_is_one_update(self):
        w = self.w
        rows = self.subscriber("rows", "table flanks.transactions")
        feed = self.subscriber("feed", "table flanks.changes")
        self.show(operations(5))
        self.cycle()
        self.assertEqual(rows.new(), {"insert flanks.transactions": 5})
        self.assertEqual(feed.new(), {"insert flanks.changes": 5})
        self.days_pass()
        self.show(operations(5))
        self.cycle()
        self.assertEqual(w.sql("select fetched, unchanged from flanks.sync_runs order by finished_at desc limit 1"), "5|5")
        self.assertEqual((rows.new(), feed.new()), ({}, {}), "by fingerprints")
        w.sql("update flanks.coverage set last_sweep_at = now() - interval '400 days'")
        self.show(operations(5))
        self.cycle()
        self.assertEqual(w.sql("select trigger, unchanged from flanks.sync_runs order by finished_at desc limit 1"), "sweep|5")
        w.ok("backfill", "--restart")
        self.assertEqual((rows.new(), feed.new()), ({}, {}), "by the table's values")
        self.show(operations(1, amount=-2) + operations(4, first=1))
        self.cycle()
        self.assertEqual(rows.new(), {"update flanks.transactions": 1})
        self.assertEqual(feed.new(), {"insert flanks.changes": 1})
        self.show(operations(1, amount=-2) + operations(3, first=1))
        self.cycle()
        self.assertEqual(rows.new(), {"update flanks.transactions": 1}, "a removed row stays, with removed_at")
        w.ok("erase", "--user", "user-1", "--yes")
        self.assertEqual(rows.new(), {"delete flanks.transactions": 5})

    def test_what_the_other_tables_for_readers_send(self):
        """As README tells: rows of bookkeeping by each reading. A poll that finds nothing sends none."""
        tables = self.w.sql("select string_agg('flanks.' || relname, ', ') from pg_class "
                            "where relnamespace = 'flanks'::regnamespace and relkind = 'r'")
        everything = self.subscriber("everything", "table " + tables)
        self.show(operations(5))
        self.cycle()
        everything.new()
        self.cycle()
        self.assertEqual(everything.new(), {}, "the provider has nothing newer")
        self.days_pass()
        everything.new()
        self.show(operations(5))
        self.cycle()
        self.assertEqual(sorted(everything.new()), ["insert flanks.product_runs", "insert flanks.sync_runs", "update flanks.coverage",
                                                    "update flanks.credentials", "update flanks.product_coverage"])
        self.show(operations(1, amount=-2) + operations(4, first=1))
        self.cycle()
        sent = everything.new()
        self.assertEqual([sent.get(line) for line in ("update flanks.transactions", "insert flanks.transaction_revisions", "insert flanks.changes")],
                         [1, 1, 1])


if __name__ == "__main__":
    unittest.main()
