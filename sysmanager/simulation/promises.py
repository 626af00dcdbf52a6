"""Rules about promises: what a preview said is what happens when nothing changed, and a measured gap is the one in the material."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.failback_preview import preview_failback
from sysmanager.coordinator.preview import preview_failover, preview_switch
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View, baseline_holds
from sysmanager.domain.failover import CameraGap, Failover
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId, RecorderId
from sysmanager.domain.rights import COORDINATOR, Actor, Right, missing_right
from sysmanager.protocol import clients as c
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, PAUSE_MS

if TYPE_CHECKING:
    from sysmanager.simulation.world import World

PREVIEW_KEPT = "the preview is what happens"
GAP_TRUE = "the measured gap is the true one"
NAMES = (PREVIEW_KEPT, GAP_TRUE)

STEADY_MS = 120_000
"""A gap is judged when no clock was set for so long: before that its error is all that can be said."""

GAP_TOLERANCE_MS = 60

Check = Callable[[str, str | None], None]


class _Looked:
    """A preview that somebody saw, and all that it rests on."""

    __slots__ = ("preview", "rests_on")

    def __init__(self, preview: c.Preview, rests_on: object) -> None:
        self.preview = preview
        self.rests_on = rests_on


class Promises:
    """The rules over one world."""

    def __init__(self, world: World, check: Check) -> None:
        self._world = world
        self._check = check
        self._looked: dict[tuple[str, str], _Looked] = {}
        self._ended: dict[tuple[FailoverId, CameraId, int], tuple[RecorderId, Epoch]] = {}

    # ------------------------------------------------------------ previews

    def look(self, actor: Actor, request: c.Request) -> None:
        """Somebody who may order this looks at its preview first, now; who has looked already relies on that."""
        coordinator = self._world.coordinator
        core, key = coordinator.core, _key(request)
        if key is None or core is None or coordinator.paused or coordinator.appending or missing_right(actor.role, Right.FAILOVER):
            return
        preview = _preview(core.state, core.seen, request)
        if preview is not None and key not in self._looked:
            self._looked[key] = _Looked(preview, _rests_on(core.state, core.seen, self._group(core.state, request)))

    @staticmethod
    def _group(view: View, request: c.Request) -> GroupId | None:
        if isinstance(request, c.StartFailback):
            return view.failovers[request.failover].group
        assert isinstance(request, c.StartFailover | c.SwitchOver), "only these have a preview"
        row = view.recorders[request.recorder]
        home = view.recorders.get(row.home) if row.home is not None else None
        return (home or row).group

    def decided(self, record: f.FactRecord, earlier: tuple[f.FactRecord, ...]) -> None:
        """A fact was decided; `earlier` ones of the same transaction are not in the shadow tables yet."""
        fact = record.fact
        if record.actor == COORDINATOR:
            return
        match fact:
            case f.FailoverStarted(opening=opening, reservation=reservation):
                kind = "switch" if opening.trigger.value == "planned switch" else "failover"
                looked = self._looked.pop((kind, opening.recorder), None)
                if looked is not None and self._unchanged(looked, opening.group, record, earlier):
                    said, done = looked.preview, reservation
                    same = (said.allowed, said.target, said.moves, said.stays) == (True, done.server, done.moved, done.not_moved)
                    self._check(
                        PREVIEW_KEPT, None if same else f"{opening.failover} goes to {done.server}; the preview said {said.target}."
                    )
            case f.FailbackStarted(failover=failover):
                looked = self._looked.pop(("failback", failover), None)
                entry = self._world.shadow.failovers[failover]
                if looked is not None and self._unchanged(looked, entry.group, record, earlier):
                    sentence = f"The failback of {failover} starts; the preview said that it would not."
                    self._check(PREVIEW_KEPT, None if looked.preview.allowed else sentence)
            case _:
                pass

    def _unchanged(self, looked: _Looked, group: GroupId | None, record: f.FactRecord, earlier: tuple[f.FactRecord, ...]) -> bool:
        core = self._world.coordinator.core
        if core is None or any(one.actor != record.actor for one in earlier):
            return False
        return looked.rests_on == _rests_on(self._world.shadow, core.seen, group)

    def forget(self, request: c.Request) -> None:
        """It was answered: the next one looks anew."""
        key = _key(request)
        if key is not None:
            self._looked.pop(key, None)

    # ------------------------------------------------------------ gaps

    def measured(self, fact: f.GapsMeasured, entry: Failover) -> None:
        """The gaps of an entry were written down."""
        if entry.server is None:
            return
        for gap in fact.gaps:
            # A reconcile may put the entry under the epoch of a later failover of the recorder, which a restored journal does not know.
            self._ended.setdefault((entry.id, gap.camera, gap.first_after_ms), (entry.server, entry.epoch))
        if not self._steady(entry.recorder, entry.server):
            return
        if entry.timeline.decided_ms - entry.timeline.detected_ms > STEADY_MS and self._world.coordinator.stepped_ms:
            return  # it waited for long: what was reported before that is of another clock
        for gap in fact.gaps:
            if gap.final and gap.gap_ms is not None and not gap.watched_before:
                self._judge(gap, entry, *self._ended[entry.id, gap.camera, gap.first_after_ms])

    def _steady(self, *servers: RecorderId) -> bool:
        world = self._world
        latest_ms = max([world.coordinator.stepped_ms or -STEADY_MS, *(world.stepped_ms.get(server, -STEADY_MS) for server in servers)])
        return world.agenda.now_ms - latest_ms >= STEADY_MS and not any(server in world.state_lost for server in servers)

    def _judge(self, gap: CameraGap, entry: Failover, server: RecorderId, epoch: Epoch) -> None:
        """Compares a gap with the material.

        A camera that is off when it is taken over is covered from then on: how long its first frame takes once its time begins belongs
        to no failover, and a gap may be judged long after that. Where frames of the one that broke begin again within the error of the
        clocks of the other's first one, nobody can say which was first, and the gap with and without the time before is right.
        """
        world = self._world
        before = world.recorders[entry.recorder].material.pairs(gap.camera, entry.previous_epoch)
        after = world.recorders[server].material.spans(epoch, (gap.camera,))
        if not before or (after and after[0].segments != 1) or not (after or world.is_off(gap.camera, server)):
            return
        ended_ms = after[0].first_frame_ms if after else world.now(server).wall_ms
        if after and gap.first_after_ms < ended_ms and gap.camera in world.hours:
            if world.coordinator.stepped_ms:
                return  # when the camera was taken over is told by a clock that was set
            ended_ms = self._off_from_ms(gap.camera, server, entry.timeline.saved_ms, ended_ms)
        end_ms = ended_ms - world.wall_steps.get(server, 0)
        way_ms = world.links[entry.recorder].slowest_ms + world.links[server].slowest_ms
        unsure_ms = gap.error_ms + way_ms
        true = [self._missing_ms(gap, entry, before, end_ms, around_ms) for around_ms in (end_ms, end_ms - unsure_ms, end_ms + unsure_ms)]
        # A server keeps the hours of a schedule by its own clock: where they bound the gap, it is as unsure as that clock is off.
        clock_ms = max(abs(world.wall_steps.get(one, 0)) for one in (entry.recorder, server)) if any(off_ms for _, off_ms in true) else 0
        wrong_ms = min(abs(true_ms - (gap.gap_ms or 0)) for true_ms, _ in true)
        sentence = f"The gap of {gap.camera} in {entry.id} is measured as {gap.gap_ms} ms and is {true[0][0]} ms in the material."
        self._check(GAP_TRUE, sentence if wrong_ms > unsure_ms + clock_ms + GAP_TOLERANCE_MS else None)

    def _off_from_ms(self, camera: CameraId, server: RecorderId, saved_ms: int, first_frame_ms: int) -> int:
        """Since when the camera was off on the server that had taken it over, by that server's clock; its first frame if it was not."""
        world = self._world
        taken_ms = saved_ms - world.coordinator.wall_step_ms + world.wall_steps.get(server, 0)
        times = world.hours[camera].off_times(taken_ms, first_frame_ms)
        return times[0][0] if times else first_frame_ms

    def _missing_ms(
        self, gap: CameraGap, entry: Failover, before: Sequence[tuple[int, int]], end_ms: int, around_ms: int
    ) -> tuple[int, int]:
        """What is missing up to `end_ms` after the last frame before `around_ms`, and what of the time between was off."""
        step_ms, hours = self._world.wall_steps.get(entry.recorder, 0), self._world.hours.get(gap.camera)
        begin_ms = _recorded_until(before, around_ms + step_ms) - step_ms
        if hours is None:
            return max(0, end_ms - begin_ms), 0
        if gap.off_before:
            # Whatever went wrong with the camera earlier is no gap of this failover: it was not to be recorded when that began.
            off = hours.last_off(gap.last_before_ms)
            begin_ms = max(begin_ms, off.from_ms if off is not None else 0)
        off_ms = hours.off_between_ms(begin_ms, end_ms)
        return max(0, end_ms - begin_ms) - off_ms, off_ms


def _recorded_until(pairs: Sequence[tuple[int, int]], end_ms: int) -> int:
    """The last frame before `end_ms`; `end_ms` itself where frames go on then, but for pauses too short to be told."""
    begun = [index for index, (first_ms, _) in enumerate(pairs) if first_ms < end_ms]
    if not begun:
        return pairs[-1][1]
    last = begun[-1]
    goes_on = last + 1 < len(pairs) and pairs[last + 1][0] - pairs[last][1] <= PAUSE_MS
    return end_ms if goes_on else min(pairs[last][1], end_ms)


def _key(request: c.Request) -> tuple[str, str] | None:
    match request:
        case c.StartFailover(recorder=recorder):
            return "failover", recorder
        case c.SwitchOver(recorder=recorder):
            return "switch", recorder
        case c.StartFailback(failover=failover):
            return "failback", failover
        case _:
            return None


def _preview(view: View, seen: Seen, request: c.Request) -> c.Preview | None:
    match request:
        case c.StartFailover(recorder=recorder) if recorder in view.recorders:
            return preview_failover(view, seen, view.recorders[recorder])
        case c.SwitchOver(recorder=recorder) if recorder in view.recorders:
            return preview_switch(view, seen, view.recorders[recorder])
        case c.StartFailback(failover=failover) if failover in view.failovers:
            return preview_failback(view, seen, view.failovers[failover], {})
        case _:
            return None


def _rests_on(view: View, seen: Seen, group: GroupId | None) -> object:
    """Everything in a group that its previews may rest on, as it is now."""
    members = sorted(view.members.get(group, ())) if group is not None else []
    entries = [view.failovers[open_id] for open_id in view.open_in.get(group, ())] if group is not None else []
    phases = [(entry.id, entry.phase) for entry in entries]
    reports = [_report(seen, member) for member in members]
    return (
        view.groups.get(group) if group is not None else None,
        [view.recorders[member] for member in members],
        phases,
        reports,
        dict(view.holds),
        view.reconcile,
        dict(view.maintenance),
        group is not None and baseline_holds(view, group),
    )


def _report(seen: Seen, server: RecorderId) -> object:
    heard = seen.of(server)
    beat = heard.beat
    if beat is None:
        return None
    return (
        seen.connected(server),
        seen.silence_ms(server) >= 2 * BEAT_INTERVAL_MS,
        heard.leaving is not None,
        heard.reports_service_failed(),
        heard.service_heard(),
        heard.reports_frames(),
        heard.clock_offset_ms // 1000,
        (beat.mode, beat.epoch, beat.home, beat.documents, beat.version, beat.disks),
        (beat.camera_limit, beat.bitrate_limit_kbps, beat.vca_channels, beat.plugins, beat.hardware),
        [(held.camera, held.held_ms // 1000) for held in beat.preroll.cameras],
    )
