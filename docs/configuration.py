"""The keys of the configuration as the program tells them, and docs/configuration.md, which docs/usage.py writes."""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]

HEAD = """<!-- Written by docs/usage.py from what the program says of its keys; do not edit. -->
# Configuration

`/etc/flanks-sync/config.yaml`. `flanks-sync config check` says everything that is wrong with it, at once; `flanks-sync config show`
prints what is in effect; `flanks-sync config example` prints a file with every key. `man flanks-sync.yaml` is this page on a
terminal. Only the keys called required must be given. An unknown key, or one that is given twice, is an error.

*A change applies* says what a new value needs. With *reload*, `systemctl reload flanks-sync` (SIGHUP) is enough; with *restart*, it
is `systemctl restart flanks-sync`, and a reload names the keys that wait for one. Commands read the file each time they run.

"""


def said(binary, *arguments):
    return subprocess.run([binary, *arguments], check=True, capture_output=True, text=True).stdout


def keys_of(example, shown):
    """(path, text, value or None, is_given) of every key of the documented example, in its order."""
    known = paths_of(shown)
    stack, comment, found = [], [], []
    for line in example.splitlines():
        match = re.match(r"^( *)(# )?(\w+):(?: (.*))?$", line)
        depth = len(match.group(1)) // 2 if match else 0
        path = ".".join(stack[:depth] + [match.group(3)]) if match else None
        if match and path in known:
            found.append((path, comment, match.group(4), match.group(2) is None))
            comment = []
        elif match and match.group(2) is None:
            stack = stack[:depth] + [match.group(3)]
            comment = []
        elif line.strip().startswith("#"):
            comment.append(line.strip()[1:])
        else:
            comment = []
    if [path for path, *_ in found] != known:
        sys.exit(f"error: the example and config show differ: {set(known) ^ {path for path, *_ in found}}")
    return found


def paths_of(shown):
    stack, paths = [], []
    for line in shown.splitlines():
        match = re.match(r"^( *)(?:# )?(\w+):(.*)$", line)
        depth = len(match.group(1)) // 2
        stack = stack[:depth] + [match.group(2)]
        if match.group(3):
            paths.append(".".join(stack))
    return paths


def shown_keys(binary):
    """What `config show` prints: every key, whether it is set or not."""
    with tempfile.TemporaryDirectory() as folder:
        secret = pathlib.Path(folder, "client_secret")
        secret.write_text("none\n")
        secret.chmod(0o400)
        config = pathlib.Path(folder, "config.yaml")
        config.write_text("flanks: {client_id: a, client_secret_file: client_secret}\ndatabase: {dsn: dbname=a}\n")
        return said(binary, "--config", config, "config", "show")


# ------------------------------------------------------------------------------------------------------------ page


def needs_restart():
    """needs_restart() of daemon/reload.cpp, by the two lists there."""
    source = (ROOT / "daemon/reload.cpp").read_text()
    lists = {name: re.findall(r'"([a-z_.]+)"', names) for name, names in re.findall(r"> (fixed|moving)\{(.*?)\};", source, re.S)}
    if sorted(lists) != ["fixed", "moving"] or not all(lists.values()):
        sys.exit("error: daemon/reload.cpp has no lists `fixed` and `moving`")

    def answer(key):
        return key not in lists["moving"] and any(key.startswith(f) if f.endswith(".") else key == f for f in lists["fixed"])

    return answer


def kind(value, words):
    """What a key takes, by its default and what is said of it."""
    kinds = ((r"\d+(ms|s|m|h|d)|never", "duration"), (r"\d+[KMG]iB", "size"), (r"\d+", "number"), (r"true|false", "true or false"),
             (r"\[.*", "list"), (r"\{.*", "filter"), (r'".*"', "text"), (r"\w+", "word"))
    name = next(name for pattern, name in kinds if re.fullmatch(pattern, value))
    bounds = re.search(r"(\d+\w*) to\s+(\d+\w*)", words) if name in ("duration", "size", "number") else None
    if bounds:
        name += f", {bounds.group(1)} to {bounds.group(2)}"
    return name + (", or never" if "or never" in words else "")


def described(example, shown):
    """(path, kind, default, how a change applies, words) of every key."""
    restart, previous = needs_restart(), []
    for path, comment, value, given in keys_of(example, shown):
        previous = comment or previous
        words = " ".join(line.strip() for line in previous)
        default = "required" if "REQUIRED" in words else f"`{value}`" if given else "not set"
        words = words.replace("REQUIRED. ", "")
        if not given:
            words += f" For example: `{path.rpartition('.')[2]}: {value}`"
        yield path, kind(value, words), default, "restart" if restart(path) else "reload", words


def introductions(example):
    """{section: the lines of comment before it}"""
    found, comment = {}, []
    for line in example.splitlines():
        match = re.match(r"^([a-z]+):$", line)
        if match:
            found[match.group(1)] = comment
        comment = comment + [line[2:]] if line.startswith("# ") else []
    return found


def markdown(text):
    """Prose in which nothing but code is markup."""
    return re.sub(r"(`[^`]*`)|([*_<\[\]])", lambda m: m.group(1) or "\\" + m.group(2), text)


def introduction(lines):
    """Lines that are set in, and what goes on below them, are a table: they stay as they are."""
    first = next((n for n, line in enumerate(lines) if line.startswith("  ")), len(lines))
    table = "".join(f"    {line}\n" for line in lines[first:])
    return markdown(" ".join(lines[:first])) + "\n" + (f"\n{table}" if table else "")


def page(example, shown):
    keys = list(described(example, shown))
    out = HEAD + "| key | takes | default | a change applies |\n|---|---|---|---|\n"
    for path, takes, default, applies, _ in keys:
        out += f"| [`{path}`](#{path.replace('.', '')}) | {takes} | {default} | {applies} |\n"
    section, opening = None, introductions(example)
    for path, takes, default, applies, words in keys:
        if path.partition(".")[0] != section:
            section = path.partition(".")[0]
            out += f"\n## {section}\n"
            out += f"\n{introduction(opening[section])}" if opening[section] else ""
        default = default if default in ("required", "not set") else f"default {default}"
        out += f"\n### `{path}`\n\n*{takes}; {default}; a change applies by {applies}.* {markdown(words)}\n"
    return out
