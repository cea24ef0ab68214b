"""The README is true: its commands exist, its configuration loads, its query runs, its exit codes are the code's."""
import pathlib
import re
import subprocess
import unittest

from world import BINARY, ROOT, WorldTest

README = (ROOT / "README.md").read_text()


class Readme(WorldTest):
    def test_every_command_and_option_it_names_exists(self):
        table = README[README.index("| command | does |"):README.index("Results go to")]
        for line in table.splitlines()[2:]:
            if not line.startswith("|"):
                continue
            command = re.match(r"\| `(\w+)`", line).group(1)
            helped = subprocess.run([BINARY, command, "--help"], capture_output=True, text=True)
            self.assertEqual(helped.returncode, 0, command)
            for word in re.findall(r"`(--[a-z-]+|[a-z]+)[^`]*`", line.split("|", 2)[2]):
                self.assertIn(word.replace("flanks", ""), helped.stdout, f"{command}: {word}")

    def test_its_configuration_loads(self):
        world = self.world(credentials=1, transactions=4)
        text = re.search(r"```yaml\n(.*?)```", README, re.S).group(1)
        world.config.write_text(text)
        self.assertIn("ok", world.ok("config", "check"))

    def test_its_queries_run(self):
        world = self.world(credentials=2, transactions=400)
        world.register_all()
        world.ok("backfill")
        queries = re.findall(r"```sql\n(.*?);\n```", README, re.S)
        self.assertEqual(len(queries), 4)
        for query in queries:
            self.assertGreater(len(world.rows(query)), 0, query)

    def test_the_relations_it_lists_exist_and_are_commented(self):
        world = self.world(credentials=1, transactions=4)
        section = README[README.index("| relation | what it is |"):README.index("```sql")]
        for name in re.findall(r"`(\w+)`", " ".join(l.split("|")[1] for l in section.splitlines() if l.startswith("| `"))):
            self.assertTrue(world.sql(f"select obj_description('flanks.{name}'::regclass)"), name)

    def test_files_it_links_to_exist(self):
        for target in re.findall(r"\]\((?!https)([^)]+)\)", README):
            self.assertTrue((ROOT / target.partition("#")[0]).exists(), target)


class Quickstart(unittest.TestCase):
    """The quickstart in a copy of the tree, with the binaries that are built already."""

    def test_it_shows_rows_and_a_second_start_changes_nothing(self):
        import os
        import shutil
        import tempfile
        import time
        from world import BUILD
        copy = pathlib.Path(tempfile.mkdtemp(prefix="flanks-quickstart-")) / "clone"
        self.addCleanup(shutil.rmtree, copy.parent, True)
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("build", ".git", ".quickstart"))
        environment = {**os.environ, "FLANKS_QUICKSTART_BUILD": str(BUILD), "NO_COLOR": "1"}
        self.addCleanup(subprocess.run, [copy / "quickstart", "--clean"], capture_output=True, env=environment)
        first = subprocess.run([copy / "quickstart"], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
        self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
        self.assertIn("240 000", first.stdout)
        self.assertIn("12 credentials: 12 ok", first.stdout)
        self.assertRegex(first.stdout, r"user-1 |testbank")
        begin = time.monotonic()
        second = subprocess.run([copy / "quickstart"], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
        print(f"second quickstart: {time.monotonic() - begin:.1f} s")
        self.assertEqual(second.returncode, 0, second.stdout + second.stderr)
        self.assertIn("the mirror holds 240000 transactions", second.stdout)
        stop = subprocess.run([copy / "quickstart", "--stop"], capture_output=True, text=True, env=environment)
        self.assertEqual((stop.returncode, stop.stdout), (0, "daemon stopped\nsandbox stopped\nPostgreSQL stopped\n"), stop.stderr)


if __name__ == "__main__":
    unittest.main()
