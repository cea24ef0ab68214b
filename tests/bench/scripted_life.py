"""A scripted week of a provider, and what each tool's table says at its end: every tool gets the same answers in the same
order, and its rows are compared with the operations that are true. Knows of no tool how it works."""
import collections
import dataclasses
import datetime
import hashlib
import random
import time
from decimal import Decimal

from sandbox import Verbatim

DAYS = 6            # 0 is the first load
EACH = 5            # credentials of each kind
TODAY = datetime.date.today()
DAY = datetime.timedelta(days=1)

# What befalls the credentials of a kind, and on which day.
KINDS = {
    "ordinary": (3, "three new operations a day and nothing else"),
    "removed": (3, "the bank takes back an operation of last week"),
    "corrected": (3, "the bank corrects the amount of an operation of last week"),
    "corrected old": (3, "the bank corrects the amount of an operation of four months ago"),
    "renumbered": (3, "the bank shows all the same operations under new ids"),
    "reconnected": (3, "the user connects the account again: another token, other ids"),
    "moved on": (3, "the bank shows the last 12 months only from now on"),
    "truncated": (3, "the answer breaks off inside the body, each time it is asked for, for a day"),
    "no id": (1, "one record comes without `_id`, a day later with it"),
    "bad amount": (4, "one record's amount is `\"n/a\"`, a day later a number"),
    "long amount": (3, "an amount of 18 digits, -1234567890123456.78"),
}
BLOCKING = ("no id", "bad amount")  # days on which one record may cost others


@dataclasses.dataclass
class Operation:
    number: int
    day: datetime.date
    amount: Decimal
    text: str
    shown_as: object = None  # raw text of its amount, or False for no _id, while the bank's record is bad


@dataclasses.dataclass
class Wrong:
    """What a table has otherwise than it is true."""

    lost: int = 0     # true, and not in the table
    doubled: int = 0  # counted once more than it happened
    kept: int = 0     # in the table, and not true (any more)
    value: int = 0    # in the table with another amount or day

    def __add__(self, other):
        return Wrong(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other))))

    def __str__(self):
        found = [f"{n} {word}" for n, word in zip(dataclasses.astuple(self), ("lost", "doubled", "kept", "wrong")) if n]
        return ", ".join(found) or "0"


class Credential:
    def __init__(self, kind, n):
        self.kind, self.key, self.salt = kind, f"{kind.replace(' ', '-')}-{n}", 0
        self.random = random.Random(self.key)
        self.operations, self.next_number, self.ids = [], 0, {}
        for back in [*self.random.sample(range(40, 110), 12), *self.random.sample(range(115, 125), 3),
                     *self.random.sample(range(130, 720), 25), *self.random.sample(range(5, 30), 12), 10, 10]:
            self.add(TODAY - back * DAY)
        self.operations[-1].amount, self.operations[-1].text = self.operations[-2].amount, self.operations[-2].text  # equal, and two

    def add(self, day):
        self.operations.append(Operation(self.next_number, day, Decimal(self.random.randrange(-90_000, 90_000)) / 100,
                                         self.random.choice(["Coffee", "Card payment", "Transfer", "Salary", "Fee"])))
        self.next_number += 1
        return self.operations[-1]

    @property
    def token(self):
        return f"token-{self.key}-{self.salt if self.kind == 'reconnected' else 0}"

    def id_of(self, what):
        return hashlib.sha256(f"{self.key} {self.salt} {what}".encode()).hexdigest()[:24]

    def between(self, first, last):
        return [o for o in self.operations if TODAY - last * DAY <= o.day <= TODAY - first * DAY]

    def happen(self, day):
        """What the bank does on that day."""
        new = [self.add(TODAY - (DAYS - 1 - day) * DAY) for _ in range(3)] if day else []
        for o in self.operations:
            o.shown_as = None
        if day != KINDS[self.kind][0]:
            return
        if self.kind == "removed":
            self.operations.remove(self.between(6, 20)[0])
        elif self.kind in ("corrected", "corrected old"):
            o = self.between(6, 20)[0] if self.kind == "corrected" else self.between(115, 125)[0]
            o.amount += Decimal("0.01")
        elif self.kind in ("renumbered", "reconnected"):
            self.salt += 1
        elif self.kind == "long amount":
            new[0].amount = Decimal("-1234567890123456.78")
        elif self.kind == "no id":
            new[0].shown_as = False
        elif self.kind == "bad amount":
            new[0].shown_as = '"n/a"'

    def script(self, day, stamp):
        account = self.id_of("account")
        records = []
        for o in sorted(self.operations, key=lambda o: o.day, reverse=True):  # newest first, as banks list them
            if self.kind == "moved on" and day >= KINDS[self.kind][0] and o.day < TODAY - 365 * DAY:
                continue
            record = {"_id": self.id_of(o.number), "account_id": account, "amount": o.amount, "currency": "EUR",
                      "operationDate": str(o.day), "description": o.text}
            self.ids[record["_id"]] = (self.key, o.number)
            if o.shown_as is False:
                del record["_id"]
            elif o.shown_as is not None:
                record["amount"] = Verbatim(o.shown_as)
            records.append(record)
        product = {"_id": account, "account_id": account, "iban": "ES" + str(int(hashlib.sha256(self.key.encode()).hexdigest(), 16))[:22],
                   "entity": "testbank", "currency": "EUR", "balance": 1}
        return {"credentials_token": self.token, "external_id": self.key, "bank": self.kind.replace(" ", "-"),
                "products": {"account": [product]}, "transactions": {"account": records}, "last_update_timestamp": stamp}

    def true(self):
        return {(self.key, o.number): (str(o.day), o.amount) for o in self.operations if o.shown_as is None}

    def bad(self):
        return {(self.key, o.number) for o in self.operations if o.shown_as is not None}


class Life:
    """One life, lived with every tool: `found[tool][when][kind]` is a Wrong; when is the day, or "end"."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.credentials = [Credential(kind, n) for kind in KINDS for n in range(EACH)]
        self.begin = int(time.time()) - 10 * 86_400
        self.found = collections.defaultdict(dict)
        self.failed = collections.defaultdict(list)

    def live(self, tools):
        for day in range(DAYS):
            self.show(day)
            for tool in tools:
                # A new connection is another credential to whoever made it.
                tool.known([(n + 1 + 1000 * (c.kind == "reconnected" and c.salt), c.token, c.key) for n, c in enumerate(self.credentials)])
                tool.make_due()
                self.read(tool, day)
            self.sandbox.clear_faults()
        self.show(DAYS - 1, later=True)
        for tool in tools:
            tool.make_sweeps_due()
            self.read(tool, "end")

    def show(self, day, later=False):
        """The answers of that day; `later`: of the day after it, on which nothing has happened."""
        if not later:
            for c in self.credentials:
                c.happen(day)
        stamp = self.begin + (day + later) * 86_400
        gone = [{"credentials_token": c.token.removesuffix("1") + "0", "unknown": True}
                for c in self.credentials if c.kind == "reconnected" and c.salt]
        self.sandbox.script(gone + [c.script(day, stamp) for c in self.credentials])
        if day == KINDS["truncated"][0] and not later:
            for c in self.credentials:
                if c.kind == "truncated":
                    self.sandbox.fault("truncate", c.token, "account", times=-1, after_bytes=500)

    def read(self, tool, when):
        if tool.failed(tool.read_day(demand=False)):
            self.failed[tool.name].append(when)
        self.found[tool.name][when] = self.compare(tool.rows() if self.exists(tool) else [])

    @staticmethod
    def exists(tool):
        return tool.sql("select count(*) from pg_tables where schemaname in ('bank', 'flanks') and tablename = 'transactions'") != "0"

    def compare(self, rows):
        """{kind: Wrong} of a table's rows."""
        operation_of = {key: number for c in self.credentials for key, number in c.ids.items()}
        kind_of = {c.key: c.kind for c in self.credentials}
        true = {k: v for c in self.credentials for k, v in c.true().items()}
        bad = set().union(*(c.bad() for c in self.credentials))
        held = collections.defaultdict(list)
        found = {kind: Wrong() for kind in KINDS}
        for row_id, day, amount in rows:
            key = operation_of.get(row_id)
            if key is None:  # without an id: of the one kind that has such a record
                found["no id"].kept += 1
            else:
                held[key].append((day[:10], Decimal(amount) if amount else None))
        for key, copies in held.items():
            if key in true:
                found[kind_of[key[0]]].doubled += len(copies) - 1
                found[kind_of[key[0]]].value += true[key] not in copies
            elif key not in bad:
                found[kind_of[key[0]]].kept += len(copies)
        for key in true.keys() - held.keys():
            found[kind_of[key[0]]].lost += 1
        return found

    def line(self, tool, kind):
        """What the table says of that kind at the end, and the morning after if that was otherwise."""
        after, end = self.found[tool.name][KINDS[kind][0]][kind], self.found[tool.name]["end"][kind]
        return str(end) if after == end else f"{after}; at the end {end}"

    def others(self, tool, kind):
        """Of the other kinds, the morning after a day with a bad record, beyond the morning before."""
        day = KINDS[kind][0]
        def lost(when):
            return sum(w.lost for k, w in self.found[tool.name][when].items() if k != kind)
        return str(lost(day) - lost(day - 1)) if lost(day) > lost(day - 1) else "0"


def check():
    """The comparison finds each mistake when there is one."""
    life = Life(None)
    for c in life.credentials:
        c.happen(0)
        c.script(0, 0)
    truth = [(i, *map(str, c.true()[key])) for c in life.credentials for i, key in c.ids.items()]
    assert all(str(w) == "0" for w in life.compare(truth).values())
    first = truth[0]
    c = life.credentials[0]
    c.ids["again"] = c.ids[first[0]]
    c.ids["gone"] = (c.key, -1)
    for rows, said in ((truth[1:], "1 lost"), ([*truth, ("again", *first[1:])], "1 doubled"), ([*truth, ("gone", *first[1:])], "1 kept"),
                       ([(*first[:2], "7"), *truth[1:]], "1 wrong")):
        assert str(life.compare(rows)["ordinary"]) == said, said
