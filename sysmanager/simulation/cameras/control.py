"""The control port of the synthetic cameras: one command a line, one answer a line.

`stall CAMERA`, `drop CAMERA`, `refuse CAMERA`, `blackhole CAMERA`, `garbage CAMERA`, `ok CAMERA` (CAMERA may be `all`), and `stat`, which
answers with JSON: camera → sessions, fault, frame number, refused sessions. `cut CLIENT` breaks the connections of clients whose
User-Agent has this word and lets none in until `mend CLIENT`: they reach no camera any more, others do. Answers are `ok` or `error: …`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from sysmanager.simulation.cameras.live import Fault

if TYPE_CHECKING:
    from sysmanager.simulation.cameras.server import CameraServer


class CameraStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One camera in the answer to `stat`."""

    sessions: int
    fault: str
    frame: int
    refused_sessions: int


async def serve_control(server: CameraServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection to the control port until it ends."""
    try:
        while line := await reader.readline():
            writer.write((execute(server, line.decode("utf-8", "replace")) + "\n").encode("utf-8"))
            await writer.drain()
    except (ConnectionError, ValueError):
        pass  # gone, or a line beyond the limit
    finally:
        writer.close()


def execute(server: CameraServer, line: str) -> str:
    """Carry out one command; the answer without its line end."""
    match line.split():
        case ["stat"]:
            return msgspec.json.encode({camera: _status(server, camera) for camera in server.cameras}).decode("utf-8")
        case ["drop" | "stall" | "refuse" | "blackhole" | "garbage" | "ok" as verb, name]:
            if name != "all" and name not in server.cameras:
                return f"error: there is no camera {name!r}"
            for camera in list(server.cameras) if name == "all" else [name]:
                if verb == "drop":
                    server.drop(camera)
                else:
                    server.set_fault(camera, Fault(verb))
            return "ok"
        case ["cut", word]:
            server.cut(word)
            return "ok"
        case ["mend", word]:
            server.mend(word)
            return "ok"
        case _:
            return "error: expected stat, cut or mend and a client, or stall, drop, refuse, blackhole, garbage, ok and a camera or all"


def _status(server: CameraServer, camera: str) -> CameraStatus:
    live = server.cameras[camera]
    return CameraStatus(sessions=len(live.sessions), fault=live.fault.value, frame=live.frame, refused_sessions=live.refused_sessions)


async def send_command(host: str, control_port: int, command: str, timeout_s: float = 5.0) -> str:
    """Send one command to running cameras and return the answer. OSError or TimeoutError when nobody answers."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(host, control_port, limit=1 << 20)
        try:
            writer.write((command + "\n").encode("utf-8"))
            return (await reader.readline()).decode("utf-8").rstrip("\n")
        finally:
            writer.close()
