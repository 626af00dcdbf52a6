"""Why a camera gives no frames, and when to try it again (SPEC 16: for ever, with growing, jittered waits)."""

from __future__ import annotations

import errno
import random
import socket
from typing import Final
from urllib.parse import urlsplit

import av.error
import msgspec

from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.redaction import redact

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 10.0
BUSY_WAIT_S: Final = 1.0
RTSP_PORT: Final = 554
PROBE_TIMEOUT_S: Final = 1.0

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.ETIMEDOUT, errno.EADDRNOTAVAIL, errno.EIO}


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a camera, and a sentence for people, without secrets."""

    state: CameraState
    sentence: str


class Waits:
    """The waits between tries of one camera: 0.2 s, then twice as long each time up to 10 s, less a random part of up to half.

    A busy camera is retried every second: its other session may end any moment (SPEC 13.2). So is one in quarantine: asking costs nothing.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._tries = 0

    def reset(self) -> None:
        """A frame came: the next wait is a short one."""
        self._tries = 0

    def next_s(self, state: CameraState) -> float:
        if state in (CameraState.BUSY, CameraState.QUARANTINED):
            return BUSY_WAIT_S * self._chance.uniform(0.9, 1.0)
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._tries, 16))
        self._tries += 1
        return longest * self._chance.uniform(0.5, 1.0)


def opening_problem(error: Exception, name: str, url: str, elapsed_s: float, timeout_s: float) -> Problem:
    """Why a stream could not be opened. `url` without credentials; `elapsed_s`: how long the try took."""
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return Problem(CameraState.WRONG_PASSWORD, f"{name} does not accept its user name or password. Correct them in the settings.")
        case av.error.HTTPNotFoundError():
            return Problem(CameraState.NOT_FOUND, f"{name} has no stream under this address. Correct the path in the settings.")
        case av.error.HTTPOtherClientError() | av.error.HTTPTooManyRequestsError() | av.error.HTTPServerError():
            return Problem(CameraState.BUSY, f"{name} gives no further session now. It is tried again every second.")
        case av.error.ConnectionRefusedError():
            return Problem(CameraState.REFUSED, f"{name} refuses the connection. Check that its RTSP service is on and the port is right.")
        case av.error.TimeoutError() | av.error.ExitError():
            return _unreachable(name)
        case av.error.InvalidDataError():
            # FFmpeg says this of every RTSP answer that did not come.
            return _unreachable(name) if elapsed_s >= 0.9 * timeout_s else _knock(name, url)
        case av.error.FFmpegError() if error.errno in _UNREACHABLE:
            return _unreachable(name)
        case av.error.FFmpegError():
            return Problem(CameraState.FAILED, f"The stream of {name} cannot be opened: {redact(error.strerror or type(error).__name__)}.")
        case _:
            return Problem(CameraState.FAILED, f"The stream of {name} cannot be opened: {redact(str(error))}.")


def _unreachable(name: str) -> Problem:
    return Problem(CameraState.UNREACHABLE, f"{name} does not answer. Check its power, its network and its address.")


def _knock(name: str, url: str) -> Problem:
    """Tell a camera that hangs up from one that is not there, by a bare connection."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or RTSP_PORT), PROBE_TIMEOUT_S):
            return Problem(CameraState.REFUSED, f"{name} ends the connection without an answer. Check whether it is overloaded.")
    except ConnectionRefusedError:
        return Problem(CameraState.REFUSED, f"{name} refuses the connection. Check that its RTSP service is on and the port is right.")
    except (OSError, ValueError):
        return _unreachable(name)
