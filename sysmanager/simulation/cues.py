"""The worst moment: a fact is the cue for what goes wrong next, or for what somebody asks, milliseconds later.

A seed draws some cues at random, and some plots: the turns of events that lead where chance alone seldom comes. A feature with rows that
the seeds do not reach adds a plot here.
"""

from __future__ import annotations

import random

from sysmanager.coordinator import facts as f
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import JobId, RecorderId
from sysmanager.domain.jobs import CopyJob
from sysmanager.simulation import faults
from sysmanager.simulation.acts import Act, Cue, Plot, Whom
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.phases import ALLOWED
from sysmanager.simulation.rare_plots import RARE_PLOTS
from sysmanager.simulation.site import SitePlan
from sysmanager.simulation.wishes import Ask, request_for
from sysmanager.simulation.world import ADMINISTRATOR, World

ADD_AGAIN_MS = 8_000


class Cues:
    """Waits for its cues in one world. `end`: no more from now on, the world heals."""

    def __init__(self, world: World, cues: tuple[Cue, ...]) -> None:
        self._world = world
        self._waiting: list[tuple[Cue, list[int]]] = [(cue, [cue.skip]) for cue in cues if cue.fact]
        self._ended = False
        world.onlookers.append(self._saw)
        for act in (act for cue in cues if not cue.fact for act in cue.acts):
            world.after(act.after_ms, self._happen, act, None, act.server)

    def end(self) -> None:
        self._ended = True

    def _saw(self, record: f.FactRecord) -> None:
        name = type(record.fact).__name__
        for waiting in tuple(self._waiting) if not self._ended else ():
            cue, left = waiting
            if cue.fact != name:
                continue
            left[0] -= 1
            if left[0] >= 0:
                continue
            self._waiting.remove(waiting)
            self._world.counts["cue", name] += 1
            fact = record.fact
            entry_id = getattr(fact, "failover", None) or getattr(getattr(fact, "opening", None), "failover", None)
            job = getattr(fact, "job", None)
            for act in cue.acts:
                # Not from inside the append: the world goes on first, if by nothing else than the order of events.
                self._world.after(act.after_ms, self._happen, act, entry_id, self._of_job(job, act.whom) or _named(fact))

    def _happen(self, act: Act, entry_id: str | None, named: RecorderId | None) -> None:
        if self._ended:
            return
        entry = next((entry for entry in self._world.shadow.failovers.values() if entry.id == entry_id), None)
        target = self._target(act.whom, entry, named)
        if isinstance(act.what, Ask):
            self._ask(act.what, entry, target)
        elif act.what in faults.SITE_DEEDS or target in self._world.recorders:
            name = "" if act.what in faults.SITE_DEEDS else str(target)
            faults.do(self._world, Deed(at_ms=0, what=act.what, target=name, lasts_ms=act.lasts_ms, amount=act.amount))

    def _ask(self, ask: Ask, entry: Failover | None, target: RecorderId | None) -> None:
        self._world.counts["worst moment", ask.value] += 1
        request = request_for(self._world, ask, entry, target)
        if request is not None:
            self._world.ask_coordinator(ADMINISTRATOR, request)
        if ask is Ask.REMOVE and target is not None:
            self._world.after(ADD_AGAIN_MS, self._world.add_again, target)

    def _of_job(self, job_id: JobId | None, whom: Whom) -> RecorderId | None:
        job = self._world.shadow.jobs.get(job_id) if job_id is not None else None
        if job is None:
            return None
        if isinstance(job, CopyJob):
            return job.source if whom is Whom.SERVER else job.home
        return {Whom.SERVER: job.server, Whom.HOME: job.home}.get(whom, job.recorder)

    def _target(self, whom: Whom, entry: Failover | None, named: RecorderId | None) -> RecorderId | None:
        if entry is None:
            return named
        if whom is Whom.NEIGHBOUR:
            group = (server for server in self._world.plan.servers if server.group == entry.group and server.settings is not None)
            return next((server.id for server in group if server.id not in (entry.recorder, entry.home)), None)
        return {Whom.RECORDER: entry.recorder, Whom.HOME: entry.home, Whom.SERVER: entry.server}.get(whom)


def _named(fact: f.AnyFact) -> RecorderId | None:
    recorder = getattr(fact, "recorder", None)
    recorder = getattr(recorder, "id", recorder)
    return RecorderId(recorder) if isinstance(recorder, str) else None


# ---------------------------------------------------------------- plots


def _dark_home(chance: random.Random, plan: SitePlan) -> Cue:
    """The home falls silent after it has confirmed its settings, before its first frames."""
    what = chance.choice((Wrong.POWER, Wrong.CUT, Wrong.HANG))
    return Cue(fact="FailbackSaved", acts=(Act(after_ms=chance.randint(0, 200), what=what, whom=Whom.HOME, lasts_ms=20_000),))


def _home_lost_in_step_8(chance: random.Random, plan: SitePlan) -> Cue:
    what = chance.choice((Wrong.CUT, Wrong.HANG, Wrong.REFUSE, Wrong.SAVE_FAILS, Wrong.SLOW_SERVER))
    return Cue(fact="FailbackStarted", acts=(Act(what=what, whom=Whom.HOME, lasts_ms=20_000, amount=9_000),))


def _server_lost_in_step_4(chance: random.Random, plan: SitePlan) -> Cue:
    what = chance.choice((Wrong.VANISH, Wrong.POWER, Wrong.CUT, Wrong.HANG, Wrong.DEAF))
    return Cue(fact="FailoverStarted", acts=(Act(what=what, whom=Whom.SERVER, lasts_ms=chance.randint(5_000, 90_000)),))


def _two_lost_in_step_4(chance: random.Random, plan: SitePlan) -> Cue:
    """Poison: whoever is given the settings is lost."""
    acts = tuple(Act(after_ms=at_ms, what=Wrong.CUT, whom=Whom.SERVER, lasts_ms=60_000) for at_ms in range(0, 9_000, 1_000))
    return Cue(fact="FailoverStarted", acts=acts)


def _server_refuses(chance: random.Random, plan: SitePlan) -> Cue:
    what = chance.choice((Wrong.REFUSE, Wrong.SAVE_FAILS, Wrong.ALL_DISKS))
    return Cue(fact="FailoverStarted", acts=(Act(what=what, whom=Whom.SERVER, lasts_ms=30_000),))


def _answers_with_other_documents(chance: random.Random, plan: SitePlan) -> Cue:
    return Cue(fact="FailoverStarted", acts=(Act(what=Wrong.LIES, whom=Whom.SERVER, lasts_ms=15_000, amount=4),))


def _edited_while_acting(chance: random.Random, plan: SitePlan) -> Cue:
    """Its documents are edited on the acting server, which cannot be asked for them; then a failback is asked for."""
    acts = (
        Act(after_ms=1_000, what=Wrong.DEAF, whom=Whom.SERVER, lasts_ms=40_000),
        Act(after_ms=1_000, what=Wrong.DOCUMENTS, whom=Whom.SERVER),
        *(Act(after_ms=at_ms, what=Ask.FAILBACK) for at_ms in (8_000, 16_000, 24_000, 50_000)),
    )
    return Cue(fact="ClientsNotified", skip=chance.randint(0, 2), acts=acts)


def _one_camera_stays_dark(chance: random.Random, plan: SitePlan) -> Cue:
    """The home does not reach one of its cameras any more when it gets them back."""
    acts = (
        Act(what=Wrong.UNREACHED, whom=Whom.HOME, lasts_ms=120_000, amount=chance.randint(0, 11)),
        *(Act(after_ms=at_ms, what=Ask.FAILBACK) for at_ms in (10_000, 40_000, 80_000)),
    )
    return Cue(fact="ClientsNotified", acts=acts)


def _given_back_behind_its_back(chance: random.Random, plan: SitePlan) -> Cue:
    """The acting server breaks, the home refuses to take over, and then a person gives the tasks back to it after all."""
    acts = (
        Act(what=Wrong.POWER, whom=Whom.SERVER, lasts_ms=150_000),
        Act(what=Wrong.REFUSE, whom=Whom.HOME, lasts_ms=33_000),
        *(Act(after_ms=at_ms, what=Ask.FAILBACK) for at_ms in range(14_000, 70_000, 3_000)),
    )
    return Cue(fact="ClientsNotified", skip=chance.randint(0, 1), acts=acts)


def _edited_and_lost(chance: random.Random, plan: SitePlan) -> Cue:
    """The documents are edited in the middle of the failover, and the server loses its state right after the commit."""
    acts = (
        Act(what=Wrong.SLOW_SERVER, whom=Whom.SERVER, amount=3_000, lasts_ms=10_000),
        Act(after_ms=50, what=Wrong.DOCUMENTS, whom=Whom.RECORDER),
        *(Act(after_ms=at_ms, what=Wrong.DEAF, whom=Whom.SERVER, lasts_ms=3_000) for at_ms in (4_800,)),
        *(Act(after_ms=at_ms, what=Wrong.STATE_LOST, whom=Whom.SERVER) for at_ms in (4_000, 4_900)),
    )
    return Cue(fact="FailoverStarted", acts=acts)


def _late_answers(chance: random.Random, plan: SitePlan) -> Cue:
    """Orders and answers overtake one another on the way to the recorder that is told to stand down."""
    whom = chance.choice((Whom.RECORDER, Whom.SERVER, Whom.HOME))
    fact = chance.choice(("TasksMoved", "FailbackStarted", "DocumentsChecked", "FailbackUndone"))
    return Cue(fact=fact, acts=(Act(what=Wrong.SLOW_LINK, whom=whom, lasts_ms=60_000, amount=chance.choice((800, 950, 3_000))),))


def _killed_in_the_middle(chance: random.Random, plan: SitePlan) -> Cue:
    fact = chance.choice(tuple(ALLOWED)).__name__
    return Cue(fact=fact, acts=(Act(after_ms=chance.choice((0, 1, 2, 5)), what=Wrong.KILLED, lasts_ms=chance.randint(500, 15_000)),))


def _starts_without_documents(chance: random.Random, plan: SitePlan) -> Cue:
    """A server starts without its documents and without a coordinator: it loads them when it can."""
    acts = (
        Act(what=Wrong.CUT, whom=Whom.HOME, lasts_ms=chance.choice((3_000, 20_000))),
        Act(after_ms=10, what=Wrong.DOCUMENTS_LOST, whom=Whom.HOME),
    )
    return Cue(fact=chance.choice(("FailbackNotified", "FailoverCancelled", "FailbackCommitted")), acts=acts)


def _ends_in_order_at_work(chance: random.Random, plan: SitePlan) -> Cue:
    """The service is stopped while an order is on its way, being saved, or asked about."""
    fact, whom = chance.choice(
        (
            ("DocumentsChecked", Whom.SERVER),
            ("FailbackDocumentsTaken", Whom.HOME),
            ("FailbackCommitted", Whom.SERVER),
            ("TasksMoved", Whom.RECORDER),
        )
    )
    acts = (
        Act(what=Wrong.SLOW_SERVER, whom=whom, amount=chance.choice((40, 400, 2_000)), lasts_ms=10_000),
        *((Act(what=Wrong.SAVE_FAILS, whom=whom, lasts_ms=10_000),) if chance.random() < 0.3 else ()),
        Act(after_ms=chance.choice((5, 60, 300, 1_500)), what=Wrong.STOP, whom=whom, amount=4_000),
    )
    return Cue(fact=fact, acts=acts)


def _switched_with_a_dark_camera(chance: random.Random, plan: SitePlan) -> Cue:
    """A planned switch of the recorder with most cameras, one of which no failover server reaches; now and then nor does the recorder,
    a while later."""
    standard = [server for server in plan.servers if server.settings is not None]
    large = max(standard, key=lambda server: len(server.settings.cameras) if server.settings is not None else 0)
    before = sum(
        len(other.settings.cameras) for other in standard[: standard.index(large)] if other.settings and other.group == large.group
    )
    at_ms = chance.randint(1_000, 900_000)
    spares = [server.id for server in plan.servers if server.settings is None and server.group == large.group]
    dark = chance.randint(0, 3)
    nobody = chance.random() < 0.5
    acts = (
        *(Act(after_ms=at_ms, what=Wrong.UNREACHED, server=spare, amount=before + dark, lasts_ms=60_000) for spare in spares),
        Act(after_ms=at_ms + 10, what=Ask.SWITCH, server=large.id),
        *((Act(after_ms=at_ms + 5_000, what=Wrong.UNREACHED, server=large.id, amount=dark, lasts_ms=60_000),) if nobody else ()),
    )
    return Cue(fact="", acts=acts)


def _stopped_while_it_asks(chance: random.Random, plan: SitePlan) -> Cue:
    """A service starts, asks, and ends in order before the answer, which is late, arrives."""
    server, at_ms = chance.choice(plan.servers).id, chance.randint(1_000, 1_500_000)
    acts = (
        Act(after_ms=at_ms, what=Wrong.SLOW_LINK, server=server, amount=950, lasts_ms=20_000),
        Act(after_ms=at_ms + 10, what=Wrong.CRASH, server=server),
        Act(after_ms=at_ms + chance.randint(1_000, 2_500), what=Wrong.STOP, server=server, amount=3_000),
    )
    return Cue(fact="", acts=acts)


def _two_of_one_group(chance: random.Random, plan: SitePlan) -> Cue:
    """A failover is asked for, or a recorder breaks, while another failover, switch or failback of the group is on its way."""
    fact = chance.choice(("FailoverStarted", "DocumentsChecked", "FailbackStarted", "FailbackDocumentsTaken"))
    what = chance.choice((Ask.FAILOVER, Ask.FAILOVER, Ask.SWITCH, Wrong.SERVICE))
    slow = Act(what=Wrong.SLOW_SERVER, whom=chance.choice((Whom.SERVER, Whom.HOME)), amount=1_500, lasts_ms=10_000)
    act = Act(after_ms=chance.choice((0, 1, 30)), what=what, whom=Whom.NEIGHBOUR, lasts_ms=60_000)
    return Cue(fact=fact, skip=chance.randint(0, 1), acts=(slow, act))


PLOTS: tuple[Plot, ...] = (
    _dark_home,
    _home_lost_in_step_8,
    _server_lost_in_step_4,
    _two_lost_in_step_4,
    _server_refuses,
    _answers_with_other_documents,
    _edited_while_acting,
    _one_camera_stays_dark,
    _given_back_behind_its_back,
    _edited_and_lost,
    _late_answers,
    _killed_in_the_middle,
    _starts_without_documents,
    _ends_in_order_at_work,
    _switched_with_a_dark_camera,
    _stopped_while_it_asks,
    _two_of_one_group,
    *RARE_PLOTS,
)

_HITS = (
    Wrong.POWER,
    Wrong.CUT,
    Wrong.MUTE,
    Wrong.DEAF,
    Wrong.HANG,
    Wrong.STOP,
    Wrong.CRASH,
    Wrong.STATE_LOST,
    Wrong.ALL_DISKS,
    Wrong.REFUSE,
)
_SITE_HITS = (Wrong.KILLED, Wrong.PAUSED, Wrong.BUS, Wrong.DISK_FAILS, Wrong.DISK_SLOW, Wrong.CLOCK)
_DELAYS_MS = (0, 1, 2, 5, 40, 300, 2_500)


def drawn_cues(chance: random.Random, plan: SitePlan) -> tuple[Cue, ...]:
    """As one seed draws them: some plots, requests at the worst moment, and faults at the worst moment."""
    facts = [kind.__name__ for kind in ALLOWED]
    cues = [plot(chance, plan) for plot in chance.sample(PLOTS, 6)]
    for _ in range(4):
        ask = Act(after_ms=chance.choice(_DELAYS_MS), what=chance.choice(tuple(Ask)), whom=chance.choice(tuple(Whom)[:3]))
        cues.append(Cue(fact=chance.choice(facts), skip=chance.randint(0, 2), acts=(ask,)))
    for _ in range(2):
        whom = chance.choice(tuple(Whom))
        what = chance.choice(_SITE_HITS if whom is Whom.SITE else _HITS)
        hit = Act(
            after_ms=chance.choice(_DELAYS_MS), what=what, whom=whom, lasts_ms=chance.randint(300, 40_000), amount=chance.randint(0, 1)
        )
        cues.append(Cue(fact=chance.choice(facts), skip=chance.randint(0, 2), acts=(hit,)))
    return tuple(cues)
