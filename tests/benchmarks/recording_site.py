"""What measurements of the recorder share: synthetic cameras, a recorder of its own folder, and what processes cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from sysmanager.documents.sealing import SiteKey
from sysmanager.simulation.cameras.config import CamerasConfig

RECORDER = "REC-1"
SESSIONS = 4


@contextmanager
def as_installed() -> Iterator[dict[str, str]]:
    """An environment without `rich`, which structlog loads where it finds it; no installed program has it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rich.py").write_text("raise ImportError\n", encoding="utf-8")
        yield {**os.environ, "PYTHONPATH": folder}


@contextmanager
def process(*arguments: str, quiet: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """`sysmanager` with these arguments, as it is installed; it is ended in order with the block."""
    with as_installed() as environment, _process(arguments, environment, quiet) as running:
        yield running


@contextmanager
def _process(arguments: Sequence[str], environment: dict[str, str], quiet: bool) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(
        [sys.executable, "-m", "sysmanager", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        env=environment,
    )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()


@contextmanager
def cameras(count: int, cache: Path, size: str = "640x360", fps: int = 15, scene: str = "bars") -> Iterator[dict[str, str]]:
    """Camera id → address, while the block runs. The clock of each camera starts with it."""
    arguments = (
        "cameras",
        "--count",
        str(count),
        "--port",
        "0",
        "--sessions",
        str(SESSIONS),
        "--size",
        size,
        "--fps",
        str(fps),
        "--scene",
        scene,
    )
    with process(*arguments, "--cache", str(cache), "--json") as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        ids = CamerasConfig(count=count, cache=cache).camera_ids()
        yield {camera: f"rtsp://127.0.0.1:{ready['port']}/{camera}" for camera in ids}


def recorder_files(folder: Path, addresses: dict[str, str], *, more: str = "", **of_each: Any) -> Path:
    """A recorder that records these cameras, with two disks; its configuration file. more: lines of it. of_each: fields of each camera."""
    home = folder / RECORDER
    for name in ("disk-d", "disk-e"):
        (home / name).mkdir(parents=True)
    SiteKey.load_or_create(folder / "site.key")
    settings: dict[str, Any] = {
        "name": RECORDER,
        "disks": ["D:", "E:"],
        "cameras": [{"id": camera, "name": camera, "url": url, **of_each} for camera, url in addresses.items()],
    }
    (home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    path = home / "recorder.toml"
    path.write_text(
        f'id = "{RECORDER}"\ndata = "data"\nbus = "../bus.json"\nsite_key = "../site.key"\nsettings = "settings.json"\npractice = true\n'
        f'{more}\n[disks]\n"D:" = "disk-d"\n"E:" = "disk-e"\n',
        encoding="utf-8",
    )
    return path


def disks_of(folder: Path) -> list[Path]:
    return [folder / RECORDER / name for name in ("disk-d", "disk-e")]


def family(pid: int) -> list[psutil.Process]:
    """The process and all that it started."""
    own = psutil.Process(pid)
    return [own, *own.children(recursive=True)]


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for each in processes:
        times = each.cpu_times()
        total += times.user + times.system
    return total


def pss_mb(processes: Iterable[psutil.Process]) -> float:
    """Memory in fair shares: what several processes share is counted once among them."""
    return sum(each.memory_full_info().pss for each in processes) / 1e6
