"""Starts flanks-sandbox for a test, talks to it, and stops it. Python's standard library only."""

import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time
from decimal import Decimal

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "test"))
CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"

TRANSACTIONS = {
    "account": "/v0/bank/credentials/data",
    "card": "/v0/bank/credentials/card/transaction",
    "investment": "/v0/bank/credentials/investment/transaction",
    "liability": "/v0/bank/credentials/liability/transaction",
}


def wait_until(true, what, seconds=20.0):
    """Calls true() until it gives something true, and returns that; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        result = true()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain until {what}")
        time.sleep(0.02)


def exact(text):
    """JSON with its decimals as Decimal: no digit is lost."""
    return json.loads(text, parse_float=Decimal)


class Verbatim(str):
    """JSON text that json_text() leaves as it is."""


def json_text(value):
    """JSON with the digits of every Decimal; names keep their order."""
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json_text(name)}: {json_text(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


class Answer:
    """What came back: .status, .headers, .body (bytes), .json()."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    def json(self):
        return exact(self.body)


class Sandbox:
    """A running flanks-sandbox with a CA of its own.

    options become flags: Sandbox(credentials=3, no_oddities=True, grant_type="password").
    certificate names one of --make-certs (server, expired, other-host, cn-only, self-signed, unknown-ca);
    None serves plain HTTP.
    """

    def __init__(self, certificate="server", **options):
        self.directory = tempfile.mkdtemp(prefix="flanks-sandbox-")
        binary = str(BUILD / "flanks-sandbox")
        port_file = os.path.join(self.directory, "port")
        self.log_file = os.path.join(self.directory, "stderr")
        self.request_log = os.path.join(self.directory, "requests.jsonl")
        command = [binary, "--port-file", port_file, "--log", self.request_log]
        self.ca_file = None
        if certificate is not None:
            subprocess.run([binary, "--make-certs", self.directory], check=True)
            self.ca_file = os.path.join(self.directory, "ca.pem")
            for flag, suffix in (("--tls-cert", ".pem"), ("--tls-key", ".key")):
                command += [flag, os.path.join(self.directory, certificate + suffix)]
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            if value is True:
                command.append(flag)
            elif value is not False and value is not None:
                command += [flag, str(value)]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: self._listening(port_file), "the sandbox listens")
        except BaseException:
            self.stop()
            raise
        self.port = int(pathlib.Path(port_file).read_text())
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.client_id = options.get("client_id", CLIENT_ID)
        self.client_secret = options.get("client_secret", CLIENT_SECRET)
        self._access_token = None

    def _listening(self, port_file):
        if self.process.poll() is not None:
            raise AssertionError("flanks-sandbox ended: " + self.stderr())
        return os.path.exists(port_file)

    def stderr(self):
        return pathlib.Path(self.log_file).read_text(errors="replace")

    def connection(self, timeout=60.0, ca_file=None):
        """A connection that verifies chain and host name."""
        if self.url.startswith("http:"):
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=ca_file or self.ca_file)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=context)

    def request(self, method, path, body=None, headers=None, timeout=60.0):
        """One request on a connection of its own; body is sent as JSON (bytes go as they are)."""
        connection = self.connection(timeout)
        try:
            data = body
            if body is not None and not isinstance(body, bytes):
                data = json.dumps(body).encode()
            all_headers = {"Content-Type": "application/json"} if data is not None else {}
            all_headers.update(headers or {})
            connection.request(method, path, data, all_headers)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def access_token(self, fresh=False):
        if fresh or self._access_token is None:
            answer = self.request("POST", "/v0/token", {
                "client_id": self.client_id, "client_secret": self.client_secret,
                "grant_type": "client_credentials"})
            if answer.status != 200:
                raise AssertionError(f"no access token: {answer.status} {answer.body!r}")
            self._access_token = answer.json()["access_token"]
        return self._access_token

    def api(self, method, path, body=None, timeout=60.0):
        """A call to the provider with a valid access token."""
        headers = {"Authorization": "Bearer " + self.access_token()}
        return self.request(method, path, body, headers, timeout)

    def transactions(self, token, product="account", query=None, timeout=60.0, **more):
        body = {"credentials_token": token, **more}
        if query is not None:
            body["query"] = query
        return self.api("POST", TRANSACTIONS[product], body, timeout)

    def control(self, method, path, body=None):
        """/_sandbox/PATH; fails unless it answers 200. Gives the decoded JSON."""
        answer = self.request(method, "/_sandbox/" + path, body)
        if answer.status != 200:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.body!r}")
        return answer.json()

    def fault(self, kind, token="*", endpoint="*", **parameters):
        self.control("POST", "faults", {"credentials_token": token, "endpoint": endpoint,
                                        "kind": kind, **parameters})

    def clear_faults(self):
        self.control("DELETE", "faults")

    def refresh(self, token="*", **orders):
        return self.control("POST", "refresh", {"credentials_token": token, **orders})

    def withhold(self, token, ids, product="account"):
        """This credential alone does not show these operations from now on (none: all again)."""
        self.control("POST", "withhold", {"credentials_token": token, "product": product, "ids": list(ids)})

    def speak(self, **how):
        """How this deployment speaks Aggregation v2 from now on: dates, last_page, type_key, type (README)."""
        self.control("POST", "aggregation", how)

    def script(self, scripts):
        """What these credentials show from now on, and nothing else: one script or a list, all in one call.

        Records are served as json_text() writes them; Verbatim('{"_id": ...}') is served as it is.
        """
        order = {"scripts": scripts} if isinstance(scripts, (list, tuple)) else scripts
        self.control("POST", "script", json_text(order).encode())

    def credentials(self):
        return self.control("GET", "credentials")

    def ledger_text(self, token=None):
        path = "/_sandbox/ledger" + (f"?credentials_token={token}" if token else "")
        answer = self.request("GET", path)
        if answer.status != 200:
            raise AssertionError(f"ledger: {answer.status} {answer.body!r}")
        return answer.body

    def ledger(self, token=None):
        """What the provider holds now: dicts of credentials_token, product, _id, record."""
        return [exact(line) for line in self.ledger_text(token).split(b"\n") if line]

    def requests(self):
        return self.control("GET", "requests")

    def answered(self):
        """Lines of the log of every answered request to the provider (sandbox/README.md, --log)."""
        self.requests()  # what was answered before is counted, and in the log
        return self._logged()

    def _logged(self):
        with open(self.request_log, encoding="utf-8") as log:
            lines = [json.loads(line) for line in log.read().splitlines(True) if line.endswith("\n")]
        return [line for line in lines if not line["path"].startswith("/_sandbox/")]

    def arrivals(self, since=0.0):
        """(seconds since 1970, status) of every request to the provider in the log that came at `since` or later, in order.

        For loops: it asks the sandbox nothing, and the last requests may be missing.
        """
        found = [(line["arrived_us"] / 1e6, line["status"]) for line in self._logged()]
        return sorted(one for one in found if one[0] >= since)

    def reset_requests(self):
        self.control("DELETE", "requests")

    def stop(self):
        """Ends the process; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
