"""One seed after the other: draw a site and its faults, check every step, let the world heal, and see that everything comes to rest."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import msgspec

from sysmanager.simulation import faults, seldom
from sysmanager.simulation.acts import Cue
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.checkers import NAMES
from sysmanager.simulation.counting import COORDINATOR_ROWS, MACHINE_ROWS, UNREACHABLE
from sysmanager.simulation.cues import Cues, drawn_cues
from sysmanager.simulation.drawing import DRAWN, drawn_deeds
from sysmanager.simulation.people import People
from sysmanager.simulation.rest import acts_on, copies_take_ms, what_hangs
from sysmanager.simulation.site import SitePlan, drawn_site
from sysmanager.simulation.story import Story
from sysmanager.simulation.surroundings import Pace
from sysmanager.simulation.world import World

START_MS = 12_000
"""So long the site has to begin before anything breaks."""

SHORT_MS = 600_000
DENSE_MS = 420_000
LONG_MS = 1_800_000

WISHES_MS = (8_000, 20_000, 60_000)
LONG_WISHES_MS = (30_000, 80_000, 150_000)
DENSE_WISHES_MS = (2_700, 6_700, 20_000)
"""How often people wish for something, as one seed draws it."""

DENSE_PERCENT = 49
"""In so many of a hundred seeds a smaller site has more faults, and more wishes of people, in a fourth of the time: there most meet.
The others are what the median has to be: at least 12 recorders and 30 minutes, in which much time may pass between two of them."""

REST_LIMIT_MS = 240_000
"""Within this time after the world has healed everything must have come to rest."""

FULL_RUN_SEEDS = 1_000
"""A run of so many seeds fails if it never exercised a row, a kind of fault or a rule."""

REST_MS = 6_000
"""So long it must stay at rest to count as such."""

LOOK_MS = 1_000
FAILBACK_ROUNDS = 8
GARBAGE_THRESHOLD = 50_000
TAIL_LINES = 60


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a seed decides before it runs. length_ms: so long things break; then the world heals."""

    site: SitePlan
    pace: Pace
    wishes_every_ms: int
    deeds: tuple[faults.Deed, ...]
    cues: tuple[Cue, ...]
    length_ms: int


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A seed that broke a rule. tail: the last lines of its story."""

    seed: int
    rule: str
    sentence: str
    at_ms: int
    tail: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One seed. digest: SHA-256 of its journal. counts: as `World.counts`, with keys of kind and name."""

    seed: int
    virtual_ms: int
    facts: int
    faults: int
    digest: str
    counts: dict[str, dict[str, int]]
    failure: Failure | None = None
    story: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All seeds together. never: rows, faults and checkers that no seed exercised, by kind, without those that none can."""

    seeds: int
    virtual_ms: int
    facts: int
    failures: tuple[Failure, ...]
    counts: dict[str, dict[str, int]]
    never: dict[str, tuple[str, ...]]

    @property
    def full(self) -> bool:
        """Whether there were so many seeds that everything should have been exercised."""
        return self.seeds >= FULL_RUN_SEEDS

    @property
    def passed(self) -> bool:
        return not self.failures and not (self.full and any(self.never.values()))


def draw(seed: int, *, short: bool = False) -> Drawn:
    """What one seed draws. short: a smaller site for a shorter time, for the test suite."""
    chance = random.Random(f"plan {seed}")
    dense = not short and seed * 37 % 100 < DENSE_PERCENT  # 37: they alternate
    site = drawn_site(chance, short=short or dense)
    pace = _pace(chance)
    wishes_every_ms = chance.choice(WISHES_MS if short else DENSE_WISHES_MS if dense else LONG_WISHES_MS)
    length_ms = SHORT_MS if short else DENSE_MS if dense else LONG_MS
    deeds = drawn_deeds(chance, site, count=chance.randint(4, 24 if dense else 12), end_ms=length_ms * 9 // 10)
    cues = drawn_cues(random.Random(f"cues {seed}"), site)
    return Drawn(site=site, pace=pace, wishes_every_ms=wishes_every_ms, deeds=deeds, cues=cues, length_ms=length_ms)


def run_seed(seed: int, *, short: bool = False, story: bool = False) -> Outcome:
    """Simulate one seed. The same seed gives the same journal, on every machine."""
    drawn = draw(seed, short=short)
    lines = Story() if story else None
    world = World(drawn.site, seed, story=lines, pace=drawn.pace)
    people = People(world, random.Random(f"people {seed}"), every_ms=drawn.wishes_every_ms)
    failure = None
    try:
        world.begin()
        world.run(START_MS)
        world.entered_facts = len(world.coordinator.journal)
        faults.enter(world, drawn.deeds)
        cues = Cues(world, drawn.cues)
        people.begin()
        world.run(drawn.length_ms)
        cues.end()
        heal(world, people)
    except Broken as broken:
        failure = Failure(seed=seed, rule=broken.rule, sentence=broken.sentence, at_ms=world.agenda.now_ms)
    counts: dict[str, dict[str, int]] = {}
    for (kind, name), count in sorted(world.counts.items()):
        counts.setdefault(kind, {})[name] = count
    return Outcome(
        seed=seed,
        virtual_ms=world.agenda.now_ms,
        facts=len(world.coordinator.journal),
        faults=len(drawn.deeds),
        digest=hashlib.sha256(b"\n".join(world.coordinator.journal)).hexdigest(),
        counts=counts,
        failure=failure,
        story=tuple(lines.lines) if lines is not None else (),
    )


def _pace(chance: random.Random) -> Pace:
    """Servers of one site are as fast as in a test, or take the seconds that real ones may take."""
    if chance.random() < 0.5:
        return Pace()
    return Pace(fetch_ms=(50, 600), save_ms=(100, 1_500), first_frame_ms=(500, 3_000))


def heal(world: World, people: People) -> None:
    """The liveness phase: everything is mended; all must come to rest, then every failover be given back, and come to rest again."""
    world.tell("The world heals.")
    faults.heal(world)
    people.tidy()
    come_to_rest(world)
    for _ in range(FAILBACK_ROUNDS):
        if not world.shadow.open:
            break
        people.fail_back()
        world.run(LOOK_MS)
        come_to_rest(world)
    for recorder in world.recorders.values():
        world.checkers.footage(recorder)
    left = ", ".join(entry for entry in world.shadow.open if not acts_on(world, world.shadow.failovers[entry]))
    if left:
        raise Broken("comes to rest", f"After {FAILBACK_ROUNDS} rounds of failback these are still open: {left}.")


def come_to_rest(world: World) -> None:
    """Run until nothing hangs, and stays so. Raises Broken with what hangs.

    A copy has as long as its bytes take at the rate that it may have: that is no hanging.
    """
    begin_ms, limit_ms = world.agenda.now_ms, REST_LIMIT_MS
    rested_ms = 0
    hangs: list[str] = []
    while world.agenda.now_ms < begin_ms + limit_ms:
        world.run(LOOK_MS)
        limit_ms = max(limit_ms, copies_take_ms(world.shadow.jobs[job] for job in world.shadow.open_jobs))
        hangs = what_hangs(world)
        rested_ms = 0 if hangs else rested_ms + LOOK_MS
        if rested_ms >= REST_MS:
            world.counts["checker", "comes to rest"] += 1
            world.checkers.history()
            return
    raise Broken("comes to rest", " ".join(hangs[:6]) or "It comes to rest, and does not stay so.")


def simulate(seeds: Iterable[int], *, short: bool = False, workers: int = 1) -> Report:
    """Run these seeds; failing ones are run again for the end of their story."""
    wanted = list(seeds)
    if workers <= 1 or len(wanted) < 2 * workers:
        outcomes = [run_seed(seed, short=short) for seed in wanted]
    else:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_settle_in) as pool:
            outcomes = list(pool.map(_short_seed if short else run_seed, wanted, chunksize=2))
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        for kind, names in outcome.counts.items():
            counts.setdefault(kind, Counter()).update(names)
    failures = [_with_tail(outcome.failure, short) for outcome in outcomes if outcome.failure is not None]
    return Report(
        seeds=len(outcomes),
        virtual_ms=sum(outcome.virtual_ms for outcome in outcomes),
        facts=sum(outcome.facts for outcome in outcomes),
        failures=tuple(failures),
        counts={kind: dict(sorted(names.items())) for kind, names in sorted(counts.items())},
        never=_never(counts),
    )


def _settle_in() -> None:
    """Of a worker: a world is thrown away as a whole, so that looking for garbage inside of it is time lost."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)


def _short_seed(seed: int) -> Outcome:
    return run_seed(seed, short=True)


def _with_tail(failure: Failure, short: bool) -> Failure:
    again = run_seed(failure.seed, short=short, story=True)
    return msgspec.structs.replace(failure, tail=again.story[-TAIL_LINES:])


def _never(counts: dict[str, Counter[str]]) -> dict[str, tuple[str, ...]]:
    known = {
        "row": [f"{number:03d}" for number in COORDINATOR_ROWS],
        "machine row": [f"{number:02d}" for number in MACHINE_ROWS],
        "fault": [wrong.value for wrong in DRAWN],
        "checker": [*NAMES, "comes to rest"],
        seldom.KIND: list(seldom.NAMES),
    }
    return {
        kind: tuple(name for name in names if not counts.get(kind, Counter())[name] and name not in UNREACHABLE.get(kind, {}))
        for kind, names in known.items()
    }
