"""Facts about servers that share a machine."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import RecorderId


class SharedMachineAccepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="shared-machine-accepted"):
    """A person accepted that the server shares its machine with these, and with no others."""

    recorder: RecorderId
    shares: tuple[str, ...]


MachineFact = SharedMachineAccepted
