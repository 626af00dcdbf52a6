"""The recorder against one `ffmpeg -c copy -f segment` per camera, side by side: the same cameras, at the same time, on the same disk.

Both write every packet at once and sync every 5 s (for FFmpeg a thread of this program does that, and its CPU counts as FFmpeg's). CPU and
PSS are of all processes: Watchdog and recording service; all FFmpegs. Aim: CPU at most 1.5 times FFmpeg's at 8 cameras, 1.3 times at 32 and
64, memory at most half.

    python -m tests.benchmarks.recorder                 8, 32 and 64 cameras, 30 s each
    python -m tests.benchmarks.recorder --passwords     the same; the recorder loads what opens sealed secrets too
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.machine import arguments, tell
from tests.benchmarks.recording_site import cameras, cpu_s, disks_of, family, process, pss_mb, recorder_files

AIMS = {8: 1.5, 32: 1.3, 64: 1.3}
MEMORY_AIM = 0.5
SYNC_EVERY_S = 5.0
START_S = 60.0
SETTLE_S = 12.0
"""Streams are proved by then, and their frames are taken in together as they are for good."""


class Syncing:
    """Syncs every file that grew, every 5 s, as the recorder does. cpu_s: what that cost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self._sizes: dict[Path, int] = {}
        self.cpu_s = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(SYNC_EVERY_S):
            for path in self._folder.rglob("*.ts"):
                size = path.stat().st_size
                if self._sizes.get(path) != size:
                    self._sizes[path] = size
                    file = os.open(path, os.O_RDONLY)
                    os.fsync(file)
                    os.close(file)
            self.cpu_s = time.thread_time()


@contextlib.contextmanager
def ffmpegs(program: str, folder: Path, addresses: dict[str, str]) -> Iterator[list[psutil.Process]]:
    """One for each camera, segments of a minute, every packet flushed."""
    running = []
    try:
        for camera, url in addresses.items():
            (folder / camera).mkdir(parents=True)
            command = [program, "-nostdin", "-loglevel", "quiet", "-rtsp_transport", "tcp", "-i", url, "-c", "copy", "-f", "segment"]
            command += ["-segment_time", "60", "-segment_format", "mpegts", "-segment_format_options", "flush_packets=1"]
            command += ["-flush_packets", "1", str(folder / camera / "%05d.ts")]
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        yield [psutil.Process(each.pid) for each in running]
    finally:
        for each in running:
            each.terminate()
        for each in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.wait(10)
            each.kill()
            each.wait()


def all_written(folders: list[Path], cameras: int) -> bool:
    """Whether there is footage of so many cameras."""
    return len({path.parts[len(folder.parts)] for folder in folders for path in folder.rglob("*.ts") if path.stat().st_size}) >= cameras


def written_bytes(folders: list[Path]) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*.ts"))


def measure(program: str, count: int, seconds: float, size: str, *, passwords: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as text, contextlib.ExitStack() as stack:
        folder = Path(text)
        addresses = stack.enter_context(cameras(count, folder / "cache", size))
        secret = {"user": "admin", "password": "never asked for"} if passwords else {}
        configuration = recorder_files(folder, addresses, **secret)
        recorder = stack.enter_context(process("recorder", "--config", str(configuration)))
        foreign = stack.enter_context(ffmpegs(program, folder / "ffmpeg", addresses))
        syncing = Syncing(folder / "ffmpeg")
        places = {"recorder": disks_of(folder), "ffmpeg": [folder / "ffmpeg"]}
        until_s = time.monotonic() + START_S
        while not all(all_written(place, count) for place in places.values()):
            if time.monotonic() > until_s:
                raise SystemExit(f"Not all {count} cameras were recorded within {START_S:g} s.")
            time.sleep(0.2)
        time.sleep(SETTLE_S)
        own = {"recorder": family(recorder.pid), "ffmpeg": foreign}
        before = {who: (cpu_s(each), written_bytes(places[who])) for who, each in own.items()}
        before_sync, began = syncing.cpu_s, time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        rows = []
        for who, each in own.items():
            cpu, written = cpu_s(each) - before[who][0], written_bytes(places[who]) - before[who][1]
            if who == "ffmpeg":
                cpu += syncing.cpu_s - before_sync
            rows.append(
                {
                    "cameras": count,
                    "who": who,
                    "processes": len(each),
                    "CPU %": 100 * cpu / took,
                    "CPU ms per camera s": 1000 * cpu / took / count,
                    "PSS MB": pss_mb(each),
                    "written MB": written / 1e6,
                }
            )
        syncing.end()
    ours, theirs = rows
    ours["CPU times"], ours["PSS times"] = ours["CPU %"] / theirs["CPU %"], ours["PSS MB"] / theirs["PSS MB"]
    return rows


def main() -> int:
    parser = arguments("The recorder against one ffmpeg per camera.")
    parser.add_argument("--cameras", type=int, action="append", help="by default 8, 32 and 64")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement (default 30)")
    parser.add_argument("--size", default="640x360", help="of the cameras' picture (default 640x360)")
    parser.add_argument("--passwords", action="store_true", help="the recorder has a password of each camera: it opens sealed secrets")
    args = parser.parse_args()
    if re.fullmatch(r"\d+x\d+", args.size) is None:
        parser.error(f"{args.size!r} is no picture size such as 640x360")
    program = shutil.which("ffmpeg")
    if program is None:
        raise SystemExit("There is no ffmpeg on this machine to compare with.")
    measured = [measure(program, count, args.seconds, args.size, passwords=args.passwords) for count in args.cameras or AIMS]
    rows = [row for both in measured for row in both]
    good = all(
        row["CPU times"] <= AIMS.get(row["cameras"], 1.3) and row["PSS times"] <= MEMORY_AIM for row in rows if row["who"] == "recorder"
    )
    return tell("Recorder and FFmpeg, side by side", rows, args.json, good=good)


if __name__ == "__main__":
    sys.exit(main())
