"""`sysmanager demo --tour`: the whole story, from a healthy site to the role Monitoring, without a display."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

WITHIN_S = 240
ROOT = Path(__file__).parents[2]
TITLES = (
    "A healthy site",
    "Countdown",
    "Failover in progress",
    "Failover ready",
    "Log details",
    "The recorder is back",
    "Failback, to be confirmed",
    "Failback in progress",
    "Failback ready",
    "The role Monitoring",
)


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height as the head of a PNG file says."""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_the_tour_tells_its_story_in_light_and_dark(tmp_path: Path) -> None:
    folder = tmp_path / "tour"
    folders = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    command = [sys.executable, "-m", "sysmanager", "demo", "--tour", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, env={**kept, **folders}, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    told = json.loads((folder / "tour.json").read_text(encoding="utf-8"))
    assert [(picture["title"], picture["theme"]) for picture in told["pictures"]] == [
        (title, theme) for title in TITLES for theme in ("light", "dark")
    ]
    for number, picture in enumerate(told["pictures"]):
        assert picture["file"].startswith(f"{number // 2 + 1:02d}-")
        assert picture["shows"]
        width, height = size_of(folder / picture["file"])
        assert width >= 1440
        assert height >= 900
    (entry,) = told["failover_log"]
    assert entry["state"] == "Failback ready"
    assert len(entry["moved"]) > 0
