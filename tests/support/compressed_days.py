"""A provider whose day takes seconds, and a daemon that mirrors it: how late the rows are, and for how many status calls.

The daemon is told so by its configuration: sync.interval is the day, and sync.polls_per_day as many as fit into 24 hours.
"""
import random
import statistics
import time

DAY = 86_400  # seconds of a real one
MINUTES = 1440


def settings(day, polls):
    """The section `sync` for days of so many seconds (a part of 86 400) with so many status calls in each."""
    if DAY % day:
        raise ValueError(f"24 hours are no whole number of {day} s")
    return {"interval": f"{day}s", "polls_per_day": polls * DAY // day, "products": ["account"], "product_details": [], "poll": "100ms"}


class Provider:
    """When it refreshes each credential, in days from the start. Every credential has its own time of day, from which its
    refreshes stray (2 to 25 minutes, one standard deviation) and drift (up to 4 minutes a day). Of the banks, 40 % rest at
    weekends (of seven days the last two), and `failing` of them have no refresh for one to three days somewhere in between;
    then they go on at their time of day. 1 % are left out."""

    def __init__(self, credentials, days, seed, banks=10, failing=0.3, first_day=0):
        chance = random.Random(seed)
        rests = [chance.random() < 0.4 for _ in range(banks)]
        outages = [None] * banks
        for bank in range(banks):
            if chance.random() < failing:
                begin = chance.uniform(0, days)
                outages[bank] = (begin, begin + chance.uniform(1, 3))
        self.tokens = [f"token-{n}" for n in range(credentials)]
        self.banks, self.before, self.refreshes = {}, {}, []
        for token in self.tokens:
            bank = chance.randrange(banks)
            self.banks[token] = f"bank-{bank}"
            at, drift, stray = chance.random(), chance.uniform(-4, 4) / MINUTES, chance.uniform(2, 25) / MINUTES
            self.before[token] = at - 1 + chance.gauss(0, stray)
            last = self.before[token]
            for day in range(days):
                at += drift * chance.uniform(0, 2)
                moment = day + at + chance.gauss(0, stray)
                outage = outages[bank]
                if rests[bank] and (first_day + day) % 7 >= 5 or chance.random() < 0.01 or outage and outage[0] <= moment < outage[1]:
                    continue
                if last + 0.02 < moment < days:
                    last = moment
                    self.refreshes.append((moment, token))
        self.refreshes.sort()


class Mirrored:
    """One world that is shown what the provider refreshes; each refresh brings one operation."""

    def __init__(self, world, provider, day):
        self.world, self.provider, self.day = world, provider, day
        self.shown = {token: [] for token in provider.tokens}  # of each credential the operations
        self.refreshed = {}                                    # _id: when the provider had it, in seconds since 1970

    def _script(self, token, **more):
        return {"credentials_token": token, "bank": self.provider.banks[token], "products": {"account": [{"_id": f"account-{token}"}]},
                "transactions": {"account": self.shown[token]}, **more}

    def begin(self, start):
        self.world.sandbox.script([self._script(token, last_update_timestamp=int(min(start - 1, start + self.provider.before[token] * self.day)))
                                   for token in self.provider.tokens])
        self.world.sql("; ".join(f"select flanks.register_credential('user-{n}', '{token}')" for n, token in enumerate(self.provider.tokens)))

    def refresh(self, tokens):
        ids = []
        for token in tokens:
            ids.append(f"{token}-{len(self.shown[token])}")
            self.shown[token].append({"_id": ids[-1], "account_id": f"account-{token}", "amount": -1, "currency": "EUR",
                                      "operationDate": time.strftime("%Y-%m-%d", time.gmtime())})
        self.world.sandbox.script([self._script(token) for token in tokens])
        self.refreshed.update(dict.fromkeys(ids, time.time()))

    def missing(self):
        return len(self.refreshed) - int(self.world.sql("select count(*) from flanks.transactions"))

    def found(self, start, after=0.0, until=float("inf")):
        """Of the refreshes and calls between these days: minutes of a real day until the row was there, and the calls of a
        credential: a day on average, and most in any day."""
        seen = {r["_id"]: float(r["at"]) for r in self.world.rows("select _id, extract(epoch from first_seen_at) as at from flanks.transactions")}
        begin, end = start + after * self.day, start + until * self.day
        late = sorted((seen[key] - at) / self.day * MINUTES for key, at in self.refreshed.items() if begin <= at < end)
        calls = {}
        for token, at in self.world.sandbox.requests()["status_calls"]:
            calls.setdefault(token, []).append(float(at) / 1e6)
        most = max(sum(1 for other in times if at <= other < at + self.day) for times in calls.values() for at in times)
        counted = sum(1 for times in calls.values() for at in times if begin <= at < end)
        return {"refreshes": len(late), "p50": statistics.median(late), "p95": late[int(0.95 * (len(late) - 1))],
                "calls": counted / len(self.provider.tokens) / (until - after), "most": most}


def live(mirrors, provider, day, start):
    """Shows every mirror what the provider refreshes, when it does."""
    events = list(provider.refreshes)
    while events:
        pause = start + events[0][0] * day - time.time()
        if pause > 0:
            time.sleep(pause)
        due = []
        while events and start + events[0][0] * day <= time.time() and events[0][1] not in due:
            due.append(events.pop(0)[1])
        for mirror in mirrors:
            mirror.refresh(due)
