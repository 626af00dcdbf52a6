"""The self-test of a failover server that waits: what it finds of itself every minute (SPEC 16)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.values import Text, WallMs

PROBLEMS_LIMIT = 32


class SelfTestReport(msgspec.Struct, frozen=True, kw_only=True):
    """The last self-test. wall_ms: when it ended, by the server's clock. problems: a sentence each; empty: it passed.

    camera: of which it asked a description; empty: it knows none, because nobody told it of any yet.
    """

    wall_ms: WallMs
    problems: Annotated[tuple[Text, ...], msgspec.Meta(max_length=PROBLEMS_LIMIT)] = ()
    camera: CameraId = CameraId("")

    @property
    def passed(self) -> bool:
        return not self.problems
