"""Synthetic live RTSP cameras: one process, H.264, a mark in every frame (see `sei`), faults on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sysmanager.simulation.cameras.config import CamerasConfig
    from sysmanager.simulation.cameras.server import CameraServer


async def serve(config: CamerasConfig, ready: Callable[[CameraServer], None] | None = None) -> None:
    """Run cameras until cancelled; `ready` is called once they listen. CamerasError when they cannot start."""
    from sysmanager.simulation.cameras.server import CameraServer  # keeps `cameras.sei` free of PyAV for the footage checker

    async with CameraServer(config) as server:
        if ready is not None:
            ready(server)
        await asyncio.Event().wait()


def run_cameras(config: CamerasConfig, ready: Callable[[CameraServer], None] | None = None) -> None:
    """Run cameras in this process until it is interrupted (Ctrl+C). CamerasError when they cannot start."""
    try:
        asyncio.run(serve(config, ready))
    except KeyboardInterrupt:
        return
