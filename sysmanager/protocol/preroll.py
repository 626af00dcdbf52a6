"""Pre-roll (SPEC 6): which cameras a failover server on standby keeps the last seconds of, so that there is no gap when it takes over."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.protocol.values import CAMERAS_LIMIT, Count, Text


class PrerollPart(msgspec.Struct, frozen=True, kw_only=True):
    """What to keep of one recorder's cameras: the last `seconds` of each. documents: where their addresses are found."""

    home: RecorderId
    documents: DocumentSet
    cameras: Annotated[tuple[CameraId, ...], msgspec.Meta(max_length=CAMERAS_LIMIT)]
    seconds: Count


class KeepPreroll(msgspec.Struct, frozen=True, kw_only=True, tag="keep-preroll"):
    """Order to a server on standby: keep the pre-roll of these cameras, and of no others. Empty `parts`: of none.

    It holds as long as the server is on standby under `epoch`; after a start of the service it is sent again.
    plan: names the content; the heartbeat says which one is followed.
    """

    epoch: Epoch
    plan: str
    parts: tuple[PrerollPart, ...] = ()


class PrerollBeat(msgspec.Struct, frozen=True, array_like=True):
    """One camera whose pre-roll is kept: how many milliseconds of it are there now."""

    camera: CameraId
    held_ms: Count


class PrerollReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of its pre-roll.

    memory_mb: room for it in all; 0: it cannot keep any. limit_s: the most seconds of one camera. plan: which order it follows, "" none.
    """

    memory_mb: Count = 0
    limit_s: Count = 0
    plan: Text = ""
    cameras: Annotated[tuple[PrerollBeat, ...], msgspec.Meta(max_length=CAMERAS_LIMIT)] = ()


NO_PREROLL = PrerollReport()
"""Of a server that cannot keep any."""
