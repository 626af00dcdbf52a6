"""What the synthetic cameras are told at their start."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sysmanager.simulation.cameras.auth import Scheme
from sysmanager.simulation.cameras.clip import ClipShape


class CamerasError(Exception):
    """The cameras cannot start; the text is one sentence for people."""


class CamerasConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`count` cameras with the ids `cam-001`, `cam-002`, …

    cache: folder for the encoded clip, made when missing.
    port: RTSP port; the control port is the next one. 0 takes two free ports.
    authentication: with `basic` or `digest` a client needs username and password.
    sessions_per_camera: one more is refused with status 453.
    sender_reports: RTCP reports that map RTP time to the wall clock; off is a camera without them.
    """

    count: int = 8
    cache: Path
    host: str = "127.0.0.1"
    port: int = 8554
    clip: ClipShape = ClipShape()
    authentication: Scheme = "none"
    username: str = ""
    password: str = ""
    sessions_per_camera: int = 4
    sender_reports: bool = True

    def check(self) -> None:
        """CamerasError with one sentence when the cameras could not run like this."""
        if not 1 <= self.count <= 1000:
            raise CamerasError(f"The number of cameras is {self.count}; it must be between 1 and 1000.")
        if self.port != 0 and not 1 <= self.port <= 65534:
            raise CamerasError(f"The port is {self.port}; it must be between 1 and 65534, or 0 for any free one.")
        if not 1 <= self.sessions_per_camera <= 1000:
            raise CamerasError(f"The sessions per camera are {self.sessions_per_camera}; they must be between 1 and 1000.")
        if self.authentication != "none" and not self.username:
            raise CamerasError(f"The authentication is {self.authentication}, but there is no user name.")
        try:
            self.clip.check()
        except ValueError as error:
            raise CamerasError(f"The cameras' picture cannot be made: {error}.") from None

    def camera_ids(self) -> tuple[str, ...]:
        return tuple(f"cam-{number:03d}" for number in range(1, self.count + 1))
