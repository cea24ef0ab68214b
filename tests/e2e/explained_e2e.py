"""What explains the database is true: docs/tables.md and dbt's sources are what the comments say, the questions of analysts have
answers, and the dbt project builds.

    explained_e2e.py --write    writes docs/tables.md and dbt's sources anew
"""
import os
import re
import subprocess
import sys
import unittest

from world import BUILD, PSQL, ROOT, WorldTest

DESCRIBE = ROOT / "contrib/docs/describe.py"
DBT = ROOT / "contrib/dbt"
MADE = (("tables", ROOT / "docs/tables.md"), ("sources", DBT / "models/sources.yml"))  # from the comments
# As the first lines of contrib/dbt/dbt_project.yml say.
DBT_PACKAGES = re.search(r"pip install (.*)", (DBT / "dbt_project.yml").read_text()).group(1).replace("'", "").split()


class Explained(WorldTest):
    def filled(self):
        """A database as ./quickstart makes it, with fewer operations."""
        world = self.world(seed=17, credentials=12, transactions=600, no_oddities=True)
        world.register_all()
        world.ok("backfill")
        return world

    def describe(self, world, what):
        done = subprocess.run([sys.executable, DESCRIBE, what, f"host={world.cluster.host} user=postgres dbname={world.database}"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_files_made_from_comments_are_those_that_are_committed(self):
        world = self.world(credentials=1, transactions=4)
        for what, path in MADE:
            self.assertEqual(self.describe(world, what), path.read_text(),
                             f"{path.name}: a comment has changed; write it anew with python3 tests/e2e/explained_e2e.py --write")

    def test_every_link_in_the_tables_leads_somewhere(self):
        text = (ROOT / "docs/tables.md").read_text()
        titles = set(re.findall(r"^#+ (.*)$", text, re.M))
        for target in re.findall(r"\]\(#([^)]+)\)", text):
            self.assertIn(target, titles | {t.lower() for t in titles})
        # The picture names no table that is not there.
        for one, many in re.findall(r"^    (\w+) \|\|--o\{ (\w+) :", text, re.M):
            self.assertLessEqual({one, many}, titles)

    def test_a_database_without_our_tables_is_refused_in_words(self):
        world = self.world(migrate=False, credentials=1, transactions=4)
        done = subprocess.run([sys.executable, DESCRIBE, "tables", f"host={world.cluster.host} user=postgres dbname={world.database}"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("hint: flanks-sync migrate up makes the tables", done.stderr)

    def test_the_ten_questions_have_answers(self):
        world = self.filled()
        text = (ROOT / "contrib/sql/questions.sql").read_text()
        questions = re.findall(r"^-- (\d+)\. (.*?)\n((?:(?!^-- \d+\.).*\n?)*)", text, re.M)
        self.assertEqual([int(n) for n, _, _ in questions], list(range(1, 11)))
        answers = {int(n): world.rows(sql) for n, _, sql in questions}
        for number, rows in answers.items():
            self.assertGreater(len(rows), 0, number)
        self.assertEqual([(r["state"], r["credentials"]) for r in answers[1]], [("ok", "12")])
        self.assertEqual(len(answers[2]), 4 * int(world.sql("select count(distinct user_id) from flanks.user_credentials")))
        self.assertEqual(sum(int(r["operations"]) for r in answers[3]),
                         int(world.sql("select count(*) from flanks.transactions_distinct where product = 'account'")))
        self.assertTrue(all(float(r["spent"]) > 0 for r in answers[4]))
        self.assertEqual(len({r["user_id"] for r in answers[5]}),
                         int(world.sql("select count(distinct user_id) from flanks.user_assets")))
        self.assertEqual(sum(int(r["how_many"]) for r in answers[6]),
                         int(world.sql("select count(*) from flanks.assets where product <> 'portfolio'")))
        amounts = [abs(float(r["amount"])) for r in answers[8]]
        self.assertEqual(amounts, sorted(amounts, reverse=True))
        self.assertEqual(sum(int(r["credentials"]) for r in answers[9]), int(world.sql("select count(*) from flanks.user_credentials")))
        self.assertEqual(sum(int(r["operations"]) for r in answers[10]), int(world.sql("select count(*) from flanks.transactions")))
        # And the whole file is a script.
        done = subprocess.run([PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.host, "-U", "postgres", "-d", world.database,
                               "-f", ROOT / "contrib/sql/questions.sql"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def dbt(self):
        """The program, in a virtual environment of its own; skips the test where it cannot be had."""
        home = BUILD / "dbt-venv"
        program = home / "bin/dbt"
        if not program.exists():
            made = subprocess.run([sys.executable, "-m", "venv", home], capture_output=True, text=True)
            if made.returncode == 0:
                made = subprocess.run([home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", *DBT_PACKAGES],
                                      capture_output=True, text=True)
            if made.returncode != 0:
                self.skipTest(f"dbt-postgres cannot be installed here: {(made.stderr or made.stdout).strip().splitlines()[-1]}")
        return program

    def test_the_dbt_project_builds_and_its_tests_find_what_is_wrong(self):
        program = self.dbt()
        world = self.filled()
        role = f"dbt_{world.database}"
        world.sql(f"create role {role} login; grant usage on schema flanks to {role}; grant select on all tables in schema flanks to {role}; "
                  f"grant execute on function flanks.running() to {role}; create schema analytics authorization {role}")
        environment = {**os.environ, "PGHOST": world.cluster.host, "PGPORT": "5432", "PGUSER": role, "PGDATABASE": world.database,
                       "DBT_TARGET_PATH": str(world.dir / "target"), "DBT_LOG_PATH": str(world.dir / "logs"),
                       "DO_NOT_TRACK": "1", "NO_COLOR": "1"}

        def build(*arguments):
            return subprocess.run([program, "--no-use-colors", "build", "--project-dir", DBT, "--profiles-dir", DBT, *arguments],
                                  capture_output=True, text=True, env=environment, timeout=300)

        done = build()
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        self.assertTrue(re.search(r"WARN=0 ERROR=0 SKIP=0 ", done.stdout), done.stdout[-4000:])
        self.assertFalse(re.search(r"DeprecationsSummary|TestsConfigDeprecation|Property", done.stdout), done.stdout[:4000])
        self.assertGreater(int(re.search(r"PASS=(\d+)", done.stdout).group(1)), 200)
        self.assertEqual(world.sql("select sum(net) from analytics.cash_flow"), world.sql("select sum(net) from flanks.monthly_cash_flow"))
        self.assertGreater(int(world.sql("select count(*) from analytics.cash_flow")), 100)
        world.sql("update flanks.transactions set credential_id = 999 where _id = (select min(_id) from flanks.transactions)")
        done = build("--select", "source:flanks.transactions")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"FAIL 1 source_relationships_flanks_transactions_credential_id")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        case = Explained()
        case.setUp()
        try:
            fresh = case.world(credentials=1, transactions=4)
            for made, path in MADE:
                path.write_text(case.describe(fresh, made))
        finally:
            case.doCleanups()
    else:
        unittest.main()
