"""The site of one simulation: groups, servers, cameras and their documents, drawn from a seed or laid out for a scenario."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sysmanager.documents.sealing import canonical_hash
from sysmanager.domain.camera import CameraKind, FailoverPriority
from sysmanager.domain.documents import (
    CameraSettings,
    DocumentSet,
    MasksDocument,
    SchedulesDocument,
    SettingsDocument,
)
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, DocumentHash, GroupId, InstanceId, RecorderId
from sysmanager.domain.jobs import DrillSchedule, MaterialCopySettings
from sysmanager.domain.recorder import DEFAULT_FAILBACK_AFTER_S, RecorderEdit, Role
from sysmanager.domain.schedule import CELLS, Week, week_of
from sysmanager.protocol.clients import AddRecorder, Request, SaveGroup
from sysmanager.recorder.machine import Identity, Persisted, first_persisted
from sysmanager.recorder.timetable import Timetable
from sysmanager.simulation.answers import in_utc

VERSION = "1.0.0"
DISKS = ("D:", "E:")


class ServerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One server before it is built. settings: None for a failover server. failback_after_s: None if it does not fail back by itself."""

    id: RecorderId
    name: str
    address: str
    group: GroupId
    role: Role
    timeout_s: int
    failback_after_s: int | None = None
    failback_hours: str = ""
    material_copy: MaterialCopySettings = MaterialCopySettings()
    drill: DrillSchedule = DrillSchedule()
    identity: Identity
    disks: tuple[str, ...] = DISKS
    settings: SettingsDocument | None = None
    masks: MasksDocument = MasksDocument()
    schedules: SchedulesDocument = SchedulesDocument()

    def contents(self) -> tuple[DocumentSet | None, dict[DocumentHash, bytes]]:
        """Its own documents: the set that names them, and their content by hash."""
        if self.settings is None:
            return None, {}
        found = tuple(hashed(document) for document in (self.settings, self.masks, self.schedules))
        names = DocumentSet(revision=1, settings=found[0][0], masks=found[1][0], schedules=found[2][0])
        return names, dict(found)

    def first(self, documents: DocumentSet | None) -> Persisted:
        """What it finds on its disk at its first start."""
        return first_persisted(self.id, InstanceId(f"{self.id}-1"), documents, standby=self.role is Role.FAILOVER)


class SitePlan(msgspec.Struct, frozen=True, kw_only=True):
    groups: tuple[Group, ...]
    servers: tuple[ServerPlan, ...]

    def requests(self) -> tuple[Request, ...]:
        """What an administrator enters to have this site in system data."""
        bare = tuple(SaveGroup(group=msgspec.structs.replace(group, preference=())) for group in self.groups)
        ordered = tuple(SaveGroup(group=group) for group in self.groups if group.preference)
        return (*bare, *(AddRecorder(id=server.id, fields=edit_of(server)) for server in self.servers), *ordered)


def hashed(document: SettingsDocument | MasksDocument | SchedulesDocument) -> tuple[DocumentHash, bytes]:
    """Canonical hash and content of a document."""
    return DocumentHash(canonical_hash(msgspec.to_builtins(document))), msgspec.json.encode(document)


def schedules_of(plan: SitePlan) -> Mapping[CameraId, Timetable]:
    """Of the cameras that have a schedule; local time is UTC."""
    return {
        camera.id: in_utc(week_of(camera.mode, server.schedules.schedules[camera.id]))
        for server in plan.servers
        if server.settings is not None
        for camera in server.settings.cameras
        if camera.id in server.schedules.schedules
    }


def week_from_eight(letters: str) -> Week:
    """Every day the same: these letters for the quarters of an hour from 08:00, when a simulation begins; else continuous."""
    return (("c" * 32 + letters).ljust(CELLS, "c"),) * 7


def edit_of(server: ServerPlan) -> RecorderEdit:
    return RecorderEdit(
        name=server.name,
        address=server.address,
        role=server.role,
        group=server.group,
        failover_enabled=True,
        detection_timeout_s=server.timeout_s,
        automatic_failback=server.failback_after_s is not None,
        failback_after_s=server.failback_after_s or DEFAULT_FAILBACK_AFTER_S,
        failback_hours=server.failback_hours,
        material_copy=server.material_copy,
        drill=server.drill,
    )


FAILBACK_HOURS = ("", "08:10-08:20", "20:00-21:00")
"""Simulated sites begin at 08:00 UTC, which is their time of day too."""


def plain_site(
    groups: tuple[tuple[int, int], ...],
    timeout_s: int = 10,
    cameras: int = 2,
    sessions: int = 2,
    failback_after_s: int | None = None,
    preroll: FailoverPriority | None = None,
    hours: Mapping[str, str] = MappingProxyType({}),
) -> SitePlan:
    """Groups of so many recorders and failover servers each, all alike: A1, A2, ..., FA1, ... in group A, and so on.

    hours: by camera, see `week_from_eight`.
    """
    servers: list[ServerPlan] = []
    for letter, (recorders, spares) in zip("ABCDEFGH", groups, strict=False):
        for number in range(1, recorders + 1):
            name = f"{letter}{number}"
            numbers = range(1, cameras + 1)
            held = tuple(CameraSettings(id=CameraId(f"{name}-c{each}"), name=f"{name} {each}", sessions=sessions) for each in numbers)
            weeks = {camera.id: week_from_eight(hours[camera.id]) for camera in held if camera.id in hours}
            plan = _standard(name, letter, timeout_s, held)
            scheduled = SchedulesDocument(time_zone="UTC", schedules=weeks)
            servers.append(msgspec.structs.replace(plan, failback_after_s=failback_after_s, schedules=scheduled))
        servers += [_spare(f"F{letter}{number}", letter) for number in range(1, spares + 1)]
    prerolls = {GroupId(letter): preroll for letter in "ABCDEFGH"}
    return SitePlan(groups=_groups(servers, prerolls=prerolls), servers=tuple(servers))


def drawn_site(chance: random.Random, *, short: bool) -> SitePlan:
    """As one seed draws it: 2 or 3 groups, mostly 3 failover servers, and 12 recorders or some more; 5 to 9 for a short run."""
    letters = "AB" if chance.random() < 0.6 else "ABC"
    recorders = chance.randint(5, 9) if short else chance.choice((12, 12, 12, 12, 12, 13, 15))
    spares = len(letters) if short and chance.random() < 0.4 else chance.choice((3, 3, 3, 4))
    kept = random.Random(repr(chance.getstate()[1][:8]))
    servers: list[ServerPlan] = []
    large = chance.randint(1, 2 * recorders)  # in every other site one recorder has many cameras
    for number in range(1, recorders + 1):
        letter = letters[number % len(letters)]
        name = f"{letter}{number:02d}"
        if number == large:
            held = tuple(CameraSettings(id=CameraId(f"{name}-c{each}"), name=f"{name} camera {each}", sessions=2) for each in range(1, 13))
        else:
            held = tuple(_drawn_camera(chance, name, each) for each in range(1, chance.randint(1, 4) + 1))
        plan = _standard(name, letter, chance.choice((10, 10, 20, 30)), held)
        if chance.random() < 0.7:
            after_s, hours = chance.choice((30, 30, 60)), chance.choices(FAILBACK_HOURS, (8, 1, 1))[0]
            plan = msgspec.structs.replace(plan, failback_after_s=after_s, failback_hours=hours)
        plan = msgspec.structs.replace(plan, schedules=_drawn_hours(kept, held))
        plan = msgspec.structs.replace(plan, material_copy=_drawn_copy(chance), drill=_drawn_drill(chance))
        servers.append(plan)
    for number in range(spares):
        letter = letters[number % len(letters)]
        limit = 64 if chance.random() < 0.9 else 2
        servers.append(_spare(f"F{letter}{number}", letter, camera_limit=limit, preroll_mb=kept.choice((0, 20, 500))))
    partial = chance.random() < 0.3
    prerolls = {GroupId(letter): kept.choice((None, FailoverPriority.HIGH, FailoverPriority.LOW)) for letter in letters}
    return SitePlan(groups=_groups(servers, partial=partial, prerolls=prerolls), servers=tuple(servers))


def _drawn_hours(chance: random.Random, cameras: tuple[CameraSettings, ...]) -> SchedulesDocument:
    """Of every third recorder: all of its cameras, or some, each by one of two weeks with hours that are off."""
    if chance.random() < 0.67:
        return SchedulesDocument()
    weeks = [week_from_eight("".join(chance.choices("ocm", (4, 2, 1), k=4))) for _ in range(2)]
    share = chance.choice((1.0, 1.0, 0.5))
    chosen = {camera.id: chance.choice(weeks) for camera in cameras if chance.random() < share}
    return SchedulesDocument(time_zone="UTC", schedules=chosen)


def _drawn_copy(chance: random.Random) -> MaterialCopySettings:
    hours = chance.choices(("", "05:00-08:05; 08:08-12:00"), (5, 1))[0]
    return MaterialCopySettings(automatic=chance.random() < 0.6, limit_kbps=chance.choice((0, 0, 50_000, 200_000)), hours=hours)


def _drawn_drill(chance: random.Random) -> DrillSchedule:
    return DrillSchedule(every_days=1, hours=chance.choice(("", "08:05-20:00"))) if chance.random() < 0.3 else DrillSchedule()


def _drawn_camera(chance: random.Random, recorder: str, number: int) -> CameraSettings:
    kind = CameraKind.ANALOGUE if chance.random() < 0.06 else CameraKind.IP
    priority = chance.choice(tuple(FailoverPriority)[:3]) if chance.random() < 0.95 else FailoverPriority.NEVER
    return CameraSettings(
        id=CameraId(f"{recorder}-c{number}"),
        name=f"{recorder} camera {number}",
        kind=kind,
        priority=priority,
        sessions=chance.choice((1, 1, 2, 2, 3)),
        vca=chance.random() < 0.2,
    )


def _standard(name: str, letter: str, timeout_s: int, cameras: tuple[CameraSettings, ...]) -> ServerPlan:
    return ServerPlan(
        id=RecorderId(name),
        name=name,
        address=f"{name.lower()}.example",
        group=GroupId(letter),
        role=Role.STANDARD,
        timeout_s=timeout_s,
        identity=Identity(recorder=RecorderId(name), practice=True),
        settings=SettingsDocument(name=name, disks=DISKS, cameras=cameras),
    )


def _spare(name: str, letter: str, camera_limit: int = 64, preroll_mb: int = 500) -> ServerPlan:
    return ServerPlan(
        id=RecorderId(name),
        name=name,
        address=f"{name.lower()}.example",
        group=GroupId(letter),
        role=Role.FAILOVER,
        timeout_s=10,
        identity=Identity(
            recorder=RecorderId(name),
            camera_limit=camera_limit,
            vca_channels=1,
            preroll_memory_mb=preroll_mb,
            preroll_limit_s=60,
            practice=True,
        ),
    )


def _groups(
    servers: list[ServerPlan], *, partial: bool = False, prerolls: Mapping[GroupId, FailoverPriority | None] = MappingProxyType({})
) -> tuple[Group, ...]:
    letters = sorted({server.group for server in servers})
    return tuple(
        Group(
            id=letter,
            name=f"Group {letter}",
            preference=tuple(server.id for server in servers if server.group == letter and server.role is Role.FAILOVER),
            partial=partial,
            preroll=prerolls.get(letter),
        )
        for letter in letters
    )
