"""flanks-sync beside other ways to bring the same records into PostgreSQL: what a first load, an unchanged re-read and a usual
day cost each of them, and what each has wrong after a scripted life. Gives two tables in Markdown, as docs/comparison.md has them."""
import dataclasses
import statistics
import sys

import scripted_life
from measure import server_seconds
from peers.tools import Dlt, DltByDay, FlanksSync, SingerFullTable, SingerTarget, StripeUpsert, had
from whole_way import demand, make_world, wal_position
from world import World

NEW_A_DAY = 3        # rows a credential on a usual day
CORRECTED_EVERY = 20  # one row of every so many credentials


@dataclasses.dataclass
class Cost:
    seconds: float
    client: float  # CPU seconds of the tool
    server: float  # CPU seconds of PostgreSQL
    wal: int       # bytes
    peak: float    # MiB
    size: int      # bytes of all that it keeps


def cost_of(tool, act):
    tool.rest()
    wal, server = wal_position(tool.world), server_seconds(tool.world.cluster)
    measured = act()
    server, wal = server_seconds(tool.world.cluster) - server, wal_position(tool.world) - wal
    return Cost(measured.seconds, measured.cpu, server, wal, measured.peak / 1024, tool.size())


def turned(tools, by):
    return tools[by % len(tools):] + tools[:by % len(tools)]


def one_round(tools, credentials, each, number):
    """{(phase, tool): Cost} of tools that begin with empty databases."""
    world = make_world(credentials=credentials, transactions=each, no_oddities=True, remember=1024)
    found, order, rows = {}, turned(tools, number), credentials * each
    try:
        shown = world.sandbox.credentials()
        known = [(n + 1, c["credentials_token"], f"user-{n + 1}") for n, c in enumerate(shown)]
        for token in (c["credentials_token"] for c in shown):
            world.sandbox.transactions(token)  # the provider makes its answers once, for nobody in particular
        for tool in order:
            tool.begin(world)
            tool.known(known)
            found["first", tool.name] = cost_of(tool, tool.read_first)
            demand(f"rows of {tool.label}", tool.count(), rows)
        for tool in order:
            tool.make_sweeps_due()
            found["again", tool.name] = cost_of(tool, tool.read_day)
            demand(f"rows of {tool.label}", tool.count(), rows)
        world.sandbox.refresh(add=NEW_A_DAY)
        for c in shown[::CORRECTED_EVERY]:
            world.sandbox.refresh(c["credentials_token"], correct=1)
        for tool in order:
            tool.make_due()
            found["day", tool.name] = cost_of(tool, tool.read_day)
            demand(f"rows of {tool.label}", tool.count(), rows + NEW_A_DAY * credentials)
    finally:
        world.close()
    return found


def lived(tools):
    world = World({"sync": {"products": ["account"], "product_details": ["account"], "lease": "5m"}, "log": {"level": "warn"}}, credentials=0)
    life = scripted_life.Life(world.sandbox)
    try:
        for tool in tools:
            tool.begin(world)
        life.live(tools)
    finally:
        world.close()
    return life


def amount(value):
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.1f}".removesuffix(".0")


def spread(values):
    return f"{amount(statistics.median(values))} ({amount(min(values))} to {amount(max(values))})"


def middle(values):
    return amount(statistics.median(values))


def markdown(head, lines):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines])


def header(first, tools):
    return [first, *(t.label if t.missing is None else f"{t.label} (missing)" for t in tools)]


def cost_table(tools, rounds, credentials, each):
    """`rounds`: what one_round gave. A missing tool has a column of dashes."""
    rows = credentials * each
    fresh = NEW_A_DAY * credentials + -(-credentials // CORRECTED_EVERY)

    def line(name, phase, of, shown=middle):
        return [name, *("-" if t.missing else shown([of(r[phase, t.name]) for r in rounds]) for t in tools)]

    def times(phase):
        return [f"{phase_names[phase]}: rate against flanks-sync's",
                *("-" if t.missing else f"{statistics.median(r[phase, tools[0].name].seconds / r[phase, t.name].seconds for r in rounds):.2f}x"
                  for t in tools)]

    phase_names = {"first": "first load", "again": "unchanged re-read"}
    lines = []
    for phase, name in phase_names.items():
        lines += [
            line(f"{name}: rows/s", phase, lambda c: rows / c.seconds, spread),
            times(phase),
            line(f"{name}: CPU of the tool, s", phase, lambda c: c.client),
            line(f"{name}: CPU of PostgreSQL, s", phase, lambda c: c.server),
            line(f"{name}: WAL, bytes a row", phase, lambda c: c.wal / rows),
            line(f"{name}: peak memory, MiB", phase, lambda c: c.peak),
            line(f"stored after {name}, bytes a row, indexes and all", phase, lambda c: c.size / rows),
        ]
    lines += [
        line("usual day: s, its start included", "day", lambda c: c.seconds, spread),
        line("usual day: CPU of the tool, s", "day", lambda c: c.client),
        line("usual day: CPU of PostgreSQL, s", "day", lambda c: c.server),
        line(f"usual day: WAL, bytes a row that is new or corrected ({fresh})", "day", lambda c: c.wal / fresh),
        line("usual day: peak memory, MiB", "day", lambda c: c.peak),
    ]
    return markdown(header("", tools), lines)


def life_table(tools, life):
    def cells(of):
        return ["-" if t.missing else of(t) for t in tools]
    lines = [[f"{kind}: {what}", *cells(lambda t, k=kind: life.line(t, k))] for kind, (_, what) in scripted_life.KINDS.items()]
    lines += [[f"rows of *other* credentials lost the morning after the day of `{kind}`", *cells(lambda t, k=kind: life.others(t, k))]
              for kind in scripted_life.BLOCKING]
    lines.append(["runs that failed as a whole", *cells(lambda t: str(len(life.failed[t.name])))])
    lines.append(["**all at the end**", *cells(lambda t: f"**{sum(life.found[t.name]['end'].values(), scripted_life.Wrong())}**")])
    return markdown(header(f"{scripted_life.EACH} credentials each", tools), lines)


def compare(rounds, quick):
    """The text of both tables, and all figures."""
    scripted_life.check()
    credentials, each = (20, 250) if quick else (200, 500)
    tools = had([FlanksSync(), Dlt(), SingerTarget(), StripeUpsert()])
    variants = had([DltByDay(), SingerFullTable()])  # other ways of the same peers: what they have wrong, not what they cost
    here = [t for t in tools if t.missing is None]
    costs = []
    for number in range(rounds):
        costs.append(one_round(here, credentials, each, number))
        print(f"round {number + 1}: " + ", ".join(f"{p} {t} {c.seconds:.1f} s" for (p, t), c in costs[-1].items()), file=sys.stderr, flush=True)
    life = lived([t for t in tools + variants if t.missing is None])
    missing = "".join(f"\nMissing: {t.label}: {t.missing}\n" for t in tools if t.missing)
    text = (f"{credentials} credentials with {each} rows each; medians of {rounds} rounds, smallest to largest.\n{missing}\n"
            f"{cost_table(tools, costs, credentials, each)}\n\n{life_table(tools + variants, life)}")
    figures = [{"phase": p, "tool": t, "rounds": [dataclasses.asdict(r[p, t]) for r in costs]} for p, t in costs[0]]
    return text, figures
