"""The same decisions, computed and not taken (SPEC 14.2); and who held a camera when (SPEC 17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from sysmanager.coordinator.adoption import preview_adoption
from sysmanager.coordinator.detection import group_of
from sysmanager.coordinator.failback_preview import Opened, documents_to_compare, preview_failback
from sysmanager.coordinator.gap_totals import gap_totals
from sysmanager.coordinator.landing import who_lands_where
from sysmanager.coordinator.opening import choice_for
from sysmanager.coordinator.preview_cameras import moving
from sysmanager.coordinator.requests import cached, failover_stops
from sysmanager.coordinator.requests.switching import switch_stops
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Choice, choose
from sysmanager.coordinator.state import View, governing, running_in_group, tasks_of, was_entry
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import CameraId, GroupId, RecorderId, shown
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder, Role
from sysmanager.protocol import clients as c

HOLDER_LIMIT = 1000


def documents_for(view: View, question: c.Question) -> tuple[DocumentSet, ...]:
    """Documents that the answer has to look into; the engine reads them from its cache and hands them to `answer`."""
    return documents_to_compare(view, view.failovers.get(question.failover)) if isinstance(question, c.PreviewFailback) else ()


def answer(
    view: View,
    seen: Seen,
    question: c.ViewQuestion,
    left: Sequence[Failover] = (),
    opened: Opened | None = None,
    *,
    now: Instant | None = None,
) -> c.Answer:
    """Answer a question of a client from the present view.

    left: entries that have left memory and that the question needs. opened: what could be read of `documents_for`.
    now: for what has to do with time; None for the coordinator's start.
    """
    match question:
        case c.PreviewFailover(recorder=recorder) | c.PreviewSwitch(recorder=recorder) | c.PreviewAdoption(recorder=recorder):
            row = view.recorders.get(recorder)
            if row is None:
                return c.Refused(sentence=f"There is no server {shown(recorder)}; see the list of servers.")
            return _preview_of(view, seen, question, row)
        case c.PreviewFailback(failover=failover):
            entry = view.failovers.get(failover)
            if entry is None and was_entry(view, failover):
                return c.Refused(sentence=f"{failover} ended long ago; a failback starts from an entry that is ready for it.")
            if entry is None:
                return c.Refused(sentence=f"There is no entry {shown(failover)} in the failover log; see the list of entries.")
            return preview_failback(view, seen, entry, opened or {})
        case c.WhoRecords(camera=camera, at_wall_ms=at_wall_ms):
            return who_records(view, camera, at_wall_ms, left)
        case c.MeasuredGaps():
            return gap_totals(view, now or seen.started)
        case c.WhoLandsWhere(two=two):
            return who_lands_where(view, seen, two=two)
        case _:
            assert_never(question)


def _preview_of(view: View, seen: Seen, question: c.PreviewFailover | c.PreviewSwitch | c.PreviewAdoption, row: Recorder) -> c.Preview:
    match question:
        case c.PreviewFailover():
            return preview_failover(view, seen, row)
        case c.PreviewSwitch():
            return preview_switch(view, seen, row)
        case c.PreviewAdoption(group=group):
            return preview_adoption(view, seen, row, group)
        case _:
            assert_never(question)


def preview_failover(view: View, seen: Seen, row: Recorder) -> c.Preview:
    """What a failover by hand would do now."""
    found = [c.Check(level=c.Level.STOP, sentence=sentence) for sentence, _ in failover_stops(view, seen, row)]
    group_id = group_of(view, row)
    choice = Choice(server=None, verdicts=())
    home = view.recorders.get(row.home) if row.home is not None else None
    cameras: tuple[c.MovingCamera, ...] = ()
    if group_id is not None and home is not None:
        tasks = tasks_of(row, home)
        choice = choose(view, seen, failed=row, home=tasks, group=view.groups[group_id])
        cameras = moving(seen, tasks.settings, choice)
        found += _passed(view, seen, row, group_id, found)
        found += _warnings(view, seen, row, choice)
    return c.Preview(
        allowed=not any(check.level is c.Level.STOP for check in found),
        checks=tuple(found),
        target=choice.server,
        verdicts=choice.verdicts,
        moves=choice.moved,
        moving=cameras,
        stays=choice.not_moved,
        to_do=choice.to_do,
        vca_off=choice.vca_off,
        preroll_s=choice.preroll_s,
    )


def preview_switch(view: View, seen: Seen, row: Recorder) -> c.Preview:
    """What a planned switch would do now."""
    stops = switch_stops(view, seen, row)
    found = [c.Check(level=c.Level.STOP, sentence=sentence) for sentence, _ in stops]
    choice = choice_for(view, seen, row)
    singly = tuple(camera.id for camera in row.settings.cameras if camera.sessions == 1 and camera.id in choice.moved)
    if choice.server is not None and not stops:
        name = view.recorders[choice.server].name
        sentence = f"{name} would record {len(choice.moved)} cameras first; then {row.name} would stop."
        found.append(c.Check(level=c.Level.GOOD, sentence=sentence))
    if singly:
        many = f"{len(singly)} cameras allow one session only; they change hands one by one, and each is dark for about a second."
        sentence = many if len(singly) > 1 else "1 camera allows one session only; it is dark for about a second while it changes hands."
        found.append(c.Check(level=c.Level.WARNING, sentence=sentence))
    if choice.not_moved:
        sentence = f"{len(choice.not_moved)} cameras do not move; nobody records them until the failback."
        found.append(c.Check(level=c.Level.WARNING, sentence=sentence))
    found += [c.Check(level=c.Level.WARNING, sentence=line) for line in choice.to_do]
    return c.Preview(
        allowed=not stops,
        checks=tuple(found),
        target=choice.server,
        verdicts=choice.verdicts,
        moves=choice.moved,
        moving=moving(seen, row.settings, choice),
        stays=choice.not_moved,
        to_do=choice.to_do,
        handed_over_singly=singly,
    )


def _passed(view: View, seen: Seen, row: Recorder, group_id: GroupId, stops: list[c.Check]) -> list[c.Check]:
    """What a failover by hand needs, each as a check that holds (SPEC 4.5); where something stops it that is said instead."""
    if stops:
        return []
    governor = governing(view, row)
    members = (view.recorders[member] for member in view.members.get(group_id, ()))
    connected = [server for server in members if server.role is Role.FAILOVER and server.id != row.id and seen.connected(server.id)]
    servers = "1 failover server" if len(connected) == 1 else f"{len(connected)} failover servers"
    sentences = [
        f"{row.name} records, and failover is on for {governor.name}.",
        f"{servers} of the group {view.groups[group_id].name} connected.",
    ]
    if cached(view, row):
        sentences.append(f"The settings of {row.name} are in the cache.")
    return [c.Check(level=c.Level.GOOD, sentence=sentence) for sentence in sentences]


def _warnings(view: View, seen: Seen, row: Recorder, choice: Choice) -> list[c.Check]:
    found: list[c.Check] = []
    group_id = group_of(view, row)
    if not cached(view, row):
        sentence = f"The settings of {row.name} are not in the cache yet; it would wait until they can be fetched."
        found.append(c.Check(level=c.Level.WARNING, sentence=sentence))
    running = running_in_group(view, group_id) if group_id is not None else None
    if running is not None:
        found.append(c.Check(level=c.Level.WARNING, sentence=f"{running.id} is running in the group; this one would wait for it."))
    if choice.server is None:
        found.append(c.Check(level=c.Level.WARNING, sentence="No failover server of the group fits now; it would wait for one."))
    else:
        name = view.recorders[choice.server].name
        found.append(c.Check(level=c.Level.GOOD, sentence=f"{name} would take {len(choice.moved)} cameras."))
    if seen.connected(row.id) and seen.of(row.id).reports_frames():
        sentence = f"{row.name} is well and records; it would be told to stop once {choice.server or 'another server'} records."
        found.append(c.Check(level=c.Level.WARNING, sentence=sentence))
    found += [c.Check(level=c.Level.WARNING, sentence=line) for line in choice.to_do]
    return found


def who_records(view: View, camera: CameraId, at_wall_ms: int, left: Sequence[Failover] = ()) -> c.Holders:
    """Which recorders held the camera at a moment: two while a failback hands it over, none while nobody had it.

    left: entries of the camera's home around that moment that may have left memory.
    """
    home = home_of(view, camera)
    if home is None:
        return c.Holders()
    spans = [span for span in _spans(view, home, camera, left) if _covers(span, at_wall_ms)]
    return c.Holders(holders=tuple(spans[:HOLDER_LIMIT]))


def home_of(view: View, camera: CameraId) -> RecorderId | None:
    """The recorder that the camera belongs to. On an acting server the same camera stands under its home; who is on standby has none."""
    for row in view.recorders.values():
        holds = row.home is not None or row.role is Role.STANDARD
        if holds and any(known.id == camera for known in row.settings.cameras):
            return row.home or row.id
    return None


def _covers(span: c.Holder, at_wall_ms: int) -> bool:
    return span.from_wall_ms <= at_wall_ms and (span.until_wall_ms == 0 or at_wall_ms < span.until_wall_ms)


def _spans(view: View, home: RecorderId, camera: CameraId, left: Sequence[Failover]) -> list[c.Holder]:
    """Who held a camera of the home, from the first failover known here to now. One that did not move has nobody until the failback."""
    known = {entry.id: entry for entry in (*left, *view.failovers.values()) if entry.home == home and entry.timeline.committed_ms}
    entries = sorted(known.values(), key=lambda entry: entry.number)
    spans: list[c.Holder] = []
    holder: RecorderId | None = home
    since_ms = 0
    for entry in entries:
        if holder is not None:
            spans.append(c.Holder(recorder=holder, from_wall_ms=since_ms, until_wall_ms=entry.timeline.committed_ms))
        holder, since_ms = entry.server if camera in entry.moved else None, entry.timeline.committed_ms
        steps = {step.number: step.done_wall_ms for step in entry.failback.steps} if entry.failback is not None else {}
        if 9 in steps:
            if holder is not None:
                spans.append(c.Holder(recorder=holder, from_wall_ms=since_ms, until_wall_ms=steps[9]))
            # The recorder records from step 8 on, before the failover server stops: both hold the seam.
            holder, since_ms = home, steps[8]
    return spans if holder is None else [*spans, c.Holder(recorder=holder, from_wall_ms=since_ms)]
