"""Facts about automatic failback that is held (SPEC 8, 13.5)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.clients import FailbackHoldCause


class FailbackHeld(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-held"):
    """Automatic failback of a recorder is held until a person acknowledges it. Failover is not."""

    recorder: RecorderId
    cause: FailbackHoldCause


class FailbackReleased(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failback-released"):
    """A person let automatic failback run again."""

    recorder: RecorderId


FailbackHoldFact = FailbackHeld | FailbackReleased
