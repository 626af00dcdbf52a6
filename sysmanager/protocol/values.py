"""Numbers and texts as a server may report them: bounded, so that one that makes no sense is refused where it enters (SPEC 18)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from sysmanager.domain.ids import Epoch

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number as a recorder may report it: not negative, and exact in every program that reads JSON."""

WallMs = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_000)]
"""Milliseconds since 1970, up to the year 9999: what is later is no time for people."""

TEXT_LIMIT = 1000

Text = Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]
"""What a server says in words; it may go into log entries and so into the journal."""

EpochReport = Annotated[Epoch, msgspec.Meta(ge=0, le=2**53)]
"""An epoch as a recorder may report it: one beyond all reason would be the highest of the site for ever."""

CAMERAS_LIMIT = 1024
DISKS_LIMIT = 64


class ServiceState(StrEnum):
    """What a Watchdog says of its recording service. `failed`: 3 failed starts, or 30 s without one that held (SPEC 4.3)."""

    RUNNING = "running"
    STARTING = "starting"
    FAILED = "failed"
