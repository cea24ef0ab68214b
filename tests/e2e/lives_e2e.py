"""Lives of accounts (tests/support/lives.py): at the end of each, transactions_distinct holds every real operation once, and what a
mirror by _id alone would hold is shown beside it. FLANKS_LIVES and FLANKS_SEED choose how many and which."""
import datetime
import os
import unittest

import lives
from mirrored_lives import MirroredLives

COUNT = int(os.environ.get("FLANKS_LIVES", "120"))
SEED = os.environ.get("FLANKS_SEED", "7")


class Lives(MirroredLives):
    def setUp(self):
        print(f"\nseed {SEED}, {COUNT} lives", flush=True)
        self.new_world()

    def stored(self):
        found = {}
        for row in self.w.rows("select iban, operation_date, count(*) as n, sum(amount) as total from flanks.transactions_distinct group by 1, 2"):
            found.setdefault(row["iban"], {})[row["operation_date"]] = (int(row["n"]), round(float(row["total"]) * 100))
        return found

    def test_each_real_operation_counts_once_whatever_befalls_its_account(self):
        w, today = self.w, datetime.date.today()
        everyone = [lives.Life(SEED, n, today) for n in range(COUNT)]
        for step in range(lives.STEPS):
            self.step(everyone, step)
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
