"""A real Prometheus that scrapes one daemon, and the text format as a person reads it. Python's standard library only."""
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

SERIES = re.compile(r"\b((?:flanks|process)_[a-z_]+|up)\b(?=[{\[\s)]|$)")
PARTS = re.compile(r"_(bucket|sum|count)$")


def family_of(name):
    """flanks_x_seconds_bucket -> flanks_x_seconds."""
    return PARTS.sub("", name)


def catalog(text):
    """{family: (type, help, labels)} of a scrape, in its order."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, said = line[7:].split(" ", 1)
            found[name] = [None, said, None]
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            found[name][0] = kind
        else:
            name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line).groups()
            kind = name if name in found else family_of(name)
            labels = {label for label in re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', labels or "") if label != "le"}
            found[kind][2] = labels | (found[kind][2] or set())
    return found


def names_in(expression):
    """The families that a PromQL expression asks for."""
    return {family_of(name) for name in SERIES.findall(expression)}


class Prometheus:
    """Scrapes `target` every second, on loopback, with its data in a directory that goes with it."""

    def __init__(self, target, rules):
        binary = shutil.which("prometheus")
        if binary is None:
            raise AssertionError("there is no prometheus: .ci/deps test installs the Debian package")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="flanks-prometheus-"))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{s.getsockname()[1]}"
        (self.dir / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "flanks-sync", "static_configs": [{"targets": [target]}]}]}))
        self.log = self.dir / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/data",
                 f"--web.listen-address={self.url[7:]}", "--log.level=warn"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def api(self, path, **parameters):
        """(`data` of the answer, null when it does not answer yet)."""
        if self.process.poll() is not None:
            raise AssertionError("prometheus ended: " + self.log.read_text())
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                return None
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error
        except (urllib.error.URLError, ConnectionError):
            return None

    def query(self, expression):
        """[({label: value}, number)]"""
        data = self.api("query", query=expression)
        return data and [(r["metric"], float(r["value"][1])) for r in data["result"]]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
