"""Facts by which a failover server keeps the tasks that it took over, for good (SPEC 10)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.ids import Epoch, FailoverId, GroupId, RecorderId


class ServerAdopted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="server-adopted"):
    """A replaced recorder is a failover server of `group` from now on, and who acted for it is a recorder like any other: one record.

    epoch: under which the latter records. standby_epoch: under which the adopted one waits. to_do: what a person must do by hand.
    """

    failover: FailoverId
    adopted: RecorderId
    group: GroupId
    epoch: Epoch
    standby_epoch: Epoch
    to_do: tuple[str, ...] = ()


class ReplacedRemoved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="replaced-removed"):
    """A replaced recorder left system data, and who acted for it is a recorder like any other: one record.

    retired_epoch: what the removed one is told when it comes back and asks.
    """

    failover: FailoverId
    removed: RecorderId
    epoch: Epoch
    retired_epoch: Epoch
    to_do: tuple[str, ...] = ()


AdoptionFact = ServerAdopted | ReplacedRemoved
