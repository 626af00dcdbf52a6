"""The last report of every recorder, and how long the coordinator listened: volatile, lost at a restart, rebuilt within seconds.

Silence is measured in time in which the coordinator demonstrably listened (SPEC 4): its own beacon, sent through the same bus, came back.
A coordinator that was paused, asleep, overloaded or cut off hears no canary, counts no time, and blames nobody.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from sysmanager.coordinator.audit import Refusals
from sysmanager.coordinator.beats import differs, disk_returned, unsettled
from sysmanager.coordinator.complaints import Complaints
from sysmanager.coordinator.frames import expected_cameras, progressed
from sysmanager.coordinator.heard import FRESH_MS, RIVAL_MS, Heard
from sysmanager.coordinator.jobs.seen import JobsSeen
from sysmanager.coordinator.listening import Listening
from sysmanager.coordinator.opinions import Opinions
from sysmanager.domain.ids import Epoch, FailoverId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol.recorders import (
    BEAT_INTERVAL_MS,
    Beat,
    Footage,
    FromRecorder,
    Leaving,
    OffTimes,
    Order,
    RefusalReason,
    ServiceState,
    WatchdogBeat,
)

UNKNOWN_LIMIT = 200

CLOCK_OFF_MS = 2_000
"""A recorder's wall clock further off than this makes measured gaps doubtful."""

STAYS_MS = 60_000
"""A server that speaks so long after it announced its shutdown stays: another one has its cameras, and it its segments, in half of that."""


class RefusedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that a recorder refused. again: it may be sent once more, because the recorder reports something new or time has passed."""

    order: Order
    reason: RefusalReason
    sentence: str
    since_wall_ms: int
    again: bool = False


class PrerollAnswer(msgspec.Struct, frozen=True):
    """What a server answered to a plan. refusal: why it does not follow it, until it reports something new; empty if it does."""

    plan: str
    at_ms: int
    refusal: str = ""


class Seen:
    """All that is known only from hearing. Owned by the engine; `observe` and its neighbours change it, decisions read it.

    speaking: servers that are heard, the one that has been silent longest first: whoever falls silent is found there without a deadline of
    its own. ahead: servers that reported a newer epoch than their assignment has; among them are all that do so now.
    odd: servers whose clock is off, or whose id a second one used; among them are all of which that is to be said now.
    baseline_ms: when the stage of the baseline began, or this coordinator did.
    doubted: servers whose documents are no longer in the cache, as somebody found out who asked for them there.
    machine: the coordinator's own; on_machine: servers by the machine that they say they are on.
    preroll: the last answer of a server that was told to keep pre-roll.
    off_times: when cameras were off within the gap of an entry, as who took them over said when it was asked.
    turn_ms: when the last camera that allows one session was let go, in an entry that hands such cameras over.
    opinions: what servers said of one another. opinion_held_ms: since when a second opinion holds a failover, by the monotonic clock.
    brake_since_ms: since when the mass-loss brake holds; lost_together: what it found last, and for which moment.
    withheld: servers of which it was said that they would have failed over, and whose trigger still holds.
    """

    def __init__(self, now: Instant, *, machine: str = "") -> None:
        self.started = now
        self.machine = machine
        self.on_machine: dict[str, set[RecorderId]] = {}
        self.listening = Listening(now)
        self.recorders: dict[RecorderId, Heard] = {}
        self.speaking: OrderedDict[RecorderId, None] = OrderedDict()
        self.ahead: set[RecorderId] = set()
        self.odd: set[RecorderId] = set()
        self.unknown: dict[RecorderId, Beat] = {}
        self.step_began_ms: dict[FailoverId, int] = {}
        self.opened_set_ms: dict[FailoverId, int] = {}
        self.step_stamp: dict[FailoverId, tuple[int, int]] = {}
        self.resumed: set[FailoverId] = set()
        self.undelivered_ms: dict[FailoverId, int] = {}
        self.turn_ms: dict[FailoverId, int] = {}
        self.replaced_ms: dict[RecorderId, int] = {}
        self.failed_attempt_ms: dict[tuple[FailoverId, RecorderId], int] = {}
        self.footage: dict[tuple[RecorderId, Epoch], Footage] = {}
        self.off_times: dict[FailoverId, tuple[OffTimes, ...]] = {}
        self.refused_orders: dict[RecorderId, RefusedOrder] = {}
        self.obeyed: dict[RecorderId, tuple[Order, int]] = {}
        self.doubted: set[RecorderId] = set()
        self.complaints = Complaints()
        self.opinions = Opinions()
        self.opinion_held_ms: dict[RecorderId, int] = {}
        self.brake_since_ms: int | None = None
        self.lost_together: tuple[tuple[int, ...], frozenset[RecorderId]] | None = None
        self.refusals = Refusals()
        self.preroll: dict[RecorderId, PrerollAnswer] = {}
        self.withheld: set[RecorderId] = set()
        self.baseline_ms = now.mono_ms
        self.jobs = JobsSeen()

    def of(self, recorder: RecorderId) -> Heard:
        """What was heard of the recorder; for one not heard yet, silence counts from the coordinator's start."""
        heard = self.recorders.get(recorder)
        if heard is None:
            heard = self.recorders[recorder] = Heard(0, 0)
        return heard

    def silence_ms(self, recorder: RecorderId) -> int:
        """Proven silence: what decisions count."""
        return self.of(recorder).silence_ms(self.listening)

    def connected(self, recorder: RecorderId) -> bool:
        """Heard since the start, and not silent for three beats or more."""
        heard = self.of(recorder)
        return heard.ever and heard.silence_ms(self.listening) < FRESH_MS

    def fallen_silent(self) -> list[RecorderId]:
        """Servers that are not connected any more since this was asked last. To be asked whenever more time is proven."""
        fallen: list[RecorderId] = []
        while self.speaking:
            recorder = next(iter(self.speaking))
            if self.connected(recorder):
                break
            del self.speaking[recorder]
            fallen.append(recorder)
        return fallen

    def step_ms(self, failover: FailoverId, now: Instant) -> int:
        """How long the present step of the entry has taken; -1 if a restart of the coordinator lies between."""
        return -1 if failover in self.resumed else self.waited_ms(failover, now)

    def waited_ms(self, failover: FailoverId, now: Instant) -> int:
        """How long this coordinator has waited in the present step: what its limits count, anew after a restart."""
        return max(0, now.mono_ms - self.step_began_ms.get(failover, now.mono_ms))

    def step_begins(self, failover: FailoverId, now: Instant) -> None:
        """A fact moved the entry to its next step."""
        self._stamp_step(failover, now)
        self.resumed.discard(failover)
        self.undelivered_ms.pop(failover, None)
        self.turn_ms.pop(failover, None)

    def resume(self, failover: FailoverId, now: Instant) -> None:
        """The entry was found open in the journal at the start."""
        self._stamp_step(failover, now)
        self.resumed.add(failover)

    def _stamp_step(self, failover: FailoverId, now: Instant) -> None:
        self.step_began_ms[failover] = now.mono_ms
        self.step_stamp[failover] = (self.listening.stamp_ms(now), self.listening.generation)

    def set_ms(self, now: Instant) -> int:
        """How far the coordinator's wall clock was set forward since its start, in milliseconds; negative: back."""
        return (now.wall_ms - self.started.wall_ms) - (now.mono_ms - self.started.mono_ms)

    def entry_opens(self, failover: FailoverId, now: Instant) -> None:
        """Its first gaps tell clocks as they are now."""
        self.opened_set_ms[failover] = self.set_ms(now)

    def saw_open(self, failover: FailoverId) -> bool:
        """Whether no restart lies between the opening of the entry and now."""
        return failover in self.opened_set_ms

    def set_since_opening_ms(self, failover: FailoverId, now: Instant) -> int:
        """How far our clock was set since the entry was opened; 0 where a restart lies between."""
        return self.set_ms(now) - self.opened_set_ms[failover] if failover in self.opened_set_ms else 0

    def entry_ended(self, failover: FailoverId) -> None:
        """Nothing volatile is kept of an ended entry."""
        self.opened_set_ms.pop(failover, None)
        self.off_times.pop(failover, None)
        self.step_began_ms.pop(failover, None)
        self.step_stamp.pop(failover, None)
        self.resumed.discard(failover)
        self.undelivered_ms.pop(failover, None)
        self.turn_ms.pop(failover, None)
        for key in [key for key in self.failed_attempt_ms if key[0] == failover]:
            del self.failed_attempt_ms[key]

    def _is_on(self, recorder: RecorderId, before: str, machine: str) -> None:
        if before:
            self.on_machine[before].discard(recorder)
        if machine:
            self.on_machine.setdefault(machine, set()).add(recorder)

    def forget(self, recorder: RecorderId) -> None:
        heard = self.recorders.pop(recorder, None)
        self.speaking.pop(recorder, None)
        self.ahead.discard(recorder)
        self.odd.discard(recorder)
        if heard is not None and heard.beat is not None:
            self._is_on(recorder, heard.beat.machine, "")
        self.refused_orders.pop(recorder, None)
        self.obeyed.pop(recorder, None)
        self.doubted.discard(recorder)
        self.replaced_ms.pop(recorder, None)
        self.preroll.pop(recorder, None)
        self.withheld.discard(recorder)
        self.complaints.forget(recorder)
        self.opinions.forget(recorder)
        self.opinion_held_ms.pop(recorder, None)

    def expect(self, recorder: RecorderId, now: Instant) -> None:
        """The recorder entered system data: its silence counts from now, not from the coordinator's start."""
        self.recorders[recorder] = Heard(self.listening.stamp_ms(now), self.listening.generation)
        self.speaking.pop(recorder, None)

    def refusal_may_change(self, recorder: RecorderId) -> None:
        """What the recorder refused may be asked of it once more."""
        refused = self.refused_orders.get(recorder)
        if refused is not None:
            self.refused_orders[recorder] = msgspec.structs.replace(refused, again=True)

    def _forget_footage(self, recorder: RecorderId, *, goes_on: bool = False) -> None:
        """What it said of its footage is asked for once more. goes_on: only where it said that there may be more."""
        if self.footage:
            held = self.footage.items()
            self.footage = {key: told for key, told in held if key[0] != recorder or (goes_on and not told.goes_on)}

    def dark_ms(self, recorder: RecorderId) -> int:
        """For how long, in proven time, no camera of the recorder gave a frame, while one was to be recorded.

        By its own clock as well: reports that come late say nothing of the time since they were sent.
        """
        heard = self.of(recorder)
        if not heard.frames_due:
            return 0
        dark_ms = self.listening.since_ms(*heard.frames)
        if not heard.told_ms:
            return dark_ms
        return min(dark_ms, heard.told_ms - heard.frames_told_ms + heard.silence_ms(self.listening))

    def stable_ms(self, recorder: RecorderId) -> int:
        """For how long, in proven time, the recorder has been connected and sound; 0 while it is not (SPEC 8)."""
        sound = self.of(recorder).sound
        return 0 if sound is None or not self.connected(recorder) else self.listening.since_ms(*sound)

    def standing_ms(self, failover: FailoverId) -> int:
        """For how long, in proven time, the entry has stood where it stands, or this coordinator has known it."""
        stamp = self.step_stamp.get(failover)
        return 0 if stamp is None else self.listening.since_ms(*stamp)

    def keep_row(self, row: Recorder, timeout_s: int, now: Instant) -> None:
        """Keep what system data says of this recorder: whether frames are due, and which instance it is. Not needed before a heartbeat
        that repeats the last one, while the row is the same. timeout_s: the detection timeout that holds for it.

        With another task, none of whose cameras it had before, its darkness begins anew.
        """
        heard = self.of(row.id)
        heard.timeout_ms = timeout_s * 1000
        if heard.instance is None:
            heard.instance = row.instance
        if heard.row is not row:
            before, heard.row, heard.expected = heard.expected, row, expected_cameras(row)
            if before and not set(before).intersection(heard.expected):
                heard.frames, heard.frames_told_ms = (self.listening.stamp_ms(now), self.listening.generation), heard.told_ms
            heard.steady = False

    def observe(self, message: FromRecorder, now: Instant) -> bool:
        """Take in a heartbeat. True if it says something new that a decision could rest on.

        A beat of a second instance of the same id is not heard while the first is alive (SPEC 2).
        """
        heard = self.recorders.get(message.recorder)
        if heard is None:
            heard = self.of(message.recorder)
        elif heard.steady and self._nothing_new(heard, message, now):
            return False
        heard.steady = False
        silence_ms = self.silence_ms(message.recorder)
        if heard.is_second(message, silence_ms):
            if heard.rival is None or now.mono_ms - heard.rival_ms >= RIVAL_MS:
                heard.rival_since_wall_ms = now.wall_ms
            heard.beside &= heard.rival == message.instance
            heard.rival, heard.rival_ms = message.instance, now.mono_ms
            self.odd.add(message.recorder)
            return True
        heard.beside = heard.instance == message.instance and heard.rival is not None
        was_silent = not heard.ever or silence_ms >= 2 * BEAT_INTERVAL_MS
        if heard.instance != message.instance:
            heard.instance, heard.rival, heard.told_ms = message.instance, None, 0
        if not isinstance(message, Leaving):
            heard.tell(message.mono_ms)
        if was_silent:
            heard.connected_since_ms = now.mono_ms
            if silence_ms >= 3 * BEAT_INTERVAL_MS:
                heard.sound = None
            heard.frames, heard.frames_told_ms = (self.listening.stamp_ms(now), self.listening.generation), heard.told_ms
        heard.ever = True
        heard.heard_ms = now.mono_ms
        self.speaking[message.recorder] = None
        self.speaking.move_to_end(message.recorder)
        heard.heard_wall_ms = now.wall_ms
        heard.stamp_ms = self.listening.stamp_ms(now)
        heard.generation = self.listening.generation
        if isinstance(message, Leaving):
            heard.leaving, heard.leaving_boot = message, heard.beat.boot if heard.beat is not None else 0
            heard.leaving_ms = now.mono_ms
            return True
        if isinstance(message, WatchdogBeat):
            old_service = heard.service_state()
            heard.watchdog, heard.watchdog_ms = message, now.mono_ms
            news = old_service is not message.service or heard.leaving is not None
            heard.leaving = None  # its Watchdog was the one that left
        else:
            # After the Watchdog alone was heard, the service's own word is news, even if it says what it said before.
            old = heard.beat
            news = old is None or not heard.service_heard() or differs(old, message)
            if news and old is not None and unsettled(old, message):
                heard.sound = None
            if news and old is not None and old.boot != message.boot:
                # Started anew since it refused or was lost: what it could not then it may well be able to now.
                self.failed_attempt_ms = {key: at_ms for key, at_ms in self.failed_attempt_ms.items() if key[1] != message.recorder}
            if news and old is not None and disk_returned(old, message):
                # What it said of its footage, it said without this disk.
                self._forget_footage(message.recorder)
            heard.beat, heard.beat_ms, heard.beat_wall_ms = message, now.mono_ms, now.wall_ms
            if not heard.frames_due or progressed(old, message) or heard.nothing_due(message):
                heard.frames, heard.frames_ms, heard.frames_told_ms = (heard.stamp_ms, heard.generation), now.mono_ms, heard.told_ms
            if news:
                self.complaints.take(message, now.wall_ms)
            if heard.leaving is not None and (message.boot > heard.leaving_boot or now.mono_ms - heard.leaving_ms >= STAYS_MS):
                heard.leaving, news = None, True
            if old is None or old.machine != message.machine:
                self._is_on(message.recorder, old.machine if old is not None else "", message.machine)
            heard.compare_clocks(message.wall_ms - now.wall_ms, now.mono_ms)
            if abs(message.wall_ms - now.wall_ms) <= CLOCK_OFF_MS:
                heard.clock_off_wall_ms = 0
            elif not heard.clock_off_wall_ms:
                heard.clock_off_wall_ms = now.wall_ms
                self.odd.add(message.recorder)
            row = heard.row
            if row is None or message.epoch > row.assignment.epoch:
                self.ahead.add(message.recorder)
        if news:
            self._forget_footage(message.recorder, goes_on=True)
            told = self.preroll.get(message.recorder)
            if told is not None and told.refusal:
                del self.preroll[message.recorder]
            self.refusal_may_change(message.recorder)
        changed = self._conditions(heard, now)
        heard.steady = heard.service_heard() and heard.service_state() is ServiceState.RUNNING
        return changed or news or was_silent

    def _nothing_new(self, heard: Heard, message: FromRecorder, now: Instant) -> bool:
        """The short way for what there is most of, ten thousand times a second: a beat or a Watchdog's word that repeats the last one."""
        listening, mono_ms, wall_ms = self.listening, now.mono_ms, now.wall_ms
        generation = listening.generation
        if (
            message.instance != heard.instance
            or mono_ms - heard.beat_ms >= FRESH_MS
            or heard.generation != generation
            or listening.proven_ms - heard.stamp_ms >= 2 * BEAT_INTERVAL_MS
            or heard.leaving is not None
        ):
            return False
        stamp_ms = listening.stamp_ms(now)
        if isinstance(message, Beat):
            old, offset_ms = heard.beat, message.wall_ms - wall_ms
            assert old is not None, "steady is only whose service speaks"
            if heard.clock_off_wall_ms or not -CLOCK_OFF_MS <= offset_ms <= CLOCK_OFF_MS or differs(old, message):
                return False
            if heard.frames_due and not progressed(old, message) and not heard.nothing_due(message):
                return False
            heard.tell(message.mono_ms)
            heard.frames, heard.frames_ms, heard.frames_told_ms = (stamp_ms, generation), mono_ms, heard.told_ms
            heard.compare_clocks(offset_ms, mono_ms)
            heard.beat, heard.beat_ms, heard.beat_wall_ms = message, mono_ms, wall_ms
        elif isinstance(message, WatchdogBeat):
            if message.service is not ServiceState.RUNNING or heard.watchdog is None:
                return False
            heard.watchdog, heard.watchdog_ms = message, mono_ms
            heard.tell(message.mono_ms)
        else:
            return False
        heard.heard_ms, heard.heard_wall_ms = mono_ms, wall_ms
        heard.stamp_ms = stamp_ms
        self.speaking.move_to_end(message.recorder)
        return True

    def _conditions(self, heard: Heard, now: Instant) -> bool:
        """Keep the moments since when disks are lost, all is well, and it is sound; True if one began or ended."""
        speaks = heard.service_heard()
        lost, well = speaks and heard.reports_all_disks_lost(), heard.reports_frames()
        sound = speaks and not lost and not heard.reports_service_failed()
        changed = (heard.disks_lost is not None) != lost or (heard.well_ms is not None) != well or (heard.sound is not None) != sound
        if not sound:
            heard.sound = None
        elif heard.sound is None:
            heard.sound = (self.listening.stamp_ms(now), self.listening.generation)
        if not lost:
            heard.disks_lost = None
        elif heard.disks_lost is None:
            heard.disks_lost = (self.listening.stamp_ms(now), self.listening.generation)
        if not well:
            heard.well_ms = None
        elif heard.well_ms is None:
            heard.well_ms = now.mono_ms
        return changed
