"""Plots of jobs, pre-roll, the cache and orders that cross one another: what leads to rows that chance seldom reaches."""

from __future__ import annotations

import random

from sysmanager.simulation.acts import Act, Cue, Plot, Whom
from sysmanager.simulation.faults import Wrong
from sysmanager.simulation.site import ServerPlan, SitePlan
from sysmanager.simulation.wishes import Ask


def _pair(chance: random.Random, plan: SitePlan) -> tuple[ServerPlan, list[ServerPlan]]:
    """A recorder, and the failover servers of its group."""
    one = chance.choice([server for server in plan.servers if server.settings is not None])
    return one, [server for server in plan.servers if server.settings is None and server.group == one.group]


def _source_lists_nonsense(chance: random.Random, plan: SitePlan) -> Cue:
    return Cue(fact="CopyStarted", acts=(Act(what=Wrong.LIES, whom=Whom.SERVER, lasts_ms=15_000, amount=4),))


def _source_cannot_note_copies(chance: random.Random, plan: SitePlan) -> Cue:
    """The source refuses for good: its disk takes no note of what was copied; or it is gone while it is to be told."""
    what = chance.choice((Wrong.SAVE_FAILS, Wrong.POWER))
    return Cue(fact="HoursCopied", acts=(Act(what=what, whom=Whom.SERVER, lasts_ms=100_000),))


def _removed_with_a_job(chance: random.Random, plan: SitePlan) -> Cue:
    """A failover server is taken out of system data in the middle of its drill, or of the copy that it is the source of."""
    fact, at_ms = chance.choice((("DrillStarted", 300), ("DrillStarted", 2_000), ("CopyStarted", 0), ("HoursPlanned", 300)))
    return Cue(fact=fact, acts=(Act(after_ms=at_ms, what=Ask.REMOVE, whom=Whom.SERVER),))


def _drill_ended_by_a_failover_that_is_forgotten(chance: random.Random, plan: SitePlan) -> Cue:
    """The server leaves the drill for a failover, refuses, is not told to forget the drill, and the journal loses all of that."""
    acts = (
        Act(after_ms=200, what=Wrong.REFUSE, whom=Whom.SERVER, lasts_ms=3_000),
        Act(after_ms=250, what=Wrong.LOSSY, whom=Whom.SERVER, amount=50, lasts_ms=400),
        Act(after_ms=300, what=Ask.FAILOVER, whom=Whom.RECORDER),
        Act(after_ms=chance.randint(309, 310), what=Wrong.JOURNAL_CUT, amount=4, lasts_ms=1_000),
    )
    return Cue(fact="DrillStarted", skip=chance.randint(0, 1), acts=acts)


def _stopped_with_a_job(chance: random.Random, plan: SitePlan) -> Cue:
    """The service is stopped in order while a job, or a question about its footage, is on its way to it."""
    fact, whom = chance.choice(
        (
            ("DrillStarted", Whom.SERVER),
            ("CopyStarted", Whom.SERVER),
            ("HoursPlanned", Whom.HOME),
            ("HoursCopied", Whom.SERVER),
            ("ResultWritten", Whom.RECORDER),
            ("ClientsNotified", Whom.RECORDER),
        )
    )
    acts = (
        Act(what=Wrong.SLOW_LINK, whom=whom, amount=600, lasts_ms=6_000),
        *(Act(after_ms=at_ms, what=Wrong.STOP, whom=whom, amount=chance.randint(1_000, 4_000)) for at_ms in (5, 6_000)),
    )
    return Cue(fact=fact, acts=acts)


def _acts_again_by_its_old_state(chance: random.Random, plan: SitePlan) -> Cue:
    """A server that stood down comes back with the state in which it acted, while orders for a server on standby are on their way."""
    acts = (
        Act(after_ms=500, what=Wrong.SLOW_LINK, whom=Whom.SERVER, amount=900, lasts_ms=20_000),
        *(Act(after_ms=at_ms, what=Wrong.CRASH, whom=Whom.SERVER) for at_ms in (2_000,)),
        *(Act(after_ms=at_ms, what=Ask.DRILL, whom=Whom.HOME) for at_ms in (4_600, 5_600, 6_600)),
        Act(after_ms=chance.randint(3_500, 7_000), what=Wrong.STATE_OLD, whom=Whom.SERVER, amount=1),
    )
    return Cue(fact="FailbackNotified", acts=acts)


def _overtaken_plan(chance: random.Random, plan: SitePlan) -> Cue:
    """Standbys that were started anew get their plans for pre-roll late, while one of them is told to record."""
    one, spares = _pair(chance, plan)
    at_ms = chance.randint(1_000, 1_200_000)
    acts = (
        *(Act(after_ms=at_ms, what=Wrong.CRASH, server=spare.id) for spare in spares),
        *(Act(after_ms=at_ms + 500, what=Wrong.SLOW_LINK, server=spare.id, amount=1_800, lasts_ms=8_000) for spare in spares),
        *(Act(after_ms=at_ms + chance.randint(2_000, 5_000), what=Ask.FAILOVER, server=one.id) for _ in range(2)),
    )
    return Cue(fact="", acts=acts)


def _cache_hangs(chance: random.Random, plan: SitePlan) -> Cue:
    """The coordinator's own disk does not say whether it has the documents."""
    one, _ = _pair(chance, plan)
    at_ms = chance.randint(1_000, 1_500_000)
    acts = (
        Act(after_ms=at_ms, what=Wrong.CACHE_SLOW, amount=chance.randint(15_000, 30_000), lasts_ms=40_000),
        *(Act(after_ms=at_ms + later_ms, what=Ask.FAILOVER, server=one.id) for later_ms in (100, 4_000)),
    )
    return Cue(fact="", acts=acts)


def _aborted_while_it_saves(chance: random.Random, plan: SitePlan) -> Cue:
    """The server is slow to save, and is told to stand down meanwhile, again and again."""
    acts = (
        Act(what=Wrong.SLOW_SERVER, whom=Whom.SERVER, amount=6_000, lasts_ms=20_000),
        *(Act(after_ms=at_ms, what=Ask.ABORT) for at_ms in (chance.randint(300, 4_500), 4_800)),
    )
    return Cue(fact="DocumentsChecked", skip=chance.randint(0, 1), acts=acts)


def _edited_in_the_middle_of_a_failback(chance: random.Random, plan: SitePlan) -> Cue:
    acts = (
        Act(what=Wrong.SLOW_SERVER, whom=Whom.HOME, amount=3_000, lasts_ms=15_000),
        Act(after_ms=chance.randint(0, 500), what=Wrong.DOCUMENTS, whom=Whom.SERVER),
    )
    return Cue(fact="FailbackDocumentsTaken", acts=acts)


def _breaks_while_it_is_switched(chance: random.Random, plan: SitePlan) -> Cue:
    """The recorder breaks down in the middle of its planned switch, before the server has its first frames."""
    one, spares = _pair(chance, plan)
    at_ms = chance.randint(1_000, 1_500_000)
    acts = (
        *(Act(after_ms=at_ms, what=Wrong.CAMERA_SLOW, server=spare.id, amount=9_000, lasts_ms=60_000) for spare in spares),
        Act(after_ms=at_ms + 500, what=Ask.SWITCH, server=one.id),
        Act(after_ms=at_ms + chance.randint(500, 2_500), what=Wrong.SERVICE, server=one.id, lasts_ms=60_000),
    )
    return Cue(fact="", acts=acts)


def _undone_while_cameras_change_hands(chance: random.Random, plan: SitePlan) -> Cue:
    """Somebody aborts a failback when a camera that allows one session has changed hands; then one of the two has its own trouble."""
    abort_ms = chance.choice((2_500, 3_500, 5_000))
    what, whom = chance.choice(
        (
            (Wrong.POWER, Whom.HOME),
            (Wrong.CUT, Whom.HOME),
            (Wrong.CRASH, Whom.HOME),
            (Wrong.CAMERAS_CUT, Whom.HOME),
            (Wrong.DEAF, Whom.HOME),
            (Wrong.POWER, Whom.SERVER),
            (Wrong.ALL_DISKS, Whom.SERVER),
            (Wrong.UNREACHED, Whom.SERVER),
            (Wrong.KILLED, Whom.SITE),
        )
    )
    amount = chance.randint(0, 5) if what is Wrong.UNREACHED else 1_000
    acts = (
        Act(after_ms=50, what=Wrong.CAMERA_SLOW, whom=Whom.SERVER, amount=chance.choice((300, 4_000)), lasts_ms=20_000),
        Act(after_ms=chance.choice((600, 1_200, 2_000)), what=Wrong.CAMERA_SLOW, whom=Whom.HOME, amount=8_000, lasts_ms=20_000),
        Act(after_ms=abort_ms, what=Ask.ABORT),
        Act(after_ms=abort_ms + chance.choice((0, 400, 1_200, 2_500)), what=what, whom=whom, lasts_ms=20_000, amount=amount),
    )
    return Cue(fact="FailbackSaved", skip=chance.randint(0, 1), acts=acts)


def _trouble_while_a_failback_is_undone(chance: random.Random, plan: SitePlan) -> Cue:
    what, whom = chance.choice(
        (
            (Wrong.POWER, Whom.HOME),
            (Wrong.CAMERAS_CUT, Whom.HOME),
            (Wrong.SERVICE, Whom.HOME),
            (Wrong.POWER, Whom.SERVER),
            (Wrong.CAMERAS_CUT, Whom.SERVER),
            (Wrong.KILLED, Whom.SITE),
        )
    )
    return Cue(fact="FailbackUndoing", acts=(Act(after_ms=chance.choice((0, 5, 100, 700)), what=what, whom=whom, lasts_ms=25_000),))


def _failed_back_and_aborted(chance: random.Random, plan: SitePlan) -> Cue:
    """A failback by hand is aborted a few seconds later, again and again: it is undone with more or fewer cameras at home."""
    begins_ms = chance.randint(6_000, 20_000)
    asked = tuple(
        Act(after_ms=begins_ms + round_ms + at_ms, what=ask)
        for round_ms in (0, 30_000, 60_000)
        for at_ms, ask in ((0, Ask.FAILBACK), (chance.randint(1_500, 6_000), Ask.ABORT))
    )
    slow = Act(after_ms=begins_ms - 10, what=Wrong.CAMERA_SLOW, whom=Whom.HOME, amount=2_500, lasts_ms=90_000)
    return Cue(fact="ClientsNotified", skip=chance.randint(0, 1), acts=(slow, *asked))


RARE_PLOTS: tuple[Plot, ...] = (
    _source_lists_nonsense,
    _source_cannot_note_copies,
    _removed_with_a_job,
    _drill_ended_by_a_failover_that_is_forgotten,
    _stopped_with_a_job,
    _acts_again_by_its_old_state,
    _overtaken_plan,
    _cache_hangs,
    _aborted_while_it_saves,
    _edited_in_the_middle_of_a_failback,
    _breaks_while_it_is_switched,
    _undone_while_cameras_change_hands,
    _failed_back_and_aborted,
    _trouble_while_a_failback_is_undone,
)
