"""The one place where the state of the interface changes: `reduce(state, event)` is the next state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import msgspec

from sysmanager.api import Changes, Health, RecorderRow, Role, Snapshot
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.ui.state.events import (
    AuditArrived,
    AuditAsked,
    CameraSelected,
    ChangesArrived,
    DraftDropped,
    Event,
    FailoverSelected,
    FieldsEdited,
    ForecastArrived,
    JobSelected,
    LinkChanged,
    LogAsked,
    LogFiltered,
    LogPageArrived,
    NoticeDismissed,
    NoticeShown,
    OperationEnded,
    OperationSlow,
    OperationStarted,
    PictureArrived,
    PlaceSelected,
    PracticeOffered,
    SessionChanged,
    SnapshotArrived,
)
from sysmanager.ui.state.log_pages import (
    AuditPages,
    LogPages,
    asked_anew,
    audit_arrived,
    audit_asked_anew,
    live_ones,
    page_arrived,
    told_live,
)
from sysmanager.ui.state.model import NOTICE_LIMIT, Draft, Link, Notice, Place, UiState
from sysmanager.ui.state.pictures import ShownPicture
from sysmanager.ui.state.texts import natural_key

_change = msgspec.structs.replace


def reduce(state: UiState, event: Event) -> UiState:
    """The state after the event; the same object where nothing changed."""
    match event:
        case SnapshotArrived(snapshot):
            return _with_snapshot(state, snapshot)
        case ChangesArrived(changes):
            return _with_changes(state, changes)
        case LinkChanged(link, sentence):
            return _change(state, link=link, link_sentence=sentence)
        case SessionChanged(actor, offered):
            return _change(state, actor=actor, offered=offered, drafts={}, forecast=None, picture=None)
        case PracticeOffered():
            return _change(state, practice=True)
        case PlaceSelected(place, recorder):
            return _selecting(state, place, recorder)
        case JobSelected(job):
            return state if job == state.selected_job else _change(state, selected_job=job)
        case CameraSelected(recorder, camera):
            return _choosing_camera(state, recorder, camera)
        case PictureArrived(shown):
            # Of a camera that is no longer chosen it would be shown under the wrong name.
            wanted = state.picture is not None and (state.picture.recorder, state.picture.camera) == (shown.recorder, shown.camera)
            return _change(state, picture=shown) if wanted else state
        case FailoverSelected(failover):
            return state if failover == state.selected_failover else _change(state, selected_failover=failover)
        case LogFiltered() | LogAsked():
            query = event.query if isinstance(event, LogAsked) else _change(state.log.query, search=event.text)
            log = asked_anew(state.log, query)
            return state if log is state.log else _settled(_change(state, log=log))
        case LogPageArrived(query, after, found):
            log = page_arrived(state.log, query, after, found)
            return state if log is state.log else _change(state, log=log)
        case AuditAsked(search):
            audit = audit_asked_anew(state.audit, search)
            return state if audit is state.audit else _change(state, audit=audit)
        case AuditArrived(search, after, found):
            audit = audit_arrived(state.audit, search, after, found)
            return state if audit == state.audit else _change(state, audit=audit)
        case FieldsEdited():
            return _with_fields(state, event)
        case DraftDropped(recorder):
            return state if recorder not in state.drafts else _change(state, drafts=_without(state.drafts, recorder))
        case ForecastArrived(forecast):
            # An answer about a server that is no longer selected would be shown under the wrong name.
            return _change(state, forecast=forecast) if forecast.recorder == state.selected else state
        case OperationStarted(running):
            return _change(state, running=(*state.running, running))
        case OperationSlow(key):
            return _change(state, running=tuple(_change(one, slow=True) if one.key == key else one for one in state.running))
        case OperationEnded(key):
            return _change(state, running=tuple(one for one in state.running if one.key != key))
        case NoticeShown(tone, sentence):
            number = state.notices_shown + 1
            same_gone = tuple(notice for notice in state.notices if notice.sentence != sentence)
            notices = (*same_gone, Notice(number=number, tone=tone, sentence=sentence))[-NOTICE_LIMIT:]
            return _change(state, notices=notices, notices_shown=number)
        case NoticeDismissed(number):
            return _change(state, notices=tuple(notice for notice in state.notices if notice.number != number))
        case _:
            assert_never(event)


def _with_snapshot(state: UiState, snapshot: Snapshot) -> UiState:
    return _settled(
        _change(
            state,
            link=Link.CONNECTED,
            link_sentence="",
            system=snapshot.system,
            groups={group.id: group for group in snapshot.groups},
            recorders={row.id: row for row in snapshot.recorders},
            failovers={failover.id: failover for failover in snapshot.failovers},
            jobs={job.id: job for job in snapshot.jobs},
            # What came in pages may have changed while nobody was heard.
            log=LogPages(query=state.log.query),
            audit=AuditPages(search=state.audit.search),
        )
    )


def _with_changes(state: UiState, changes: Changes) -> UiState:
    groups, recorders, failovers = state.groups, state.recorders, state.failovers
    if changes.groups or changes.removed_groups:
        groups = {key: group for key, group in groups.items() if key not in changes.removed_groups}
        groups.update((group.id, group) for group in changes.groups)
    if changes.recorders or changes.removed_recorders:
        recorders = {key: row for key, row in recorders.items() if key not in changes.removed_recorders}
        recorders.update((row.id, row) for row in changes.recorders)
    if changes.failovers:
        failovers = live_ones({**failovers, **{failover.id: failover for failover in changes.failovers}})
        state = _change(state, log=told_live(state.log, changes.failovers))
    jobs = state.jobs
    if changes.jobs or changes.removed_jobs:
        jobs = {key: job for key, job in jobs.items() if key not in changes.removed_jobs}
        jobs.update((job.id, job) for job in changes.jobs)
    system = changes.system if changes.system is not None else state.system
    return _settled(_change(state, system=system, groups=groups, recorders=recorders, failovers=failovers, jobs=jobs))


def _settled(state: UiState) -> UiState:
    """Selections name what exists: a removed server is not selected, and the first view shows what needs a person most."""
    if state.selected is not None and state.selected not in state.recorders:
        state = _change(state, selected=None, place=Place.SITE, forecast=None)
    if any(recorder not in state.recorders for recorder in state.drafts):
        state = _change(state, drafts={key: draft for key, draft in state.drafts.items() if key in state.recorders})
    if state.place is Place.NOTHING and state.recorders:
        state = _change(state, place=Place.SERVER, selected=_most_urgent(state.recorders))
    if state.selected_failover is not None and state.entry_of(state.selected_failover) is None:
        state = _change(state, selected_failover=None)
    if state.selected_failover is None and state.failovers:
        newest = max(state.failovers.values(), key=lambda failover: failover.number)
        state = _change(state, selected_failover=newest.id)
    return state


def _most_urgent(recorders: Mapping[RecorderId, RecorderRow]) -> RecorderId:
    worst = (Health.BAD, Health.WARNING, Health.UNKNOWN, Health.GOOD)

    def urgency(row: RecorderRow) -> tuple[object, ...]:
        return row.countdown_ms is None, worst.index(row.health), row.role is Role.FAILOVER, natural_key(row.name)

    return min(recorders.values(), key=urgency).id


def _choosing_camera(state: UiState, recorder: RecorderId, camera: CameraId | None) -> UiState:
    """The last picture of the same camera stays until the new one is there."""
    if camera is None:
        return state if state.picture is None else _change(state, picture=None)
    if state.picture is not None and (state.picture.recorder, state.picture.camera) == (recorder, camera):
        return state
    return _change(state, picture=ShownPicture(recorder=recorder, camera=camera))


def _selecting(state: UiState, place: Place, recorder: RecorderId | None) -> UiState:
    if place is state.place and recorder == state.selected:
        return state
    if recorder != state.selected:
        state = _change(state, forecast=None, picture=None)
    return _change(state, place=place, selected=recorder)


def _with_fields(state: UiState, event: FieldsEdited) -> UiState:
    row = state.recorders.get(event.recorder)
    if row is None:
        return state
    draft = state.drafts.get(event.recorder)
    if draft is None:
        draft = Draft(recorder=row.id, revision=row.revision, base=row.edit, fields=event.fields)
    else:
        draft = _change(draft, fields=event.fields)
    # Typing a change back by hand leaves nothing to save.
    unchanged = draft.fields == draft.base and draft.revision == row.revision
    others = _without(state.drafts, row.id)
    return _change(state, drafts=others if unchanged else {**others, row.id: draft})


def _without(drafts: Mapping[RecorderId, Draft], recorder: RecorderId) -> dict[RecorderId, Draft]:
    return {key: draft for key, draft in drafts.items() if key != recorder}
