"""What services say to systemd: over a real socket, and nothing where there is none."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sysmanager.sdnotify import Heart, tell_systemd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is a Linux service manager")


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(tmp_path / "notify"))
        inbox.settimeout(5)
        yield inbox


def test_lines_reach_systemd(systemd: socket.socket) -> None:
    assert tell_systemd("READY=1", "STATUS=It runs.", environment={"NOTIFY_SOCKET": systemd.getsockname()})
    assert systemd.recv(1000) == b"READY=1\nSTATUS=It runs."


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind("\0sysmanager-test-" + str(os.getpid()))
        inbox.settimeout(5)
        assert tell_systemd("READY=1", environment={"NOTIFY_SOCKET": "@sysmanager-test-" + str(os.getpid())})
        assert inbox.recv(1000) == b"READY=1"


@pytest.mark.parametrize("address", ["", "nonsense", "vsock:2:1", "/nothing/there", "@nobody-listens-here"])
def test_without_systemd_nothing_is_said_and_nothing_goes_wrong(address: str) -> None:
    assert not tell_systemd("READY=1", environment={"NOTIFY_SOCKET": address})


def test_signs_of_life_come_four_times_within_the_limit(systemd: socket.socket) -> None:
    now_s = 10.0
    environment = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": str(os.getpid())}
    heart = Heart(environment=environment, clock=lambda: now_s)
    assert heart.every_s == 2.0
    beats = 0
    systemd.setblocking(False)
    for _ in range(33):
        heart.beat()
        try:
            assert systemd.recv(100) == b"WATCHDOG=1"
            beats += 1
        except BlockingIOError:
            pass
        now_s += 0.25
    assert beats == 5


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}]
)
def test_nobody_who_does_not_ask_gets_signs_of_life(environment: dict[str, str], systemd: socket.socket) -> None:
    heart = Heart(environment={**environment, "NOTIFY_SOCKET": systemd.getsockname()})
    heart.beat()
    assert heart.every_s is None
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)
