"""The man pages say what --help says and nothing else, and what is generated from the program is as the program has it."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from world import BINARY, BUILD, ROOT

sys.path.insert(0, str(ROOT / "docs"))
import configuration

SANDBOX = BUILD / "flanks-sandbox"


def helped(*words):
    return subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, check=True).stdout


def listed(text, heading):
    """Names below a heading of --help."""
    part = re.search(rf"^{heading}:\n((?:  .*\n)*)", text, re.M)
    return re.findall(r"^  (\S+)", part.group(1), re.M) if part else []


def every_command(path=()):
    """(path, names of its options and arguments) as --help for people has them."""
    text = helped(*path)
    if path:
        yield " ".join(path), set(listed(text, "Options")) | set(listed(text, "Arguments"))
    for name in listed(text, "Commands"):
        yield from every_command((*path, name))


@unittest.skipUnless(shutil.which("scdoc") and shutil.which("groff"), "scdoc or groff is not installed (.ci/deps test)")
class Manual(unittest.TestCase):
    def page(self, name):
        """The page as a person reads it, in one width, without bold and underline."""
        source = (ROOT / "docs/man" / f"{name}.scd").read_text()
        roff = subprocess.run(["scdoc"], input=source, capture_output=True, text=True)
        self.assertEqual(roff.returncode, 0, roff.stderr)
        text = subprocess.run(["groff", "-mandoc", "-Tutf8", "-P-cbou", "-rLL=200n"], input=roff.stdout, capture_output=True, text=True, check=True)
        return text.stdout.replace("\u2010", "-")

    def sections(self, text, first, last):
        """{heading: text} of the subsections between two headings."""
        part = text[text.index(f"\n{first}\n"):text.index(f"\n{last}\n")]
        pieces = re.split(r"^ {0,3}((?:[a-z]+ ?)+)$", part, flags=re.M)
        return dict(zip(pieces[1::2], pieces[2::2]))

    def named(self, text):
        return {m.group(1) for m in re.finditer(r"^ *(--[a-z-]+|[A-Z]+)(?: \[?[A-Z]+\]?)?$", text, re.M)}

    def test_every_command_and_option_of_help_is_in_the_page_and_the_other_way_round(self):
        told = {path: names for path, names in self.sections(self.page("flanks-sync.1"), "COMMANDS", "EXIT STATUS").items()}
        helps = dict(every_command())
        self.assertEqual(sorted(told), sorted(helps))
        for path, names in helps.items():
            self.assertEqual(self.named(told[path]), names, path)
        common = self.page("flanks-sync.1")
        common = common[common.index("\nOPTIONS\n") + 9:common.index("\nCOMMANDS\n")]
        self.assertEqual(self.named(common), set(listed(helped(), "Options")))

    def test_every_key_of_the_configuration_is_in_its_page(self):
        known = set(configuration.paths_of(configuration.shown_keys(BINARY)))
        text = self.page("flanks-sync.yaml.5")
        told = re.findall(r"^ *([a-z]+(?:\.[a-z_0-9]+)+)$", text[text.index("\nKEYS\n"):text.index("\nEXAMPLE\n")], re.M)
        self.assertEqual(sorted(told), sorted(known))
        self.assertIn("Default: 30d.", text)

    def test_the_page_of_the_sandbox_has_its_options(self):
        text = subprocess.run([SANDBOX, "--help"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"^  (?:-h,)?(--[a-z-]+)", text, re.M))
        page = self.page("flanks-sandbox.1")
        page = page[page.index("\nOPTIONS\n"):page.index("\nEXAMPLES\n")]
        self.assertEqual(set(re.findall(r"^ *(?:-h, )?(--[a-z-]+)(?: [A-Z:-]+)?$", page, re.M)), options)

    def test_the_pages_are_installed(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="flanks-man-"))
        self.addCleanup(shutil.rmtree, folder)
        done = subprocess.run(["cmake", "--install", BUILD / "docs", "--prefix", folder], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for page in ("man1/flanks-sync.1", "man5/flanks-sync.yaml.5", "man1/flanks-sandbox.1"):
            self.assertTrue((folder / "share/man" / page).exists(), page)
        for file in ("bash-completion/completions/flanks-sync", "zsh/vendor-completions/_flanks-sync",
                     "fish/vendor_completions.d/flanks-sync.fish"):
            self.assertTrue((folder / "share" / file).exists(), file)


class Generated(unittest.TestCase):
    def test_what_follows_from_the_program_is_as_it_would_be_written_now(self):
        done = subprocess.run([sys.executable, ROOT / "docs/usage.py", "--check", BINARY], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr + "run docs/usage.py with the program, and look at the difference")

    def test_help_says_the_same_to_people_and_to_scripts(self):
        program = json.loads(subprocess.run([BINARY, "--json", "--help"], capture_output=True, text=True, check=True).stdout)

        def every(command):
            yield command
            for below in command["commands"]:
                yield from every(below)

        scripts = {c["path"].partition(" ")[2]: {o["name"] for o in c["options"] + c["arguments"]} for c in every(program)}
        del scripts[""]
        people = dict(every_command())
        groups = {c["path"].partition(" ")[2] for c in every(program) if c["commands"]}
        self.assertEqual(scripts, people)
        self.assertTrue(groups)


if __name__ == "__main__":
    unittest.main()
