"""What the tab key gives in bash, zsh and fish: every command, option and choice that --help has, and files where a file belongs."""
import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import tempfile
import time
import unittest

from world import BINARY, DEADLINE, ROOT

FOLDER = ROOT / "contrib/completions"


def every(command):
    yield command
    for below in command["commands"]:
        yield from every(below)


class Completions:
    """For each shell: complete(line) gives the words that the tab key offers at its end."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which(cls.shell):
            raise unittest.SkipTest(f"{cls.shell} is not installed (.ci/deps test)")
        cls.program = json.loads(subprocess.run([BINARY, "--json", "--help"], capture_output=True, text=True, check=True).stdout)
        cls.everywhere = {o["name"] for o in cls.program["options"]}

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="flanks-completions-"))
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "users.csv").touch()

    def test_commands_and_options(self):
        for command in every(self.program):
            line = command["path"]
            with self.subTest(line):
                commands = {c["name"] for c in command["commands"]}
                if commands:
                    self.assertEqual(self.complete(line + " "), commands)
                options = {o["name"] for o in command["options"]} | self.everywhere
                self.assertEqual(self.complete(line + " --") - {"--help", "--version"}, options - {"--help", "--version"})

    def test_values(self):
        levels = {"trace", "debug", "info", "warn", "error"}
        self.assertEqual(self.complete("flanks-sync --log-level "), levels)
        self.assertEqual(self.complete("flanks-sync status --log-level "), levels)
        self.assertEqual(self.complete("flanks-sync verify --product "), {"account", "card", "investment", "liability"})
        for line in ("flanks-sync credentials import ", "flanks-sync --config ", "flanks-sync credentials add --token-file ",
                     "flanks-sync support --output "):
            self.assertIn("users.csv", self.complete(line), line)
        for line in ("flanks-sync status --user ", "flanks-sync credentials show "):
            self.assertEqual(self.complete(line), set(), line)

    def test_a_beginning_and_words_before(self):
        self.assertEqual(self.complete("flanks-sync sta"), {"status"})
        self.assertEqual(self.complete("flanks-sync --config users.csv credentials re"), {"resume", "remove"})
        # The value of an option is no command.
        self.assertEqual(self.complete("flanks-sync --config migrate cred"), {"credentials"})
        self.assertEqual(self.complete("flanks-sync status --prob"), {"--problems"})


class Bash(Completions, unittest.TestCase):
    shell = "bash"

    def complete(self, line):
        words = line.split(" ")
        script = f"""source {FOLDER}/flanks-sync.bash
COMP_WORDS=({' '.join(f"'{w}'" for w in words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}
_flanks_sync flanks-sync '{words[-1]}' '{words[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, cwd=self.dir, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split())


class Zsh(Completions, unittest.TestCase):
    """zsh completes nowhere but in its line editor: one session of it on a terminal, whose compadd writes what it offers."""

    shell = "zsh"
    EDITING = "\x1b[?2004h"  # its line editor takes bracketed pastes: it has begun to read
    STARTUP = f"""fpath=({FOLDER} $fpath)
autoload -Uz compinit
compinit -u -D
PS1='READY> '
unsetopt beep
setopt no_auto_menu no_auto_list
bindkey '^I' complete-word
compadd() {{
  if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then
    builtin compadd "$@"
    return
  fi
  typeset -a hits
  builtin compadd -A hits "$@"
  print -rl -- $hits >> $HOME/offered
  builtin compadd "$@"
}}
""".replace("\\\\", "\\")

    def setUp(self):
        super().setUp()
        (self.dir / ".zshrc").write_text(self.STARTUP)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(self.dir)
            os.environ.update({"HOME": str(self.dir), "ZDOTDIR": str(self.dir), "TERM": "dumb"})
            os.execvp("zsh", ["zsh", "-i", "-d"])
        self.addCleanup(self.close)
        self.seen, self.count = "", 0
        self.until(self.EDITING)

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)

    def until(self, text):
        end = time.monotonic() + DEADLINE
        while text not in self.seen:
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} does not come: {self.seen!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")

    def complete(self, line):
        self.count += 1
        # The line is deleted, and the next command run, when the tab has been done with.
        os.write(self.fd, line.encode() + b"\t" + f"\x15print do''ne {self.count}\n".encode())
        self.until(f"done {self.count}\r\n")
        self.seen = self.seen.partition(f"done {self.count}\r\n")[2]
        self.until(self.EDITING)
        file = self.dir / "offered"
        offered = set(file.read_text().split("\n")) - {""} if file.exists() else set()
        file.unlink(missing_ok=True)
        return offered


class Fish(Completions, unittest.TestCase):
    shell = "fish"

    def complete(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {FOLDER}/flanks-sync.fish; complete -C '{line}'"], capture_output=True,
                              text=True, cwd=self.dir, timeout=60, env={**os.environ, "HOME": str(self.dir)})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return {offered.partition("\t")[0] for offered in done.stdout.splitlines()}


if __name__ == "__main__":
    unittest.main()
