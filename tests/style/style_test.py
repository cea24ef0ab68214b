#!/usr/bin/env python3
"""The rules of the house that no compiler checks. Prints file:line: what and why; exit 1 when there is any.

    style_test.py ROOT          every source of the tree
    style_test.py --self-test   that each rule finds what it must, and nothing else

Rules: who may include whom (rooms), where heavy headers may be reached from, what g++ 12 miscompiles around co_await,
who may reveal a secret, who may print, error classes and events that no table has, no open ends, no paths of somebody's
machine. Not a parser of C++: it blanks comments and strings, then looks at tokens and brackets.
"""
import os
import re
import sys

# ------------------------------------------------------------------------------------------------------- the rules

# A room is the longest folder that matches; what it may include of ours. None: everything.
ROOMS = {
    "sync": ["sync"],
    "sync/flanks": ["sync", "sync/flanks"],
    "db": ["sync", "db"],
    "config": ["sync", "config"],
    "daemon": ["sync", "sync/flanks", "db", "config", "daemon"],
    "tests": None,
    # Links no room of the daemon, so that the two can disagree about the API.
    "tests/sandbox": ["tests/sandbox"],
}

# Header, who may reach it (directly or through headers of ours), why.
HEAVY = [
    (r"boost/beast(/|\.hpp)|boost/asio/ssl(/|\.hpp)", r"(sync/flanks|tests/sandbox)/|daemon/admin_listener\.cpp$",
     "Beast and TLS cost 18 s a file: they stay behind an interface"),
    (r"boost/asio\.hpp", r"$^", "include the part of Asio that is used, never all of it"),
    (r"libpq-fe\.h|libpq/", r"(db|tests/pg)/", "PostgreSQL stays behind db's interfaces"),
    (r"yaml-cpp/", r"config/", "YAML stays in config"),
    (r"prometheus/", r"daemon/metrics(\.cpp$|/)", "prometheus-cpp stays behind daemon/metrics.hpp"),
    (r"spdlog/", r"daemon/log\.cpp$", "spdlog stays behind daemon/log.hpp"),
    (r"boost/json(/|\.hpp)", r"(sync/flanks|daemon|tests)/", "JSON is read and written at the edges only"),
]

REVEALS = re.compile(r"(sync/flanks|db|tests)/|sync/secret\.(hpp|cpp)$|daemon/admin_password\.cpp$")

# What prints text as it is. The line of progress is redrawn, and holds numbers alone.
PRINTS = re.compile(r"\bfmt::print\s*\(|\bstd::(?:(?:f|v|vf)?printf|f?puts|putchar|cout|cerr|clog)\b")
MAY_PRINT = re.compile(r"daemon/(terminal|progress)\.cpp$|tests/")

# Every error class is a row here, and every row is an error class of these rooms. http_503 is of the family http_5xx.
CLASSES = "sync/error_class.cpp"
CLASS_ROW = re.compile(r'^ *\{"(\w+)", (?:nobody|the_operator|the_provider), (?:true|false),', re.M)
CLASS_ROOMS = ("sync/", "db/", "config/", "daemon/")
# Where a class is written: after a verdict, in the tables of db/errors.cpp, by name. What is compared must exist as well.
CLASS_PLACES = [
    re.compile(r"\bverdict::\w+\s*,(?P<class>[^,;{}]*)"),
    re.compile(r"\bno\(\s*outcome::\w+\s*,(?P<class>[^,;{}]*)"),
    re.compile(r'\bknown_\w+(?: known)?\{\s*"[^"]*"\s*,(?P<class>[^,;{}]*)'),
    re.compile(r"\berror_class\s*(?:=|==|!=)(?P<class>[^,;{}]*)"),
    re.compile(r"\bwatchdog_\.arm\((?P<class>[^,;{}]*)"),
    re.compile(r"\b(?:char\* const |s\.)name\s*=(?P<class>[^,;{}]*);"),
    re.compile(r"\bfailure\b\s*\w*\s*[({][^;,]*,\s*(?:\w+\.)?verdict\s*,(?P<class>[^,;{}]*)"),
]
# A failure whose class is a variable. In these files it comes from a place above.
CLASS_VARIABLE = re.compile(r"\bfailure\b\s*\w*\s*[({][^;,]*,\s*(?:verdict::\w+|(?:\w+\.)?verdict)\s*,(?P<class>[^,;]*)")
CLASS_VARIABLES = ("db/pg/errors.cpp", "sync/arrivals.cpp", "sync/failure.hpp", "sync/flanks/connection.cpp",
                   "sync/flanks/errors.cpp", "sync/flanks/response.cpp")

# What operators are told has a row in the table of events: a MESSAGE_ID, and what to do.
TELLS = re.compile(r"\b\w*events_?(?:\.|->)(?:info|warn|error)\((?![^,;]*\bevent::)")
EVENTS = "daemon/event.cpp"
EVENT_ROW = re.compile(r"\bevent_info\{event::(\w+)")

CODE = (".cpp", ".hpp", ".h", ".cc")
TEXT = CODE + (".in", ".py", ".sh", ".sql", ".md", ".txt", ".cmake", ".yaml", ".yml", ".json", ".conf", ".sysusers",
               ".bats", ".service")
SKIPPED = {".git", "build", ".quickstart", "__pycache__"}
ITSELF = "tests/style/style_test.py"  # it has to name what it looks for

# ------------------------------------------------------------------------------------------------- reading the code


def blanked(text, strings=True):
    """The code with comments, strings and characters as spaces; line breaks, and so positions, stay."""
    pattern = re.compile(
        r'R"(?P<tag>[^(\s]{0,16})\(.*?\)(?P=tag)"'
        r'|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
        r"|//(?:\\\n|[^\n])*"
        r"|/\*.*?\*/", re.S)

    def blank(match):
        found = match.group(0)
        if not strings and not found.startswith("/"):
            return found
        spaces = re.sub(r"[^\n]", " ", found)
        # A string is still a value: without it `f("x", {1})` and `f({1})` would look different.
        return spaces if found.startswith("/") or len(found) < 2 else '"' + spaces[1:-1] + '"'

    return pattern.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


OPEN, CLOSE = "([{", ")]}"
STATEMENT_WORDS = ("if", "while", "for", "switch", "catch")


def word_before(code, position):
    match = re.search(r"(\w+)\s*$", code[max(0, position - 80):position])
    return match.group(1) if match else ""


def opens_block(code, brace):
    """Whether the { at `brace` begins statements, and not a list of initial values."""
    before = code[:brace].rstrip()
    if not before or before[-1] in ";{})" or before.endswith(("else", "try", "do", "const", "noexcept", "mutable")):
        return True
    if before[-1] == "]":  # [captures] { ... }
        return True
    # A return type: `-> awaitable<void> {`, without a bracket or a semicolon between.
    arrow = before.rfind("->")
    if arrow >= 0 and not re.search(r"[;{}=]", before[arrow:]) and before[:arrow].rstrip().endswith((")", "]",
                                                                                              "mutable", "noexcept")):
        return True
    if re.search(r"\b(namespace|class|struct|union|enum)\b[^;(){}=]*$", before[-200:]):
        return True
    return bool(re.search(r"(\bcase\b[^;{}]*|\bdefault\s*|\b(public|private|protected)\s*):$", before[-200:]))


def begin_of(code, position):
    """Where the full expression around `position` begins, and the word in front when it is `if (` and the like."""
    depth, i = 0, position - 1
    while i >= 0:
        c = code[i]
        if c in CLOSE:
            if c == "}" and depth == 0 and re.match(r"\s*(\w|$|[*&(\[{])", code[i + 1:i + 40]):
                return i + 1, ""  # the end of the statement before
            depth += 1
        elif c in OPEN:
            if depth > 0:
                depth -= 1
            elif c == "{" and opens_block(code, i):
                return i + 1, ""
            elif c == "(" and word_before(code, i) in STATEMENT_WORDS:
                return i + 1, word_before(code, i)
        elif c == ";" and depth == 0:
            return i + 1, ""
        i -= 1
    return 0, ""


def end_of(code, begin):
    """The end of the full expression that begins at `begin`."""
    depth = 0
    for i in range(begin, len(code)):
        if code[i] in OPEN:
            if depth == 0 and code[i] == "{" and opens_block(code, i):
                return i
            depth += 1
        elif code[i] in CLOSE:
            if depth == 0:
                return i
            depth -= 1
        elif code[i] == ";" and depth == 0:
            return i
    return len(code)


LAMBDA = re.compile(r"(?:^|[(,=\s{]|return)\[\s*(?:[&=\w*][^\[\]]*)?\]\s*(?:\(|\{|<|mutable\b|->)")


# Braces around a number that call a constructor: no aggregate, nothing to destroy.
DURATION = re.compile(r"\b(?:\w+::)*(?:(?:nano|micro|milli)?seconds|minutes|hours|days)\{[^{}]*\}")


def wrong_around_await(code):
    """(position, what) for every full expression with co_await that g++ 12 may miscompile."""
    seen = set()
    for found in re.finditer(r"\bco_await\b", code):
        begin, word = begin_of(code, found.start())
        if begin in seen:
            continue
        seen.add(begin)
        expression = DURATION.sub("duration", code[begin:end_of(code, begin)])
        if word == "switch":
            yield found.start(), "co_await in the head of a switch: give the value a name on the line above"
        if LAMBDA.search(expression):
            yield found.start(), "co_await and a lambda in one expression: give the lambda a name on the line above"
        if "?" in expression:
            yield found.start(), "co_await and ?: in one expression: write an if"
        if "{" in re.sub(r"\[[^\[\]]*\]\s*(\([^()]*\))?[^{;]*\{", "", expression):
            yield found.start(), "co_await and braces in one expression: give the braced value a name on the line above"


# ---------------------------------------------------------------------------------------------------------- the tree


def room_of(path):
    rooms = [room for room in ROOMS if path.startswith(room + "/")]
    return max(rooms, key=len) if rooms else None


def includes_of(text):
    """(line, header, is_ours) of every #include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M):
        yield line_of(text, match.start()), match.group(2), match.group(1) == '"'


class Tree:
    """The files by path, and what is wrong with them."""

    def __init__(self, files):
        self.files = files
        self.wrong = []

    def note(self, path, line, what):
        self.wrong.append(f"{path}:{line}: {what}")

    def check(self):
        for path in sorted(self.files):
            text = self.files[path]
            if path.endswith(CODE):
                self.check_rooms(path, text)
                self.check_heavy(path)
                code = blanked(text)
                for position, what in wrong_around_await(code):
                    self.note(path, line_of(code, position), what + " (g++ 12 miscompiles it)")
                self.check_secrets(path, code)
                self.check_printing(path, code)
                if path.startswith("daemon/"):
                    for match in TELLS.finditer(code):
                        self.note(path, line_of(code, match.start()), f"tells of no event of {EVENTS}")
            if path != ITSELF:
                self.check_text(path, text)
        self.check_error_classes()
        self.check_events()
        return self.wrong

    def ours(self, path, header):
        """The file of ours that `header`, included by `path`, names."""
        beside = os.path.normpath(os.path.join(os.path.dirname(path), header))
        return header if header in self.files else beside if beside in self.files else None

    def check_rooms(self, path, text):
        room = room_of(path)
        if room is None or ROOMS[room] is None:
            return
        for line, header, _ in includes_of(text):
            target = self.ours(path, header)
            other = room_of(target or header)
            if other is not None and other not in ROOMS[room]:
                self.note(path, line, f'{room}/ includes "{header}": it may only include {", ".join(ROOMS[room])}')

    def check_heavy(self, path):
        for line, chain in self.reached(path):
            for heavy, allowed, why in HEAVY:
                if re.match(heavy, chain[-1]) and not re.match(allowed, path):
                    self.note(path, line, " -> ".join(chain) + f": {why}")

    def reached(self, path):
        """(line in `path`, [header, ..., foreign header]) of every foreign header that it reaches; each once."""
        seen = set()
        todo = [(line, [header]) for line, header, _ in includes_of(self.files[path])]
        while todo:
            line, chain = todo.pop(0)
            inside = self.ours(path if len(chain) == 1 else chain[-2], chain[-1])
            if inside is None:
                yield line, chain
            elif inside not in seen:
                seen.add(inside)
                todo += [(line, chain[:-1] + [inside, header]) for _, header, _ in includes_of(self.files[inside])]

    def check_secrets(self, path, code):
        if not REVEALS.match(path):
            for match in re.finditer(r"(\.|->)\s*reveal\s*\(", code):
                self.note(path, line_of(code, match.start()), "reveals a secret: only sync/flanks, db, daemon/admin_password.cpp and tests may")

    def check_printing(self, path, code):
        if not MAY_PRINT.match(path):
            for match in PRINTS.finditer(code):
                self.note(path, line_of(code, match.start()),
                          "prints text as it is: terminal::print makes that of others fit for a terminal")

    def check_events(self):
        table = self.files.get(EVENTS, "")
        rooms = [path for path in self.files if path.startswith("daemon/") and path.endswith(CODE) and path != EVENTS]
        used = {name for path in rooms for name in re.findall(r"\bevent::(\w+)", blanked(self.files[path]))}
        for match in EVENT_ROW.finditer(table):
            if match.group(1) not in used:
                self.note(EVENTS, line_of(table, match.start()), f"nothing tells of the event {match.group(1)}")

    def check_error_classes(self):
        table = self.files.get(CLASSES, "")
        known = {match.group(1): line_of(table, match.start()) for match in CLASS_ROW.finditer(table)}
        used = set()
        for path in sorted(self.files):
            # What is wrong without a failure is found by a view.
            if path.startswith("migrations/") and not path.endswith("_error_classes.sql"):
                used.update(re.findall(r"'(\w+)'", self.files[path]))
            if not path.startswith(CLASS_ROOMS) or not path.endswith(CODE) or path == CLASSES:
                continue
            code = blanked(self.files[path], strings=False)
            used.update(re.findall(r'"(\w+)"', code))
            for place in CLASS_PLACES:
                for match in place.finditer(code):
                    for name in re.findall(r'"(\w+)"', match.group("class")):
                        if re.sub(r"^http_(\d)\d\d$", r"http_\1xx", name) not in known:
                            self.note(path, line_of(code, match.start("class")), f"error class {name} has no row in {CLASSES}")
            for match in CLASS_VARIABLE.finditer(code):
                if '"' not in match.group("class") and path not in CLASS_VARIABLES:
                    self.note(path, line_of(code, match.start()), "the class of this failure is not written here")
        for name, line in known.items():
            if name not in used and not re.match(r"http_\dxx$", name):
                self.note(CLASSES, line, f"nothing has the error class {name}")

    def check_text(self, path, text):
        for match in re.finditer(r"\b(TODO|FIXME|XXX)\b", text):
            self.note(path, line_of(text, match.start()), f"{match.group(1)}: finish it, or open an issue")
        for match in re.finditer(r"(?<![\w.}/$-])/(work|home|root)/\w|/tmp/team\b", text):
            self.note(path, line_of(text, match.start()), f"{match.group(0)}: a path of somebody's machine")


def read_tree(root):
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in SKIPPED]
        for name in names:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            first = "" if os.path.splitext(name)[1] else first_line(path)
            if name.endswith(TEXT) or first.startswith("#!"):
                with open(path, encoding="utf-8") as file:
                    files[relative] = file.read()
    return files


def first_line(path):
    with open(path, "rb") as file:
        return file.readline(200).decode("utf-8", "replace")


# ------------------------------------------------------------------------------------------------------ the self-test

GOOD_AWAIT = [
    "auto x = co_await f(a, 1);",
    "const auto job = [&](int i) { return i; };\n  co_await lane.run(job);",
    "co_await f(std::string(a), std::move(b));",
    "if (co_await f()) { g({1}); }",
    "if (auto x = co_await f(); x > 0) { g(x ? 1 : 2); }",
    "while (auto b = co_await next()) {\n  h(T{1});\n}",
    "for (auto& x : co_await all()) { y = T{x}; }",
    "T t{1, 2};\n  co_await f(t);",
    "co_spawn(ex, [self]() -> awaitable<void> { co_await self->run(); }, use);",
    "co_spawn(ex, [self] { return T{1}; }, use);\n  co_await f();",
    "try { co_await f(); } catch (const failure& e) { why = e.what(); }",
    "x = a[i];\n  co_await f(a[i], b[j]);",
    "// co_await f({1})\n  g();",
    'co_await f("a ? b : c {", \'{\');',
    "std::vector<int> v = {1, 2};\n  co_return co_await g(v);",
    "switch (x) { case 1: co_await f(); break; default: co_await g(); }",
    "do { co_await f(); } while (x ? y : z);",
    "auto f() -> awaitable<int> { co_return co_await g(); }",
    "{ auto t = T{1}; }\n  co_await f();",
    "if (x) { y(); } else { co_await f(); }",
    "co_await clock.sleep(std::chrono::milliseconds{500});",
    "[[maybe_unused]] const auto x = co_await f();",
    "#define A 1\n  co_await f(1'000'000);",
]
BAD_AWAIT = [
    ("co_await lane.run([x] { return x; });", "lambda"),
    ("co_await lane.run(\n    job,\n    [&] {\n      return 1;\n    });", "lambda"),
    ("co_await run([] { return 1; });", "lambda"),
    ("auto x = co_await run([this, y = z](int a) mutable { return a; });", "lambda"),
    ("auto x = c ? co_await a() : b;", "?:"),
    ("co_return c\n    ? co_await a()\n    : b;", "?:"),
    ("if (co_await f(a ? b : c)) { g(); }", "?:"),
    ("switch (co_await f()) { case 1: co_return; }", "switch"),
    ("co_await f({1, 2});", "braces"),
    ("co_await f(T{1, 2});", "braces"),
    ("co_await f(x,\n    std::vector<int>{1},\n    y);", "braces"),
    ("T t{a, co_await g()};", "braces"),
    ("T t{\n    a,\n    co_await g()};", "braces"),
    ("auto t = T{co_await g()};", "braces"),
    ("g(T{1}, co_await f());", "braces"),
    ("co_return T{.a = 1, .b = co_await g()};", "braces"),
    ("for (auto& x : co_await all({1})) { y(); }", "braces"),
    ("co_await clock.sleep(my::span_of{hours{1}});", "braces"),
]
GOOD_TREE = {
    "sync/a.hpp": "#include <vector>\n",
    "sync/error_class.cpp": '{"a_class", nobody, false, "x"},\n {"http_5xx", the_provider, true,\n',
    "sync/failing.cpp": 'failure f{stage::send, verdict::later, "a_class", "x"};\n'
                        'f.error_class == "http_503"; // error_class = "no"\n',
    "sync/flanks/c.hpp": "#include <boost/asio/ssl/stream.hpp>\n",
    "sync/flanks/c.cpp": '#include "sync/flanks/c.hpp"\n#include "sync/a.hpp"\n#include <boost/json.hpp>\nt.reveal();\n',
    "db/d.cpp": '#include "sync/a.hpp"\n#include <libpq-fe.h>\n',
    "daemon/main.cpp": '#include "db/d.hpp"\n#include "config/s.hpp"\n#include <boost/asio/awaitable.hpp>\n',
    "daemon/log.cpp": "#include <spdlog/spdlog.h>\n",
    "daemon/event.cpp": 'event_info{event::an_event, "1", "x", "y"},\n',
    "daemon/tells.cpp": 'tools.events.warn(event::an_event);\nevents_.debug("x");\n'
                        'e.events->info(\n    log_message(event::an_event, who));\n',
    "tests/sandbox/main.cpp": '#include "tests/sandbox/world.hpp"\n#include "data.hpp"\n#include <boost/beast/http.hpp>\n',
    "tests/unit/x_test.cpp": '#include "config/s.hpp"\ns.reveal();\n',
    "README.md": "ProtectHome, ./work/x, https://x.org/home/y, $HOME/x\n",
}
BAD_TREE = [
    ("sync/a.cpp", '#include "db/d.hpp"\n', "sync/a.cpp:1: sync/ includes \"db/d.hpp\""),
    ("sync/a.cpp", '\n#include "sync/flanks/api.hpp"\n', "sync/a.cpp:2: sync/ includes \"sync/flanks/api.hpp\""),
    ("db/a.cpp", '#include "../config/s.hpp"\n', None),
    ("config/a.cpp", '#include "daemon/app.hpp"\n', "config/a.cpp:1: config/ includes"),
    ("tests/sandbox/a.cpp", '#include "sync/types.hpp"\n', "tests/sandbox/a.cpp:1: tests/sandbox/ includes"),
    ("daemon/a.cpp", "#include <boost/beast/http.hpp>\n", "daemon/a.cpp:1: boost/beast/http.hpp: Beast"),
    ("daemon/a.cpp", '#include "sync/flanks/c.hpp"\n',
     "daemon/a.cpp:1: sync/flanks/c.hpp -> boost/asio/ssl/stream.hpp: Beast"),
    ("sync/flanks/a.cpp", "#include <boost/asio.hpp>\n", "sync/flanks/a.cpp:1: boost/asio.hpp: include the part"),
    ("daemon/a.cpp", "#include <libpq-fe.h>\n", "daemon/a.cpp:1: libpq-fe.h: PostgreSQL"),
    ("daemon/a.cpp", "#include <libpq-fe.h>\n", "daemon/a.cpp:1: libpq-fe.h: PostgreSQL"),
    ("daemon/a.cpp", "#include <yaml-cpp/yaml.h>\n", "daemon/a.cpp:1: yaml-cpp/yaml.h: YAML"),
    ("daemon/a.cpp", "#include <spdlog/spdlog.h>\n", "daemon/a.cpp:1: spdlog/spdlog.h: spdlog"),
    ("db/a.cpp", "#include <boost/json/value.hpp>\n", "db/a.cpp:1: boost/json/value.hpp: JSON"),
    ("db/a.cpp", 'throw failure(stage::write, verdict::stop,\n  "b_class", "x");\n',
     "db/a.cpp:1: error class b_class has no row"),
    ("db/a.cpp", 'x;\nfailure f(at, k.verdict, c ? "a_class" : "b_class", "x");\n', None),
    ("db/a.cpp", 'known_state{"22", "b_class", "", verdict::later},\n', "db/a.cpp:1: error class b_class has no row"),
    ("db/a.cpp", 'if (f.error_class == "b_class") g();\n', "db/a.cpp:1: error class b_class has no row"),
    ("db/a.cpp", "failure f{stage::send, verdict::later, name, \"x\"};\n", "db/a.cpp:1: the class of this failure is not"),
    ("sync/error_class.cpp", '{"a_class", nobody, false, "x"},\n{"c", nobody, false, "x"},\n{"http_5xx", nobody, false,',
     "sync/error_class.cpp:2: nothing has the error class c"),
    ("daemon/a.cpp", "x;\nlog(token.reveal());\n", "daemon/a.cpp:2: reveals a secret"),
    ("config/a.cpp", "s->reveal ();\n", "config/a.cpp:1: reveals a secret"),
    ("daemon/a.cpp", "x;\nfmt::print(stderr, s);\n", "daemon/a.cpp:2: prints text as it is"),
    ("daemon/a.cpp", "std::cerr << s;\n", "daemon/a.cpp:1: prints text as it is"),
    ("daemon/a.cpp", "std::fputs(s, stdout);\n", "daemon/a.cpp:1: prints text as it is"),
    ("daemon/a.cpp", "void f() {\n  co_await g({1});\n}\n", "daemon/a.cpp:2: co_await and braces"),
    ("daemon/a.cpp", 'x;\ntools_.events.warn("x", {});\n', "daemon/a.cpp:2: tells of no event"),
    ("daemon/a.cpp", 'e.events->error(\n    why);\n', "daemon/a.cpp:1: tells of no event"),
    ("daemon/event.cpp", 'event_info{event::an_event, "1", "x", "y"},\nevent_info{event::another, "2", "x", "y"},\n',
     "daemon/event.cpp:2: nothing tells of the event another"),
    ("quickstart", "#!/bin/sh\n# TODO: more\n", "quickstart:2: TODO"),
    ("README.md", "cd /" + "work/main\n", "README.md:1: /" + "work/m"),
    ("a.sh", "ls /" + "home/me\n", "a.sh:1: /" + "home/m"),
]


def self_test():
    wrong = []
    for code in GOOD_AWAIT:
        found = [what for _, what in wrong_around_await(blanked("void f() {\n  " + code + "\n}\n"))]
        if found:
            wrong.append(f"must pass, but {found}:\n  {code}")
    for code, word in BAD_AWAIT:
        found = [what for _, what in wrong_around_await(blanked("void f() {\n  " + code + "\n}\n"))]
        if len([what for what in found if word in what]) != 1:
            wrong.append(f"must be found once ({word}), but {found}:\n  {code}")
    wrong += [f"must pass: {line}" for line in Tree(dict(GOOD_TREE)).check()]
    for path, text, expected in BAD_TREE:
        found = Tree({**GOOD_TREE, "config/s.hpp": "", path: text}).check()
        if len(found) != 1 or not found[0].startswith(expected or path):
            wrong.append(f"must be found once ({expected or path}), but {found}:\n  {path}: {text!r}")
    return wrong


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    if sys.argv[1] == "--self-test":
        wrong = self_test()
    else:
        files = read_tree(sys.argv[1])
        # An empty walk must not look like a clean one.
        wrong = Tree(files).check() if any(p.startswith("sync/") for p in files) else ["no sources found"]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
