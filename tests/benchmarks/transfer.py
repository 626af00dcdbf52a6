"""Material copy between two recorders over TLS with verification, against rsync of the same files on the same disk.

Aim: at least 110 MB/s at under one core (the target's process). The source is a process of its own. Pieces are of random bytes, with an
index, as large as a minute at 4 Mbit/s.

    python -m tests.benchmarks.transfer                 600 MB in pieces of 30 MB
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from sysmanager.documents.sealing import SiteKey
from sysmanager.domain.ids import CameraId, Epoch, JobId, RecorderId
from sysmanager.domain.jobs import MaterialHour
from sysmanager.protocol.jobs import CopyMaterial, HourState
from sysmanager.protocol.material import token_for
from sysmanager.recorder.index import IndexLine, index_name
from sysmanager.recorder.segments import SegmentName
from sysmanager.recorder.transfer.certificates import target_context
from sysmanager.recorder.transfer.hours import Shelf, hours_of
from sysmanager.recorder.transfer.source import MaterialSource
from sysmanager.recorder.transfer.target import MaterialTarget
from tests.benchmarks.machine import arguments, tell

KEY = SiteKey(bytes(range(32)))
FO_1, REC_1, CAMERA, EPOCH, JOB = RecorderId("FO-1"), RecorderId("REC-1"), CameraId("cam-001"), Epoch(2), JobId("J00001")
PIECE_BYTES = 30_000_000
AIM_MB_S = 110.0
START_MS = 1_790_000_000_000


def make(disk: Path, pieces: int) -> None:
    block = os.urandom(PIECE_BYTES)
    for number in range(pieces):
        start_ms = START_MS + number * 60_000
        name = SegmentName(camera=CAMERA, recorder=FO_1, epoch=EPOCH, start_ms=start_ms)
        path = disk / name.relative
        path.parent.mkdir(parents=True, exist_ok=True)
        content = number.to_bytes(8, "big") + block[8:]
        path.write_bytes(content)
        line = IndexLine(
            file=path.name,
            size_bytes=len(content),
            frames=900,
            first_frame_ms=start_ms,
            last_frame_ms=start_ms + 59_000,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        with (path.parent / index_name(FO_1)).open("ab") as index:
            index.write(line.encode())


async def serve(folder: Path) -> None:
    source = MaterialSource(FO_1, Shelf([folder / "there"]), KEY, folder / "data", lambda: False)
    await source.start("127.0.0.1", 0)
    print(source.address, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await source.close()


async def fetch(folder: Path, address: str, hours: tuple[MaterialHour, ...]) -> None:
    changed = asyncio.Event()
    disk = folder / "here"
    target = MaterialTarget(
        [disk], lambda: [disk], Shelf([disk]), target_context(KEY), minimum_free_bytes=0, busy=lambda: False, changed=changed.set
    )
    token = token_for(KEY.material_key, job=JOB, source=FO_1, target=REC_1, epoch=EPOCH, until_s=int(time.time()) + 3600)
    await target.copy(CopyMaterial(job=JOB, source=FO_1, address=address, epoch=EPOCH, home=REC_1, camera=CAMERA, hours=hours, token=token))
    while True:
        report = target.report()
        assert report is not None
        if all(hour.state is HourState.COPIED for hour in report.hours):
            break
        assert not any(hour.state is HourState.FAILED for hour in report.hours), report
        changed.clear()
        await changed.wait()
    await target.close()


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main() -> int:
    parser = arguments("Material copy against rsync.")
    parser.add_argument("--mb", type=int, default=600, help="how much to copy (default 600)")
    parser.add_argument("--serve", type=Path, help=argument_of_the_source())
    args = parser.parse_args()
    if args.serve is not None:
        asyncio.run(serve(args.serve))
        return 0
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in ("there", "here", "rsynced"):
            (folder / name).mkdir()
        make(folder / "there", max(1, args.mb * 1_000_000 // PIECE_BYTES))
        size_mb = sum(path.stat().st_size for path in (folder / "there").rglob("*.ts")) / 1e6
        hours = tuple(hours_of(Shelf([folder / "there"]).pieces(CAMERA, EPOCH)))
        command = [sys.executable, "-m", "tests.benchmarks.transfer", "--serve", str(folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as source:
            assert source.stdin is not None
            assert source.stdout is not None
            address = source.stdout.readline().decode().strip()
            own, other = psutil.Process(), psutil.Process(source.pid)
            before, began = (cpu_s(own), cpu_s(other)), time.monotonic()
            asyncio.run(fetch(folder, address, hours))
            took = time.monotonic() - began
            cores = ((cpu_s(own) - before[0]) / took, (cpu_s(other) - before[1]) / took)
            source.stdin.close()
        rows.append(
            {"what": "TLS and verification", "MB": size_mb, "MB/s": size_mb / took, "target cores": cores[0], "source cores": cores[1]}
        )
        rsync = shutil.which("rsync")
        if rsync is not None:
            began = time.monotonic()
            subprocess.run([rsync, "-a", "--whole-file", "--fsync", f"{folder / 'there'}/", str(folder / "rsynced")], check=True)
            rows.append({"what": "rsync, local, synced", "MB": size_mb, "MB/s": size_mb / (time.monotonic() - began)})
    good = rows[0]["MB/s"] >= AIM_MB_S and rows[0]["target cores"] < 1.0
    return tell("Material copy", rows, args.json, good=good)


def argument_of_the_source() -> str:
    return "used by the program itself: serve what lies in this folder"


if __name__ == "__main__":
    sys.exit(main())
