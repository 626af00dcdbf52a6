"""Operations: one coroutine per command against a client that refuses, fails, or takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from sysmanager.api import (
    AbortFailover,
    AcknowledgeAlarm,
    AddRecorder,
    CancelJob,
    ConfirmReconcile,
    Done,
    EditRecorder,
    EditSystem,
    EndMaintenance,
    Finding,
    Holders,
    HoldFailover,
    PauseJob,
    Preview,
    Refused,
    ReleaseCamera,
    ReleaseHold,
    RemoveGroup,
    RemoveRecorder,
    Request,
    ResumeJob,
    SaveGroup,
    StartCopy,
    StartDrill,
    StartFailback,
    StartFailover,
    StartMaintenance,
    SwitchOver,
    SystemSettings,
)
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, JobId
from sysmanager.domain.maintenance import SYSTEM
from sysmanager.domain.rights import RoleName
from sysmanager.ui.operations import Forecaster, Operations, Outcome, Session, follow
from sysmanager.ui.operations.forecast import wanted
from sysmanager.ui.operations.session import RETRY_S, Tasks
from sysmanager.ui.state.events import FieldsEdited, PlaceSelected, SnapshotArrived
from sysmanager.ui.state.model import Link, Place, Tone, UiState
from sysmanager.ui.state.store import Store
from tests.ui import site
from tests.ui.fakes import EagerClock, FakeClient, FakeSwitcher
from tests.ui.harness import TURNS

R, KEY, GROUP = site.rid("TA-REC-01"), FailoverId("F00033"), Group(id=GroupId("c"), name=" Terminal C ")
FINDINGS = (Finding(recorder=R, sentence="It records under epoch 9."),)


class Desk:
    def __init__(self) -> None:
        self.client = FakeClient(site.harbour())
        self.store = Store(UiState(actor=site.ADMIN), EagerClock())
        self.store.dispatch(SnapshotArrived(site.harbour()))
        self.operations = Operations(lambda: self.client, self.store, slow_s=0.005)
        self.fields = self.store.state.recorders[R].edit

    @property
    def sentences(self) -> list[tuple[Tone, str]]:
        return [(notice.tone, notice.sentence) for notice in self.store.state.notices]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(TURNS):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("It did not happen.")


JOB = JobId("J00001")
CAMERA = CameraId("gate")

COMMANDS: list[tuple[Callable[[Desk], Awaitable[Outcome]], Request]] = [
    (lambda desk: desk.operations.start_failover(R), StartFailover(recorder=R)),
    (lambda desk: desk.operations.abort_failover(KEY), AbortFailover(failover=KEY)),
    (lambda desk: desk.operations.start_failback(KEY), StartFailback(failover=KEY)),
    (lambda desk: desk.operations.switch_over(R), SwitchOver(recorder=R)),
    (lambda desk: desk.operations.start_drill(R), StartDrill(recorder=R)),
    (lambda desk: desk.operations.start_copy(KEY), StartCopy(failover=KEY)),
    (lambda desk: desk.operations.pause_job(JOB), PauseJob(job=JOB)),
    (lambda desk: desk.operations.resume_job(JOB), ResumeJob(job=JOB)),
    (lambda desk: desk.operations.cancel_job(JOB), CancelJob(job=JOB)),
    (lambda desk: desk.operations.hold(R), HoldFailover(recorder=R)),
    (lambda desk: desk.operations.release(R), ReleaseHold(recorder=R)),
    (lambda desk: desk.operations.release_camera(R, CAMERA), ReleaseCamera(recorder=R, camera=CAMERA)),
    (lambda desk: desk.operations.edit(R, 4, desk.fields), EditRecorder(recorder=R, revision=4, fields=Desk().fields)),
    (lambda desk: desk.operations.add_server(R, desk.fields), AddRecorder(id=R, fields=Desk().fields)),
    (lambda desk: desk.operations.remove_server(R), RemoveRecorder(recorder=R)),
    (lambda desk: desk.operations.save_group(GROUP), SaveGroup(group=msgspec.structs.replace(GROUP, name="Terminal C"))),
    (lambda desk: desk.operations.remove_group(site.A), RemoveGroup(group=site.A)),
    (
        lambda desk: desk.operations.start_maintenance(SYSTEM, "new switches", 5),
        StartMaintenance(target=SYSTEM, reason="new switches", until_wall_ms=5),
    ),
    (lambda desk: desk.operations.end_maintenance(SYSTEM), EndMaintenance(target=SYSTEM)),
    (lambda desk: desk.operations.edit_system(3, SystemSettings()), EditSystem(revision=3, settings=SystemSettings())),
    (lambda desk: desk.operations.acknowledge_alarm("crash loop"), AcknowledgeAlarm(key="crash loop")),
    (lambda desk: desk.operations.confirm_reconcile(FINDINGS), ConfirmReconcile(findings=FINDINGS)),
]


@pytest.mark.parametrize(("command", "request_"), COMMANDS, ids=[type(request).__name__ for _, request in COMMANDS])
async def test_a_command_sends_its_request_and_says_how_it_ended(
    desk: Desk, command: Callable[[Desk], Awaitable[Outcome]], request_: Request
) -> None:
    outcome = await command(desk)
    assert desk.client.requests == [request_]
    assert outcome == Outcome(done=True, sentence="Done as asked.")
    assert desk.sentences == [(Tone.GOOD, "Done as asked.")]
    assert desk.store.state.running == ()


@pytest.mark.parametrize(("command", "request_"), COMMANDS, ids=[type(request).__name__ for _, request in COMMANDS])
async def test_a_refusal_and_a_lost_coordinator_are_sentences(
    desk: Desk, command: Callable[[Desk], Awaitable[Outcome]], request_: Request
) -> None:
    desk.client.reply = Refused(sentence="Not now.")
    assert await command(desk) == Outcome(done=False, sentence="Not now.")
    desk.client.error = "Nobody answers."
    assert await command(desk) == Outcome(done=False, sentence="Nobody answers.")
    assert desk.sentences == [(Tone.BAD, "Not now."), (Tone.BAD, "Nobody answers.")]
    assert desk.store.state.running == ()


async def test_a_command_that_takes_long_shows_progress_until_it_ends(desk: Desk) -> None:
    desk.client.gate = asyncio.Event()
    slow = asyncio.Event()
    desk.store.subscribe(lambda state: slow.set() if any(one.slow for one in state.running) else None)
    work = asyncio.ensure_future(desk.operations.start_failover(R))
    await until(lambda: bool(desk.store.state.running))
    assert desk.store.state.running[0].sentence == "Starting the failover of TA-REC-01."
    await asyncio.wait_for(slow.wait(), 5)
    desk.client.gate.set()
    assert (await work).done
    assert desk.store.state.running == ()


async def test_a_command_given_up_with_the_window_leaves_nothing_running(desk: Desk) -> None:
    desk.client.gate = asyncio.Event()
    work = asyncio.ensure_future(desk.operations.hold(R))
    await until(lambda: bool(desk.client.requests))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert desk.store.state.running == ()


async def test_the_entry_that_a_failover_started_is_selected(desk: Desk) -> None:
    desk.client.reply = Done(sentence="Started.", failover=FailoverId("F00005"))
    await desk.operations.start_failover(R)
    assert desk.store.state.selected_failover == FailoverId("F00005")


async def test_what_was_typed_is_dropped_when_saved_and_kept_when_refused(desk: Desk) -> None:
    fields = msgspec.structs.replace(desk.fields, name="  New ")
    desk.store.dispatch(FieldsEdited(R, fields))
    desk.client.reply = Refused(sentence="Not now.")
    await desk.operations.edit(R, 4, fields)
    assert R in desk.store.state.drafts
    desk.client.reply = None
    await desk.operations.edit(R, 4, fields)
    assert R not in desk.store.state.drafts
    last = desk.client.requests[-1]
    assert isinstance(last, EditRecorder)
    assert last.fields.name == "New"


async def test_previews(desk: Desk) -> None:
    assert isinstance(await desk.operations.preview_failover(R), Preview)
    assert isinstance(await desk.operations.preview_failback(KEY), Preview)
    desk.client.answer = Refused(sentence="Unknown.")
    assert await desk.operations.preview_failover(R) == "Unknown."
    desk.client.answer = Holders()
    assert await desk.operations.preview_failover(R) == "The coordinator gave no preview; ask again."
    desk.client.error = "Nobody answers."
    assert await desk.operations.preview_failback(KEY) == "Nobody answers."
    assert desk.sentences == []


async def test_following_shows_what_the_coordinator_says_until_the_client_is_closed(desk: Desk) -> None:
    following = asyncio.ensure_future(follow(desk.client, desk.store))
    desk.client.tell(system=site.system(ready=7))
    await until(lambda: desk.store.state.system is not None and desk.store.state.system.ready == 7)
    await desk.client.close()
    await asyncio.wait_for(following, 5)


async def test_a_lost_link_is_shown_and_followed_again_with_growing_waits(desk: Desk) -> None:
    waits: list[float] = []
    links: list[Link] = []
    desk.store.subscribe(lambda state: links.append(state.link))

    async def sleep(delay: float) -> None:
        waits.append(delay)

    for _ in range(2):
        desk.client.break_off("The coordinator went away.")
    following = asyncio.ensure_future(follow(desk.client, desk.store, sleep))
    await until(lambda: len(waits) == 2)
    await until(lambda: desk.store.state.link is Link.CONNECTED)
    await desk.client.close()
    await asyncio.wait_for(following, 5)
    assert Link.LOST in links
    assert waits[0] == RETRY_S[0]


async def test_switching_the_role_opens_another_session_and_closes_the_first(desk: Desk) -> None:
    switcher = FakeSwitcher(site.harbour())
    session = Session(desk.client, desk.store, switcher)
    session.start()
    assert desk.store.state.offered == tuple(RoleName)
    await session.switch(RoleName.ADMINISTRATOR)
    assert switcher.opened == []
    await session.switch(RoleName.MONITORING)
    assert desk.client.closed
    assert session.client is switcher.opened[0]
    assert desk.store.state.actor.role is RoleName.MONITORING
    switcher.error = "No more sessions."
    await session.switch(RoleName.OPERATOR)
    assert desk.store.state.actor.role is RoleName.MONITORING
    assert desk.sentences == [(Tone.BAD, "No more sessions.")]
    await session.close()
    assert switcher.opened[0].closed


async def test_a_session_that_may_not_switch_stays(desk: Desk) -> None:
    session = Session(desk.client, desk.store)
    await session.switch(RoleName.OPERATOR)
    assert session.client is desk.client
    assert desk.store.state.offered == ()


async def test_tasks_live_until_they_end_and_end_with_the_window() -> None:
    tasks, never = Tasks(), asyncio.Event()
    task = tasks.start(never.wait())
    assert tasks.busy == 1
    await tasks.end()
    assert task.cancelled()
    assert tasks.busy == 0


class Watching:
    """A forecaster with waits that the test ends."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.due = asyncio.Event()
        self.seen = True
        self.forecaster = Forecaster(desk.operations, desk.store, lambda: self.seen, self._sleep)
        self.task = asyncio.ensure_future(self.forecaster.run())

    async def _sleep(self, delay: float) -> None:
        await self.due.wait()
        self.due.clear()

    @property
    def asked(self) -> list[object]:
        return [question.recorder for question in self.desk.client.questions]  # type: ignore[union-attr]  # only previews are asked

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_the_forecast_is_asked_at_once_for_a_new_server_and_then_when_due(desk: Desk) -> None:
    watching = Watching(desk)
    await until(lambda: len(watching.asked) == 1)
    desk.store.dispatch(PlaceSelected(Place.SERVER, R))
    await until(lambda: len(watching.asked) == 2)
    await until(lambda: desk.store.state.forecast is not None)
    assert watching.asked[-1] == R
    watching.due.set()
    await until(lambda: len(watching.asked) == 3)
    watching.seen = False
    watching.due.set()
    await until(lambda: not watching.due.is_set())
    assert len(watching.asked) == 3
    watching.seen = True
    watching.forecaster.wake()
    await until(lambda: len(watching.asked) == 4)
    await watching.end()


async def test_the_forecast_says_why_there_is_none(desk: Desk) -> None:
    desk.client.error = "Nobody answers."
    watching = Watching(desk)
    await until(lambda: desk.store.state.forecast is not None)
    assert desk.store.state.forecast is not None
    assert desk.store.state.forecast.sentence == "Nobody answers."
    await watching.end()


async def test_nothing_is_asked_for_servers_whose_failure_does_not_matter(desk: Desk) -> None:
    for recorder, expected in (("TA-REC-01", True), ("TA-FO-01", True), ("TA-FO-02", False), ("TA-REC-05", False), ("TB-FO-02", False)):
        desk.store.dispatch(PlaceSelected(Place.SERVER, site.rid(recorder)))
        assert (wanted(desk.store.state) is not None) is expected
    assert wanted(msgspec.structs.replace(desk.store.state, selected=R, link=Link.LOST)) is None
