"""Simulated people: requests at random moments while things break, and an administrator who tidies up when they are mended."""

from __future__ import annotations

import random

import msgspec

from sysmanager.coordinator.evolve import failover_id
from sysmanager.coordinator.reconcile import findings
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.jobs import CopyJob
from sysmanager.domain.recorder import DETECTION_TIMEOUTS_S, Broken, edit_of
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.protocol import clients as c
from sysmanager.simulation import safety
from sysmanager.simulation.rest import acts_on
from sysmanager.simulation.world import ADMINISTRATOR, World

OPERATOR = Actor(name="Operator", role=RoleName.OPERATOR)
ONLOOKER = Actor(name="Onlooker", role=RoleName.MONITORING)
TIDY_MS = 2_000

_WISHES = {
    "failover": 14,
    "switch": 14,
    "failback": 32,
    "abort": 8,
    "hold": 6,
    "release": 12,
    "hold failback": 2,
    "adopt": 2,
    "remove": 1,
    "acknowledge": 8,
    "edit": 5,
    "confirm": 24,
    "maintenance": 10,
    "comment": 5,
    "backup": 8,
    "copy": 8,
    "drill": 10,
    "pause": 5,
    "resume": 5,
    "cancel": 3,
    "caution": 6,
}
_KINDS, _SHARES = tuple(_WISHES), tuple(_WISHES.values())
"""What people ask for, and how often."""


class People:
    """Drawn from a seed. `busy_until_ms`: until then they ask for this and that; `tidy`: afterwards one of them clears up."""

    def __init__(self, world: World, chance: random.Random, *, every_ms: int) -> None:
        self._world = world
        self._chance = chance
        self._every_ms = every_ms
        self._tidying = False

    def begin(self) -> None:
        self._world.after(self._chance.randint(1, self._every_ms * 2), self._ask)

    def tidy(self) -> None:
        """No more wishes; from now on holds are released and reconciles confirmed."""
        self._tidying = True
        self._tidy()

    # ------------------------------------------------------------ while things break

    def _ask(self) -> None:
        if self._tidying:
            return
        self._world.after(self._chance.randint(1, self._every_ms * 2), self._ask)
        request = self._wish()
        if request is not None:
            actor = self._chance.choices((ADMINISTRATOR, OPERATOR, ONLOOKER), (6, 3, 1))[0]
            if self._chance.random() < 0.5:
                # Looks at the preview first, and thinks about it.
                self._world.checkers.promises.look(actor, request)
                self._world.after(self._chance.randint(500, 10_000), self._world.ask_coordinator, actor, request)
            else:
                self._world.ask_coordinator(actor, request)

    def _wish(self) -> c.Request | None:
        """Something an administrator might want, now and then at the worst moment."""
        state = self._world.shadow
        recorders = sorted(state.recorders)
        if not recorders:
            return None
        one = self._chance.choice(recorders)
        entries = [state.failovers[entry] for entry in state.open]
        ready = [entry.id for entry in entries if entry.phase is Phase.READY]
        running = [entry.id for entry in entries if entry.phase is not Phase.READY]
        kind = self._chance.choices(_KINDS, _SHARES)[0]
        match kind:
            case "failover":
                return c.StartFailover(recorder=one, maintenance=self._chance.random() < 0.5)
            case "switch":
                return c.SwitchOver(recorder=one)
            case "maintenance":
                return safety.wish(self._world, self._chance)
            case "caution":
                return safety.caution(self._world, self._chance)
            case "failback":
                return c.StartFailback(failover=self._chance.choice(ready), leave_dark=self._chance.random() < 0.4) if ready else None
            case "abort":
                return c.AbortFailover(failover=self._chance.choice(running)) if running else None
            case "hold":
                return c.HoldFailover(recorder=one)
            case "backup":
                return c.BackUp()
            case "release":
                return c.ReleaseHold(recorder=self._chance.choice(sorted(state.holds))) if state.holds else self._camera_release()
            case "hold failback":
                return c.HoldFailback(recorder=one)
            case "adopt":
                broken, groups = _replaced(state), sorted(state.groups)
                return c.AdoptServer(recorder=self._chance.choice(broken), group=self._chance.choice(groups)) if broken else None
            case "remove":
                broken = _replaced(state)
                return c.RemoveRecorder(recorder=self._chance.choice(broken)) if broken else None
            case "acknowledge":
                return c.ReleaseFailback(recorder=self._chance.choice(sorted(state.failback_holds))) if state.failback_holds else None
            case "comment":
                number = self._chance.randint(1, max(1, state.next_number - 1))
                if self._chance.random() < 0.5:
                    return c.TickToDo(failover=failover_id(number), item=0, done=self._chance.random() < 0.7)
                return c.CommentEntry(failover=failover_id(number), text="Looked at.")
            case "edit":
                row = state.recorders[one]
                timeout_s = self._chance.choice(DETECTION_TIMEOUTS_S[:4])
                by_itself = self._chance.random() < 0.6
                fields = msgspec.structs.replace(edit_of(row), detection_timeout_s=timeout_s, automatic_failback=by_itself)
                return c.EditRecorder(recorder=one, revision=row.revision, fields=fields)
            case "copy" | "drill" | "pause" | "resume" | "cancel":
                return self._job_wish(kind, one)
            case _:
                return self._confirmation()

    def _job_wish(self, kind: str, recorder: RecorderId) -> c.Request | None:
        state = self._world.shadow
        away = sorted({one.failover for footage in state.away.values() for one in footage})
        jobs = sorted(state.open_jobs)
        match kind:
            case "copy":
                return c.StartCopy(failover=self._chance.choice(away)) if away else None
            case "drill":
                return c.StartDrill(recorder=recorder)
            case "pause":
                return c.PauseJob(job=self._chance.choice(jobs)) if jobs else None
            case "resume":
                return c.ResumeJob(job=self._chance.choice(jobs)) if jobs else None
            case _:
                return c.CancelJob(job=self._chance.choice(jobs)) if jobs else None

    def _camera_release(self) -> c.ReleaseCamera | None:
        """Of a camera in quarantine whose stream was mended: one that was not would crash its server again, as the person was told."""
        poison = self._world.cameras.poison
        held = [
            (recorder.id, camera)
            for recorder in self._world.recorders.values()
            for camera in sorted(recorder.capture.suspicion.cases)
            if recorder.capture.suspicion.quarantined(camera) and camera not in poison
        ]
        if not held:
            return None
        recorder, camera = self._chance.choice(held)
        return c.ReleaseCamera(recorder=recorder, camera=camera)

    def _confirmation(self) -> c.ConfirmReconcile | None:
        core = self._world.coordinator.core
        if core is None or core.state.reconcile is None:
            return None
        return c.ConfirmReconcile(findings=findings_of(self._world))

    # ------------------------------------------------------------ when the world has healed

    def _tidy(self) -> None:
        self._world.after(TIDY_MS, self._tidy)
        core = self._world.coordinator.core
        if core is None or self._world.coordinator.paused:
            return
        for missing in sorted(self._world.recorders.keys() - core.state.recorders.keys()):
            self._world.add_again(missing)
        for recorder in sorted(core.state.holds):
            self._world.ask_coordinator(ADMINISTRATOR, c.ReleaseHold(recorder=recorder))
        for request in safety.tidy(self._world):
            self._world.ask_coordinator(ADMINISTRATOR, request)
        for job_id in core.state.open_jobs:
            job = core.state.jobs[job_id]
            if isinstance(job, CopyJob) and job.paused:
                self._world.ask_coordinator(ADMINISTRATOR, c.ResumeJob(job=job_id))
        found = findings_of(self._world)
        if (core.state.reconcile is not None and not core.state.reconcile.confirmed) or found:
            self._world.ask_coordinator(ADMINISTRATOR, c.ConfirmReconcile(findings=found))

    def fail_back(self) -> None:
        """Ask for the failback of every entry that is ready for it; if there is none, give up what waits in vain.

        One whose home has no room for its cameras stays as it is: what waits does not wait for that.
        """
        state = self._world.shadow
        entries = [state.failovers[open_id] for open_id in state.open]
        entries = [entry for entry in entries if not acts_on(self._world, entry)]
        ready = [entry for entry in entries if entry.phase is Phase.READY]
        for entry in ready:
            self._world.ask_coordinator(ADMINISTRATOR, c.StartFailback(failover=entry.id))
        for entry in entries if not ready else ():
            self._world.ask_coordinator(ADMINISTRATOR, c.AbortFailover(failover=entry.id))


def findings_of(world: World) -> tuple[c.Finding, ...]:
    """What the coordinator shows to be confirmed."""
    core = world.coordinator.core
    return findings(core.state, core.seen) if core is not None else ()


def _replaced(state: State) -> list[RecorderId]:
    """Servers that are broken in system data."""
    return sorted(row.id for row in state.recorders.values() if isinstance(row.assignment, Broken))
