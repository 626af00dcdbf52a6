"""Named scenarios: what happens when, and how it must end. A failure that the simulation found becomes one of these.

Servers of `plain_site`: A1, A2, ... and the failover servers FA1, FA2, ... in group A; B1 ... in group B. Timeouts are 10 s.
"""

from __future__ import annotations

import msgspec

from sysmanager.coordinator.evolve import failover_id
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.jobs import Drill
from sysmanager.protocol import clients as c
from sysmanager.simulation import faults
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.coordinator import KillPoint
from sysmanager.simulation.failback_scenarios import FAILBACK_SCENARIOS
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.found_scenarios import FOUND_SCENARIOS
from sysmanager.simulation.handing_scenarios import BACK_MEANWHILE, HANDING_SCENARIOS, UNDO_SCENARIOS
from sysmanager.simulation.leaving_scenarios import LEAVING_SCENARIOS
from sysmanager.simulation.people import findings_of
from sysmanager.simulation.poison_scenarios import POISON_SCENARIOS
from sysmanager.simulation.rest import what_hangs
from sysmanager.simulation.run import LOOK_MS, REST_LIMIT_MS, REST_MS, START_MS
from sysmanager.simulation.safety_scenarios import SAFETY_SCENARIOS
from sysmanager.simulation.scenario import FIRST, End, Scenario, Wish, back, off, start
from sysmanager.simulation.site import plain_site
from sysmanager.simulation.story import Story
from sysmanager.simulation.waiting_scenarios import WAITING_SCENARIOS
from sysmanager.simulation.world import ADMINISTRATOR, World


def _slow(server: str, amount: int, lasts_ms: int = 0) -> Deed:
    return Deed(at_ms=0, what=Wrong.SLOW_SERVER, target=server, amount=amount, lasts_ms=lasts_ms)


def _started_and_aborted(recorder: str, number: int, at_ms: int) -> tuple[Wish, ...]:
    """A failover by hand that is aborted at once: one more entry that has ended."""
    abort = c.AbortFailover(failover=failover_id(number))
    release = c.ReleaseHold(recorder=RecorderId(recorder))
    return (
        start(recorder, at_ms, maintenance=False),
        Wish(at_ms=at_ms + 200, request=abort),
        Wish(at_ms=at_ms + 400, request=release),
    )


def _comment(number: int, at_ms: int) -> Wish:
    return Wish(at_ms=at_ms, request=c.CommentEntry(failover=failover_id(number), text="Looked at."))


READY, RETURNED, CANCELLED = Phase.READY, Phase.RETURNED, Phase.CANCELLED

SCENARIOS: tuple[Scenario, ...] = (
    *FAILBACK_SCENARIOS,
    *LEAVING_SCENARIOS,
    *HANDING_SCENARIOS,
    BACK_MEANWHILE,
    *UNDO_SCENARIOS,
    *FOUND_SCENARIOS,
    *WAITING_SCENARIOS,
    *POISON_SCENARIOS,
    Scenario(name="connection lost", deeds=(off("A1"),), ends=(End(recorder="A1", phase=READY, server="FA1"),)),
    Scenario(
        name="cut off, it records on until it learns that it was replaced",
        deeds=(Deed(at_ms=0, what=Wrong.CUT, target="A1", lasts_ms=40_000),),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="all disks lost",
        deeds=(Deed(at_ms=0, what=Wrong.ALL_DISKS, target="A1"),),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="recording service cannot start",
        deeds=(Deed(at_ms=0, what=Wrong.SERVICE, target="A1"),),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(name="manual", wishes=(start("A1"),), ends=(End(recorder="A1", phase=READY, server="FA1"),)),
    Scenario(
        name="refusal, then the next",
        groups=((2, 2),),
        deeds=(Deed(at_ms=0, what=Wrong.REFUSE, target="FA1"), off("A1")),
        ends=(End(recorder="A1", phase=READY, server="FA2", attempts=("refused",)),),
    ),
    Scenario(
        name="vanishes when asked, then the next",
        groups=((2, 2),),
        deeds=(Deed(at_ms=0, what=Wrong.VANISH, target="FA1"), off("A1")),
        ends=(End(recorder="A1", phase=READY, server="FA2", attempts=("lost",)),),
    ),
    Scenario(
        name="two lost, then it fails",
        groups=((2, 3),),
        deeds=(*(Deed(at_ms=0, what=Wrong.VANISH, target=spare) for spare in ("FA1", "FA2")), off("A1")),
        ends=(End(recorder="A1", phase=Phase.FAILED, server=None, attempts=("lost", "lost")),),
    ),
    Scenario(
        name="no candidate, then taken up",
        deeds=(off("FA1", lasts_ms=40_000), off("A1", at_ms=5_000)),
        until_ms=90_000,
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="the only candidate was cut off, says nothing new when it is back, and is taken",
        groups=((3, 1),),
        deeds=(Deed(at_ms=0, what=Wrong.CUT, target="FA1", lasts_ms=30_000), off("A1", at_ms=5_000)),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="no candidate, and the recorder is back first",
        deeds=(off("FA1", lasts_ms=60_000), off("A1", at_ms=5_000, lasts_ms=25_000)),
        until_ms=90_000,
        ends=(End(recorder="A1", phase=CANCELLED, server=None),),
    ),
    Scenario(
        name="the recorder is back before the commit point",
        deeds=(
            Deed(at_ms=0, what=Wrong.SLOW_SERVER, target="FA1", amount=9_000),
            Deed(at_ms=0, what=Wrong.CUT, target="A1", lasts_ms=10_900),
        ),
        ends=(End(recorder="A1", phase=CANCELLED, server=None, attempts=("withdrawn",)),),
    ),
    Scenario(
        name="the acting server breaks, then the next",
        groups=((2, 2),),
        deeds=(off("A1"), off("FA1", at_ms=25_000)),
        ends=(End(recorder="A1", phase=Phase.SUPERSEDED, server="FA1"), End(recorder="FA1", phase=READY, server="FA2")),
    ),
    Scenario(
        name="the acting server breaks when the recorder is back: it goes home",
        groups=((2, 2),),
        deeds=(off("A1", lasts_ms=20_000), off("FA1", at_ms=30_000)),
        ends=(End(recorder="A1", phase=Phase.SUPERSEDED, server="FA1"), End(recorder="FA1", phase=RETURNED, server="A1")),
    ),
    Scenario(
        name="failback",
        deeds=(off("A1", lasts_ms=20_000),),
        wishes=(back(30_000),),
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="failback undone: the cameras stay dark",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=28_000, what=Wrong.VANISH, target="A1")),
        wishes=(back(30_000),),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="a failback is put back behind a failover",
        deeds=(
            off("A1", lasts_ms=20_000),
            off("A2", at_ms=21_000),
            Deed(at_ms=22_000, what=Wrong.SLOW_SERVER, target="A1", amount=4_500, lasts_ms=20_000),
        ),
        wishes=(back(29_000), back(45_000)),
        until_ms=90_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"), End(recorder="A2", phase=READY, server="FA1")),
    ),
    Scenario(
        name="two of one group: the queue in order",
        groups=((3, 2),),
        deeds=(
            *(Deed(at_ms=0, what=Wrong.SLOW_SERVER, target=spare, amount=9_000) for spare in ("FA1", "FA2")),
            off("A1"),
            off("A2", at_ms=1_500),
        ),
        ends=(End(recorder="A1", phase=READY, server="FA1"), End(recorder="A2", phase=READY, server="FA2")),
    ),
    Scenario(
        name="a paused coordinator blames nobody",
        deeds=(
            Deed(at_ms=0, what=Wrong.PAUSED, lasts_ms=40_000, amount=1),
            Deed(at_ms=60_000, what=Wrong.PAUSED, lasts_ms=40_000),
        ),
        until_ms=120_000,
    ),
    Scenario(
        name="a backlog after a pause, of what is over by now, starts nothing",
        deeds=(
            Deed(at_ms=0, what=Wrong.PAUSED, lasts_ms=20_000),
            Deed(at_ms=1_000, what=Wrong.SERVICE, target="A1", lasts_ms=14_000),
        ),
    ),
    Scenario(name="a coordinator without its bus blames nobody", deeds=(Deed(at_ms=0, what=Wrong.BUS, lasts_ms=60_000),), until_ms=90_000),
    Scenario(
        name="a wall clock that jumps changes nothing",
        deeds=(Deed(at_ms=0, what=Wrong.CLOCK, amount=7_200_000), Deed(at_ms=20_000, what=Wrong.CLOCK, amount=-7_300_000)),
    ),
    Scenario(
        name="the journal loses the failover: reconcile, confirm, and it works",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=30_000, what=Wrong.JOURNAL_CUT, amount=11, lasts_ms=2_000)),
        wishes=(Wish(at_ms=45_000, request=None), back(50_000)),
        until_ms=90_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="the failover server restarts in the middle of applying",
        deeds=(Deed(at_ms=9_000, what=Wrong.CRASH_APPLYING, target="FA1", amount=1), off("A1")),
        until_ms=120_000,
        ends=(End(recorder="A1", phase=READY, server="FA1", attempts=("lost",)),),
    ),
    Scenario(
        name="an order of an older epoch comes late, and is refused",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=29_000, what=Wrong.SLOW_LINK, target="A1", amount=3_000)),
        wishes=(back(30_000), Wish(at_ms=30_200, request=c.AbortFailover(failover=FIRST))),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="the acting server loses its state file, and gets its task and the documents once more",
        deeds=(off("A1"), Deed(at_ms=20_000, what=Wrong.STATE_LOST, target="FA1")),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="documents lost from the cache are fetched again from who acts by them, and the next failback works",
        deeds=(
            off("A1", lasts_ms=20_000),
            Deed(at_ms=26_000, what=Wrong.DOCUMENTS_GONE, target="A1"),
            Deed(at_ms=26_000, what=Wrong.CACHE_LOST, target="A1"),
        ),
        wishes=(back(30_000), back(40_000)),
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="disks reported lost for a moment, then a power cut: an old report starts nothing",
        deeds=(Deed(at_ms=0, what=Wrong.ALL_DISKS, target="A1", lasts_ms=1_300), off("A1", at_ms=1_200, lasts_ms=3_000)),
    ),
    Scenario(
        name="failback before the failover server has a frame: it waits for the recorder's frames all the same",
        wishes=(start("A1"), back(150)),
        until_ms=30_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="a failed append before the commit",
        deeds=(off("A1"), Deed(at_ms=5_000, what=Wrong.DISK_FAILS, amount=2)),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="pre-roll: the server that keeps the cameras takes over, though another one comes first in the group",
        groups=((2, 2),),
        preroll=FailoverPriority.LOW,
        deeds=(off("A2", at_ms=25_000),),
        ends=(End(recorder="A2", phase=READY, server="FA2"),),
    ),
    Scenario(
        name="pre-roll: its keeper is lost, and the other one keeps the cameras",
        groups=((1, 2),),
        preroll=FailoverPriority.LOW,
        deeds=(off("FA1"), off("A1", at_ms=30_000)),
        ends=(End(recorder="A1", phase=READY, server="FA2"),),
    ),
    Scenario(
        name="pre-roll: who says that it can and refuses is not asked without end, and takes over all the same",
        groups=((1, 1),),
        preroll=FailoverPriority.LOW,
        deeds=(Deed(at_ms=0, what=Wrong.PREROLL_LIE, target="FA1"), off("A1", at_ms=20_000)),
        ends=(End(recorder="A1", phase=READY, server="FA1"),),
    ),
    Scenario(
        name="pre-roll, failover and failback: nobody keeps a session that is needed",
        groups=((2, 2),),
        preroll=FailoverPriority.LOW,
        deeds=(off("A1", at_ms=20_000, lasts_ms=20_000),),
        wishes=(back(50_000),),
        until_ms=70_000,
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    *SAFETY_SCENARIOS,
    Scenario(
        name="a failback goes on after the coordinator was killed in its middle",
        deeds=(off("A1", lasts_ms=20_000), Deed(at_ms=30_100, what=Wrong.KILLED, lasts_ms=1_000)),
        wishes=(back(30_000),),
        ends=(End(recorder="A1", phase=RETURNED, server="FA1"),),
    ),
    Scenario(
        name="entries leave memory, are commented on all the same, and the log is whole after a kill",
        deeds=(_slow("FA1", 3_000), Deed(at_ms=36_010, what=Wrong.KILLED, lasts_ms=1_000)),
        wishes=(
            *(wish for number in range(1, 7) for wish in _started_and_aborted("A1", number, number * 5_000)),
            _comment(1, 36_000),
            _comment(2, 40_000),
            _comment(6, 40_000),
            _comment(99, 40_000),
        ),
        until_ms=45_000,
        ends=tuple(End(recorder="A1", phase=CANCELLED, server=None, attempts=("withdrawn",)) for _ in range(6)),
    ),
)


ASK_AGAIN_MS = 4_000
"""So long a person waits for an answer before asking again: a coordinator that died is back by then."""


def play(
    scenario: Scenario, *, kill_at_length: int | None = None, kill_at: tuple[int, KillPoint] | None = None, story: Story | None = None
) -> World:
    """Let a scenario happen; the world as it is at its end. Raises Broken.

    kill_at_length: the coordinator is killed as soon as its journal is so long. kill_at: in the transaction of that number, at that point.
    """
    plan = plain_site(
        scenario.groups,
        cameras=scenario.cameras,
        sessions=scenario.sessions,
        failback_after_s=scenario.failback_after_s,
        preroll=scenario.preroll,
        hours=scenario.hours,
    )
    replace = msgspec.structs.replace
    servers = tuple(
        replace(server, material_copy=scenario.copies, drill=scenario.drills) if server.settings is not None else server
        for server in plan.servers
    )
    world = World(replace(plan, servers=servers), scenario.name, story=story)
    world.begin()
    world.run(START_MS)
    world.entered_facts = len(world.coordinator.journal)
    world.coordinator.kill_at_length = kill_at_length
    world.coordinator.kill_at = kill_at
    faults.enter(world, scenario.deeds)
    for wish in scenario.wishes:
        world.after(wish.at_ms, _wish, world, wish)
    world.run(scenario.until_ms)
    return world


def _wish(world: World, wish: Wish) -> None:
    """Ask for it. Who gets no answer, because the coordinator died with the request, asks again when it is back; not if it was done."""
    request = wish.request if wish.request is not None else c.ConfirmReconcile(findings=findings_of(world))
    life, down, known = world.coordinator.life, world.coordinator.core is None, len(world.facts)
    answers: list[c.Reply] = []

    def again() -> None:
        died = down or world.coordinator.life != life
        if died and not answers and not _is_durable(world, request, known):
            _wish(world, wish)

    world.ask_coordinator(ADMINISTRATOR, request, answers.append)
    world.after(ASK_AGAIN_MS, again)


def _is_durable(world: World, request: c.Request, known: int) -> bool:
    """Whether the journal says since then that this was done, or refused."""
    tag = type(request).__struct_config__.tag
    return any(record.answer is not None and record.answer.request == tag for record in world.facts[known:])


def ends_of(world: World) -> tuple[End, ...]:
    """How the entries of the log stand."""
    return tuple(
        End(
            recorder=entry.recorder,
            phase=entry.phase,
            server=entry.server,
            attempts=tuple(attempt.end.value for attempt in entry.attempts if attempt.end is not None),
        )
        for entry in sorted(world.history.all.values(), key=lambda entry: entry.number)
    )


def jobs_of(world: World) -> tuple[str, ...]:
    """How the jobs stand, in words."""
    return tuple(
        f"{'drill' if isinstance(job, Drill) else 'material copy'} {job.phase}{f': {job.reason}' if job.reason is not None else ''}"
        for job in sorted(world.shadow.jobs.values(), key=lambda job: job.number)
    )


def settle(world: World) -> None:
    """Mend everything, and let it come to rest. Raises Broken with what hangs."""
    faults.heal(world)
    rested_ms = 0
    hangs: list[str] = []
    for _ in range(REST_LIMIT_MS // LOOK_MS):
        world.run(LOOK_MS)
        hangs = [hang for hang in what_hangs(world) if "is held after" not in hang]
        rested_ms = 0 if hangs else rested_ms + LOOK_MS
        if rested_ms >= REST_MS:
            world.checkers.history()
            return
    raise Broken("comes to rest", " ".join(hangs))
