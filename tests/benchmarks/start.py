"""How soon the demo's window is on the screen, and what the demo costs while nobody touches it.

Start: from the start of the process to the first painted window with its servers; median of 5 after one to warm the caches; offscreen, and
on X where xvfb is installed. Requirement: under 1.5 s. Idle: CPU over 20 s, after 10 s to settle. Requirement: under 3 % of a core.

    python -m tests.benchmarks.start
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.machine import arguments, tell

START_LIMIT_S = 1.5
IDLE_LIMIT_PERCENT = 3.0
RUNS = 5
SETTLE_S = 10.0
IDLE_S = 20.0


def started(environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], float]:
    """A demo, and the seconds from the start of its process until it was painted."""
    begun_ns = time.monotonic_ns()
    process = subprocess.Popen(
        [sys.executable, "-m", "sysmanager", "demo", "--report-painted"], env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert process.stdout is not None
    for line in process.stdout:
        word, _, number = line.decode().partition(" ")
        if word == "painted":
            return process, (int(number) - begun_ns) / 1e9
    raise SystemExit("The demo ended before its window was painted.")


def ended(process: subprocess.Popen[bytes]) -> float:
    """Tell it to end; the seconds that it took."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()
    return time.monotonic() - begun


def measure(platform: str, environment: dict[str, str]) -> dict[str, Any]:
    ended(started(environment)[0])
    starts, ends = [], []
    for _ in range(RUNS):
        process, seconds = started(environment)
        starts.append(seconds)
        ends.append(ended(process))
    process, _ = started(environment)
    time.sleep(SETTLE_S)
    watched = psutil.Process(process.pid)
    before, begun = watched.cpu_times(), time.monotonic()
    time.sleep(IDLE_S)
    after, elapsed = watched.cpu_times(), time.monotonic() - begun
    memory_mb = watched.memory_info().rss / 2**20
    ended(process)
    return {
        "platform": platform,
        "start median s": statistics.median(starts),
        "start worst s": max(starts),
        "idle cpu %": 100 * (after.user + after.system - before.user - before.system) / elapsed,
        "rss MB": memory_mb,
        "end worst s": max(ends),
    }


def main() -> int:
    parser = arguments("Start and idle cost of the demo.")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as home:
        folders = {f"XDG_{kind}_HOME": str(Path(home) / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
        environment = {**os.environ, **folders, "QT_QPA_PLATFORM": "offscreen"}
        rows.append(measure("offscreen", environment))
        if shutil.which("Xvfb") is not None:
            reading, writing = os.pipe()
            server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1920x1200x24"], pass_fds=[writing])
            os.close(writing)
            with os.fdopen(reading, encoding="ascii") as told:
                display = told.readline().strip()
            try:
                rows.append(measure("X", {**environment, "QT_QPA_PLATFORM": "xcb", "DISPLAY": f":{display}"}))
            finally:
                server.terminate()
                server.wait(10)
    good = all(row["start median s"] < START_LIMIT_S and row["idle cpu %"] < IDLE_LIMIT_PERCENT for row in rows)
    return tell("Start of the demo", rows, args.json, good=good)


if __name__ == "__main__":
    sys.exit(main())
