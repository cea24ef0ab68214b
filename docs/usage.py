#!/usr/bin/env python3
"""Writes what follows from the commands, options and keys of the program: the middle of the man pages, docs/configuration.md
(docs/configuration.py), and the completions.

    docs/usage.py build/release/flanks-sync           writes the files
    docs/usage.py --check build/release/flanks-sync   says which are not as it would write them; exit 1 when there are any

What the program has it says by itself (`--json --help`, `config example`, `config show`).
"""
import json
import pathlib
import re
import sys

import configuration

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "; begin of what docs/usage.py writes\n", "; end of what docs/usage.py writes\n"

# What completes the value of an option or an argument, by its name; others are not known before.
FILES = ("FILE",)


def every(command):
    """The command and all below it."""
    yield command
    for below in command["commands"]:
        yield from every(below)


def place(command):
    """The path without the program's name: "" for the program itself."""
    return command["path"].partition(" ")[2]


# ------------------------------------------------------------------------------------------------------- man pages


def plain(text):
    """Text of scdoc(5) in which nothing is markup."""
    return re.sub(r"([\\_*`#\[<])", r"\\\1", text)


def option_entry(option):
    value = f" _{plain(option['value'])}_" if option["value"] else ""
    if option["value_may_lack"]:
        value = f" [_{plain(option['value'])}_]"
    name = f"*{option['name']}*" if option["name"].startswith("-") else f"_{plain(option['name'])}_"
    needed = " Required." if option["required"] else ""
    return f"{name}{value}\n\t{plain(option['text'])}.{needed}\n\n"


def command_pages(program):
    out = ""
    for command in every(program):
        path = place(command)
        if not path:
            continue
        out += f"## {path}\n\n{plain(command['text'])}.\n\n"
        for entry in command["arguments"] + command["options"]:
            out += option_entry(entry)
        if command["examples"] and not command["commands"]:
            out += "```\n" + "".join(f"{e['line']}\n" for e in command["examples"]) + "```\n\n"
    return out


def common_options(program):
    return "".join(option_entry(o) for o in program["options"])


def sentence(lines):
    text = " ".join(line.strip() for line in lines)
    return plain(text if text.endswith((".", ")")) or not text else text + ".")


def key_pages(example, shown):
    out, section = "", None
    previous = []
    for path, comment, value, given in configuration.keys_of(example, shown):
        if path.partition(".")[0] != section:
            section = path.partition(".")[0]
            out += f"## {section}\n\n"
        if comment:
            previous = comment
        words = sentence(comment or previous)
        default = f" Default: {plain(value)}." if given else f" Not set by default; for example: {plain(value)}."
        if "REQUIRED" in words:
            default = ""
        out += f"*{plain(path)}*\n\t{words}{default}\n\n"
    return out


def between(text, middles):
    """The text with what stands between each pair of markers replaced, in order."""
    parts = re.split(f"({re.escape(BEGIN)}.*?{re.escape(END)})", text, flags=re.S)
    middles = iter(middles)
    return "".join(BEGIN + next(middles) + END if part.startswith(BEGIN) else part for part in parts)


# ------------------------------------------------------------------------------------------------------ completions

HEAD = "# Written by docs/usage.py. Completion of flanks-sync in {}.\n"


def choices(program):
    return {o["value"] or o["name"]: o["choices"] for c in every(program) for o in c["options"] + c["arguments"] if o["choices"]}


def bash_table(name, rows):
    return f"  local -A {name}=(\n" + "".join(f"    [{json.dumps(k or '.')}]={json.dumps(v)}\n" for k, v in rows) + "  )\n"


def bash(program):
    commands = [(place(c), " ".join(b["name"] for b in c["commands"])) for c in every(program) if c["commands"]]
    options = [(place(c), " ".join(o["name"] for o in c["options"])) for c in every(program) if c["options"]]
    arguments = [(place(c), c["arguments"][0]["name"]) for c in every(program) if c["arguments"]]
    takes = sorted({(o["name"], o["value"]) for c in every(program) for o in c["options"] if o["value"]})
    words = sorted(choices(program).items())
    return (HEAD.format("bash") + """
_flanks_sync() {
  local cur=${COMP_WORDS[COMP_CWORD]} word at= kind= i
""" + bash_table("commands", commands) + bash_table("options", options) + bash_table("arguments", arguments)
            + bash_table("takes", takes) + bash_table("words", [(k, " ".join(v)) for k, v in words])
            + """  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      continue
    elif [[ -n $kind ]]; then
      kind=
      [[ $word == -* && $word != - ]] || continue
    fi
    if [[ $word == -* ]]; then
      kind=${takes[$word]-}
    elif [[ " ${commands[${at:-.}]-} " == *" $word "* ]]; then
      at+=${at:+ }$word
    fi
  done
  [[ $cur == = ]] && cur=
  if [[ -z $kind && $cur != -* ]]; then
    kind=${arguments[${at:-.}]-}
  elif [[ -n $kind && $cur == -* ]]; then
    kind=
  fi
  case $kind in
    FILE) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames 2>/dev/null ;;
    "")
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${options[${at:-.}]-} ${options[.]}" -- "$cur")
      else
        mapfile -t COMPREPLY < <(compgen -W "${commands[${at:-.}]-}" -- "$cur")
      fi
      ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${words[$kind]-}" -- "$cur") ;;
  esac
  return 0
}
complete -F _flanks_sync flanks-sync
""")


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def fish_quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def zsh(program):
    kinds = choices(program)

    def described(items):
        return " ".join(quoted(f"{i['name'].replace(':', chr(92) + ':')}:{i['text'].replace(':', chr(92) + ':')}") for i in items)

    cases = ""
    for c in every(program):
        commands = f"commands=({described(c['commands'])}) " if c["commands"] else ""
        argument = f"argument={c['arguments'][0]['name']} " if c["arguments"] else ""
        cases += f"    {quoted(place(c))})\n      {commands}{argument}options=({described(c['options'])}) ;;\n"
    takes = " ".join(f"{o} {v}" for o, v in sorted({(o["name"], o["value"]) for c in every(program) for o in c["options"] if o["value"]}))
    values = "".join(f"    {k}) compadd -- {' '.join(v)} ;;\n" for k, v in sorted(kinds.items()))
    return ("#compdef flanks-sync\n" + HEAD.format("zsh") + f"""
_flanks_sync_at() {{
  commands=() options=() argument=
  case $1 in
{cases}  esac
}}

_flanks_sync() {{
  local -a commands options everywhere
  local -A takes=({takes})
  local at= word= kind= argument= i
  _flanks_sync_at ''
  everywhere=("${{options[@]}}")
  for ((i = 2; i < CURRENT; i++)); do
    word=${{words[i]}}
    if [[ -n $kind ]]; then
      kind=
      [[ $word == -* && $word != - ]] || continue
    fi
    if [[ $word == -* ]]; then
      kind=${{takes[$word]-}}
    elif (( ${{commands[(I)$word:*]}} )); then
      at+=${{at:+ }}$word
      _flanks_sync_at $at
    fi
  done
  [[ -n $at ]] && options+=("${{everywhere[@]}}")
  if [[ ${{words[CURRENT]}} == -* ]]; then
    _describe -o option options
    return
  fi
  [[ -z $kind ]] && kind=$argument
  case $kind in
    FILE) _files ;;
{values}    '') (( $#commands )) && _describe command commands ;;
  esac
}}

if [[ $funcstack[1] == _flanks-sync ]]; then
  _flanks_sync "$@"
else
  compdef _flanks_sync flanks-sync
fi
""")


def fish(program):
    takes = sorted({o["name"] for c in every(program) for o in c["options"] if o["value"]})
    commands = " ".join(fish_quoted(place(b)) for b in every(program) if place(b))
    out = HEAD.format("fish") + f"""
# The command that the words before the cursor name: "credentials add"; empty: none yet.
function __flanks_sync_place
    set -l known {commands}
    set -l taking {' '.join(takes)}
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            string match -q -- '-?*' $word; or continue
        end
        if string match -q -- '-*' $word
            contains -- $word $taking; and set skip 1
        else if contains -- (string join ' ' $at $word) $known
            set -a at $word
        end
    end
    string join ' ' $at
end
function __flanks_sync_at
    test (__flanks_sync_place | string collect --allow-empty) = "$argv"
end

complete -c flanks-sync -f
"""
    for c in every(program):
        # An option of the program may stand behind every command.
        at = f" -n {fish_quoted('__flanks_sync_at ' + place(c))}" if place(c) else ""
        where = at or " -n '__flanks_sync_at '"
        for b in c["commands"]:
            out += f"complete -c flanks-sync{where} -a {b['name']} -d {fish_quoted(b['text'])}\n"
        for a in c["arguments"][:1]:
            if a["name"] in FILES:
                out += f"complete -c flanks-sync{where} -F\n"
        for o in c["options"]:
            form = f"complete -c flanks-sync{at} -l {o['name'][2:]}"
            if o["value"] in FILES:
                form += " -r -F"
            elif o["choices"]:
                form += f" -x -a {fish_quoted(' '.join(o['choices']))}"
            elif o["value"] and not o["value_may_lack"]:
                form += " -x"
            out += f"{form} -d {fish_quoted(o['text'])}\n"
    return out


# ------------------------------------------------------------------------------------------------------------- main


def written(binary):
    """{path: text}"""
    program = json.loads(configuration.said(binary, "--json", "--help"))
    manual, keys = ROOT / "docs/man/flanks-sync.1.scd", ROOT / "docs/man/flanks-sync.yaml.5.scd"
    example = configuration.said(binary, "config", "example")
    shown = configuration.shown_keys(binary)
    return {
        manual: between(manual.read_text(), [common_options(program), command_pages(program)]),
        keys: between(keys.read_text(), [key_pages(example, shown)]),
        ROOT / "docs/configuration.md": configuration.page(example, shown),
        ROOT / "contrib/completions/flanks-sync.bash": bash(program),
        ROOT / "contrib/completions/_flanks-sync": zsh(program),
        ROOT / "contrib/completions/flanks-sync.fish": fish(program),
    }


def main(arguments):
    check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + check:
        sys.exit(__doc__)
    old = []
    for path, text in written(arguments[-1]).items():
        if check and (not path.exists() or path.read_text() != text):
            old.append(path)
        elif not check:
            path.write_text(text)
    for path in old:
        print(f"{path.relative_to(ROOT)} is not what docs/usage.py writes", file=sys.stderr)
    sys.exit(1 if old else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
