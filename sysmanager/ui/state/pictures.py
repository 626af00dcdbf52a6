"""The picture of the chosen camera, as the interface keeps and words it."""

from __future__ import annotations

from datetime import tzinfo

import msgspec

from sysmanager.api import CameraId, Picture
from sysmanager.domain.ids import RecorderId
from sysmanager.ui.state.texts import clock_text

LIVE_MS = 10_000
"""Up to this age a picture shows what is now; an older one has its age in words of its own."""


class ShownPicture(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a camera that was chosen in the list of `recorder`. sentence: why there is no picture.

    arrived_ms: when it came, by this machine's clock; 0: it is awaited.
    """

    recorder: RecorderId
    camera: CameraId
    picture: Picture | None = None
    sentence: str = ""
    arrived_ms: int = 0


def caption(shown: ShownPicture, now_ms: int, zone: tzinfo | None) -> str:
    """Time of the picture and its age; or why there is none."""
    if shown.arrived_ms == 0 and shown.picture is None:
        return "Asking for a picture."
    if shown.picture is None:
        return f"No picture: {shown.sentence}"
    age_ms = shown.picture.age_ms + max(0, now_ms - shown.arrived_ms)
    taken = clock_text(shown.picture.taken_wall_ms, zone).partition(".")[0]
    return f"{taken}, {_age(age_ms)}"


def _age(age_ms: int) -> str:
    if age_ms <= LIVE_MS:
        return f"{age_ms / 1000:.0f} s old"
    minutes = age_ms // 60_000
    if minutes < 1:
        return f"{age_ms // 1000} s old: ask for a new one"
    return f"{minutes} min old: ask for a new one"
