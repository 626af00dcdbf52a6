"""How an entry of the failover log begins: reserved, waiting, or queued, in one record (SPEC 6, steps 1 and 2)."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.detection import group_of
from sysmanager.coordinator.evolve import failover_id
from sysmanager.coordinator.gaps import last_frames
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Choice, choose
from sysmanager.coordinator.state import View, baseline_holds, running_in_group, tasks_of, undoing_with
from sysmanager.coordinator.witnesses import opinions_of
from sysmanager.domain.failover import Trigger
from sysmanager.domain.ids import Epoch
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Recorder


def open_entry(view: View, seen: Seen, failed: Recorder, trigger: Trigger, now: Instant) -> tuple[f.AnyFact, ...]:
    """Rows 1 to 3: the trigger holds, and no failover of this recorder is open. Empty if the recorder is in no group."""
    opening = opening_of(view, seen, failed, trigger, now)
    if opening is None:
        return ()
    home = tasks_of(failed, view.recorders[opening.home])
    given_back = undoing_with(view, failed.id) is not None  # ended by the same record that reserves somebody
    if given_back or running_in_group(view, opening.group) is not None or baseline_holds(view, opening.group):
        return (f.FailoverQueued(opening=opening),)
    choice = choose(view, seen, failed=failed, home=home, group=view.groups[opening.group])
    if choice.server is None or home.documents is None:
        return (f.FailoverWaiting(failover=opening.failover, opening=opening, verdicts=choice.verdicts),)
    return (f.FailoverStarted(opening=opening, reservation=reservation_of(view.next_epoch, choice, home), duration_ms=0),)


def choice_for(view: View, seen: Seen, row: Recorder) -> Choice:
    """Who would take the recorder's tasks if it failed now; server None if nobody can, or its settings are not in the cache."""
    group_id = group_of(view, row)
    home = view.recorders.get(row.home) if row.home is not None else None
    if group_id is None or home is None:
        return Choice(server=None, verdicts=())
    tasks = tasks_of(row, home)
    choice = choose(view, seen, failed=row, home=tasks, group=view.groups[group_id])
    return choice if tasks.documents is not None else Choice(server=None, verdicts=choice.verdicts)


def opening_of(view: View, seen: Seen, failed: Recorder, trigger: Trigger, now: Instant) -> f.Opening | None:
    """How an entry of this recorder begins now; None if the recorder is in no group."""
    group_id = group_of(view, failed)
    home_id = failed.home
    if group_id is None or home_id is None or home_id not in view.recorders:
        return None
    heard = seen.of(failed.id)
    return f.Opening(
        failover=failover_id(view.next_number),
        recorder=failed.id,
        home=home_id,
        group=group_id,
        trigger=trigger,
        previous_epoch=failed.assignment.epoch,
        last_heard_ms=heard.heard_wall_ms,
        detected_ms=now.wall_ms,
        gaps=last_frames(heard, tasks_of(failed, view.recorders[home_id]).settings, now),
        opinions=opinions_of(view, seen, failed) if trigger is Trigger.CONNECTION else (),
    )


def reservation_of(epoch: Epoch, choice: Choice, home: Recorder) -> f.Reservation:
    """What step 2 fixes of a choice that has a server."""
    assert choice.server is not None, "a reservation needs a server"
    assert home.documents is not None, "a reservation needs documents"
    return f.Reservation(
        server=choice.server,
        epoch=epoch,
        documents=home.documents,
        verdicts=choice.verdicts,
        moved=choice.moved,
        not_moved=choice.not_moved,
        to_do=choice.to_do,
        vca_off=choice.vca_off,
    )
