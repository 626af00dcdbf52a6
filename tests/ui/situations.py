"""The situations in which the actions of the interface are judged, each a state of an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sysmanager.api import (
    Alarm,
    CameraState,
    Connection,
    CoordinatorState,
    FailbackHoldCause,
    FailbackHoldRow,
    Health,
    HoldCause,
    HoldRow,
    Maintenance,
    RecorderRow,
    Scope,
    Target,
)
from sysmanager.domain.failover import Failback, Failover, Phase, Reason
from sysmanager.domain.ids import Epoch, FailoverId
from sysmanager.domain.recorder import Acting, Broken, Reserved, Role
from sysmanager.ui.state.events import (
    CameraSelected,
    FailoverSelected,
    FieldsEdited,
    LinkChanged,
    OperationStarted,
    PlaceSelected,
    SnapshotArrived,
)
from sysmanager.ui.state.model import Link, Place, Running, UiState
from sysmanager.ui.state.reducer import reduce
from tests.ui import site

R, F, F2 = site.rid("R"), site.rid("F"), site.rid("F2")
KEY = FailoverId("F00001")


def entry(phase: Phase, **more: Any) -> Failover:
    return site.failover(1, "R", phase, server=F, group=site.A, **more)


def recording(**more: Any) -> RecorderRow:
    return site.server("R", site.A, **more)


def standby(**more: Any) -> RecorderRow:
    return site.server("F", site.A, role=Role.FAILOVER, **more)


def broken(**more: Any) -> RecorderRow:
    return recording(assignment=Broken(epoch=Epoch(3), failover=KEY), failover=KEY, **more)


def acting(**more: Any) -> RecorderRow:
    return standby(assignment=Acting(epoch=Epoch(4), for_recorder=R, failover=KEY), failover=KEY, **more)


def reserved() -> RecorderRow:
    return standby(assignment=Reserved(epoch=Epoch(4), for_recorder=R, failover=KEY), failover=KEY)


def state(*rows: RecorderRow, selected: str | None = "R", log: tuple[Failover, ...] = ()) -> UiState:
    snapshot = msgspec.structs.replace(site.harbour(), recorders=rows, failovers=log)
    now = reduce(UiState(actor=site.ADMIN), SnapshotArrived(snapshot))
    place = PlaceSelected(Place.SERVER, site.rid(selected)) if selected is not None else PlaceSelected(Place.SITE)
    return reduce(now, place)


def _edited(name: str, change: Callable[[UiState], UiState] = lambda now: now) -> UiState:
    now = state(recording(), standby())
    row = now.recorders[R]
    return change(reduce(now, FieldsEdited(R, msgspec.structs.replace(row.edit, name=name))))


def _changed_meanwhile(now: UiState) -> UiState:
    row = msgspec.structs.replace(now.recorders[R], revision=5, address="10.9.9.9")
    return msgspec.structs.replace(now, recorders={**now.recorders, R: row})


def _reconciling() -> UiState:
    now = state(recording(), standby())
    assert now.system is not None
    return msgspec.structs.replace(now, system=msgspec.structs.replace(now.system, state=CoordinatorState.RECONCILE))


def _running(key: str) -> UiState:
    return reduce(state(recording(), standby()), OperationStarted(Running(key=key, sentence="Being asked.")))


FAILBACK_HOLD = FailbackHoldRow(cause=FailbackHoldCause.FLAPPING, actor=site.ADMIN, since_wall_ms=site.NOW_MS)
HOLD = HoldRow(cause=HoldCause.PERSON, actor=site.ADMIN, since_wall_ms=site.NOW_MS)
AWAY: dict[str, Any] = {"connection": Connection.LOST, "health": Health.BAD}
FAILED_BACK = Failback(actor=site.ADMIN, started_ms=1, epoch=Epoch(5), reason=Reason.SAVING_FAILED)

MAINTENANCE = Maintenance(
    target=Target(scope=Scope.RECORDER, id="R"),
    reason="new disks",
    until_wall_ms=site.NOW_MS + 3_600_000,
    since_wall_ms=site.NOW_MS,
    actor=site.ADMIN,
)


def _alarmed(now: UiState) -> UiState:
    assert now.system is not None
    alarm = Alarm(key="crash loop", sentence="The coordinator started three times.", since_wall_ms=site.NOW_MS)
    return msgspec.structs.replace(now, system=msgspec.structs.replace(now.system, alarms=(alarm,)))


def _camera_chosen(how: CameraState) -> UiState:
    """The first camera of the selected server is chosen in its list."""
    row = recording()
    cameras = (msgspec.structs.replace(row.cameras[0], state=how), *row.cameras[1:])
    now = state(msgspec.structs.replace(row, cameras=cameras), standby())
    return reduce(now, CameraSelected(R, cameras[0].id))


SITUATIONS: dict[str, UiState] = {
    "site selected": state(recording(), standby(), selected=None),
    "empty site": reduce(UiState(actor=site.ADMIN), SnapshotArrived(site.empty())),
    "well": state(recording(), standby()),
    "silent": state(recording(countdown_ms=9000, connection=Connection.SILENT, health=Health.BAD), standby()),
    "in maintenance": state(recording(maintenance=MAINTENANCE), standby()),
    "crash loop": _alarmed(state(recording(), standby())),
    "held": state(recording(hold=HOLD), standby()),
    "no group": state(site.server("R", None), standby()),
    "no free standby": state(recording(), standby(**AWAY)),
    "failover off": state(recording(failover_enabled=False), standby()),
    "waiting for a standby": state(recording(failover=KEY, **AWAY), standby(**AWAY), log=(entry(Phase.WAITING),)),
    "queued": state(recording(failover=KEY, **AWAY), standby(), log=(entry(Phase.QUEUED),)),
    "failover running": state(recording(failover=KEY, **AWAY), reserved(), log=(entry(Phase.FETCHED),)),
    "failover committed": state(broken(**AWAY), acting(), log=(entry(Phase.COMMITTED),)),
    "failover cancelled": state(recording(), standby(), log=(entry(Phase.CANCELLED),)),
    "failover failed": state(recording(), standby(), log=(entry(Phase.FAILED),)),
    "standby": state(recording(), standby(), selected="F"),
    "reserved": state(recording(failover=KEY, **AWAY), reserved(), selected="F", log=(entry(Phase.FETCHED),)),
    "acting, home well": state(broken(), acting(), selected="F", log=(entry(Phase.READY),)),
    "acting, home away": state(broken(**AWAY), acting(), selected="F", log=(entry(Phase.READY),)),
    "broken, well again": state(broken(), acting(), log=(entry(Phase.READY),)),
    "broken, away": state(broken(**AWAY), acting(), log=(entry(Phase.READY),)),
    "broken, no disks": state(broken(lost_disks=4), acting(), log=(entry(Phase.READY),)),
    "broken, entry gone": state(broken(), acting()),
    "failback running": state(broken(), acting(), log=(entry(Phase.FAILBACK_TAKEN),)),
    "failback committed": state(recording(), standby(), log=(entry(Phase.FAILBACK_COMMITTED),)),
    "fails back by itself": state(broken(failback_in_ms=60_000), acting(), log=(entry(Phase.READY),)),
    "failback held": state(broken(failback_hold=FAILBACK_HOLD), acting(), log=(entry(Phase.READY),)),
    "failback failed": state(broken(), acting(), log=(entry(Phase.READY, failback=FAILED_BACK),)),
    "failback done": state(recording(), standby(), log=(entry(Phase.RETURNED),)),
    "edited": _edited("New name"),
    "edited wrongly": _edited(" "),
    "edited by two": _edited("New name", _changed_meanwhile),
    "reconcile": _reconciling(),
    "link lost": reduce(state(recording(), standby(), log=(entry(Phase.READY),)), LinkChanged(Link.LOST, "It is gone.")),
    "failover being asked": _running("server:R"),
    "hold being asked": _running("hold:R"),
    "demo": msgspec.structs.replace(state(recording(), standby()), practice=True),
    "no entry selected": reduce(state(recording(), standby()), FailoverSelected(None)),
    "camera chosen": _camera_chosen(CameraState.RECORDING),
    "camera in quarantine chosen": _camera_chosen(CameraState.QUARANTINED),
}
