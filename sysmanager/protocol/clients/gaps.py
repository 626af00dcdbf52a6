"""What the measured gaps come to (SPEC 14.4)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.gaps import GapTotal
from sysmanager.domain.ids import GroupId, RecorderId


class MeasuredGaps(msgspec.Struct, frozen=True, kw_only=True, tag="measured-gaps", forbid_unknown_fields=True):
    """What do the gaps of every recorder, every group and the system come to, since they are in system data?"""


class RecorderGaps(msgspec.Struct, frozen=True, kw_only=True):
    recorder: RecorderId
    total: GapTotal


class GroupGaps(msgspec.Struct, frozen=True, kw_only=True):
    """Of the recorders that are in the group now."""

    group: GroupId
    total: GapTotal


class GapTotals(msgspec.Struct, frozen=True, kw_only=True, tag="gap-totals"):
    """Answer to `MeasuredGaps`. recorders: whose cameras they are, by id; those that were never replaced too. system: removed ones too."""

    system: GapTotal
    groups: tuple[GroupGaps, ...]
    recorders: tuple[RecorderGaps, ...]
