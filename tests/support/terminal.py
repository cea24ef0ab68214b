"""A command on a pseudo-terminal of a given size: what it draws, and what happens when it is resized or interrupted."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from world import DEADLINE

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    def __init__(self, command, columns=80, lines=24, env=None):
        self.master, slave = pty.openpty()
        self.resize(columns, lines, slave)
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        environment.update({"TERM": "xterm-256color", **(env or {})})
        self.process = subprocess.Popen([str(c) for c in command], stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        preexec_fn=lambda: os.login_tty(slave))
        os.close(slave)
        self.text = ""
        self.taken = 0  # how much of it wait_for has passed

    def resize(self, columns, lines, fd=None):
        fcntl.ioctl(self.master if fd is None else fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds):
        """Takes what comes within so many seconds; False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            part = os.read(self.master, 65536)
        except OSError:  # EIO: nobody writes any more
            part = b""
        self.text += part.decode("utf-8", "replace")
        return part != b""

    def wait_for(self, pattern):
        """What came since the last match, up to that of the pattern."""
        end = time.monotonic() + DEADLINE
        while True:
            rest = self.text[self.taken:]
            found = re.search(pattern, rest)
            if found:
                self.taken += found.end()
                return rest[:found.end()]
            if time.monotonic() > end or not self.read(0.2):
                raise AssertionError(f"{pattern!r} does not come:\n{rest[-3000:]!r}")

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Waits for the end; gives the exit code."""
        end = time.monotonic() + DEADLINE
        while self.read(0.2):
            if time.monotonic() > end:
                self.process.kill()
                raise AssertionError(f"it does not end:\n{self.text[-3000:]!r}")
        code = self.process.wait(DEADLINE)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.master)


def visible(text):
    """Without escape sequences."""
    return ESCAPES.sub("", text)
