"""A simulated VMS server: Watchdog and recording service around the real machine, without cameras and disks (SPEC 16, last point)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from sysmanager.domain.documents import DocumentKind, DocumentSet
from sysmanager.domain.ids import DocumentHash
from sysmanager.domain.instant import Instant
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.practice import Fault
from sysmanager.protocol.probes import PeerAnswer, Probe, ProbeAnswer
from sysmanager.protocol.recorders import (
    Footage,
    LetOut,
    Order,
    OrderAnswer,
    Record,
    ReportFootage,
    ServiceState,
    Standing,
)
from sysmanager.recorder import machine as m
from sysmanager.recorder.supervision import FAILED_MS, FAILED_STARTS, HELD_MS
from sysmanager.simulation.answers import documents_came, hours_in, job_refused, take_beside
from sysmanager.simulation.capture import Capture
from sysmanager.simulation.drilling import Drilling
from sysmanager.simulation.footage import Material
from sysmanager.simulation.preroll import Preroll
from sysmanager.simulation.probing import find_out
from sysmanager.simulation.said import QUIET_AFTER_MS, QUIET_BEAT_MS, Words, disk_beats, watchdog_beat
from sysmanager.simulation.surroundings import Pace, Surroundings
from sysmanager.simulation.transfer import RATE_BYTES, Copies, Transfer
from sysmanager.simulation.trouble import Trouble

BEAT_MS = 1000
BEACON_STEP_MS = 2000
"""A recorder listens for the beacon so often: it needs to know only that the coordinator is there, not each of them."""

EARLIER_KEPT = 10


class SimulatedRecorder:
    """One server. Faults may come together, at any moment; what is durable is `persisted`, `store` and `material`.

    identity, version: what it says of itself. disks: labels. persisted, contents: what it begins with.
    up_since_ms: since when its service runs; None while it does not.
    crash_in: with a number, the service is killed in front of that effect of its machine, counted from now.
    earlier: what it had saved before, oldest first; a backup of the machine may bring that back.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        identity: m.Identity,
        *,
        version: str,
        disks: tuple[str, ...],
        persisted: m.Persisted,
        contents: Mapping[DocumentHash, bytes],
        pace: Pace,
        disk_mb: int = 4_000_000,
    ) -> None:
        self.id = identity.recorder
        self.identity = identity
        self.version = version
        self.persisted = persisted
        self.store: dict[DocumentHash, bytes] = dict(contents)
        self.material = Material()
        self.faults: set[Fault] = set()
        self.save_fails = False
        self.crash_in: int | None = None
        self.trouble = Trouble()
        self.earlier: list[m.Persisted] = []
        self.powered = False
        self.service = ServiceState.STARTING
        self.state = m.MachineState(identity=identity, persisted=persisted)
        self.pace = pace
        self._around = surroundings
        self.disks = disks
        self._broken_disks: frozenset[str] = frozenset()
        self._disk_mb = disk_mb
        self.capture = Capture(self.id, surroundings, pace, self.material, self.writable, self._captured)
        self.capture.crash = self.crash
        self.preroll = Preroll(self.id, surroundings, pace, self.capture.suspicion.quarantined)
        self.copies = Copies()
        self.transfer = Transfer(self.id, surroundings, self.material, self.copies, self.writable, self._job_news)
        self.drilling = Drilling(self.id, surroundings, lambda: self.pace, self._job_news)
        self.serves_damaged = False
        self._power_life = 0
        self._life = 0
        self._failed_starts = 0
        self._unstarted_ms = 0
        self._sequence = 0
        self._ticket = 0
        self._waiting: dict[int, Callable[[OrderAnswer], None]] = {}
        self._beacon: tuple[m.BeaconHeard, Instant, int] | None = None
        self._beacon_ms = 0
        self._moved_ms = 0
        self._tick_ms: int | None = None
        self._words = Words(self.id, version)
        self._due_of: m.MachineState | None = None
        self._due_ms: int | None = None
        self._doubtful = False
        self.up_since_ms: int | None = None

    # ------------------------------------------------------------ what people and the world do to it

    @property
    def up(self) -> bool:
        """Whether the recording service runs."""
        return self.powered and self.state.situation is not m.Situation.DOWN

    @property
    def present(self) -> bool:
        """Whether the process of the recording service is there, be it that it is ending."""
        return self.powered and self.service is ServiceState.RUNNING

    def set_fault(self, fault: Fault, present: bool) -> None:
        """Break it in one way, or mend that. What is the business of its surroundings is only remembered here."""
        if present == (fault in self.faults):
            return
        (self.faults.add if present else self.faults.discard)(fault)
        match fault:
            case Fault.POWER:
                self.power_off() if present else self.power_on()
            case Fault.SERVICE:
                if present and self.powered:
                    self.crash()
            case Fault.ALL_DISKS | Fault.ONE_DISK:
                self._disks_changed()
            case Fault.REFUSE:
                if self.up:
                    self._input(m.RefuseByHand(present=present))
            case Fault.SELF_TEST:
                self._job_news()
            case Fault.VANISH | Fault.CONNECTION | Fault.SHUTDOWN | Fault.CAMERAS:
                pass

    def mend(self) -> None:
        """End all faults and switch it on again."""
        self.go_on()
        self.trouble.tell_the_truth()
        for fault in sorted(self.faults):
            self.set_fault(fault, False)
        self.save_fails = False
        self.serves_damaged = self.transfer.disk_full = self.transfer.lies = False
        self.transfer.rate_bytes = RATE_BYTES
        self.crash_in = None
        self.capture.mend()
        self.break_disks(())
        self.power_on()

    def power_on(self) -> None:
        if self.powered or self.faults & {Fault.POWER, Fault.SHUTDOWN}:
            return
        self.powered = True
        self._power_life += 1
        self._around.after(self._around.between((0, BEAT_MS)), self._second, self._power_life)
        self._service_ended()

    def power_off(self) -> None:
        """As a pulled plug: nothing is said, nothing is finished."""
        if self.powered:
            self._process_ends()
            self.powered = False

    def crash(self) -> None:
        """The recording service is killed; the Watchdog starts it again."""
        if self.powered:
            self._process_ends()
            self._service_ended()

    def stop_service(self, linger_ms: int) -> None:
        """The service ends in order; its process stays for a while and says so to whoever asks, and is started again."""
        if self.up and not self.trouble.hung:
            self._input(m.ServiceStopped(sentence="It was stopped; it starts again in a moment."))
            self._around.after(linger_ms, lambda life=self._life: self.crash() if life == self._life else None)

    def hang(self) -> None:
        """Its processes stop: it answers nothing, says nothing and writes nothing; what comes meanwhile waits."""
        if self.powered and not self.trouble.hung:
            self.trouble.hung = True
            self.capture.freeze()

    def go_on(self) -> None:
        """After a hang: as if no time had gone by, until it looks at the clock."""
        if self.trouble.hung:
            self.capture.thaw()
            for act in self.trouble.take_held(self._now().mono_ms):
                act()

    @property
    def lost_disks(self) -> frozenset[str]:
        """Labels of the disks that cannot be written."""
        if Fault.ALL_DISKS in self.faults:
            return frozenset(self.disks)
        return self._broken_disks | (frozenset(self.disks[:1]) if Fault.ONE_DISK in self.faults else frozenset())

    def break_disks(self, labels: tuple[str, ...]) -> None:
        """From now on these, beside what the faults say, cannot be written."""
        self._broken_disks = frozenset(labels)
        self._disks_changed()

    def _disks_changed(self) -> None:
        self.trouble.disks(lost=self.lost_disks >= set(self.disks), now_ms=self._now().mono_ms)
        if self.up:
            self._input(m.DisksChanged(disks=disk_beats(self.disks, self.lost_disks, self._disk_mb)))
            self.capture.look()

    def begin_anew(self, persisted: m.Persisted, *, doubtful: bool = False) -> None:
        """Its processes end, and it starts again with this instead of what it had saved. doubtful: as after a lost state file."""
        self._process_ends()
        self.persisted = msgspec.structs.replace(persisted, boot=self.persisted.boot)
        self._doubtful |= doubtful
        if self.powered:
            self._service_ended()

    def cameras_changed(self) -> None:
        """Cameras went dark or came back."""
        self.capture.look()
        self.preroll.look()

    def writable(self) -> bool:
        """Whether any material disk that the settings name can be written."""
        named = self.state.settings.disks if self.state.settings is not None else ()
        lost = self.lost_disks
        return self.powered and any(disk in self.disks and disk not in lost for disk in named or self.disks)

    # ------------------------------------------------------------ Watchdog

    def _process_ends(self) -> None:
        """Whatever the service held in memory is gone; its sessions close."""
        self._life += 1
        self.trouble.end(self.up_since_ms, self._now().mono_ms)
        self.up_since_ms = None
        self.capture.end()
        self.preroll.stop()
        self.transfer.stop()
        self.drilling.stop()
        self._waiting.clear()
        self._tick_ms = None
        self._beacon = None
        self.crash_in = None
        self.state = m.MachineState(identity=self.preroll.told(self.identity), persisted=self.persisted)

    def _service_ended(self) -> None:
        self._failed_starts = 0
        self._unstarted_ms = self._moved_ms = self._now().mono_ms
        self.service = ServiceState.STARTING
        self._say_watchdog()
        self._around.after(self._around.between(self.pace.start_ms), self._start, self._life)

    def _start(self, life: int) -> None:
        if life != self._life or not self.powered or self.trouble.hold(self._start, life):
            return
        if Fault.SERVICE in self.faults:
            self._failed_starts += 1
            late = self._now().mono_ms - self._unstarted_ms >= FAILED_MS
            if self.service is not ServiceState.FAILED and (self._failed_starts >= FAILED_STARTS or late):
                self.service = ServiceState.FAILED
                self._say_watchdog()
            self._around.after(self.pace.restart_ms, self._start, life)
            return
        self.service = ServiceState.RUNNING
        self.up_since_ms = self._now().mono_ms
        self.trouble.spoken_for_until_ms = self.up_since_ms + HELD_MS
        self.persisted = m.next_boot(self.persisted)
        self.state = m.MachineState(
            identity=self.preroll.told(self.identity), persisted=self.persisted, refuse_by_hand=Fault.REFUSE in self.faults
        )
        self._beacon_ms = self._now().mono_ms
        self._say_watchdog()
        self._input(m.DisksChanged(disks=disk_beats(self.disks, self.lost_disks, self._disk_mb)))
        doubtful, self._doubtful = self._doubtful, False
        self._input(m.Started(persisted=self.persisted, doubtful=doubtful))

    def _say_watchdog(self) -> None:
        self._around.say(self.id, watchdog_beat(self.persisted, self._now(), self.service, self._failed_starts))

    # ------------------------------------------------------------ time

    def _second(self, life: int) -> None:
        if life != self._power_life or not self.powered:
            return
        if self.trouble.hung:
            self._around.after(BEAT_MS, self._second, life)
            return
        now = self._now()
        quiet = now.mono_ms - self._moved_ms >= QUIET_AFTER_MS and self.service is ServiceState.RUNNING and self._around.quiet(self.id)
        self._around.after(QUIET_BEAT_MS if quiet else BEAT_MS, self._second, life)
        if not self.trouble.leaving and (self.service is not ServiceState.RUNNING or now.mono_ms < self.trouble.spoken_for_until_ms):
            self._say_watchdog()
        if self.state.situation is not m.Situation.DOWN:
            self._say_beat(now, quiet=quiet)
            self._plan_tick(now.mono_ms)

    def _say_beat(self, now: Instant, *, quiet: bool = False) -> None:
        self._sequence += 1
        cameras, kept = self.capture.beats(now), self.preroll.held()
        jobs = (self.transfer.report, self.drilling.report)
        beat = self._words.beat(self.state, self._sequence, now, cameras, kept, jobs, self.faults)
        said, lie = self.preroll.said(beat, self.identity) if self.preroll.lies else beat, self.trouble.lie
        self._around.say(self.id, said if lie is None else lie(said), quiet=quiet and lie is None)

    def _plan_tick(self, now_ms: int) -> None:
        """The deadline of the machine, if it is near; the next second looks again."""
        due_ms = self._deadline_ms()
        if due_ms is not None and due_ms <= now_ms + QUIET_BEAT_MS and self._beacon is not None:
            self._tell_beacon()
            due_ms = self._deadline_ms()
        if due_ms is None or due_ms > now_ms + QUIET_BEAT_MS or (self._tick_ms is not None and self._tick_ms <= due_ms):
            return
        self._tick_ms = due_ms
        self._around.after(max(0, due_ms - now_ms), self._tick, self._life)

    def _deadline_ms(self) -> int | None:
        if self._due_of is not self.state:
            self._due_of, self._due_ms = self.state, m.deadline_ms(self.state)
        return self._due_ms

    def _tick(self, life: int) -> None:
        if life == self._life:
            self._tick_ms = None
            self._input(m.Tick())

    def _now(self) -> Instant:
        return self._around.now(self.id)

    # ------------------------------------------------------------ what it hears

    def hear_beacon(self, heard: m.BeaconHeard) -> None:
        """One that says only that the coordinator is still there is told to the machine before the next thing that moves it."""
        if not self.powered or self.service is not ServiceState.RUNNING or self.trouble.hung:
            return
        now = self._now()
        before_ms, self._beacon_ms = self._beacon_ms, now.mono_ms
        if not self.up or now.mono_ms - before_ms > m.ASK_LIMIT_MS or self.state.silence_said:
            self._input(heard)
        else:
            self._beacon = (heard, now, before_ms)

    def _tell_beacon(self) -> None:
        """The last beacon, with the moment at which it was heard. Each of those before it would have moved `beacon_ms` only."""
        assert self._beacon is not None, "one was kept back"
        (heard, at, before_ms), self._beacon = self._beacon, None
        self.state = msgspec.structs.replace(self.state, beacon_ms=before_ms)
        self._around.watch(self.id, heard, self.state)
        self.state, effects = m.step(self.state, heard, at)
        assert not effects, "a beacon in its time moves nothing"

    def take_order(self, order: Order, answered: Callable[[OrderAnswer], None]) -> bool:
        """Begin to carry out an order, or look into the footage. False if no service is there to hear it."""
        if not self.present:
            return False
        if self.trouble.hold(self.take_order, order, answered):
            return True
        if Fault.VANISH in self.faults and isinstance(order, Record):
            self.set_fault(Fault.POWER, True)
            return True
        if isinstance(order, Record):
            self.drilling.needed()
        self._ticket += 1
        self._waiting[self._ticket] = answered
        self._input(m.OrderReceived(ticket=self._ticket, order=order))
        return True

    def take_probe(self, probe: Probe, answered: Callable[[ProbeAnswer], None]) -> None:
        """Find out for the coordinator what it asks. Nothing is answered while no service is there."""
        if self.up:
            find_out(self._around, self.id, probe, lambda answer: answered(answer) if self.up else None)

    def peer_answer(self) -> PeerAnswer | None:
        """What it says to another server; None if no service is there to say anything."""
        return m.peer_answer(self.state, self.capture.beats(self._now())) if self.up else None

    def document(self, document_hash: DocumentHash) -> bytes | None:
        """The content of one document, if it runs and holds it."""
        return self.store.get(document_hash) if self.up and not self.trouble.hung else None

    # ------------------------------------------------------------ the machine

    def _input(self, taken: m.Input) -> None:
        if self.trouble.hold(self._input, taken):
            return
        life, now = self._life, self._now()
        self._moved_ms = now.mono_ms
        if self._beacon is not None:
            self._tell_beacon()
        self._around.watch(self.id, taken, self.state)
        self.state, effects = m.step(self.state, taken, now)
        for effect in effects:
            if life != self._life:
                return
            if self.crash_in is not None:
                if self.crash_in <= 0:
                    self.crash()
                    return
                self.crash_in -= 1
            self._around.watch(self.id, effect, self.state)
            self._carry_out(effect)
        if life == self._life:
            self._plan_tick(now.mono_ms)

    def _carry_out(self, effect: m.Effect) -> None:
        match effect:
            case m.Persist(persisted=persisted):
                self._around.after(self._around.between(self.pace.save_ms), self._saved, persisted, self._life)
            case m.FetchDocuments(documents=documents):
                self._fetch(documents)
            case m.ForgetDocuments(keep=keep):
                self.store = {name: content for name, content in self.store.items() if name in keep}
            case m.Answer(ticket=ticket, answer=answer):
                self._answer(ticket, answer)
            case m.ReadFootage(ticket=ticket, question=question, goes_on=goes_on):
                self._around.after(self._around.between(self.pace.fetch_ms), self._read_footage, ticket, question, goes_on, self._life)
            case m.CarryOutJob(ticket=ticket, order=order):
                self._answer(ticket, self._take_job(order))
            case m.StartCapture(plan=plan) | m.ChangeCapture(plan=plan):
                self.drilling.needed()
                self.capture.follow(plan, self.preroll.take_over(plan.cameras), hours_in(self.store, plan))
            case m.FollowPreroll(order=order):
                self.preroll.follow(order)
            case m.StopCapture():
                self.capture.stop()
            case m.SendAsk(ask=ask):
                life = self._life

                def answered(standing: Standing | None) -> None:
                    if life == self._life:
                        self._input(m.AskAnswered(answer=standing) if standing is not None else m.AskFailed())

                self._around.ask(self.id, ask, answered)
            case m.SendBeatNow():
                self._say_beat(self._now())
            case m.Say():
                pass

    def _take_job(self, order: JobOrder | LetOut) -> OrderAnswer:
        refusal = job_refused(order, by_hand=Fault.REFUSE in self.faults, cannot_save=self.save_fails)
        return refusal or take_beside(order, m.highest_epoch(self.state), self.capture.suspicion, self.drilling, self.transfer)

    def _job_news(self) -> None:
        if self.up:
            self._say_beat(self._now())

    def _answer(self, ticket: int, answer: OrderAnswer) -> None:
        answered = self._waiting.pop(ticket, None)
        if answered is not None:
            lie = self.trouble.lie_answer
            answered(answer if lie is None else lie(answer))

    def _saved(self, persisted: m.Persisted, life: int) -> None:
        if life != self._life or self.trouble.hold(self._saved, persisted, life):
            return
        if self.save_fails:
            self._input(m.SaveFailed(sentence="Its state could not be written; free space on its system disk."))
            return
        self.earlier = [*self.earlier[1 - EARLIER_KEPT :], self.persisted]
        self.persisted = persisted
        self._input(m.Saved())

    def _read_footage(self, ticket: int, question: ReportFootage, goes_on: bool, life: int) -> None:
        if life == self._life and not self.trouble.hold(self._read_footage, ticket, question, goes_on, life):
            if question.off_since_ms:
                off = self.capture.off_times(question.cameras, question.off_since_ms)
                self._answer(ticket, Footage(epoch=question.epoch, off=off))
                return
            spans = self.material.spans(question.epoch, question.cameras) if self.lost_disks < set(self.disks) else ()
            self._answer(ticket, Footage(epoch=question.epoch, spans=spans, goes_on=goes_on))

    def _fetch(self, documents: DocumentSet) -> None:
        life = self._life
        wanted = [documents.hash_of(kind) for kind in DocumentKind]

        def fetched(contents: Mapping[DocumentHash, bytes] | None) -> None:
            if life == self._life and not self.trouble.hold(fetched, contents):
                self._fetched(documents, contents)

        held = {name: self.store[name] for name in wanted if name in self.store}
        if len(held) == len(set(wanted)):
            self._around.after(self._around.between(self.pace.fetch_ms), fetched, held)
        else:
            self._around.fetch(self.id, documents, fetched)

    def _fetched(self, documents: DocumentSet, contents: Mapping[DocumentHash, bytes] | None) -> None:
        self.store.update(contents or {})
        self._input(documents_came(documents, contents))

    def _captured(self) -> None:
        if self.present and not self.trouble.hold(self._captured):
            self._input(m.CaptureReported(cameras=self.capture.beats(self._now())))
