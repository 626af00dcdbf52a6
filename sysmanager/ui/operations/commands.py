"""What an operator orders. Each coroutine asks the coordinator, shows that it waits, and says how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from sysmanager.api import (
    AbortFailover,
    AcceptSharedMachine,
    AcknowledgeAlarm,
    AddRecorder,
    AdoptServer,
    BackupRefused,
    CancelJob,
    Client,
    ClientError,
    CommentEntry,
    ConfirmReconcile,
    Done,
    EditRecorder,
    EditSystem,
    EndMaintenance,
    Finding,
    HoldFailback,
    HoldFailover,
    PauseJob,
    Preview,
    PreviewAdoption,
    PreviewFailback,
    PreviewFailover,
    PreviewSwitch,
    Question,
    Refused,
    ReleaseCamera,
    ReleaseFailback,
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
    Target,
    TickToDo,
    save_backup,
)
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, FailoverId, GroupId, JobId, RecorderId
from sysmanager.domain.recorder import RecorderEdit
from sysmanager.ui.operations.pictures import show_picture
from sysmanager.ui.state.conditions import BACKUP_KEY
from sysmanager.ui.state.events import (
    DraftDropped,
    FailoverSelected,
    JobSelected,
    NoticeShown,
    OperationEnded,
    OperationSlow,
    OperationStarted,
)
from sysmanager.ui.state.log import name_of
from sysmanager.ui.state.model import Running, Tone, tidied
from sysmanager.ui.state.store import Store

SLOW_S = 0.1
"""What takes longer shows progress (SPEC 17)."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended: done or not, one sentence, and the entry of the failover log that it started or changed."""

    done: bool
    sentence: str
    failover: FailoverId | None = None
    job: JobId | None = None


class Operations:
    """The commands of one window. `client` gives the session that is open now."""

    def __init__(self, client: Callable[[], Client], store: Store, slow_s: float = SLOW_S) -> None:
        self._client = client
        self._store = store
        self._slow_s = slow_s

    async def start_failover(self, recorder: RecorderId, *, maintenance: bool = True) -> Outcome:
        request = StartFailover(recorder=recorder, maintenance=maintenance)
        outcome = await self._request(f"server:{recorder}", f"Starting the failover of {self._name(recorder)}.", request)
        if outcome.failover is not None:
            self._store.dispatch(FailoverSelected(outcome.failover))
        return outcome

    async def abort_failover(self, failover: FailoverId) -> Outcome:
        return await self._request(f"failover:{failover}", "Aborting the failover.", AbortFailover(failover=failover))

    async def comment(self, failover: FailoverId, text: str) -> Outcome:
        return await self._request(f"remark:{failover}", "Saving the comment.", CommentEntry(failover=failover, text=text))

    async def tick(self, failover: FailoverId, item: int, *, done: bool) -> Outcome:
        """A line of the to-do list is done, or is not after all."""
        return await self._request(f"remark:{failover}", "Saving the tick.", TickToDo(failover=failover, item=item, done=done))

    async def start_failback(self, failover: FailoverId, *, leave_dark: bool = False) -> Outcome:
        """leave_dark: go on although a few cameras stay dark on the recorder."""
        request = StartFailback(failover=failover, leave_dark=leave_dark)
        outcome = await self._request(f"failover:{failover}", "Starting the failback.", request)
        if outcome.done:
            self._store.dispatch(FailoverSelected(outcome.failover or failover))
        return outcome

    async def switch_over(self, recorder: RecorderId) -> Outcome:
        outcome = await self._request(
            f"server:{recorder}", f"Starting the planned switch of {self._name(recorder)}.", SwitchOver(recorder=recorder)
        )
        if outcome.failover is not None:
            self._store.dispatch(FailoverSelected(outcome.failover))
        return outcome

    async def start_drill(self, recorder: RecorderId) -> Outcome:
        return await self._job(f"server:{recorder}", f"Starting a drill of {self._name(recorder)}.", StartDrill(recorder=recorder))

    async def start_copy(self, failover: FailoverId) -> Outcome:
        return await self._job(f"failover:{failover}", "Starting the material copy.", StartCopy(failover=failover))

    async def pause_job(self, job: JobId) -> Outcome:
        return await self._job(f"job:{job}", f"Pausing {job}.", PauseJob(job=job))

    async def resume_job(self, job: JobId) -> Outcome:
        return await self._job(f"job:{job}", f"Letting {job} go on.", ResumeJob(job=job))

    async def cancel_job(self, job: JobId) -> Outcome:
        return await self._job(f"job:{job}", f"Ending {job}.", CancelJob(job=job))

    async def _job(self, key: str, sentence: str, request: Request) -> Outcome:
        """A request about a job, which is selected in the list of jobs when it was done."""
        outcome = await self._request(key, sentence, request)
        if outcome.job is not None:
            self._store.dispatch(JobSelected(outcome.job))
        return outcome

    async def preview_switch(self, recorder: RecorderId) -> Preview | str:
        return await self._ask(PreviewSwitch(recorder=recorder))

    async def hold(self, recorder: RecorderId) -> Outcome:
        return await self._request(f"hold:{recorder}", f"Holding the failover of {self._name(recorder)}.", HoldFailover(recorder=recorder))

    async def release(self, recorder: RecorderId) -> Outcome:
        return await self._request(f"hold:{recorder}", f"Releasing the failover of {self._name(recorder)}.", ReleaseHold(recorder=recorder))

    async def release_camera(self, recorder: RecorderId, camera: CameraId) -> Outcome:
        """Lets it out of quarantine."""
        sentence = f"A camera of {self._name(recorder)} is released from quarantine."
        return await self._request(f"camera:{camera}", sentence, ReleaseCamera(recorder=recorder, camera=camera))

    async def accept_machine(self, recorder: RecorderId, shares: tuple[str, ...]) -> Outcome:
        """Accept that the server shares its machine with these."""
        request = AcceptSharedMachine(recorder=recorder, shares=shares)
        return await self._request(f"machine:{recorder}", f"Accepting the shared machine of {self._name(recorder)}.", request)

    async def hold_failback(self, recorder: RecorderId) -> Outcome:
        sentence = f"Holding the failback of {self._name(recorder)}."
        return await self._request(f"failback:{recorder}", sentence, HoldFailback(recorder=recorder))

    async def acknowledge(self, recorder: RecorderId) -> Outcome:
        """Let automatic failback run again."""
        sentence = f"Acknowledging what holds the failback of {self._name(recorder)}."
        return await self._request(f"failback:{recorder}", sentence, ReleaseFailback(recorder=recorder))

    async def start_maintenance(self, target: Target, reason: str, until_wall_ms: int) -> Outcome:
        request = StartMaintenance(target=target, reason=reason, until_wall_ms=until_wall_ms)
        return await self._request("maintenance", "Starting the maintenance.", request)

    async def end_maintenance(self, target: Target) -> Outcome:
        return await self._request("maintenance", "Ending the maintenance.", EndMaintenance(target=target))

    async def edit_system(self, revision: int, settings: SystemSettings) -> Outcome:
        return await self._request("system", "Saving the system settings.", EditSystem(revision=revision, settings=settings))

    async def acknowledge_alarm(self, key: str) -> Outcome:
        return await self._request("alarm", "Acknowledging the alarm.", AcknowledgeAlarm(key=key))

    async def edit(self, recorder: RecorderId, revision: int, fields: RecorderEdit) -> Outcome:
        """Save general settings; what was typed is kept when they are refused."""
        outcome = await self._request(
            f"edit:{recorder}",
            f"Saving the settings of {self._name(recorder)}.",
            EditRecorder(recorder=recorder, revision=revision, fields=tidied(fields)),
        )
        if outcome.done:
            self._store.dispatch(DraftDropped(recorder))
        return outcome

    async def add_server(self, recorder: RecorderId, fields: RecorderEdit) -> Outcome:
        return await self._request(f"add:{recorder}", f"Adding {recorder}.", AddRecorder(id=recorder, fields=tidied(fields)))

    async def adopt(self, recorder: RecorderId, group: GroupId) -> Outcome:
        """Take a replaced server in as a failover server of the group."""
        sentence = f"Taking {self._name(recorder)} in as a failover server."
        return await self._request(f"adopt:{recorder}", sentence, AdoptServer(recorder=recorder, group=group))

    async def preview_adoption(self, recorder: RecorderId, group: GroupId) -> Preview | str:
        return await self._ask(PreviewAdoption(recorder=recorder, group=group))

    async def remove_server(self, recorder: RecorderId) -> Outcome:
        return await self._request(f"remove:{recorder}", f"Removing {self._name(recorder)}.", RemoveRecorder(recorder=recorder))

    async def save_group(self, group: Group) -> Outcome:
        tidy = msgspec.structs.replace(group, name=group.name.strip(), description=group.description.strip())
        return await self._request(f"group:{group.id}", f"Saving the group {tidy.name}.", SaveGroup(group=tidy))

    async def remove_group(self, group: GroupId) -> Outcome:
        known = self._store.state.groups.get(group)
        return await self._request(f"group:{group}", f"Removing the group {known.name if known else group}.", RemoveGroup(group=group))

    async def confirm_reconcile(self, findings: tuple[Finding, ...]) -> Outcome:
        return await self._request("reconcile", "Confirming the findings.", ConfirmReconcile(findings=findings))

    async def back_up(self, path: Path, passphrase: str | None) -> Outcome:
        """Have a system backup made and save it here. The passphrase goes no further than this program."""
        self._store.dispatch(OperationStarted(Running(key=BACKUP_KEY, sentence=f"Saving a system backup as {path.name}.")))
        self._store.dispatch(OperationSlow(BACKUP_KEY))
        try:
            saved = await save_backup(self._client(), path, passphrase)
        except (BackupRefused, ClientError) as error:
            outcome = Outcome(done=False, sentence=str(error))
        else:
            key = "" if saved.sealed else " It holds no site key: keep the file of that key as well."
            outcome = Outcome(done=True, sentence=f"The system backup was saved as {saved.path}.{key}")
        finally:
            self._store.dispatch(OperationEnded(BACKUP_KEY))
        self._store.dispatch(NoticeShown(Tone.GOOD if outcome.done else Tone.BAD, outcome.sentence))
        return outcome

    async def preview_failover(self, recorder: RecorderId) -> Preview | str:
        """The preview, or one sentence why there is none. Says nothing else on the screen."""
        return await self._ask(PreviewFailover(recorder=recorder))

    async def show_picture(self, recorder: RecorderId, camera: CameraId | None, now_wall_ms: Callable[[], int]) -> None:
        """Choose a camera, and show its last picture."""
        await show_picture(self._client(), self._store, recorder, camera, now_wall_ms)

    async def preview_failback(self, failover: FailoverId) -> Preview | str:
        return await self._ask(PreviewFailback(failover=failover))

    def _name(self, recorder: RecorderId) -> str:
        return name_of(recorder, self._store.state)

    async def _request(self, key: str, sentence: str, request: Request) -> Outcome:
        """Send the request; the answer is shown as a notice, and the command counts as running until then."""
        self._store.dispatch(OperationStarted(Running(key=key, sentence=sentence)))
        asked = asyncio.ensure_future(self._client().request(request))
        try:
            done, _ = await asyncio.wait({asked}, timeout=self._slow_s)
            if not done:
                self._store.dispatch(OperationSlow(key))
            outcome = _outcome(await asked)
        except ClientError as error:
            outcome = Outcome(done=False, sentence=str(error))
        finally:
            asked.cancel()
            self._store.dispatch(OperationEnded(key))
        self._store.dispatch(NoticeShown(Tone.GOOD if outcome.done else Tone.BAD, outcome.sentence))
        return outcome

    async def _ask(self, question: Question) -> Preview | str:
        try:
            answer = await self._client().ask(question)
        except ClientError as error:
            return str(error)
        if isinstance(answer, Preview):
            return answer
        return answer.sentence if isinstance(answer, Refused) else "The coordinator gave no preview; ask again."


def _outcome(reply: Done | Refused) -> Outcome:
    match reply:
        case Done(sentence=sentence, failover=failover, job=job):
            return Outcome(done=True, sentence=sentence, failover=failover, job=job)
        case Refused(sentence=sentence):
            return Outcome(done=False, sentence=sentence)
