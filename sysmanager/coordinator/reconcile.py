"""After the journal lost its tail or was restored: the higher epoch wins, and a person sees what differs (SPEC 7)."""

from __future__ import annotations

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve import failover_id
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.failover import Failover, Phase, Trigger
from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Acting, Assignment, Broken, Recorder, Recording, Role, Standby
from sysmanager.domain.rights import Actor
from sysmanager.protocol.clients import Finding
from sysmanager.protocol.recorders import Beat, Mode


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder reports a newer assignment than system data has. becomes: what confirming makes of it."""

    recorder: RecorderId
    epoch: Epoch
    becomes: Assignment | None
    acts_for: RecorderId | None
    sentence: str


def agrees(row: Recorder, beat: Beat) -> bool:
    """Whether system data is at least as new as the report: then an order, not a person, settles what differs."""
    return beat.epoch <= row.assignment.epoch


def differences(view: View, seen: Seen) -> tuple[Difference, ...]:
    """What recorders report that is newer than system data, by recorder id. Empty in quiet times."""
    found = []
    for row in view.recorders.values():
        heard = seen.recorders.get(row.id)
        if heard is None or heard.beat is None or not seen.connected(row.id) or agrees(row, heard.beat):
            continue
        found.append(_difference(view, row, heard.beat))
    return tuple(sorted(found, key=lambda difference: difference.recorder))


def _difference(view: View, row: Recorder, beat: Beat) -> Difference:
    says = f"{row.name} reports epoch {beat.epoch}, newer than {row.assignment.epoch} in system data"
    if beat.mode is not Mode.STANDBY and beat.home == row.id:
        becomes: Assignment = Recording(epoch=beat.epoch)
        sentence = f"{says}: it records its own cameras, and will be a normal recorder."
    elif beat.mode is not Mode.STANDBY and beat.home is not None and beat.home in view.recorders:
        becomes = Acting(epoch=beat.epoch, for_recorder=beat.home, failover=failover_id(0))
        sentence = f"{says}: it records for {view.recorders[beat.home].name}, and will act for it."
        return Difference(recorder=row.id, epoch=beat.epoch, becomes=becomes, acts_for=beat.home, sentence=sentence)
    elif row.role is Role.FAILOVER:
        becomes = Standby(epoch=beat.epoch)
        sentence = f"{says}: it waits, and will be on standby."
    else:
        return Difference(
            recorder=row.id,
            epoch=beat.epoch,
            becomes=None,
            acts_for=None,
            sentence=f"{says}: it was told to stand down; it will record again unless another server acts for it.",
        )
    return Difference(recorder=row.id, epoch=beat.epoch, becomes=becomes, acts_for=None, sentence=sentence)


def findings(view: View, seen: Seen) -> tuple[Finding, ...]:
    """The differences as people confirm them."""
    return tuple(Finding(recorder=found.recorder, sentence=found.sentence) for found in differences(view, seen))


def confirmed(view: View, seen: Seen, actor: Actor, now: Instant) -> f.ReconcileConfirmed:
    """The fact that accepts all present differences: the higher epoch wins, and the coordinator goes on above the highest."""
    found = differences(view, seen)
    beats = [heard.beat for row, heard in seen.recorders.items() if heard.beat is not None and row in view.recorders]
    highest = Epoch(max([beat.epoch for beat in beats] + [view.next_epoch - 1]))
    winners: dict[RecorderId, Difference] = {}
    for difference in found:
        home = difference.acts_for or difference.recorder
        if difference.becomes is not None and (home not in winners or winners[home].epoch < difference.epoch):
            winners[home] = difference
    adjustments: list[f.Adjustment] = []
    number, spare = view.next_number, Epoch(highest + 1)
    for home in sorted(winners):
        winner = winners[home]
        assert winner.becomes is not None, "only differences that become something win"
        if winner.acts_for is None:
            adjustments.append(f.Adjustment(recorder=winner.recorder, assignment=winner.becomes))
            continue
        entry = _entry(view, winner, number, actor, now)
        number += 1
        adjustments.append(
            f.Adjustment(recorder=home, assignment=Broken(epoch=winner.epoch, failover=entry.id), entry=entry),
        )
        adjustments.append(
            f.Adjustment(recorder=winner.recorder, assignment=Acting(epoch=winner.epoch, for_recorder=home, failover=entry.id))
        )
    taken = {adjustment.recorder for adjustment in adjustments}
    for difference in found:
        if difference.recorder not in taken:
            # A loser, or a recorder that was told to stand down and that nobody replaces: under a new epoch, as its role says.
            role = view.recorders[difference.recorder].role
            assignment: Assignment = Recording(epoch=spare) if role is Role.STANDARD else Standby(epoch=spare)
            adjustments.append(f.Adjustment(recorder=difference.recorder, assignment=assignment))
            taken.add(difference.recorder)
            spare = Epoch(spare + 1)
    adjustments += _displaced(view, adjustments, taken, spare)
    settled = tuple(sorted(row for row in view.recorders if seen.connected(row)))
    used = max([adjustment.assignment.epoch for adjustment in adjustments] + [highest])
    return f.ReconcileConfirmed(adjustments=tuple(adjustments), settled=settled, highest_epoch=Epoch(used))


def _displaced(view: View, adjustments: list[f.Adjustment], taken: set[RecorderId], spare: Epoch) -> list[f.Adjustment]:
    """Servers that system data has acting for a home that another one proved to hold: they wait again."""
    homes = {
        adjustment.assignment.for_recorder if isinstance(adjustment.assignment, Acting) else adjustment.recorder
        for adjustment in adjustments
        if isinstance(adjustment.assignment, Acting | Recording)
    }
    displaced = []
    for row in view.recorders.values():
        if row.id not in taken and isinstance(row.assignment, Acting) and row.assignment.for_recorder in homes:
            displaced.append(f.Adjustment(recorder=row.id, assignment=Standby(epoch=spare), entry=_closed(view, row.assignment)))
            spare = Epoch(spare + 1)
    return displaced


def _closed(view: View, acting: Acting) -> Failover | None:
    entry = view.failovers.get(acting.failover)
    if entry is None:
        return None
    return msgspec.structs.replace(entry, phase=Phase.SUPERSEDED, note="Ended by a reconcile: another server proved to hold the cameras.")


def _entry(view: View, winner: Difference, number: int, actor: Actor, now: Instant) -> Failover:
    """The log entry for a failover of which the journal knows nothing any more; a failback can start from it."""
    assert winner.acts_for is not None, "an entry explains who acts for whom"
    home = view.recorders[winner.acts_for]
    return Failover(
        id=failover_id(number),
        number=number,
        recorder=home.id,
        home=home.id,
        group=home.group or next(iter(view.groups)),
        trigger=Trigger.MANUAL,
        actor=actor,
        phase=Phase.READY,
        started_ms=now.wall_ms,
        ended_ms=now.wall_ms,
        server=winner.recorder,
        epoch=winner.epoch,
        previous_epoch=home.assignment.epoch,
        documents=home.documents,
        moved=tuple(camera.id for camera in home.settings.cameras if camera.moves),
        note="Found by a reconcile: the journal had lost this failover.",
    )
