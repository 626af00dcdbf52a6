"""The heartbeat of a recording service, from what its machine knows."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from sysmanager.domain.instant import Instant
from sysmanager.protocol.jobs import CopyReport, DrillReport
from sysmanager.protocol.preroll import NO_PREROLL, PrerollBeat, PrerollReport
from sysmanager.protocol.recorders import Beat, CameraBeat
from sysmanager.protocol.selftest import SelfTestReport
from sysmanager.recorder.machine.state import MachineState, Situation, shown_documents


class Observations(msgspec.Struct, frozen=True, kw_only=True):
    """What a heartbeat says beyond the state. sequence: grows with every beat of one boot.

    cameras: with frame times of this moment; None: as reported last. preroll: what is kept of other recorders' cameras now.
    material: where it serves its footage; empty: it does not. copy, drill: how its jobs stand. self_test: the last one.
    """

    sequence: int
    version: str
    cameras: tuple[CameraBeat, ...] | None = None
    preroll: tuple[PrerollBeat, ...] = ()
    material: str = ""
    copy: CopyReport | None = None
    drill: DrillReport | None = None
    self_test: SelfTestReport | None = None


def beat(state: MachineState, observations: Observations, now: Instant) -> Beat:
    """Only what is durable is said. ValueError while the service is down."""
    persisted, identity = state.persisted, state.identity
    return Beat(
        recorder=persisted.recorder,
        instance=persisted.instance,
        boot=persisted.boot,
        sequence=observations.sequence,
        wall_ms=now.wall_ms,
        version=observations.version,
        mode=state.situation.mode,
        epoch=persisted.epoch,
        home=persisted.home,
        documents=shown_documents(persisted),
        without=persisted.without,
        disks=state.disks,
        cameras=state.cameras if observations.cameras is None else observations.cameras,
        camera_limit=identity.camera_limit,
        bitrate_limit_kbps=identity.bitrate_limit_kbps,
        vca_channels=identity.vca_channels,
        plugins=identity.plugins,
        hardware=identity.hardware,
        machine=identity.machine,
        preroll=_preroll(state, observations.preroll),
        material=observations.material,
        copy=observations.copy,
        drill=observations.drill,
        self_test=observations.self_test if state.situation is Situation.STANDBY else None,
        practice=identity.practice,
        mono_ms=now.mono_ms,
    )


def beat_again(
    last: Beat,
    sequence: int,
    now: Instant,
    cameras: tuple[CameraBeat, ...],
    kept: tuple[PrerollBeat, ...],
    self_test: SelfTestReport | None,
) -> Beat:
    """The next heartbeat of the same state, while no job is reported: what `beat` would make of it, at a fraction of the cost."""
    preroll = replace(last.preroll, cameras=kept) if last.preroll.plan else last.preroll
    return replace(last, sequence=sequence, wall_ms=now.wall_ms, mono_ms=now.mono_ms, cameras=cameras, preroll=preroll, self_test=self_test)


def _preroll(state: MachineState, kept: tuple[PrerollBeat, ...]) -> PrerollReport:
    identity, told = state.identity, state.preroll
    if not identity.preroll_memory_mb or not identity.preroll_limit_s:
        return NO_PREROLL
    return PrerollReport(
        memory_mb=identity.preroll_memory_mb,
        limit_s=identity.preroll_limit_s,
        plan=told.plan if told is not None else "",
        cameras=kept if told is not None else (),
    )


def shows_change(old: MachineState, new: MachineState) -> bool:
    """Whether a heartbeat of `new` says something that must not wait for its turn. Free space and frame times may."""
    if old.situation is not new.situation or old.persisted is not new.persisted or old.preroll is not new.preroll:
        return True
    if old.disks is not new.disks and [(d.path, d.writable) for d in old.disks] != [(d.path, d.writable) for d in new.disks]:
        return True
    return old.cameras is not new.cameras and _camera_news(old.cameras) != _camera_news(new.cameras)


def _camera_news(cameras: tuple[CameraBeat, ...]) -> list[tuple[str, str, int, str]]:
    return [(camera.camera, camera.state, camera.first_frame_ms, camera.sentence) for camera in cameras]
