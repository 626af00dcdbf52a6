"""Facts about cameras that change hands one by one (SPEC 8, 14.3)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import CameraId, FailoverId


class SessionsPassed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sessions-passed"):
    """It is the turn of these cameras, which allow one session: one, or all that were left because who has them is not heard.

    While a failback is undone they go back: one, or those of which the recorder has no frames any more.
    """

    failover: FailoverId
    cameras: tuple[CameraId, ...]


HandingFact = SessionsPassed
