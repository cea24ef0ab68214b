"""Lives of bank accounts, seeded: what really happened, what each login shows of it day by day (ids derived from its token), and
what a mirror must hold at the end. Knows nothing of the mirror; shares no code with it."""
import collections
import datetime
import hashlib
import random

DAY = datetime.timedelta(days=1)
STEPS = 8


def digest(*parts):
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:24]


class Operation:
    def __init__(self, number, day, cents, text, balance):
        self.number, self.day, self.cents, self.text, self.balance = number, day, cents, text, balance
        self.id_of = number  # a bank that re-uses numbers gives it another's


class Account:
    def __init__(self, life, n):
        self.life, self.n = life, n
        self.iban = f"ES{n:02}{life.number:018}"
        self.closed = False
        self.operations = []  # as the bank has them today
        self.dropped = []     # numbers that the bank shows no more, which nobody has seen yet
        self.seen = {}        # number -> (day, cents) as it was last shown to somebody who is mirrored


class Login:
    """One token of one user. It shows all accounts of the life."""

    def __init__(self, life, user, external):
        self.life, self.user, self.external = life, user, external
        self.serial = len(life.logins)
        self.salt = 0
        self.token = self.new_token()
        self.alive = True
        self.end = None  # gone, blocked or removed
        self.credential = None
        self.shown = False  # the provider has said anything of it

    def new_token(self):
        return f"token-{self.life.number}-{self.serial}-{digest(self.life.number, self.serial, self.salt)}"

    def id_of(self, *parts):
        return digest(self.token, self.salt, *parts)


class Life:
    """`happenings`: what befalls it at which step: {step: [name, ...]}."""

    login_type = Login

    def __init__(self, seed, number, today):
        self.number = number
        self.random = random.Random(f"{seed}/{number}")
        r = self.random
        self.first_day = today - 690 * DAY
        self.clock = [today - (400 - k * 395 // (STEPS - 1)) * DAY for k in range(STEPS)]
        self.rolling = r.choice([91, 182, 365, 365, 730])
        self.has_balance = r.random() < 0.5
        self.twins = r.random() < 0.6
        self.accounts = [Account(self, n) for n in range(r.choice([1, 1, 2]))]
        self.logins = []
        self.by_id = {}  # what a mirror that only upserts by _id would hold: _id -> (iban, day, cents)
        self.kinds = []
        self.happenings = collections.defaultdict(list)
        for _ in range(r.choice([0, 1, 1, 2, 3])):
            kind = r.choice(["reconnect", "reconnect", "rotate", "joint", "joint", "close", "renumber", "correct", "reuse", "leave"])
            self.kinds.append(kind)
            self.happenings[r.randrange(1, STEPS)].append(kind)
        self.next_operation = 0
        for account in self.accounts:
            self.fill(account)
        self.logins.append(self.login_type(self, f"user-{number}", f"user-{number}"))

    def fill(self, account):
        r, balance, day = self.random, 100_000, self.first_day
        while day <= self.clock[-1]:
            if r.random() < 0.12:
                for _ in range(r.choice([1, 1, 2])):
                    cents = r.choice([-250, -1250, -4900, 120_000, r.randrange(-90_000, 90_000)])
                    text = r.choice(["Coffee", "Card payment", "Transfer", "Salary", "Fee", "Groceries é"])
                    for _ in range(2 if self.twins and r.random() < 0.15 else 1):
                        balance += cents
                        account.operations.append(Operation(self.next_operation, day, cents, text, balance if self.has_balance else None))
                        self.next_operation += 1
            day += DAY

    # ---- what happens

    def happen(self, step):
        """Gives what has to be done in the mirror: ("register", login) | ("remove", login) | ("rotate", login)."""
        orders = [("register", self.logins[0])] if step == 0 else []
        for kind in self.happenings[step]:
            orders += getattr(self, kind)(step) or []
        return orders

    def living(self):
        return [login for login in self.logins if login.alive]

    def end(self, login):
        login.alive, login.end = False, self.random.choice(["gone", "gone", "blocked", "removed"])
        return [("remove", login)] if login.end == "removed" else []

    def reconnect(self, step):
        """The user connects the bank anew; the old login ends."""
        if not self.living():
            return []
        old = self.random.choice(self.living())
        orders = self.end(old)
        self.logins.append(self.login_type(self, old.user, old.external))
        return orders + [("register", self.logins[-1])]

    def rotate(self, step):
        """The provider gives the login another token, and the client says so."""
        known = [login for login in self.living() if login.credential is not None]
        if not known:
            return []
        login = self.random.choice(known)
        login.salt += 1
        login.token, login.shown = login.new_token(), False
        return [("rotate", login)]

    def joint(self, step):
        """The account's other holder connects it."""
        if len({login.user for login in self.living()}) > 1:
            return []
        user = f"user-{self.number}-partner-{len(self.logins)}"
        self.logins.append(self.login_type(self, user, user if self.random.random() < 0.5 else None))
        return [("register", self.logins[-1])]

    def leave(self, step):
        """A login ends, and nobody comes in its place."""
        if len(self.living()) < 2:
            return []
        return self.end(self.random.choice(self.living()))

    def close(self, step):
        """The bank closes an account: it vanishes from every list with all that it held."""
        if len([a for a in self.accounts if not a.closed]) > 1:
            self.random.choice([a for a in self.accounts if not a.closed]).closed = True
        return []

    def renumber(self, step):
        """The bank re-issues all ids of a login."""
        for login in self.living()[:1]:
            login.salt += 1
        return []

    def correct(self, step):
        """The bank corrects a few operations: other content, another id for the same, or none at all any more."""
        for account in self.accounts:
            shown = [o for o in account.operations if self.shows(account, o, step)]
            # Not the oldest: one that goes there cannot be told from one that has aged out.
            shown = [o for o in shown if o.day > min(x.day for x in shown)]
            for o in self.random.sample(shown, min(3, len(shown))):
                what = self.random.choice(["cents", "text", "again", "none"])
                if what == "cents":
                    o.cents += 1
                elif what == "text":
                    o.text += " (corrected)"
                elif what == "again":
                    o.id_of = self.next_operation
                    self.next_operation += 1
                else:
                    account.operations.remove(o)
                    account.dropped.append(o.number)
        return []

    def reuse(self, step):
        """The bank gives the number of one operation, which it drops, to another one that is new."""
        for account in self.accounts:
            shown = [o for o in account.operations if self.shows(account, o, step)]
            shown = [o for o in shown if o.day > min(x.day for x in shown)]
            if not shown:
                continue
            old = self.random.choice(shown)
            new = Operation(self.next_operation, old.day + 3 * DAY, old.cents - 777, old.text + " else", None)
            self.next_operation += 1
            new.id_of = old.id_of
            if new.day <= self.clock[step]:
                account.operations.remove(old)
                account.dropped.append(old.number)
                account.operations.append(new)
        return []

    # ---- what is shown

    def shows(self, account, o, step):
        return not account.closed and self.clock[step] - self.rolling * DAY <= o.day <= self.clock[step]

    def withheld(self, login, o, step):
        """The bank shows it, but not to this login."""
        return False

    def scripts(self, step, timestamp):
        """What the provider says of each login now; and, with it, what a mirror can know from then on."""
        scripts = []
        for login in self.logins:
            if not login.alive:
                if login.end == "gone" or not login.shown:
                    scripts.append({"credentials_token": login.token, "unknown": True})
                continue
            login.shown = True
            products, operations = [], []
            for account in self.accounts:
                if account.closed:
                    continue
                while account.dropped:
                    account.seen.pop(account.dropped.pop(), None)
                product_id = login.id_of("account", account.n)
                products.append({"_id": product_id, "account_id": product_id, "iban": account.iban, "entity": "testbank",
                                 "alias": f"Account {account.n}", "currency": "EUR", "balance": 1,
                                 "external_id": digest(login.external, account.n) if login.external else None})
                for o in account.operations:
                    if not self.shows(account, o, step) or self.withheld(login, o, step):
                        continue
                    record = {"_id": login.id_of("operation", o.id_of), "account_id": product_id, "amount": o.cents / 100, "currency": "EUR",
                              "operationDate": str(o.day), "description": o.text}
                    if o.balance is not None:
                        record["balance"] = o.balance / 100
                    operations.append(record)
                    account.seen[o.number] = (o.day, o.cents)
                    self.by_id[record["_id"]] = (account.iban, o.day, o.cents)
            scripts.append({"credentials_token": login.token, "external_id": login.external, "bank": "testbank",
                            "products": {"account": products}, "transactions": {"account": operations},
                            "last_update_timestamp": timestamp})
        return scripts

    # ---- what is true at the end (of a Life; of a JointLife the logins may disagree)

    @staticmethod
    def totals(operations):
        """{(iban, day): (how many, cents)}."""
        found = collections.defaultdict(lambda: [0, 0])
        for iban, day, cents in operations:
            found[iban, str(day)][0] += 1
            found[iban, str(day)][1] += cents
        return {key: tuple(value) for key, value in found.items()}

    def truth(self):
        return self.totals((account.iban, *seen) for account in self.accounts for seen in account.seen.values())

    def naive(self):
        return self.totals(self.by_id.values())


class JointLogin(Login):
    def id_of(self, *parts):
        return digest(self.life.number, self.salt, *parts)


class JointLife(Life):
    """Its logins show its operations under the same ids (a renumbered one under its own), each with a few gaps now and then."""

    login_type = JointLogin

    def __init__(self, seed, number, today):
        super().__init__(seed, number, today)
        self.seed = seed
        for step, kind in ((1, "joint"), (3, "correct"), (4, "leave"), (5, "joint"), (6, "reconnect")):
            self.happenings[step].append(kind)

    def withheld(self, login, o, step):
        return step > 1 and int(digest(self.seed, login.token, o.number, step), 16) % 50 == 0
