"""What a person sees on a terminal: the line of progress at any width, colours, the view that is drawn again, times."""
import json
import re
import signal
import unittest

from terminal import Terminal, visible
from world import BINARY, WorldTest

REDRAWN = "\r\x1b[K"
RED_FAILED = re.compile(r"\x1b\[31m +\d+ failed")
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class OnTerminal(WorldTest):
    def terminal(self, world, *arguments, **options):
        terminal = Terminal([BINARY, "--config", world.config, *arguments], **options)
        self.addCleanup(terminal.close)
        return terminal


class Progress(OnTerminal):
    def backfilled(self, transactions=30000, **options):
        world = self.world(credentials=2, transactions=transactions, no_oddities=True)
        world.register_all()
        terminal = self.terminal(world, "backfill", **options)
        return world, terminal

    def drawn(self, text):
        """The lines of progress, as they were drawn one over the other; what follows the last REDRAWN is the summary."""
        return [line.rstrip("\r") for line in text.split("\r\n")[0].split(REDRAWN)[1:-1] if line]

    def test_the_line_is_redrawn_in_place_and_gone_at_the_end(self):
        _, terminal = self.backfilled()
        terminal.wait_for(r"windows  [\d ]+ rows")
        self.assertEqual(terminal.end(), 0)
        lines = self.drawn(terminal.text)
        self.assertGreater(len(lines), 1)
        for line in lines:
            self.assertRegex(visible(line), r"^(\[[#.]+\] )?\d+/\d+ windows  ")
            self.assertLess(len(visible(line)), 80)
        last = terminal.text[terminal.text.rindex("\x1b[K") + 3:]
        self.assertTrue(last.startswith("product "), "the summary begins on an empty line: " + repr(last[:200]))

    def test_it_fits_narrow_terminals_and_follows_a_resize(self):
        for columns in (1, 7, 20, 45):
            with self.subTest(columns=columns):
                _, terminal = self.backfilled(transactions=8000, columns=columns)
                self.assertEqual(terminal.end(), 0)
                for line in self.drawn(terminal.text):
                    self.assertLess(len(visible(line)), columns, repr(line))
        world, terminal = self.backfilled(columns=120)
        terminal.wait_for(r"\[[#.]{30}\] \d+/\d+ windows")
        terminal.resize(30, 24)
        begin = len(terminal.text)
        self.assertEqual(terminal.end(), 0)
        # Some may have been on their way.
        lines = self.drawn(REDRAWN.join(["", *terminal.text[begin:].split(REDRAWN)[1:]]))
        narrow = [len(visible(line)) < 30 for line in lines]
        self.assertIn(True, narrow, repr(lines))
        self.assertTrue(all(narrow[narrow.index(True):]), repr(lines))

    def test_a_failure_is_red_unless_no_color_is_set(self):
        for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
            with self.subTest(env):
                world = self.world(credentials=2, transactions=20000, no_oddities=True)
                ids = world.register_all()
                world.sandbox.fault("error_object", list(ids)[0], "*", times=-1)
                terminal = self.terminal(world, "backfill", env=env, columns=120)
                self.assertEqual(terminal.end(), 3)
                self.assertEqual(bool(RED_FAILED.search(terminal.text)), coloured)
                self.assertRegex(terminal.text, r"(?:^|[\r\n])\d{4}-\d\d-\d\dT[^\r]* run failed [^\r]*\r\n", "a line of the log is a line of its own")

    def test_a_dumb_terminal_and_a_pipe_get_plain_lines(self):
        world, terminal = self.backfilled(transactions=2000, env={"TERM": "dumb"})
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn("\x1b", terminal.text)
        piped = world.cli("backfill")
        self.assertNotRegex(piped.stdout + piped.stderr, "[\x1b\r]")


class Status(OnTerminal):
    def troubled(self):
        world = self.world(credentials=3, transactions=40, no_oddities=True)
        ids = list(world.register_all().values())
        world.ok("sync")
        world.sql("update flanks.credentials set state = 'error', last_error = 'it broke', last_error_class = 'http_5xx', bank = 'kaputt' "
                  f"where credential_id = {ids[0]}")
        return world, ids

    def test_states_have_colours_on_a_terminal_alone(self):
        world, ids = self.troubled()
        terminal = self.terminal(world, "status", columns=200)
        self.assertEqual(terminal.end(), 0)
        self.assertIn("\x1b[32mok", terminal.text)
        self.assertIn("\x1b[1;31merror", terminal.text)
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            plain = self.terminal(world, "status", columns=200, env=env)
            self.assertEqual(plain.end(), 0)
            self.assertNotIn("\x1b", plain.text)
            self.assertEqual(plain.text.split("\r\n")[-4:], visible(terminal.text).split("\r\n")[-4:])
        self.assertNotIn("\x1b", world.ok("status"))

    def test_only_what_was_asked_for(self):
        world, ids = self.troubled()
        users = world.rows(f"select user_id from flanks.user_credentials where credential_id = {ids[2]}")
        only = world.ok("status", "--problems")
        self.assertIn(f"credential {ids[0]} (", only)
        self.assertIn("1 credential: 1 error", only)
        self.assertIn("1 credential: 1 ok", world.ok("status", "--user", users[0]["user_id"]))
        self.assertIn("1 credential: 1 error", world.ok("status", "--bank", "kaputt"))
        self.assertEqual(world.ok("status", "--user", users[0]["user_id"], "--problems"), "no credential has a problem\n")
        self.assertEqual(world.cli("status", "--exit-code", "--user", users[0]["user_id"]).returncode, 0)
        self.assertEqual(world.cli("status", "--exit-code", "--bank", "kaputt").returncode, 3)
        done = world.cli("status", "--bank", "kaput")
        self.assertEqual((done.returncode, done.stderr), (1, "error: no credential is at a bank named kaput\nhint: did you mean kaputt?\n"))
        done = world.cli("status", "--user", "nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: ", done.stderr)

    def test_watch_draws_again_follows_a_resize_and_leaves_the_screen_as_it_was(self):
        world, ids = self.troubled()
        terminal = self.terminal(world, "status", "--watch", "1", columns=100, lines=30)
        first = terminal.wait_for(r"3 credentials: 1 error, 2 ok")
        self.assertTrue(first.startswith(ENTER), repr(first[:40]))
        self.assertRegex(visible(first), r"every 1 s, read at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+; Ctrl-C ends it")
        world.sql("update flanks.credentials set state = 'ok', last_error = null, last_error_class = null")
        terminal.wait_for(r"3 credentials: 3 ok")
        terminal.resize(100, 5)
        self.assertIn("\x1b[H", terminal.wait_for(r"\.\.\. \d more lines? below"))
        terminal.type("\x03")
        self.assertEqual(terminal.end(), 0, "Ctrl-C is how one leaves it")
        self.assertTrue(terminal.text.rstrip("^C\r\n").endswith(LEAVE), repr(terminal.text[-60:]))
        self.assertEqual((terminal.text.count(ENTER), terminal.text.count(LEAVE)), (1, 1))
        self.assertEqual(terminal.text.count("\x1b[?25l"), terminal.text.count("\x1b[?25h"), "the cursor is back")

    def test_watch_goes_on_when_the_database_is_away_and_ends_with_sigterm(self):
        world, ids = self.troubled()
        terminal = self.terminal(world, "status", "--watch", "1", columns=160)
        terminal.wait_for(r"3 credentials")
        world.cluster.psql("postgres", f"alter database {world.database} rename to {world.database}_away")
        gone = terminal.wait_for(r"cannot be read now[^\r]*\r\n")
        self.assertIn("does not exist", gone)
        terminal.wait_for(r"3 credentials: 1 error, 2 ok")
        world.cluster.psql("postgres", f"alter database {world.database}_away rename to {world.database}")
        terminal.wait_for(r"every 1 s, read at")
        terminal.process.send_signal(signal.SIGTERM)
        self.assertEqual(terminal.end(), 143)
        self.assertTrue(terminal.text.endswith(LEAVE), repr(terminal.text[-60:]))

    def test_watch_needs_a_terminal_and_says_what_it_does_not_go_with(self):
        world, ids = self.troubled()
        for arguments, words in ((("status", "--watch"), "--watch needs a terminal"), (("--json", "status", "--watch"), "goes without --json"),
                                 (("status", "--watch", "0"), '"0" is no number from 1 on'),
                                 (("status", "--watch", "--exit-code"), "goes without --exit-code")):
            done = world.cli(*arguments)
            self.assertEqual((done.returncode, done.stdout), (64, ""), done.stderr)
            self.assertIn(words, done.stderr)


class Times(OnTerminal):
    def test_people_read_times_in_their_zone_and_scripts_in_utc(self):
        world = self.world(credentials=1, transactions=40, no_oddities=True)
        ids = list(world.register_all().values())
        world.ok("sync")
        world.sql("update flanks.credentials set created_at = '2026-01-15 23:30:00+00'")
        world.sql("update flanks_internal.schedule set next_due_at = '2026-07-01 12:00:00+00'")
        zone = {"TZ": "Europe/Madrid"}
        self.assertIn("2026-01-16 00:30 CET", world.ok("credentials", "list", env=zone))
        shown = world.ok("credentials", "show", ids[0], env=zone)
        self.assertRegex(shown, r"registered +2026-01-16 00:30 CET \(\d+ d ago\)")
        self.assertRegex(shown, r"last success +\d{4}-\d\d-\d\d \d\d:\d\d CES?T \((just now|\d+ s ago|2 min ago)\)")
        self.assertIn("2026-01-15 23:30 UTC", world.ok("credentials", "list", env={"TZ": "UTC"}))
        self.assertRegex(world.ok("status", env=zone), r"next synchronisation (as soon as|at 2026-07-01 14:00 CEST)")
        self.assertEqual(json.loads(world.ok("--json", "credentials", "list", env=zone))[0]["created_at"], "2026-01-15T23:30:00Z")


if __name__ == "__main__":
    unittest.main()
