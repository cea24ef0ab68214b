"""What a benchmark measures of one command, and how figures of several rounds become a line of the table."""
import dataclasses
import os
import pathlib
import select
import statistics
import subprocess
import time


@dataclasses.dataclass
class Measured:
    seconds: float  # of the wall clock, from start to exit
    cpu: float      # of the process and what it has started, user and system
    peak: int       # KiB resident at most, of each of them, added up
    exit: int = 0


def run(command, log, env=None, ends=(0,)):
    """Runs it to its end; fails with its output unless it exits with one of `ends` (None: with any)."""
    with open(log, "wb") as out:
        begin = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        peaks = {}
        ended = os.pidfd_open(process.pid)
        # VmHWM of /proc and not ru_maxrss: the latter counts the fork of this interpreter too. Not too often: it shares
        # the machine with what is measured.
        while not select.select([ended], [], [], 0.05)[0]:
            for pid in family(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), resident_peak(pid))
        seconds = time.monotonic() - begin
        os.close(ended)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if ends is not None and process.returncode not in ends:
        with open(log, errors="replace") as text:
            raise SystemExit(f"{' '.join(map(str, command))}: exit {process.returncode}\n{text.read()[-3000:]}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, sum(peaks.values()), process.returncode)


def family(pid):
    """The process and all that descend from it."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        children = []
    return [pid, *(each for child in children for each in family(int(child)))]


def resident_peak(pid):
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def server_seconds(cluster):
    """CPU of the postmaster and of all that it has started, also of what has ended."""
    pid, ticks = cluster.postmaster(), 0
    for each in (pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
        try:
            fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12]) + (int(fields[13]) + int(fields[14]) if each == pid else 0)
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Bar:
    at_least: float | None = None
    at_most: float | None = None

    def met_by(self, value):
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self):
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""


@dataclasses.dataclass
class Figure:
    """One line: the judged value of every round, and the two measurements that it comes from."""

    name: str
    unit: str            # of the judged values: x (a ratio), MiB, s, %
    values: list
    bar: Bar
    ours: str = ""       # what was measured, for people
    yardstick: str = ""  # beside what

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def met(self):
        return self.bar.met_by(self.median)

    def as_json(self):
        return {"name": self.name, "unit": self.unit, "median": self.median, "values": self.values,
                "bar": str(self.bar), "met": self.met, "measured": self.ours, "yardstick": self.yardstick}


def rate(rows, seconds):
    return f"{rows / statistics.median(seconds):,.0f} rows/s".replace(",", " ")


def table(figures):
    """Ratio first, then what it was made of."""
    def number(value):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    lines = [("median", "min .. max", "bar", "", "figure", "measured", "yardstick")]
    for f in figures:
        lines.append((f"{number(f.median)} {f.unit}", f"{number(min(f.values))} .. {number(max(f.values))}",
                      f"{f.bar} {f.unit}" if str(f.bar) else "", "ok" if f.met else "MISSED", f.name, f.ours, f.yardstick))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
