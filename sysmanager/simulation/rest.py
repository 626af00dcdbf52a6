"""After the world has healed: what has not come to rest, each with a name (STYLE: what hangs is named)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sysmanager.coordinator.jobs.orders import for_jobs
from sysmanager.coordinator.jobs.resting import hours_wait_ms
from sysmanager.coordinator.selection import choose
from sysmanager.coordinator.standing import order_for
from sysmanager.coordinator.state import State, running_in_group
from sysmanager.domain.backup import BaselineStage
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.ids import CameraId, JobId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import CopyJob, Job
from sysmanager.domain.recorder import Recorder, Role
from sysmanager.engine.core import Core
from sysmanager.simulation.transfer import RATE_BYTES, STEP_MS
from sysmanager.simulation.world import World

HOURS_FAR_MS = 200_000
"""Hours that begin so late do not begin while everything comes to rest. No site draws such; a clock that was set brings them."""


COPY_AROUND_MS = 30_000
"""So long it takes at most until a copy begins after its failback, and until both servers forget it when it has ended."""


def copies_take_ms(jobs: Iterable[Job]) -> int:
    """How long the footage of open copies takes at the rate that each may have, one after the other to the same home; 0 if none runs."""
    take_ms: Counter[RecorderId] = Counter()
    for job in jobs:
        if not isinstance(job, CopyJob) or job.phase.ended or job.paused:
            continue
        rate_kbps = min(job.limit_kbps or RATE_BYTES // 125, RATE_BYTES // 125)
        for camera in job.cameras:
            # A kilobit in a second is a bit in a millisecond. An hour begins with the next step, and is read back in another one.
            take_ms[job.home] += sum(hour.size_bytes * 8 // rate_kbps + 2 * STEP_MS for hour in camera.hours)
    return max(take_ms.values()) + COPY_AROUND_MS if take_ms else 0


def what_hangs(world: World) -> list[str]:
    """One sentence for each thing that is not at rest; empty when the site is."""
    core = world.coordinator.core
    if core is None:
        return ["The coordinator does not run."]
    hangs = [] if not world.coordinator.busy else ["The coordinator has work that waits for an answer."]
    state = core.state
    if state.reconcile is not None:
        hangs.append(f"The reconcile still waits for {', '.join(sorted(state.reconcile.waiting)) or 'a person'}.")
    if state.brake is not None:
        hangs.append("The mass-loss brake holds.")
    hangs += [f"Failover of {recorder} is {hold.cause}." for recorder, hold in state.holds.items()]
    for open_id in state.open:
        entry = state.failovers[open_id]
        if entry.phase is not Phase.READY and not _waits_by_right(core, entry):
            hangs.append(f"{entry.id} of {entry.recorder} is {entry.phase}: {entry.note or entry.reason or 'no reason given'}.")
    for row in state.recorders.values():
        if not core.seen.connected(row.id):
            hangs.append(f"{row.id} is not heard.")
        order = order_for(state, core.seen, row)
        if order is not None:
            hangs.append(f"{row.id} does not do what it shall: {type(order).__name__} under epoch {order.epoch} is outstanding.")
        refused = core.seen.refused_orders.get(row.id)
        if refused is not None:
            hangs.append(f"{row.id} refuses: {refused.sentence}")
    hangs += [f"{recorder} was not told to release {' and '.join(cameras)}." for recorder, cameras in state.releases.items()]
    if state.backups.baseline.stage is not BaselineStage.DONE or state.uncovered:
        hangs.append(f"The baseline is {state.backups.baseline.stage}: {state.backups.baseline.sentence}")
    now = world.coordinator.now()
    hangs += [f"The job {job} of {' and '.join(state.jobs[job].servers)} is {state.jobs[job].phase}." for job in _jobs(state, now)]
    for row in state.recorders.values():
        hangs += [f"{row.id} is still to be told {type(each.order).__name__}." for each in for_jobs(state, core.seen, row, now)]
        recorder = world.recorders[row.id]
        if recorder.drilling.scratch:
            hangs.append(f"{row.id} has scratch of a drill on its disks.")
        for report in (recorder.transfer.report, recorder.drilling.report):
            if report is not None and report.job not in state.open_jobs:
                hangs.append(f"{row.id} still reports the job {report.job}.")
    return hangs + _cameras(world, state)


def acts_on(world: World, entry: Failover) -> bool:
    """Whether a failback is refused for good, since the home has no room for all of its cameras.

    A failover server that took a part of them keeps all for good when who it acted for is taken in or removed (SPEC 10). Once it is
    replaced itself, it does not pass the hard requirements of a failback (SPEC 8, step 3), and who acts for it goes on (SPEC 7).
    """
    home = world.recorders.get(entry.home)
    server = world.shadow.recorders.get(entry.server) if entry.server is not None else None
    if entry.phase is not Phase.READY or home is None or server is None:
        return False
    wanted = [camera for camera in server.settings.cameras if camera.moves]
    kbps = sum(camera.bitrate_kbps for camera in wanted)
    return len(wanted) > home.identity.camera_limit or kbps > home.identity.bitrate_limit_kbps


def _jobs(state: State, now: Instant) -> list[JobId]:
    """Open jobs, without copies whose home is replaced again, which wait for its failback, and those whose hours are far: the coordinator's
    clock was set."""
    replaced = {row.id for row in state.recorders.values() if row.role is Role.STANDARD and row.home != row.id}
    far = {job.id for job in state.jobs.values() if isinstance(job, CopyJob) and hours_wait_ms(job, now) > HOURS_FAR_MS}
    return [job for job in state.open_jobs if job not in far and not replaced.intersection(state.jobs[job].servers)]


def _waits_by_right(core: Core, entry: Failover) -> bool:
    """A person wants it, and no failover server of the group has room: it waits until one is free."""
    state = core.state
    if entry.phase is not Phase.WAITING or entry.trigger is not Trigger.MANUAL or entry.home not in state.recorders:
        return False
    if running_in_group(state, entry.group) is not None:
        return False
    failed, home, group = state.recorders[entry.recorder], state.recorders[entry.home], state.groups[entry.group]
    return choose(state, core.seen, failed=failed, home=home, group=group).server is None


def _cameras(world: World, state: State) -> list[str]:
    """Every camera is recorded by exactly the recorder that has it in system data."""
    hangs: list[str] = []
    recording: dict[CameraId, list[RecorderId]] = {}
    for recorder in world.recorders.values():
        for camera in recorder.capture.recorded():
            recording.setdefault(camera, []).append(recorder.id)
    for row in state.recorders.values():
        if row.role is not Role.STANDARD:
            continue
        holders = [other.id for other in state.recorders.values() if other.home == row.id]
        if not holders:
            hangs.append(f"Nobody has the cameras of {row.id}.")
            continue
        holder = holders[0]
        for camera in _to_record(state, row, holder):
            found = recording.pop(camera, [])
            if not found and world.is_off(camera, holder):
                continue
            if found != [holder]:
                hangs.append(f"Camera {camera} is recorded by {' and '.join(found) or 'nobody'} instead of {holder}.")
    for camera, found in recording.items():
        # A recorder that a person took out of system data while it recorded its own cameras is nobody's business any more. One that was
        # replaced before is: it has been retired.
        if any(one in state.recorders or one in state.retired for one in found):
            hangs.append(f"Camera {camera} is recorded by {' and '.join(found)}, and by rights by nobody.")
    return hangs


def _to_record(state: State, home: Recorder, holder: RecorderId) -> list[CameraId]:
    if holder == home.id:
        return [camera.id for camera in home.settings.cameras]
    entries = [entry for entry in state.failovers.values() if entry.server == holder and entry.home == home.id and not entry.phase.ended]
    left = {camera.camera for entry in entries for camera in entry.not_moved}
    return [camera.id for camera in home.settings.cameras if camera.moves and camera.id not in left]
