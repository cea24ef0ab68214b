#!/usr/bin/env python3
"""Every link of README.md and docs/*.md to a file of the tree, and to a heading of a page, leads somewhere. What is on the
network is not asked for."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ +(.+?) *$", re.sub(r"```.*?```", "", page.read_text(), flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"`", "", heading.lower())).replace(" ", "-") for heading in headings}


def wrong(page):
    for link in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.S)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: {link}: there is no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{page.relative_to(ROOT)}: {link}: there is no such heading"


found = [line for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) for line in wrong(page)]
runbooks = re.findall(r"runbook: (\S+)", (ROOT / "contrib/prometheus/alerts.yml").read_text())
for runbook in runbooks:
    name, _, anchor = runbook.partition("#")
    if not (ROOT / name).exists() or anchor not in anchors(ROOT / name):
        found.append(f"contrib/prometheus/alerts.yml: {runbook} leads nowhere")
print("\n".join(found))
sys.exit(1 if found else 0)
