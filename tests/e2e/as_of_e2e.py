"""flanks.transactions_as_of() over whole lives of accounts (tests/support/lives.py): after every run of the daemon the table is kept as
it is, with the database's clock; at the end the function says the same of random instants, and of what was erased it says nothing.
FLANKS_AS_OF_LIVES, FLANKS_AS_OF_INSTANTS and FLANKS_SEED choose how many and which."""
import collections
import datetime
import os
import unittest

import lives
from mirrored_lives import MirroredLives

COUNT = int(os.environ.get("FLANKS_AS_OF_LIVES", "16"))  # half of them joint
INSTANTS = int(os.environ.get("FLANKS_AS_OF_INSTANTS", "10000"))
SEED = os.environ.get("FLANKS_SEED", "7")

# One number for the rows of a credential, digits and all; the order of the rows does not count.
ROWS = "count(*) as n, sum(hashtextextended(x::text, 0)) as hash"


class AsOf(MirroredLives):
    def setUp(self):
        print(f"\nseed {SEED}, {COUNT} lives, {INSTANTS} instants", flush=True)
        self.new_world()
        self.w.sql("create table public.kept (nr bigint generated always as identity primary key, at timestamptz, until timestamptz); "
                   "create table public.snapshots (nr bigint, content flanks.transactions); create index on public.snapshots (nr)")

    def cycle(self):
        self.w.sql("update public.kept set until = clock_timestamp() where until is null")
        super().cycle()
        self.w.sql("with k as (insert into public.kept (at) values (clock_timestamp()) returning nr) "
                   "insert into public.snapshots select k.nr, t from k, flanks.transactions t")

    def differing(self, at, wanted="true"):
        """Rows, as text, that the function and a snapshot do not have in common; `at`: an instant of the interval of kept k."""
        then = f"select t::text as row from flanks.transactions_as_of({at}) t"
        kept = f"select s.content::text from public.snapshots s where s.nr = k.nr and {wanted}"
        return self.w.rows(f"select k.nr, d.* from public.kept k cross join lateral ((select 'as of' as of, x.* from ({then} except all {kept}) x) "
                           f"union all (select 'snapshot', x.* from ({kept} except all {then}) x)) d limit 6")

    def test_the_function_says_what_the_table_held(self):
        w, today = self.w, datetime.date.today()
        everyone = [(lives.JointLife if n % 2 else lives.Life)(SEED, n, today) for n in range(COUNT)]
        for step in range(lives.STEPS):
            self.step(everyone, step)
        w.sql("update public.kept set until = clock_timestamp() where until is null; analyze")
        self.assertEqual(self.differing("k.at"), [])
        self.assertEqual(self.differing("k.until"), [])

        # Random instants of the intervals, each for a random credential: also those that the provider did not show yet.
        w.sql(f"""
            do $$ begin perform setseed(0.{int(lives.digest(SEED), 16) % 10 ** 9}); end $$;
            create table public.instants as
              select k.nr, k.at + random() * (k.until - k.at) as at, c.credential_id
              from (select random() as which, random() as who from generate_series(1, {INSTANTS}) n) i
              join public.kept k on k.nr = 1 + floor(which * (select max(nr) from public.kept))
              join (select credential_id, row_number() over () - 1 as place, count(*) over () as total from flanks.credentials) c
                on c.place = floor(who * c.total);
            create table public.expected as
              select nr, (x).credential_id, {ROWS} from (select nr, content as x from public.snapshots) s group by 1, 2;
            analyze""")
        self.assertEqual(w.sql("select count(*) from public.instants"), str(INSTANTS))
        wrong = w.sql(f"""
            select i.nr, i.at, i.credential_id from public.instants i
            left join public.expected e on e.nr = i.nr and e.credential_id = i.credential_id
            cross join lateral (select {ROWS} from flanks.transactions_as_of(i.at) x where x.credential_id = i.credential_id) f
            where (f.n, f.hash) is distinct from (coalesce(e.n, 0), e.hash) limit 10""")
        self.assertEqual(wrong, "")
        moments, rows = w.sql("select count(distinct nr), count(*) from public.snapshots").split("|")
        seen = collections.Counter({r["reason"]: int(r["n"]) for r in w.rows(
            "select reason, count(*) as n from flanks.transaction_revisions group by 1")})
        print(f"{moments} snapshots of {rows} rows together, {INSTANTS} instants; versions: {dict(seen)}", flush=True)
        for reason in ("changed", "restored", "removed", "renumbered", "succeeded", "handed_over", "aged_out"):
            self.assertGreater(seen[reason], 0, f"no row was {reason} in these lives: they test too little")

        # While a run was at work, too: each operation once.
        self.assertEqual(w.sql("select count(*) from (select valid_from as at from flanks.transaction_revisions union select replaced_at "
                               "from flanks.transaction_revisions) m cross join lateral (select count(*) as n, count(distinct _id) as ids "
                               "from flanks.transactions_as_of(m.at)) f where f.n <> f.ids"), "0")

        # Erased people are in no instant; of the others nothing is lost.
        for life in everyone[:4]:
            w.ok("erase", "--user", life.logins[0].user, "--yes")
        left = "(s.content).credential_id in (select credential_id from flanks.credentials)"
        self.assertGreater(int(w.sql(f"select count(*) from public.snapshots s where not {left}")), 0)
        w.sql("update public.snapshots s set content.successor_id = null where (content).successor_id is not null "
              "and not exists (select from flanks.transactions t where t._id = (s.content).successor_id)")
        self.assertEqual(self.differing("k.at", left), [])


if __name__ == "__main__":
    unittest.main()
