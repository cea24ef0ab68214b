"""Stands in for the service manager."""
import os
import socket
import tempfile


class Notifications:
    """What a service manager would hear (sd_notify(3))."""

    def __init__(self):
        self.path = tempfile.mktemp(prefix="flanks-notify-")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = []

    def listen(self):
        while True:
            try:
                self.heard += self.socket.recv(65536).decode().split("\n")
            except BlockingIOError:
                return self.heard

    def close(self):
        self.socket.close()
        os.unlink(self.path)
