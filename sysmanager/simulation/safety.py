"""Rules and wishes of what keeps the coordinator from acting by itself: maintenance, brake, second opinion (SPEC 4.4, 13.3, 13.4, 13.6)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.domain.failover import Trigger
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.maintenance import SYSTEM, Scope, Target
from sysmanager.domain.recorder import Acting, Broken, Recorder, Recording, Standby
from sysmanager.domain.rights import COORDINATOR
from sysmanager.domain.system import SystemSettings
from sysmanager.protocol import clients as c
from sysmanager.protocol.probes import CamerasProbed, Probe, ProbeAnswer, RecorderProbed
from sysmanager.protocol.recorders import ServiceState

if TYPE_CHECKING:
    from sysmanager.coordinator.state import State
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.world import World

REPORT_STALE_MS = 3_500
"""A report counts until the recorder is silent for three beats, and half a second for its way."""

FRESH_MS = 6_500
"""A word older than this says nothing: what the coordinator takes for fresh, and what it could not prove of that time."""

COPY_MS = 5_000
"""After so long a silence a second server is heard in its place; one that spoke beside it, so long after that silence was noticed."""

REACHED_MS = 17_000
MARGIN_MS = 200
OPINION_LIMIT_MS = 300_000

OVERDUE_MS = 70_000
"""By when a maintenance has ended whose time is over: it is looked at once a minute, and a fact needs its moment."""


def covering(state: State, row: Recorder) -> str | None:
    """The key of the maintenance that covers a recorder; written down a second time, apart from the coordinator's own."""
    home = state.recorders[row.assignment.for_recorder] if isinstance(row.assignment, Acting) else row
    for key in (f"recorder {row.id}", f"group {home.group}", "system"):
        if key in state.maintenance:
            return key
    return None


def nothing_by_itself_in_maintenance(step: Step) -> str | None:
    """No failover starts by itself where something is in maintenance; and what would have happened is said only there."""
    opening = getattr(step.fact, "opening", None)
    if not isinstance(opening, f.Opening) or step.record.actor != COORDINATOR:
        return None
    key = covering(step.state, step.state.recorders[opening.recorder])
    if isinstance(step.fact, f.FailoverWithheld):
        by_right = key is not None if step.fact.by is f.Withholding.MAINTENANCE else step.state.settings.opinion_holds
        return None if by_right else f"A failover of {opening.recorder} is withheld by {step.fact.by}, and there is none."
    return f"A failover of {opening.recorder} starts by itself, although {key} is in maintenance." if key is not None else None


def nobody_taken_in_maintenance(step: Step) -> str | None:
    """A server in maintenance is no candidate (SPEC 5)."""
    server = _reserved(step)
    return f"{server} is reserved, although it is in maintenance." if f"recorder {server}" in step.state.maintenance else None


def nobody_taken_who_is_leaving(step: Step) -> str | None:
    """A server that announced its shutdown is no candidate until it is back."""
    server, core = _reserved(step), step.world.coordinator.core
    if server is None or core is None or not step.world.recorders[server].trouble.leaving:
        return None
    return f"{server} is reserved, and announced that it is shut down." if core.seen.of(server).leaving is not None else None


def _reserved(step: Step) -> RecorderId | None:
    match step.fact:
        case f.FailoverStarted(reservation=reservation) | f.ServerReserved(reservation=reservation):
            return reservation.server
        case f.AttemptEnded(next=f.Reservation(server=taken)):
            return taken
        case _:
            return None


# ---------------------------------------------------------------- what servers say of one another


class Word(msgspec.Struct, frozen=True):
    """The last word of a server on a recorder."""

    at_ms: int
    reached: bool
    records: bool


def note_word(world: World, server: RecorderId, probe: Probe, answer: ProbeAnswer | None) -> None:
    world.counts["probe", type(answer).__name__] += 1
    now_ms = world.agenda.now_ms
    if isinstance(answer, RecorderProbed):
        world.words.setdefault(probe.recorder, {})[server] = Word(now_ms, answer.reached, answer.records)
    elif isinstance(answer, CamerasProbed) and answer.reached:
        world.cameras_reached_ms[probe.recorder] = now_ms


def note_decided(step: Step) -> str | None:
    """When brake and second opinion began to hold; breaks no rule by itself. They hold from the decision on, however slow the journal is.

    A coordinator whose tables were rebuilt after a failed append still knows that; one that was started anew does not.
    """
    world, now_ms = step.world, step.world.agenda.now_ms
    match step.fact:
        case f.BrakeApplied():
            world.braked_ms = now_ms
        case f.FailoverWithheld(opening=opening, by=f.Withholding.OPINION):
            world.opinion_held_ms[opening.recorder] = now_ms
        case _:
            pass
    return None


def note_durable(step: Step) -> str | None:
    """When the brake holds no more; breaks no rule by itself."""
    if isinstance(step.fact, f.BrakeReleased):
        step.world.braked_ms = None
    return None


def early_not_recording(step: Step, recorder: RecorderId, slowest_ms: int) -> str | None:
    """The recorder really wrote nothing for so long, and a server really reached its cameras.

    slowest_ms: its messages took so long at most. What the coordinator knows may be as old as that and three heartbeats: in that time
    the recorder may have begun to record again. But when it sent the last message that was heard, it had not, for all of the time but
    three heartbeats.
    """
    world, now_ms = step.world, step.world.agenda.now_ms
    if world.recorders[recorder].trouble.lied:
        return None  # it is believed, until its word and its frames can be told apart
    if recorder not in world.hearing.own_ms:
        return None  # since its start a copy of it alone has reached the coordinator: it might as well be a machine that was set up anew
    row = step.state.recorders[recorder]
    home = step.state.recorders[row.assignment.for_recorder] if isinstance(row.assignment, Acting) else row
    timeout_ms = home.detection_timeout_s * 1000
    needed_ms = max(timeout_ms, 10_000)
    # A second server that never spoke beside the first may be a machine set up anew in its place: SPEC 2 refuses it while both are there.
    # When that one was dark for long enough, the first has been silent for longer than its timeout: nothing is early.
    noticed_ms = timeout_ms if world.hearing.beside(recorder) else 0
    if world.hearing.own_silence_ms(recorder, now_ms) >= noticed_ms + COPY_MS + needed_ms - MARGIN_MS:
        return None  # its silence was noticed, or its successor believed: what is heard since then is the other one, and that is dark
    recent = (dark_ms for end_ms, dark_ms in world.darknesses.get(recorder, ()) if now_ms - end_ms <= REPORT_STALE_MS + slowest_ms)
    dark_ms = max((now_ms - world.lit_ms.get(recorder, 0), *recent))
    if dark_ms + REPORT_STALE_MS < needed_ms:
        return f"{recorder} wrote no frame for {dark_ms} ms, and it must be {needed_ms} ms."
    if now_ms - world.cameras_reached_ms.get(recorder, -(10**9)) > REACHED_MS:
        return f"No server reached cameras of {recorder}."
    return None


def _starts_by_itself(step: Step) -> RecorderId | None:
    """The recorder whose failover starts by itself because it is not heard."""
    opening = getattr(step.fact, "opening", None)
    if not isinstance(opening, f.Opening) or step.record.actor != COORDINATOR or isinstance(step.fact, f.FailoverWithheld):
        return None
    return opening.recorder if opening.trigger is Trigger.CONNECTION else None


def lost_together(step: Step, recorder: RecorderId) -> bool:
    """Whether the recorder surely fell silent together with too many others: with a margin for what the coordinator could not prove."""
    state, world = step.state, step.world
    watched = [row.id for row in state.recorders.values() if isinstance(row.assignment, Recording | Acting | Broken)]
    silences = {one: world.hearing.silence_ms(one, world.agenda.now_ms) for one in watched}
    own_ms = silences.get(recorder, 0)
    near = [silence_ms for silence_ms in silences.values() if silence_ms > 4_500 and abs(silence_ms - own_ms) <= 4_000]
    return len(near) >= state.settings.brake_minimum and len(near) * 100 > state.settings.brake_share_percent * len(watched)


def nothing_by_itself_under_the_brake(step: Step) -> str | None:
    """When too many fall silent together, nothing starts before a server confirms it for the recorder, or the time is over."""
    recorder = _starts_by_itself(step)
    if recorder is None or not lost_together(step, recorder):
        return None
    world, now_ms = step.world, step.world.agenda.now_ms
    words = world.words.get(recorder, {}).values()
    if any(not word.reached and now_ms - word.at_ms <= FRESH_MS for word in words):
        return None
    limit_s, since_ms = step.state.settings.brake_limit_s, world.braked_ms
    if limit_s is not None and since_ms is not None and now_ms - since_ms >= limit_s * 1000 - MARGIN_MS:
        return None
    return f"A failover of {recorder} starts, although it fell silent with too many others, and nobody confirmed it."


def second_opinion_holds(step: Step) -> str | None:
    """Where it is set so, nothing starts while a server that waits reaches the recorder and hears that it records; for 5 min at most."""
    recorder = _starts_by_itself(step)
    if recorder is None or not step.state.settings.opinion_holds:
        return None
    world, now_ms = step.world, step.world.agenda.now_ms
    held_ms = now_ms - world.opinion_held_ms.get(recorder, now_ms)
    if held_ms >= OPINION_LIMIT_MS - MARGIN_MS:
        return None
    group = step.state.recorders[recorder].group
    for server, word in world.words.get(recorder, {}).items():
        row = step.state.recorders.get(server)
        waits = row is not None and isinstance(row.assignment, Standby) and row.group == group
        waits = waits and f"recorder {server}" not in step.state.maintenance and world.hearing.silence_ms(server, now_ms) < 2_000
        if waits and word.records and now_ms - word.at_ms <= 1_200 and world.recorders[server].service is ServiceState.RUNNING:
            return f"A failover of {recorder} starts, although {server} reaches it and hears that it records."
    return None


# ---------------------------------------------------------------- over time


def maintenance_ends(world: World) -> str | None:
    """A maintenance whose time is over has ended, once the coordinator has had the time to look."""
    core = world.coordinator.core
    if core is None or not world.coordinator.listening or world.coordinator.busy:
        return None
    up_ms = world.agenda.now_ms - world.hearing.started_ms
    late = [one for one in core.state.maintenance.values() if one.until_wall_ms + OVERDUE_MS < world.coordinator.now().wall_ms]
    stepped_ms = world.agenda.now_ms - world.coordinator.stepped_ms
    if late and min(up_ms, stepped_ms, world.hearing.hearing_for_ms(world.agenda.now_ms)) > OVERDUE_MS:
        return f"The maintenance of {late[0].target.key} should have ended at {late[0].until_wall_ms}."
    return None


def wish(world: World, chance: random.Random) -> c.Request:
    """Something an administrator might want of maintenance: mostly short ones, and now and then the end of one."""
    state = world.shadow
    if state.maintenance and chance.random() < 0.4:
        return c.EndMaintenance(target=state.maintenance[chance.choice(sorted(state.maintenance))].target)
    targets = [Target(scope=Scope.RECORDER, id=one) for one in sorted(state.recorders)]
    if chance.random() < 0.2:
        targets = [SYSTEM, *(Target(scope=Scope.GROUP, id=group) for group in sorted(state.groups))]
    until_wall_ms = world.coordinator.now().wall_ms + chance.choice((5_000, 30_000, 90_000, 240_000))
    return c.StartMaintenance(target=chance.choice(targets), reason="work on the machine", until_wall_ms=until_wall_ms)


def caution(world: World, chance: random.Random) -> c.Request:
    """How careful an administrator wants it to be; now and then one who has seen an alarm."""
    if chance.random() < 0.2:
        return c.AcknowledgeAlarm(key="crash loop")
    settings = SystemSettings(
        brake_share_percent=chance.choice((20, 30, 60)),
        brake_minimum=chance.choice((2, 3)),
        brake_limit_s=chance.choice((5, 30, 60, None)),
        opinion_holds=chance.random() < 0.6,
        announced_timeout_s=chance.choice((None, 60)),
    )
    return c.EditSystem(revision=world.shadow.settings_revision, settings=settings)


def tidy(world: World) -> tuple[c.Request, ...]:
    """What an administrator does when all is mended: nothing is left in maintenance."""
    core = world.coordinator.core
    return tuple(c.EndMaintenance(target=one.target) for one in core.state.maintenance.values()) if core is not None else ()
