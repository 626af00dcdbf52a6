"""After the journal lost its tail or was restored: the higher epoch wins, and a person sees what differs (SPEC 7)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import msgspec
from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import failover_id
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.ids import Epoch, FailoverId, GroupId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Acting, Assignment, Broken, Recorder, Recording, Reserved, Role, Standby
from sysmanager.domain.rights import COORDINATOR, Actor
from sysmanager.protocol.clients import Finding
from sysmanager.protocol.recorders import Beat, Mode


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder reports a newer assignment than system data has. claims: whose cameras it records; None if it waits.

    kept: it has cameras of another one as its own; the record that gave them to it for good was lost, and a person decides that anew. A
    standard recorder claims none of them: it has its own to go back to.
    """

    recorder: RecorderId
    epoch: Epoch
    claims: RecorderId | None
    kept: bool = False


def agrees(view: View, row: Recorder, beat: Beat) -> bool:
    """Whether system data is at least as new as the report: then an order, not a person, settles what differs."""
    return beat.epoch <= _newest_epoch(view, row)


def _newest_epoch(view: View, row: Recorder) -> Epoch:
    """The newest epoch that system data has for a recorder: of its assignment, or of a failback that lets it record before its commit."""
    newest = row.assignment.epoch
    for failover in view.open_with.get(row.id, ()):
        entry = view.failovers[failover]
        if entry.home == row.id and entry.failback is not None and entry.failback.epoch > newest:
            newest = entry.failback.epoch
    return newest


def differences(view: View, seen: Seen) -> tuple[Difference, ...]:
    """What recorders report that is newer than system data, by recorder id. Empty in quiet times."""
    found = []
    for recorder in seen.ahead:
        row, beat = view.recorders.get(recorder), seen.of(recorder).beat
        if row is None or beat is None or agrees(view, row, beat) or not seen.connected(recorder):
            continue
        own = beat.home == row.id and beat.mode is not Mode.STANDBY
        if row.role is Role.FAILOVER:
            kept, claims = own, row.home if own else _claim(view, row, beat)
        else:
            kept = own and _has_anothers(view, row, beat)
            claims = None if kept else _claim(view, row, beat)
        found.append(Difference(recorder=row.id, epoch=beat.epoch, claims=claims, kept=kept))
    return tuple(sorted(found, key=lambda difference: difference.recorder))


def _claim(view: View, row: Recorder, beat: Beat) -> RecorderId | None:
    """Whose cameras it says that it records, if that makes sense: its own, or as a failover server those of a standard recorder."""
    home = view.recorders.get(beat.home) if beat.home is not None and beat.mode is not Mode.STANDBY else None
    if home is None or (home.id != row.id and (row.role, home.role) != (Role.FAILOVER, Role.STANDARD)):
        return None
    return home.id


def _has_anothers(view: View, row: Recorder, beat: Beat) -> bool:
    """Whether what a standard recorder records as its own is known as cameras of another one, and nothing of it as its own.

    It was taken in as a failover server and kept them for good, and the journal lost both. Its own cameras are with somebody else, or with
    nobody: it must not win them by an epoch that it got for others.
    """
    said = {camera.camera for camera in beat.cameras}
    if not said.isdisjoint(camera.id for camera in row.settings.cameras):
        return False
    others = (other for other in view.recorders.values() if other.role is Role.STANDARD and other.id != row.id)
    return any(_holds(beat, other) or not said.isdisjoint(camera.id for camera in other.settings.cameras) for other in others)


def _holds(beat: Beat, other: Recorder) -> bool:
    """Whether it reports the documents of another recorder."""
    return beat.documents is not None and other.documents is not None and beat.documents.same_content(other.documents)


def findings(view: View, seen: Seen) -> tuple[Finding, ...]:
    """The differences as people confirm them, each with what confirming will do."""
    found = differences(view, seen)
    if not found:
        return ()
    settled = _Settlement(view, seen, found, COORDINATOR, Instant(mono_ms=0, wall_ms=0))
    return tuple(Finding(recorder=difference.recorder, sentence=settled.sentence(difference)) for difference in found)


def confirmed(view: View, seen: Seen, actor: Actor, now: Instant) -> f.ReconcileConfirmed:
    """The fact that accepts all present differences: the higher epoch wins, and the coordinator goes on above the highest."""
    settlement = _Settlement(view, seen, differences(view, seen), actor, now)
    reported = (row for row in view.recorders if seen.connected(row) and seen.of(row).beat is not None)
    used = max([adjustment.assignment.epoch for adjustment in settlement.adjustments] + [settlement.highest])
    return f.ReconcileConfirmed(adjustments=tuple(settlement.adjustments), settled=tuple(sorted(reported)), highest_epoch=Epoch(used))


class _Settlement:
    """What becomes of every recorder when the present differences are accepted.

    after: all assignments as they will be. adjustments: those that change, in the order in which they are applied, each with the entry
    that it opens, changes or closes.
    """

    def __init__(self, view: View, seen: Seen, found: tuple[Difference, ...], actor: Actor, now: Instant) -> None:
        self.view, self.actor, self.now = view, actor, now
        beats = [heard.beat.epoch for row, heard in seen.recorders.items() if heard.beat is not None and row in view.recorders]
        self.highest = Epoch(max([*beats, view.next_epoch - 1]))
        self.after: dict[RecorderId, Assignment] = {row.id: row.assignment for row in view.recorders.values()}
        self.adjustments: list[f.Adjustment] = []
        self._numbers = count(view.next_number)
        self._epochs: Iterator[int] = count(self.highest + 1)
        self._reported = {difference.recorder: difference.epoch for difference in found}
        self._astray = {one.recorder for one in found if one.kept and one.claims is None}
        self._winners(found)
        self._others(found)
        self._orphans()
        self._close_entries()

    def _put(self, recorder: RecorderId, assignment: Assignment, entry: Failover | None = None) -> None:
        self.after[recorder] = assignment
        own_again = recorder in self._astray
        self.adjustments.append(f.Adjustment(recorder=recorder, assignment=assignment, entry=entry, own_again=own_again))

    def _spare(self) -> Epoch:
        return Epoch(next(self._epochs))

    def holder(self, home: RecorderId) -> RecorderId | None:
        """Who will have the cameras of the home."""
        for recorder, assignment in self.after.items():
            match assignment:
                case Recording() if recorder == home:
                    return recorder
                case Acting(for_recorder=acted_for) if acted_for == home:
                    return recorder
        return None

    def _winners(self, found: tuple[Difference, ...]) -> None:
        """Of all who record for one home the highest epoch has it, be it in a report or in system data."""
        differing = {difference.recorder for difference in found}
        best: dict[RecorderId, Difference] = {}
        for difference in found:
            home = difference.claims
            if home is not None and (home not in best or best[home].epoch < difference.epoch):
                best[home] = difference
        for home, winner in sorted(best.items()):
            holder = self.holder(home)
            if holder is not None and holder not in differing and self.after[holder].epoch >= winner.epoch:
                continue
            if winner.recorder == home:
                self._put(home, Recording(epoch=winner.epoch))
            else:
                entry = self._entry_of(winner, home)
                # One that knows a newer epoch, of whatever it was told meanwhile, would not stand down under the winner's.
                stands_down = winner.epoch if self._reported.get(home, winner.epoch) <= winner.epoch else self._spare()
                self._put(home, Broken(epoch=stands_down, failover=entry.id), entry)
                epoch = winner.epoch if not winner.kept else self._spare()
                self._put(winner.recorder, Acting(epoch=epoch, for_recorder=home, failover=entry.id))
            if holder is not None and holder not in (home, winner.recorder):
                self._put(holder, Standby(epoch=self._spare()))

    def _others(self, found: tuple[Difference, ...]) -> None:
        """Who waits, was told to stand down, or recorded under an older epoch than the winner."""
        settled = {adjustment.recorder for adjustment in self.adjustments}
        for difference in found:
            recorder = difference.recorder
            if recorder in settled:
                continue
            if self.view.recorders[recorder].role is Role.FAILOVER:
                self._put(recorder, Standby(epoch=self._spare() if difference.kept or difference.claims is not None else difference.epoch))
                continue
            acting = self.after.get(self.holder(recorder) or recorder)
            if isinstance(acting, Acting):
                self._put(recorder, Broken(epoch=self._spare(), failover=acting.failover))
            else:
                self._put(recorder, Recording(epoch=self._spare()))

    def _orphans(self) -> None:
        """Cameras that nobody would have any more belong to their own recorder again, so that its failure is noticed (SPEC 2)."""
        for row in self.view.recorders.values():
            # Broken, or reserved to take them back from a server that does not have them any more.
            if row.role is Role.STANDARD and isinstance(self.after[row.id], Broken | Reserved) and self.holder(row.id) is None:
                self._put(row.id, Recording(epoch=self._spare()))

    def _close_entries(self) -> None:
        """Open entries whose failover server turned out to do something else."""
        for failover in self.view.open:
            entry = self.view.failovers[failover]
            if entry.server is None:
                continue
            assignment = self.after[entry.server]
            if isinstance(assignment, Reserved | Acting) and assignment.failover == entry.id:
                continue
            phase = Phase.CANCELLED if entry.phase.before_commit else Phase.SUPERSEDED
            note = "Ended by a reconcile: the servers report other assignments than system data had."
            closed = replace(entry, phase=phase, note=note, ended_ms=self.now.wall_ms)
            self._put(entry.server, assignment, closed)

    def _entry_of(self, winner: Difference, home: RecorderId) -> Failover:
        """The entry that explains who acts for whom: the one that system data has, or a new one, from which a failback can start."""
        row, server = self.view.recorders[home], self.view.recorders[winner.recorder]
        known = server.assignment
        if isinstance(known, Acting) and known.for_recorder == home and known.failover in self.view.open:
            entry = self.view.failovers[known.failover]
            return entry if winner.kept else replace(entry, epoch=winner.epoch)
        number = next(self._numbers)
        return Failover(
            id=failover_id(number),
            number=number,
            recorder=home,
            home=home,
            group=row.group or server.group or GroupId(""),
            trigger=Trigger.MANUAL,
            by_hand=True,
            actor=self.actor,
            phase=Phase.READY,
            started_ms=self.now.wall_ms,
            ended_ms=self.now.wall_ms,
            server=winner.recorder,
            epoch=winner.epoch,
            previous_epoch=row.assignment.epoch,
            documents=row.documents,
            moved=tuple(camera.id for camera in row.settings.cameras if camera.moves),
            note="Found by a reconcile: the journal had lost this failover.",
        )

    def sentence(self, difference: Difference) -> str:
        """What the recorder says of itself, and what confirming makes of it."""
        row = self.view.recorders[difference.recorder]
        says = f"{row.name} reports epoch {difference.epoch}, newer than {row.assignment.epoch} in system data"
        does = "it waits"
        if difference.kept:
            does = "it has cameras that it took over for good"
        elif difference.claims == row.id:
            does = "it records its own cameras"
        elif difference.claims is not None:
            does = f"it records for {self._name(difference.claims)}"
        outcome = self._outcome(row.id)
        if row.id in self._astray and isinstance(self.after[row.id], Recording):
            outcome = "will record its own again"
        return f"{says}: {does}, and {outcome}."

    def _outcome(self, recorder: RecorderId) -> str:
        match self.after[recorder]:
            case Recording():
                return "will be a normal recorder"
            case Acting(for_recorder=home):
                return f"will act for {self._name(home)}"
            case Broken(failover=failover):
                return f"stays replaced by {self._name(self._server_of(failover, recorder))}"
            case _:
                return "will be on standby"

    def _server_of(self, failover: FailoverId, home: RecorderId) -> RecorderId:
        """Who acts for a recorder that stays broken."""
        acting = (recorder for recorder, known in self.after.items() if isinstance(known, Acting) and known.failover == failover)
        return next(acting, home)

    def _name(self, recorder: RecorderId) -> str:
        return self.view.recorders[recorder].name
