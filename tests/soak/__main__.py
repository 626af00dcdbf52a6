"""A long run of a real site: memory stays flat, no frame is missing, footage keeps within its quota.

Cameras, a coordinator, two recorders that share the cameras, and a failover server that holds their last seconds: processes of their own.
Every complete piece of footage is read, frame number by frame number, before retention deletes it. Exit status 0 if all is right.

    python -m tests.soak                                16 cameras, 15 minutes
    python -m tests.soak --minutes 120 --cameras 32 --json soak.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from sysmanager.app.errors import CommandError
from sysmanager.app.site.files import set_up
from sysmanager.app.site.frames import read_piece
from sysmanager.app.site.layout import SiteLayout
from sysmanager.app.site.running import RunningSite, running_site
from tests.soak.judging import Ledger, Memory, memory, verdict

LOOK_S = 5.0
SETTLED_S = 10.0
"""A piece that was not written to for so long is complete."""
BEGIN_S = 60.0
WARM_SHARE = 0.25
"""What memory does in the first quarter of the run, while rings and caches fill, is left out."""


class Soak:
    """What is gathered while the site runs."""

    def __init__(self, site: RunningSite) -> None:
        self._site = site
        self._read: set[Path] = set()
        self._sizes: dict[Path, tuple[int, float]] = {}
        self._began = time.monotonic()
        self.ledgers = {str(camera): Ledger() for cameras in site.shares.values() for camera in cameras}
        self.samples: dict[str, list[tuple[float, float]]] = {}
        self.rooms: dict[str, list[int]] = {}
        self.deleted = self.unread = 0

    def look(self, *, last: bool = False) -> None:
        """Read what is complete, weigh what runs. last: everything has stopped; read all that is left."""
        now = time.monotonic()
        there: dict[Path, int] = {}
        for place in self._site.layout.recorders:
            for disk in place.disks.values():
                sizes = dict(_pieces(disk))
                self.rooms.setdefault(f"{place.id} {disk.name}", []).append(sum(sizes.values()))
                there |= sizes
        gone = [path for path in self._sizes if path not in there]
        self.deleted += len(gone)
        self.unread += sum(path not in self._read for path in gone)
        for path, size in there.items():
            known, since = self._sizes.get(path, (-1, now))
            since = since if known == size else now
            self._sizes[path] = (size, since)
            if path not in self._read and (last or now - since >= SETTLED_S):
                self._take(path)
        for path in set(self._sizes) - set(there):
            del self._sizes[path]
        if not last:
            self._weigh(now - self._began)

    def _take(self, path: Path) -> None:
        self._read.add(path)
        piece = read_piece(path, path.parents[3].name)
        if piece is not None:
            self.ledgers[piece.camera].add(path.name, [frame.number for frame in piece.frames])

    def _weigh(self, at_s: float) -> None:
        for name, process in _processes(self._site):
            try:
                mb = process.memory_full_info().pss / 1e6
            except psutil.Error:
                continue
            self.samples.setdefault(name, []).append((at_s, mb))

    def memories(self) -> list[Memory]:
        found = []
        for name, samples in sorted(self.samples.items()):
            warm = [sample for sample in samples if sample[0] >= WARM_SHARE * samples[-1][0]]
            if len(warm) >= 2:
                found.append(memory(name, warm))
        return found


def _pieces(disk: Path) -> Iterator[tuple[Path, int]]:
    for path in disk.glob("*/*/*.ts"):
        try:
            yield path, path.stat().st_size
        except FileNotFoundError:
            continue


def _processes(site: RunningSite) -> Iterator[tuple[str, psutil.Process]]:
    """Not the cameras, which are no part of the product."""
    for recorder in site.watchdogs:
        for number, process in enumerate(site.processes_of(recorder)):
            yield f"{recorder} {'Watchdog' if number == 0 else 'service'}", process
    for number, process in enumerate(site.coordinator_processes()):
        yield ("coordinator", "guard", "bus")[min(number, 2)], process


def _with_quota(layout: SiteLayout, quota_mb: int) -> None:
    for place in layout.recorders:
        text = place.configuration.read_text(encoding="utf-8")
        lines = f"quota_mb = {quota_mb}\nminimum_hours = 0\n\n[disks]"
        place.configuration.write_text(text.replace("[disks]", lines), encoding="utf-8")


async def soak(folder: Path, cameras: int, minutes: float, quota_mb: int) -> dict[str, Any]:
    layout = SiteLayout(folder)
    layout.root.mkdir(parents=True, exist_ok=True)
    files = set_up(layout, cameras, rehearsal=True)
    _with_quota(layout, quota_mb)
    async with running_site(layout, files, preroll=True) as site:
        rows = site.watch.recorders
        await site.watch.until(
            lambda: sum(row.cameras_recording for row in rows.values()) >= cameras, BEGIN_S, "Not all cameras were recorded"
        )
        run = Soak(site)
        print(f"All {cameras} cameras are recorded. The run takes {minutes:g} min.", flush=True)
        until_s = time.monotonic() + minutes * 60
        while time.monotonic() < until_s:
            await asyncio.to_thread(run.look)
            await asyncio.sleep(min(LOOK_S, max(0.0, until_s - time.monotonic())))
    await asyncio.to_thread(run.look, last=True)
    report = verdict(run.ledgers, run.memories(), run.rooms, quota_mb << 20, run.deleted)
    if run.unread:
        report["findings"].insert(
            0, f"{run.unread} pieces were deleted before they could be read: give more --quota-mb, or fewer --cameras"
        )
    return {"cameras": cameras, "minutes": minutes, "quota_mb": quota_mb, "system": platform.platform(), **report}


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    return "\n".join([f"== {log.name}", *lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="A long run of a real site.", epilog="example: python -m tests.soak"
    )
    parser.add_argument("--cameras", type=int, default=16, metavar="N", help="cameras in all (default 16)")
    parser.add_argument("--minutes", type=float, default=15.0, metavar="M", help="how long (default 15)")
    parser.add_argument("--quota-mb", type=int, default=48, metavar="MB", help="what footage may take of each disk (default 48)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = asyncio.run(soak(Path(folder) / "site", args.cameras, args.minutes, args.quota_mb))
        except CommandError as error:
            print(f"{error}\n", *(_end_of(log) for log in sorted(Path(folder).glob("site/logs/*"))), file=sys.stderr)
            return 2
    for each in report["memory"]:
        print(
            f"{each['name']:16} {each['mean_mb']:7.1f} MB, from {each['first_mb']:.1f} to {each['last_mb']:.1f}, "
            f"{each['slope_mb_h']:+.1f} MB an hour"
        )
    print(f"{report['frames']} frames read, {report['deleted_pieces']} pieces deleted, at most {report['most_mb']} MB on each disk")
    print(json.dumps(report))
    if args.json is not None:
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for finding in report["findings"]:
        print(finding, file=sys.stderr)
    return 1 if report["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
