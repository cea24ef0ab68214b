"""Lives of accounts (tests/support/lives.py): at the end of each, transactions_distinct holds every real operation once, and what a
mirror by _id alone would hold is shown beside it. FLANKS_LIVES and FLANKS_SEED choose how many and which."""
import datetime
import os
import time
import unittest

import lives
from world import WorldTest

COUNT = int(os.environ.get("FLANKS_LIVES", "120"))
SEED = os.environ.get("FLANKS_SEED", "7")


class Lives(WorldTest):
    def setUp(self):
        print(f"\nseed {SEED}, {COUNT} lives", flush=True)
        self.w = self.world(credentials=0, transactions=0, settings={
            "sync": {"products": ["account"], "product_details": ["account"], "overlap": "730d", "concurrency": 32}})

    def carry_out(self, orders):
        """What the client and its operator do; tokens before removals."""
        w, statements = self.w, []
        for what, login in orders:
            if what == "register":
                statements.append(f"select {len(statements)}, flanks.register_credential('{login.user}', '{login.token}')")
            elif what == "rotate":
                statements.append(f"select {len(statements)}, {login.credential} from "
                                  f"(select flanks.replace_credentials_token({login.credential}, '{login.token}')) r")
        if statements:
            numbers = [line.split("|") for line in w.sql(" union all ".join(statements) + " order by 1").splitlines()]
            for (_, login), (_, credential) in zip([o for o in orders if o[0] in ("register", "rotate")], numbers):
                login.credential = int(credential)
        removed = [login.credential for what, login in orders if what == "remove" and login.credential is not None]
        if removed:
            w.ok("credentials", "remove", *removed)

    def cycle(self):
        """Everyone is due; a 404 of before was one of an earlier day."""
        self.w.sql("update flanks.credentials set not_found_since = not_found_since - interval '2 days' where not_found_since is not null; "
                   "update flanks_internal.leases set next_due_at = now()")
        done = self.w.cli("run", "--once")
        self.assertIn(done.returncode, (0, 3), done.stderr[-2000:])

    def stored(self):
        found = {}
        for row in self.w.rows("select iban, operation_date, count(*) as n, sum(amount) as total from flanks.transactions_distinct group by 1, 2"):
            found.setdefault(row["iban"], {})[row["operation_date"]] = (int(row["n"]), round(float(row["total"]) * 100))
        return found

    def test_each_real_operation_counts_once_whatever_befalls_its_account(self):
        w, today = self.w, datetime.date.today()
        everyone = [lives.Life(SEED, n, today) for n in range(COUNT)]
        begin = int(time.time()) - 100_000
        for step in range(lives.STEPS):
            orders = [order for life in everyone for order in life.happen(step)]
            scripts = [script for life in everyone for script in life.scripts(step, begin + step * 1000)]
            w.sandbox.script(scripts)
            for life in everyone:
                for login in life.logins:
                    if login.shown and login.end == "blocked":
                        w.sandbox.control("POST", "status", {"credentials_token": login.token, "blocked": True})
            self.carry_out(orders)
            self.cycle()
            if any(not login.alive and login.end == "gone" for life in everyone for login in life.logins):
                self.cycle()  # the second 404, and what follows from it
                w.sandbox.script([s for life in everyone for s in life.scripts(step, begin + step * 1000 + 500)])
                self.cycle()
        stored = self.stored()
        wrong, merged, doubled_naive, days = [], [], 0, 0
        for life in everyone:
            truth = life.truth()
            ours = {(a.iban, day): value for a in life.accounts for day, value in stored.get(a.iban, {}).items()}
            days += len(truth)
            if ours != truth:
                wrong.append((life, {k: (truth.get(k), ours.get(k)) for k in truth.keys() | ours.keys() if truth.get(k) != ours.get(k)}))
            merged += [k for k in truth if ours.get(k, (0, 0))[0] < truth[k][0]]
            doubled_naive += life.naive() != truth
        waiting = w.sql("select (select count(distinct credential_id) from flanks.removal_reviews where state = 'open') "
                        "+ (select count(*) from flanks.successions where state = 'open')")
        told = w.sql("select count(*) from flanks.sync_status where what_next ~ 'removals|successions'")
        print(f"{COUNT} lives, {days} days of accounts: {COUNT - len(wrong)} right to the cent, {len(merged)} days with too few operations; "
              f"a mirror by _id alone has {COUNT - doubled_naive} right; {waiting} wait for a person, {told} told in sync_status", flush=True)
        for life, differences in wrong[:5]:
            print(life.number, life.kinds, dict(life.happenings), "rolling", life.rolling,
                  [(login.user, login.credential, login.end) for login in life.logins], list(sorted(differences.items()))[:4], len(differences), flush=True)
        self.assertEqual(len(wrong), 0)
        self.assertEqual(merged, [])
        self.assertLessEqual(int(waiting), COUNT // 100)


if __name__ == "__main__":
    unittest.main()
