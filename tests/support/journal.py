"""A journal of its own for a test: the real systemd-journald in a mount namespace, where /run/systemd/journal is its alone.

libsystemd has no other place for it. Needs root; Journal.why_not() says what is missing.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from world import BUILD, wait_until

PLACES = ("/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-journald")

SETUP = """
mount -t tmpfs tmpfs /run
mkdir -p /run/log/journal /run/systemd/journal
echo 0123456789abcdef0123456789abcdef >/run/machine-id
mount --bind /run/machine-id /etc/machine-id
mount --bind "$1" /usr/lib/systemd/catalog
mount -t tmpfs tmpfs /var/lib/systemd/catalog
journalctl --update-catalog
exec "$2"
"""

# As systemd starts a service whose standard error is the journal (systemd.exec(5)).
AS_SERVICE = """
import os, socket, sys
to = socket.socket(socket.AF_UNIX)
to.connect("/run/systemd/journal/stdout")
to.sendall(b"flanks-sync\\n\\n6\\n0\\n0\\n0\\n0\\n")
os.dup2(to.fileno(), 2)
place = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{place.st_dev}:{place.st_ino}"
os.execv(sys.argv[1], sys.argv[1:])
"""


class Journal:
    @staticmethod
    def why_not():
        """Why there can be none here; nothing when there can."""
        if os.geteuid() != 0:
            return "a mount namespace needs root"
        if not any(map(os.path.exists, PLACES)) or shutil.which("journalctl") is None:
            return "systemd is not installed"
        for place in ("/etc/machine-id", "/usr/lib/systemd/catalog", "/var/lib/systemd/catalog"):
            if not os.path.exists(place):
                return f"there is no {place}"
        tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/run"], capture_output=True, text=True)
        return tried.stderr.strip() if tried.returncode != 0 else None

    def __init__(self):
        journald = next(filter(os.path.exists, PLACES))
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-ec", SETUP, "sh", BUILD / "systemd", journald],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        socket = pathlib.Path(f"/proc/{self.process.pid}/root/run/systemd/journal/stdout")
        wait_until(lambda: self.process.poll() is not None or socket.exists(), "journald listens")
        if self.process.poll() is not None:
            raise AssertionError(f"journald ended: {self.process.returncode}")

    def inside(self, *command):
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", "--", *map(str, command)]

    def as_service(self, *command):
        """The command, to be run with its standard error in the journal."""
        return self.inside(sys.executable, "-c", AS_SERVICE, *command)

    def text(self, *options):
        done = subprocess.run(self.inside("journalctl", "--no-pager", "--quiet", "-D", "/run/log/journal", *options),
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout

    def entries(self, *matches):
        """What flanks-sync has written natively."""
        self.sync()
        lines = self.text("-o", "json", "--all", "_TRANSPORT=journal", "SYSLOG_IDENTIFIER=flanks-sync", *matches).splitlines()
        return [json.loads(line) for line in lines]

    def sync(self):
        subprocess.run(self.inside("journalctl", "--sync"), capture_output=True, timeout=60)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.thaw()
        self.process.kill()
        self.process.wait()
