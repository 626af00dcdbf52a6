"""The demo's site: a harbour with terminals, its servers and cameras, drawn from a seed (SPEC 17, demo)."""

from __future__ import annotations

import hashlib
import random
from importlib.resources import files

import msgspec

from sysmanager.documents.sealing import SiteKey, seal
from sysmanager.domain.camera import CameraKind, FailoverPriority, RecordingMode
from sysmanager.domain.documents import CameraSettings, MasksDocument, MotionMask, SchedulesDocument, SealedSecret, SettingsDocument
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, GroupId, RecorderId
from sysmanager.domain.recorder import Role
from sysmanager.protocol.hardware import Hardware
from sysmanager.recorder.machine import Identity
from sysmanager.simulation.site import DISKS, ServerPlan, SitePlan

RECORDERS_PER_GROUP = 5
VCA_WANTED, VCA_OF_SPARE = 6, 4
PREROLL_MB = 2_000
PREROLL_LIMIT_S = 60
"""One recorder wants more VCA channels than its failover server has, so that the to-do list of a failover is worth reading."""

TIMEOUTS_S = (10, 10, 10, 20, 10, 10, 30, 10, 10, 60)
"""Short for most, so that nobody waits long for a demonstration."""


class _GroupPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    prefix: str
    name: str
    description: str
    network: str


class _Harbour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`resources/harbour.json`."""

    site: str
    groups: tuple[_GroupPlan, ...]
    places: tuple[str, ...]
    views: tuple[str, ...]
    camera_counts: tuple[int, ...]
    plugin: str


def _harbour() -> _Harbour:
    content = files("sysmanager.simulation").joinpath("resources", "harbour.json").read_bytes()
    return msgspec.json.decode(content, type=_Harbour)


def demo_plan(*, standard: int = 10, seed: int = 1) -> SitePlan:
    """The site with so many standard recorders (at least 1), in groups of about five with one failover server each and one to spare.

    Among them, where there are enough: one analogue camera, one added plug-in, one recorder that wants more VCA channels than it would get.
    """
    harbour = _harbour()
    chance = random.Random(seed)
    count = max(1, min(standard, -(-standard // RECORDERS_PER_GROUP)))
    groups = [_group(harbour, number) for number in range(max(count, 2 if standard > 1 else 1))]
    members: list[list[ServerPlan]] = [[] for _ in groups]
    for number in range(standard):
        # The first group is the larger one, as people look at it first.
        place = number * len(groups) // standard
        members[place].append(_recorder(harbour, groups[place], number, len(members[place]) + 1, chance))
    servers: list[ServerPlan] = []
    rows: list[Group] = []
    for place, group in enumerate(groups):
        spares = [_spare(group, number) for number in range(1, 3 if place == 0 else 2)]
        servers += [*members[place], *spares]
        rows.append(
            Group(
                id=GroupId(group.prefix),
                name=group.name,
                description=group.description,
                preference=tuple(spare.id for spare in spares),
            )
        )
    return SitePlan(groups=tuple(rows), servers=tuple(servers))


def _group(harbour: _Harbour, number: int) -> _GroupPlan:
    """The groups of the file, and beyond them made-up ones."""
    if number < len(harbour.groups):
        return harbour.groups[number]
    return _GroupPlan(prefix=f"T{number + 1}", name=f"Terminal {number + 1}", description="", network=f"10.20.{number + 1}")


def _recorder(harbour: _Harbour, group: _GroupPlan, number: int, place: int, chance: random.Random) -> ServerPlan:
    name = f"{group.prefix}-REC-{place:02d}"
    cameras = tuple(_cameras(harbour, name, number, chance))
    week: tuple[str, ...] = ("c" * 96,) * 7
    schedule = {camera.id: week for camera in cameras}
    masks = {camera.id: MotionMask(blocked=tuple(sorted(chance.sample(range(144), 12)))) for camera in cameras[:4]}
    return ServerPlan(
        id=RecorderId(name),
        name=name,
        address=f"{group.network}.{10 + place}",
        group=GroupId(group.prefix),
        role=Role.STANDARD,
        timeout_s=TIMEOUTS_S[number % len(TIMEOUTS_S)],
        identity=Identity(
            recorder=RecorderId(name),
            vca_channels=VCA_WANTED + 2,
            plugins=(harbour.plugin,) if number == 1 else (),
            practice=True,
        ),
        settings=SettingsDocument(
            name=name, retention_days=14, disks=DISKS, plugins=(harbour.plugin,) if number == 1 else (), cameras=cameras
        ),
        masks=MasksDocument(masks=masks),
        schedules=SchedulesDocument(schedules=schedule),
    )


def _cameras(harbour: _Harbour, recorder: str, number: int, chance: random.Random) -> list[CameraSettings]:
    names = [f"{place} {view}" for place in harbour.places for view in harbour.views]
    chance.shuffle(names)
    cameras = []
    for place in range(harbour.camera_counts[number % len(harbour.camera_counts)]):
        analogue = number == 0 and place == 5
        camera = CameraId(f"{recorder}-C{place + 1:02d}")
        cameras.append(
            CameraSettings(
                id=camera,
                name="Lift shaft (analogue)" if analogue else names[place % len(names)],
                url="" if analogue else f"rtsp://10.30.{number + 1}.{place + 1}/main",
                user="" if analogue else "recorder",
                password=None if analogue else _password(camera),
                kind=CameraKind.ANALOGUE if analogue else CameraKind.IP,
                priority=chance.choices(tuple(FailoverPriority)[:3], weights=(2, 6, 2))[0],
                sessions=1 if place % 11 == 10 else 2,
                vca=place < (VCA_WANTED if number == 2 else 2),
                bitrate_kbps=chance.choice((1500, 2000, 3000, 4000)),
                mode=RecordingMode.MOTION if place % 7 == 6 else RecordingMode.CONTINUOUS,
            )
        )
    return cameras


def _password(camera: CameraId) -> SealedSecret:
    """A made-up password, sealed with a made-up site key; the same at every start, so that the demo's documents are."""
    key = SiteKey(hashlib.sha256(b"demo site").digest())
    sealed = seal(f"demo {camera}", key, lambda count: hashlib.sha256(camera.encode()).digest()[:count])
    return SealedSecret(hmac=sealed.hmac, sealed=sealed.sealed)


def _spare(group: _GroupPlan, place: int) -> ServerPlan:
    name = f"{group.prefix}-FO-{place:02d}"
    return ServerPlan(
        id=RecorderId(name),
        name=name,
        address=f"{group.network}.{100 + place}",
        group=GroupId(group.prefix),
        role=Role.FAILOVER,
        timeout_s=10,
        identity=Identity(
            recorder=RecorderId(name),
            vca_channels=VCA_OF_SPARE,
            hardware=Hardware(16, 32_768, "simulated"),
            preroll_memory_mb=PREROLL_MB,
            preroll_limit_s=PREROLL_LIMIT_S,
            practice=True,
        ),
    )
