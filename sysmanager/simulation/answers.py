"""What the outside of a simulated server tells its machine: how documents came, what it refuses, and what its schedules say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec

from sysmanager.domain.documents import DocumentSet, SchedulesDocument, SettingsDocument, summary_of
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch
from sysmanager.domain.schedule import Week, week_of
from sysmanager.protocol.jobs import ForgetJob, JobOrder, MarkCopied, RunDrill
from sysmanager.protocol.recorders import LetOut, Obeyed, OrderAnswer, Refusal, RefusalReason
from sysmanager.recorder import machine as m
from sysmanager.recorder.timetable import Timetable
from sysmanager.simulation.drilling import Drilling
from sysmanager.simulation.suspicion import Suspicion
from sysmanager.simulation.transfer import Transfer


@cache
def in_utc(week: Week) -> Timetable:
    """The hours of a week where local time is UTC. One for all cameras: it tells the same to whoever asks."""
    return Timetable(week, lambda _at_s: 0)


def hours_in(store: Mapping[DocumentHash, bytes], plan: m.CapturePlan) -> Mapping[CameraId, Timetable]:
    """The schedules that go with a plan, as the server has them in its store; local time is UTC."""
    content = store.get(plan.documents.schedules) if plan.documents is not None else None
    weeks = msgspec.json.decode(content, type=SchedulesDocument).schedules if content is not None else {}
    return {camera.id: in_utc(week_of(camera.mode, weeks[camera.id])) for camera in plan.cameras if camera.id in weeks}


def documents_came(documents: DocumentSet, contents: Mapping[DocumentHash, bytes] | None) -> m.DocumentsReady | m.DocumentsFailed:
    """The end of a fetch; None: they did not come in time."""
    reason, sentence = RefusalReason.DOCUMENTS_MISSING, "The coordinator did not give the documents in time."
    if contents is not None:
        try:
            settings = summary_of(msgspec.json.decode(contents[documents.settings], type=SettingsDocument))
            return m.DocumentsReady(documents=documents, settings=settings)
        except msgspec.DecodeError:
            reason, sentence = RefusalReason.DOCUMENTS_UNREADABLE, "The settings document cannot be read."
    return m.DocumentsFailed(documents=documents, reason=reason, sentence=sentence)


def job_refused(order: JobOrder | LetOut, *, by_hand: bool, cannot_save: bool) -> Refusal | None:
    """What keeps a server from the order of a job; None if nothing does."""
    if isinstance(order, RunDrill) and by_hand:
        return Refusal(reason=RefusalReason.REFUSED_BY_HAND, sentence="It was told by hand to refuse settings.")
    if isinstance(order, MarkCopied) and cannot_save:
        return Refusal(reason=RefusalReason.CANNOT_SAVE, sentence="It cannot note what was copied; free space on its system disk.")
    return None


def take_beside(order: JobOrder | LetOut, epoch: Epoch, suspicion: Suspicion, drilling: Drilling, transfer: Transfer) -> OrderAnswer:
    """Carry out what nothing keeps it from. epoch: the highest that the machine knows."""
    match order:
        case LetOut(camera=camera):
            suspicion.release(camera)
            return Obeyed(epoch=epoch)
        case RunDrill():
            return drilling.take(order)
        case ForgetJob():
            drilling.take(order)
            return transfer.take(order)
        case _:
            return transfer.take(order)
