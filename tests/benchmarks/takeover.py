"""A failover server takes over, and a recording service starts: from the settings to the first key frame of each camera.

Real processes over a real bus. *Take-over*: from the order with the settings, until it is confirmed, and to the first frame of each camera
as the server stamped it; cold, and with pre-roll, where the footage begins before the order. Cameras send a key frame a second: without
pre-roll nobody can begin sooner than with the next one. Aims: cold at most the second for the key frame plus 0.3 s; with pre-roll 0.
*Start*: from the start of the process to the heartbeat that says that all cameras are recorded. Aim: under 2 s for 32 cameras.

    python -m tests.benchmarks.takeover                 32 and 64 cameras
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import tests.helpers.recorder_site as helper
from sysmanager.bus.credentials import BusUser, load_credentials, save_credentials
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.server import BusServer
from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.protocol.preroll import KeepPreroll, PrerollPart
from sysmanager.protocol.recorders import Beat, CameraState, Mode, Obeyed, OrderKey, Record, StandDown
from tests.benchmarks.machine import arguments, quantile, tell
from tests.benchmarks.recording_site import cameras

KEY_FRAME_MS = 1_000
COLD_MS = KEY_FRAME_MS + 300
START_S = 2.0
START_CAMERAS = 32
HELD_MS = 4_000
GATE, SPARE = RecorderId("gate"), RecorderId("spare")
WAIT_S = 60.0


@contextlib.asynccontextmanager
async def coordinator(folder: Path) -> AsyncIterator[helper.Coordinator]:
    """Answers recorders; their credentials lie in the folder."""
    server = BusServer(folder / "bus")
    credentials = await server.start()
    save_credentials(folder / "bus.json", credentials.only(BusUser.RECORDER))
    bus = NatsBus(load_credentials(server.credentials_path), BusUser.COORDINATOR, "benchmark")
    try:
        if not await bus.open(wait_ms=10_000):
            raise SystemExit("The bus does not answer.")
        found = helper.Coordinator(bus)
        await found.open()
        yield found
    finally:
        await bus.close()
        await server.close()


@contextlib.asynccontextmanager
async def service(config: Path) -> AsyncIterator[None]:
    command = [sys.executable, "-X", "utf8", "-m", "sysmanager", "recorder", "--config", str(config), "--service-only"]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def records(count: int) -> Any:
    def holds(beat: Beat) -> bool:
        lit = [camera for camera in beat.cameras if camera.state is CameraState.RECORDING and camera.first_frame_ms]
        return beat.mode is Mode.RECORDING and len(lit) == count

    return holds


def row(what: str, count: int, values: list[float], **more: Any) -> dict[str, Any]:
    return {"what": what, "cameras": count, "p50 ms": quantile(values, 0.5), "max ms": max(values), **more}


async def measure(count: int, *, start: bool) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as text, cameras(count, Path(text) / "cache") as addresses:
        folder = Path(text)
        async with coordinator(folder) as heard:
            gate = helper.recorder_folder(folder, GATE, addresses)
            spare = helper.recorder_folder(folder, SPARE, {}, standby=True)
            began = time.monotonic()
            async with service(gate):
                beat = await heard.beat(GATE, records(count))
                took_s = time.monotonic() - began
                await heard.take_documents(GATE, beat)
                documents = beat.documents
                assert documents is not None
            if start:
                rows.append(row("start of the service", count, [1000 * took_s]))
            async with service(spare):
                await heard.beat(SPARE, lambda found: found.mode is Mode.STANDBY)
                ids = tuple(CameraId(camera) for camera in addresses)
                for name, epoch in (("take-over, cold", 5), ("take-over, pre-roll", 7)):
                    if "pre-roll" in name:
                        part = PrerollPart(home=GATE, documents=documents, cameras=ids, seconds=HELD_MS // 1000 + 2)
                        await heard.order(SPARE, KeepPreroll(epoch=Epoch(epoch - 1), plan="all", parts=(part,)))
                        await heard.beat(SPARE, lambda found: _holds(found, count))
                    ordered_ms, ordered = time.time_ns() // 1_000_000, time.monotonic()
                    answer = await heard.order(SPARE, Record(key=OrderKey(), epoch=Epoch(epoch), home=GATE, documents=documents))
                    if not isinstance(answer, Obeyed):
                        raise SystemExit(f"The server did not obey: {answer}")
                    answered_ms = 1000 * (time.monotonic() - ordered)
                    beat = await heard.beat(SPARE, lambda found, epoch=epoch: found.epoch == epoch and records(count)(found))
                    heard_ms = 1000 * (time.monotonic() - ordered)
                    firsts = [float(camera.first_frame_ms - ordered_ms) for camera in beat.cameras]
                    rows.append(row(name, count, firsts, **{"confirmed ms": answered_ms, "all heard ms": heard_ms}))
                    await heard.order(SPARE, StandDown(key=OrderKey(), epoch=Epoch(epoch + 1)))
                    await heard.beat(SPARE, lambda found, epoch=epoch: found.mode is Mode.STANDBY and found.epoch == epoch + 1)
    return rows


def _holds(beat: Beat, count: int) -> bool:
    return sum(camera.held_ms >= HELD_MS for camera in beat.preroll.cameras) == count


def main() -> int:
    parser = arguments("Take-over and start of a recorder.")
    parser.add_argument("--cameras", type=int, action="append", help="by default 32 and 64")
    args = parser.parse_args()
    helper.WAIT_S = WAIT_S
    rows: list[dict[str, Any]] = []
    for count in args.cameras or [32, 64]:
        rows += asyncio.run(measure(count, start=count <= START_CAMERAS))
    aims = {"start of the service": 1000 * START_S, "take-over, cold": COLD_MS, "take-over, pre-roll": 0}
    return tell("Start and take-over", rows, args.json, good=all(each["max ms"] <= aims[each["what"]] for each in rows))


if __name__ == "__main__":
    sys.exit(main())
