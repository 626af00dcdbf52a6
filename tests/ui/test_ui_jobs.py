"""The list of jobs: lines, what can be done with the selected one, and what the buttons send."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QMessageBox

from sysmanager.api import (
    CameraId,
    CancelJob,
    Changes,
    JobId,
    JobKind,
    JobPhase,
    JobRow,
    PauseJob,
    ResumeJob,
    StartCopy,
    StartDrill,
    SwitchOver,
)
from sysmanager.domain.failover import Attempt, AttemptEnd, CopyMark, Phase
from sysmanager.domain.ids import Epoch, FailoverId
from sysmanager.domain.jobs import CameraCoverage, Uncovered
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.conditions import Action, condition, copy_condition
from sysmanager.ui.state.events import ChangesArrived, JobSelected, SnapshotArrived
from sysmanager.ui.state.jobs import job_lines
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.reducer import reduce
from sysmanager.ui.views.details_dialog import copy_text
from sysmanager.ui.views.preview_dialog import PreviewDialog
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.harness import until

J1, J2 = JobId("J00001"), JobId("J00002")


def job(number: int = 1, phase: JobPhase = JobPhase.COPYING, **more: object) -> JobRow:
    row = JobRow(
        id=JobId(f"J{number:05d}"),
        number=number,
        kind=JobKind.COPY,
        recorder=site.rid("TA-REC-05"),
        server=site.rid("TA-FO-01"),
        failover=FailoverId("F00033"),
        phase=phase,
        sentence="It copies.",
        actor=Actor(name="admin"),
        started_ms=site.NOW_MS,
        percent=40,
        rate_kbps=80_000,
        left_ms=61_000,
    )
    return msgspec.structs.replace(row, **more)


def seen(*jobs: JobRow, selected: JobId | None = J1) -> UiState:
    state = UiState(actor=Actor(name="a", role=RoleName.ADMINISTRATOR))
    state = reduce(state, SnapshotArrived(msgspec.structs.replace(site.harbour(), jobs=jobs)))
    return reduce(state, JobSelected(selected))


def test_open_jobs_come_first_with_their_progress() -> None:
    drill = job(2, JobPhase.FAILED, kind=JobKind.DRILL, rate_kbps=0, left_ms=None)
    lines = job_lines(seen(job(1), drill, job(3, resting=True)))
    assert [(line.number, line.tone, line.progress) for line in lines] == [
        (3, Tone.WARNING, 0.4),
        (1, Tone.ACCENT, 0.4),
        (2, Tone.BAD, None),
    ]
    assert (lines[1].rate, lines[1].left, lines[1].servers) == ("10.0 MB/s", "1 min 01 s", "TA-FO-01 → TA-REC-05")
    assert (lines[2].kind, lines[2].servers) == ("Drill", "TA-FO-01 for TA-REC-05")


def test_changes_bring_and_take_jobs() -> None:
    state = reduce(seen(job(1)), ChangesArrived(Changes(sequence=2, jobs=(job(2),), removed_jobs=(J1,))))
    assert set(state.jobs) == {J2}
    assert state.job is None
    assert reduce(state, JobSelected(J1)) is state


@pytest.mark.parametrize(
    ("row", "pause", "resume", "cancel"),
    [
        (None, "No job is selected", None, "No job is selected"),
        (job(), "", None, ""),
        (job(paused=True), None, "", ""),
        (job(phase=JobPhase.READY), "J00001 has ended: ready.", None, "J00001 has ended: ready."),
        (job(kind=JobKind.DRILL, phase=JobPhase.DRILLING), "A drill cannot be paused", None, ""),
    ],
)
def test_what_can_be_done_with_a_job(row: JobRow | None, pause: str | None, resume: str | None, cancel: str | None) -> None:
    state = seen(*(() if row is None else (row,)))
    for action, expected in ((Action.PAUSE_JOB, pause), (Action.RESUME_JOB, resume), (Action.CANCEL_JOB, cancel)):
        now = condition(action, state)
        assert now.visible is (expected is not None)
        assert expected is None or (now.reason.startswith(expected) if expected else now.enabled)


def test_when_footage_can_be_copied() -> None:
    state = seen()
    ended = site.failover(9, "TA-REC-01", Phase.RETURNED)
    attempt = Attempt(number=1, server=site.rid("TA-FO-01"), epoch=Epoch(3))
    assert "recorded anything" in copy_condition(msgspec.structs.replace(ended, attempts=()), state).reason
    refused = msgspec.structs.replace(attempt, end=AttemptEnd.REFUSED)
    assert not copy_condition(msgspec.structs.replace(ended, attempts=(refused,)), state).enabled
    with_footage = msgspec.structs.replace(ended, attempts=(attempt,))
    assert copy_condition(with_footage, state).enabled
    for phase, words in ((JobPhase.READY, "at home already"), (JobPhase.COPYING, "on its way home")):
        shown = msgspec.structs.replace(with_footage, copy=CopyMark(job=J1, phase=phase))
        assert words in copy_condition(shown, state).reason
    failed = msgspec.structs.replace(with_footage, copy=CopyMark(job=J1, phase=JobPhase.FAILED))
    assert copy_condition(failed, state).enabled


def test_a_drill_that_runs_is_not_started_twice() -> None:
    state = seen(job(kind=JobKind.DRILL, phase=JobPhase.DRILLING, recorder=site.rid("TA-REC-01")))
    state = msgspec.structs.replace(state, selected=site.rid("TA-REC-01"))
    from sysmanager.ui.state.model import Place

    state = msgspec.structs.replace(state, place=Place.SERVER)
    assert "The drill J00001" in condition(Action.DRILL, state).reason


def test_the_details_say_how_the_copy_stands_and_what_remains_uncovered() -> None:
    state = seen()
    assert copy_text(job(), state, site.NOW_MS, None) == "Material copy J00001: It copies. (40 %)"
    done = job(phase=JobPhase.READY)
    assert copy_text(done, state, site.NOW_MS, None) == "Material copy J00001: It copies."
    spans = tuple(Uncovered(CameraId("c1"), site.NOW_MS + n, site.NOW_MS + n + 2_000, "gap of the failover") for n in range(5))
    uncovered = msgspec.structs.replace(done, coverage=(CameraCoverage(camera=CameraId("c1"), uncovered=spans),))
    text = copy_text(uncovered, state, site.NOW_MS, None)
    assert "c1 2.00 s from" in text
    assert text.endswith("and 2 more.")


async def test_the_list_follows_and_its_buttons_ask_the_coordinator(open_site: OpenSite) -> None:
    opened = await open_site(msgspec.structs.replace(site.harbour(), jobs=(job(1), job(2, JobPhase.READY))))
    window = opened.window
    QAbstractItemModelTester(window.jobs._model, QAbstractItemModelTester.FailureReportingMode.Fatal, window)
    window.job_dock.show()
    assert window.job_dock.windowTitle() == "Jobs (1)"
    window.jobs.view.selectRow(0)
    assert opened.store.state.selected_job == J1
    window.actions_[Action.PAUSE_JOB].trigger()
    await until(lambda: PauseJob(job=J1) in opened.client.requests, "the request")
    opened.store.dispatch(ChangesArrived(Changes(sequence=2, jobs=(job(1, paused=True),))))
    await until(lambda: window.actions_[Action.RESUME_JOB].isEnabled() and not opened.store.state.running, "the answer")
    window.actions_[Action.RESUME_JOB].trigger()
    await until(lambda: ResumeJob(job=J1) in opened.client.requests, "the request")
    await until(lambda: not opened.store.state.running, "the answer")
    window.actions_[Action.CANCEL_JOB].trigger()
    box = window.dialogs.opened
    assert isinstance(box, QMessageBox)
    next(button for button in box.buttons() if button.text() == "End job").click()
    await until(lambda: CancelJob(job=J1) in opened.client.requests, "the request")


async def test_drill_switch_and_copy_are_offered_where_they_belong(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    window, store = opened.window, opened.store
    from sysmanager.ui.state.events import FailoverSelected, PlaceSelected
    from sysmanager.ui.state.model import Place

    store.dispatch(PlaceSelected(Place.SERVER, site.rid("TA-REC-01")))
    window.actions_[Action.DRILL].trigger()
    await until(lambda: StartDrill(recorder=site.rid("TA-REC-01")) in opened.client.requests, "the request")
    await until(lambda: not store.state.running, "the answer")
    window.actions_[Action.SWITCH].trigger()
    dialog = window.dialogs.opened
    assert isinstance(dialog, PreviewDialog)
    await until(lambda: dialog.ready, "the preview")
    dialog.confirmed.emit()
    await until(lambda: SwitchOver(recorder=site.rid("TA-REC-01")) in opened.client.requests, "the request")
    dialog.reject()
    await until(lambda: not store.state.running, "the answer")
    entry = next(one for one in store.state.failovers.values() if copy_condition(one, store.state).enabled)
    store.dispatch(FailoverSelected(entry.id))
    window.actions_[Action.COPY_ENTRY].trigger()
    await until(lambda: StartCopy(failover=entry.id) in opened.client.requests, "the request")
