"""What a service says to systemd when that started it: that it is ready, alive, ending (the protocol of sd_notify)."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping

SOCKET = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"
WATCHDOG_PROCESS = "WATCHDOG_PID"

SHARE = 4
"""A sign of life is given so many times within the time after which the service counts as hung."""


def tell_systemd(*lines: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send lines such as ``READY=1``; whether anybody takes them. Never raises: a service manager that is gone is no reason to end."""
    address = environment.get(SOCKET, "")
    if sys.platform == "win32":
        return False
    if not address.startswith(("/", "@")):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), "\0" + address[1:] if address[0] == "@" else address)
    except OSError:
        return False
    return True


class Heart:
    """Signs of life for systemd, no more often than it needs them. `beat` is called by the very loop that must not hang."""

    def __init__(self, *, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic) -> None:
        self._environment = environment
        self._clock = clock
        limit = environment.get(WATCHDOG, "")
        ours = environment.get(WATCHDOG_PROCESS, str(os.getpid())) == str(os.getpid())
        self.every_s = int(limit) / 1e6 / SHARE if ours and limit.isascii() and limit.isdigit() and int(limit) > 0 else None
        self._due_s = clock()

    def beat(self) -> None:
        now_s = self._clock()
        if self.every_s is not None and now_s >= self._due_s:
            self._due_s = now_s + self.every_s
            tell_systemd("WATCHDOG=1", environment=self._environment)
