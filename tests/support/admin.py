"""Talks to the daemon's admin listener. Python's standard library only."""

import http.client
import re
import socket
import time

from world import wait_until


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        for attempt in range(100):  # the file is there a moment before anybody listens
            try:
                return self.sock.connect(self.path)
            except ConnectionRefusedError:
                if attempt == 99:
                    raise
                time.sleep(0.05)


class Admin:
    """The admin listener at `where`, as admin.listen and the log name it."""

    def __init__(self, where):
        self.where = where

    def connection(self, timeout=30):
        if self.where.startswith("unix:"):
            return UnixConnection(self.where[5:], timeout)
        host, port = self.where.rsplit(":", 1)
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)

    def socket(self):
        connection = self.connection()
        connection.connect()
        return connection.sock

    def get(self, path, method="GET", body=None, headers=None):
        """(status, headers, body) on a connection of its own."""
        connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def raw(self, data):
        """Everything that comes back for these bytes, until the connection ends."""
        with self.socket() as s:
            try:
                s.sendall(data)
            except OSError:
                pass  # it has heard enough
            answer = b""
            while piece := s.recv(65536):
                answer += piece
            return answer.decode()

    def metrics(self):
        """{(name, (label, value), ...): number} of a scrape."""
        status, headers, text = self.get("/metrics")
        assert status == 200, text
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", headers
        found = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            key = (name, *sorted(re.findall(r'(\w+)="([^"]*)"', labels or "")))
            assert key not in found, line
            found[key] = float(value)
        return found

    def fresh_metrics(self, since):
        """A scrape whose numbers of the database were read at `since` or later: after a slow reading the daemon gives those for a while."""
        return wait_until(lambda: (found := self.metrics())[metric("flanks_database_up")] == 1 and
                          found.get(metric("flanks_database_read_timestamp_seconds"), 0) >= int(since) and found,
                          "the numbers of the database are read")


def metric(name, **labels):
    return (name, *sorted(labels.items()))


def served_at(log):
    """Where the daemon of this log says that it listens; nothing before it does."""
    found = re.search(r"metrics and health are served.*?listen=\"?([^\s\"]+)", log)
    return found and found.group(1)
