"""Parts of a machine that tests break for real: small file systems, and a network of its own. They need root on Linux."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FS_SHUTDOWN = 0x8004587D
"""ioctl of ext4: every call to the file system fails from now on, as when its disk was pulled."""

NEAR, FAR = "10.213.77.1", "10.213.77.2"


def _need(*programs: str) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs the program {program}")


def _run(*command: str) -> None:
    """Skips with what the machine says where it does not allow this."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        pytest.skip(f"this machine does not allow {' '.join(command[:2])}: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted_memory(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size, in memory."""
    _need("mount", "umount")
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=20)


@contextlib.contextmanager
def mounted_disk(folder: Path, image: Path) -> Iterator[None]:
    """A file system of 16 MB in a file."""
    _need("mkfs.ext4", "mount", "umount")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    folder.mkdir(exist_ok=True)
    _run("mkfs.ext4", "-q", "-F", str(image))
    _run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=20)


def pull(folder: Path) -> None:
    """The disk that is mounted there fails, for good. Skips where the kernel does not offer that."""
    import fcntl  # not on every system

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, FS_SHUTDOWN, struct.pack("I", 2))
    except OSError as error:
        pytest.skip(f"this machine cannot make a file system fail: {error.strerror}")
    finally:
        os.close(handle)


class Cut:
    """A network namespace with one cable to this machine, which is NEAR on its end and FAR on the other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._near = f"{name}n"

    def command(self, *command: str) -> list[str]:
        """To run something in the namespace."""
        return ["ip", "netns", "exec", self.name, *command]

    def pull(self) -> None:
        subprocess.run(["ip", "link", "set", self._near, "down"], check=True, timeout=20)

    def plug(self) -> None:
        subprocess.run(["ip", "link", "set", self._near, "up"], check=True, timeout=20)


@contextlib.contextmanager
def own_network() -> Iterator[Cut]:
    _need("ip")
    cut = Cut(f"smt{os.getpid() % 100_000}")
    near, far = f"{cut.name}n", f"{cut.name}f"
    _run("ip", "netns", "add", cut.name)
    try:
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", cut.name)
        _run("ip", "address", "add", f"{NEAR}/30", "dev", near)
        _run("ip", "link", "set", near, "up")
        _run(*cut.command("ip", "address", "add", f"{FAR}/30", "dev", far))
        _run(*cut.command("ip", "link", "set", far, "up"))
        _run(*cut.command("ip", "link", "set", "lo", "up"))
        yield cut
    finally:
        subprocess.run(["ip", "link", "delete", near], capture_output=True, timeout=20, check=False)
        subprocess.run(["ip", "netns", "delete", cut.name], check=True, timeout=20)
