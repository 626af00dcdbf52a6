"""The rehearsal: a recorder is broken, replaced, brought back, and given its tasks again, on a real site; with a report of it."""

from __future__ import annotations

import asyncio
import platform
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from msgspec.structs import replace

from sysmanager import api
from sysmanager.app.errors import CommandError
from sysmanager.app.site.breaking import SAID, Breaking, kill_and_start
from sysmanager.app.site.layout import DETECTION_TIMEOUT_S, FAILOVER, STANDARD, SiteLayout
from sysmanager.app.site.report import KillAt, Machine, Moments, Report, Stint, Victim, Way, camera_reports
from sysmanager.app.site.running import RunningSite
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, RecorderId
from sysmanager.domain.recorder import Standby
from sysmanager.recorder.index import segments

KILLED = STANDARD[0]

RECORDING_S = 60.0
"""For the first frames of all cameras, and the settings in the cache."""
BEFORE_S = 12.0
READY_S = 40.0
FIRST_FRAMES_S = 35.0
"""The coordinator writes gaps down 30 s after the commit even if some first frame is missing."""
ACTING_S = 3.0
BACK_S = 40.0
MEASURED_S = 20.0
RETURNED_S = 40.0
AFTER_S = 4.0
HELD_S = 60.0
HELD_LIMIT_S = 15.0
START_GRACE_S = 300.0
"""A coordinator that was started anew gives a recorder so long to be heard (SPEC 4); before step 2 it knows of no failover."""

TAKE_OVER_S = 4
"""Pre-roll must reach so much further back than the timeout: heartbeats come once a second, and opening takes its time."""

Say = Callable[[str], None]


class Story:
    """What happened in a rehearsal, for its report. preroll: with pre-roll of all cameras. way, also: what is done to whom.

    held: the file by which the coordinator says that it stands still at the step of `also`.
    """

    def __init__(self, *, preroll: bool = False, way: Way = Way.KILL, also: KillAt | None = None, held: Path | None = None) -> None:
        self.preroll = preroll
        self.way = way
        self.also = also
        self.held = held
        self.moments = Moments(started_ms=_now_ms())
        self.entry: Failover | None = None
        self._times = psutil.cpu_times()

    def machine(self) -> Machine:
        """Its load is that since the story began."""
        times = psutil.cpu_times()
        passed_s = sum(times) - sum(self._times)
        return Machine(
            system=platform.platform(),
            python=platform.python_version(),
            processors=psutil.cpu_count() or 0,
            memory_mb=psutil.virtual_memory().total >> 20,
            load_percent=round(100 * (1 - (times.idle - self._times.idle) / passed_s), 1) if passed_s else 0.0,
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def rehearse(site: RunningSite, story: Story, say: Say) -> None:
    """Everything from the first frame to the last; the site is stopped by whoever runs it. CommandError when a step does not come about."""
    watch = site.watch
    total = sum(len(cameras) for cameras in site.shares.values())
    left = next((each for each in watch.failovers.values() if not each.phase.ended), None)
    if left is not None:
        raise CommandError(
            f"{left.id} of {left.recorder} from an earlier run is “{left.log_state}”; run the site without --rehearse and end it, "
            "or name another folder."
        )
    await watch.until(lambda: _all_record(site), RECORDING_S, f"Not all {total} cameras were recorded")
    story.moments = replace(story.moments, recording_ms=_now_ms())
    say(f"All {total} cameras are recorded. {KILLED} will be broken ({story.way.value}) in {BEFORE_S:g} s.")
    await asyncio.sleep(BEFORE_S)
    if story.preroll:
        held_s = await _until_held(site)
        say(f"{FAILOVER} holds the last {held_s} s of the cameras of {KILLED}.")

    earlier = set(watch.failovers)
    breaking = Breaking(site, KILLED, story.way)
    try:
        await _break_and_mend(site, story, say, breaking, earlier)
    finally:
        breaking.undo()


async def _break_and_mend(site: RunningSite, story: Story, say: Say, breaking: Breaking, earlier: set[FailoverId]) -> None:
    held = asyncio.create_task(_kill_at_step(site, story, say))
    try:
        await breaking.breaks()
        story.moments = replace(story.moments, killed_ms=_now_ms())
        say(f"{KILLED} {SAID[story.way]}.")
        await breaking.gone()
        await _fail_over_and_back(site, story, say, breaking, earlier, held)
    finally:
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)


async def _kill_at_step(site: RunningSite, story: Story, say: Say) -> None:
    """Wait until the coordinator stands still at the step, then do what the rehearsal is about."""
    if story.also is None or story.held is None:
        return
    await _appears(story.held)
    story.moments = replace(story.moments, also_killed_ms=_now_ms())
    await kill_and_start(site, story.also.victim, FAILOVER, story.held)
    say(f"The {story.also.victim.value} was killed at step {story.also.step} of the failover, and is started again.")


async def _appears(file: Path) -> None:
    """Another process makes it."""
    while True:
        if await asyncio.to_thread(file.exists):
            return
        await asyncio.sleep(0.01)


async def _fail_over_and_back(
    site: RunningSite, story: Story, say: Say, breaking: Breaking, earlier: set[FailoverId], held: asyncio.Task[None]
) -> None:
    watch = site.watch

    def entry() -> Failover | None:
        return next((each for key, each in watch.failovers.items() if key not in earlier and each.recorder == KILLED), None)

    def now(condition: Callable[[Failover], bool]) -> Callable[[], bool]:
        return lambda: (found := entry()) is not None and (found.phase.ended or condition(found))

    wait_s = READY_S + (START_GRACE_S if story.also == KillAt(victim=Victim.COORDINATOR, step=1) else 0.0)
    await watch.until(now(lambda found: found.phase is Phase.READY), wait_s, f"The failover of {KILLED} was not ready")
    try:
        await asyncio.wait_for(held, HELD_LIMIT_S)
    except TimeoutError:
        raise CommandError("The coordinator never came to the step at which a part was to be killed.") from None
    story.moments = replace(story.moments, ready_ms=_now_ms())
    found = _sound(entry())
    if found.trigger not in story.way.triggers:
        raise CommandError(f"{found.id} has the trigger “{found.trigger.value}”, and “{story.way.triggers[0].value}” was to be rehearsed.")
    say(f"{found.id}: {found.server} records for {KILLED}, {len(found.moved)} cameras moved.")
    await watch.until(now(_has_gaps), FIRST_FRAMES_S, f"The first frames of {found.server} were not seen")
    await asyncio.sleep(ACTING_S)

    await breaking.mend()
    story.moments = replace(story.moments, restarted_ms=_now_ms())
    say(f"{KILLED} is well again.")
    await watch.until(lambda: _is_back(site), BACK_S, f"{KILLED} did not come back")
    await watch.until(now(_is_final), MEASURED_S, f"The footage of {KILLED} was not read")
    story.moments = replace(story.moments, measured_ms=_now_ms())
    found = _sound(entry())
    say(f"The footage of {KILLED} was read: the longest gap is {(found.worst_gap_ms or 0) / 1000:.2f} s. The failback starts.")

    story.moments = replace(story.moments, failback_ms=_now_ms())
    await site.request(api.StartFailback(failover=found.id))
    await watch.until(now(_is_over), RETURNED_S, f"The failback of {KILLED} did not end")
    story.moments = replace(story.moments, returned_ms=_now_ms())
    found = _sound(entry())
    if found.phase is not Phase.RETURNED:
        raise CommandError(f"The failback failed: {found.failback.note if found.failback is not None else found.note}")
    say(f"{KILLED} records its cameras again; {found.server} is on standby.")
    await asyncio.sleep(AFTER_S)
    story.entry = _sound(entry())
    story.moments = replace(story.moments, stopping_ms=_now_ms())


async def _until_held(site: RunningSite) -> int:
    """Wait until the failover server holds enough of the cameras to bridge the timeout; how many seconds. CommandError."""
    held_s = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(HELD_S):
            while held_s < DETECTION_TIMEOUT_S + TAKE_OVER_S:
                await asyncio.sleep(0.5)
                preview = await site.client.ask(api.PreviewFailover(recorder=KILLED))
                held_s = preview.preroll_s if isinstance(preview, api.Preview) else 0
            return held_s
    raise CommandError(f"{FAILOVER} holds only {held_s} s of the cameras of {KILLED} after {HELD_S:g} s.")


def _all_record(site: RunningSite) -> bool:
    rows = site.watch.recorders
    if FAILOVER not in rows or any(recorder not in rows for recorder in site.shares):
        return False
    server = rows[FAILOVER]
    ready = server.connection is api.Connection.CONNECTED and isinstance(server.assignment, Standby)
    return ready and all(
        rows[recorder].connection is api.Connection.CONNECTED
        and rows[recorder].documents is not None
        and {row.id for row in rows[recorder].cameras if row.state is api.CameraState.RECORDING} >= set(cameras)
        for recorder, cameras in site.shares.items()
    )


def _has_gaps(entry: Failover) -> bool:
    return all(gap.gap_ms is not None for gap in entry.gaps if gap.camera in entry.moved)


def _is_final(entry: Failover) -> bool:
    return all(gap.final for gap in entry.gaps if gap.camera in entry.moved)


def _is_over(entry: Failover) -> bool:
    return entry.failback is not None and not entry.phase.failing_back


def _is_back(site: RunningSite) -> bool:
    row = site.watch.recorders[KILLED]
    well = row.connection is api.Connection.CONNECTED and row.service is api.ServiceState.RUNNING
    return well and any(disk.writable for disk in row.disks)


def _sound(entry: Failover | None) -> Failover:
    """CommandError when it ended otherwise than it should."""
    if entry is None:
        raise CommandError(f"The failover of {KILLED} is gone from the log.")
    if entry.phase.ended and entry.phase is not Phase.RETURNED:
        why = entry.reason.sentence if entry.reason is not None else entry.note
        raise CommandError(f"{entry.id} is “{entry.log_state}”: {why}")
    return entry


def report_of(site: RunningSite, story: Story) -> Report:
    """After everything has stopped. Blocks: reads the footage that is not in an index."""
    assert story.entry is not None, "the rehearsal came to its end"
    cameras = [camera for cameras in site.shares.values() for camera in cameras]
    stints = {camera: tuple(_stints(site.layout, camera, story.moments.started_ms)) for camera in cameras}
    return Report(
        cameras=camera_reports(site.shares, stints, story.entry),
        entry=story.entry,
        moments=replace(story.moments, stopped_ms=_now_ms()),
        machine=story.machine(),
        preroll=story.preroll,
        way=story.way,
        also=story.also,
    )


def _stints(layout: SiteLayout, camera: CameraId, since_ms: int) -> Iterable[Stint]:
    """By recorder and epoch, what was recorded since then."""
    for place in layout.recorders:
        found = [each for each in segments(place.disks.values(), camera) if each.last_frame_ms >= since_ms]
        for epoch in sorted({segment.name.epoch for segment in found}):
            own = [segment for segment in found if segment.name.epoch == epoch]
            yield Stint(
                recorder=RecorderId(place.id),
                epoch=Epoch(epoch),
                segments=len(own),
                frames=sum(segment.frames for segment in own),
                first_frame_ms=min(segment.first_frame_ms for segment in own),
                last_frame_ms=max(segment.last_frame_ms for segment in own),
            )


async def check_footage(folder: Path, report: Path) -> int:
    """Run the footage checker as a process of its own, which prints what it finds; its exit status."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "utf8", "-m", "sysmanager.app.site.footage_check", str(folder), str(report)
    )
    return await process.wait()
