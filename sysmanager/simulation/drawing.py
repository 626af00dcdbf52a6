"""Which faults a seed draws, when, and how strong."""

from __future__ import annotations

import random

from sysmanager.simulation.faults import SITE_DEEDS, Deed, Wrong
from sysmanager.simulation.site import SitePlan

_SHARES: dict[Wrong, int] = {
    Wrong.CUT: 8,
    Wrong.MUTE: 4,
    Wrong.DEAF: 4,
    Wrong.LOSSY: 4,
    Wrong.SLOW_LINK: 4,
    Wrong.DOUBLING: 2,
    Wrong.POWER: 14,
    Wrong.HANG: 6,
    Wrong.FLAP: 3,
    Wrong.SERVICE: 8,
    Wrong.STOP: 4,
    Wrong.CRASH: 4,
    Wrong.CRASH_APPLYING: 8,
    Wrong.ONE_DISK: 3,
    Wrong.ALL_DISKS: 8,
    Wrong.DISKS_IN_TURN: 3,
    Wrong.REFUSE: 5,
    Wrong.VANISH: 5,
    Wrong.SELF_TEST: 3,
    Wrong.SAVE_FAILS: 3,
    Wrong.SLOW_SERVER: 4,
    Wrong.CAMERA_SLOW: 4,
    Wrong.LIES: 4,
    Wrong.STATE_LOST: 2,
    Wrong.STATE_OLD: 2,
    Wrong.DOCUMENTS: 4,
    Wrong.DOCUMENTS_LOST: 3,
    Wrong.CAMERAS: 3,
    Wrong.UNREACHED: 3,
    Wrong.POISON: 3,
    Wrong.CAMERAS_CUT: 6,
    Wrong.FROZEN: 4,
    Wrong.SHUTDOWN: 4,
    Wrong.MASS: 4,
    Wrong.CLONE: 3,
    Wrong.COPY_FULL: 3,
    Wrong.COPY_SLOW: 4,
    Wrong.COPY_ROTS: 2,
    Wrong.COPY_DAMAGED: 2,
    Wrong.PREROLL_LIE: 2,
    Wrong.SERVER_CLOCK: 1,
    Wrong.KILLED: 10,
    Wrong.PAUSED: 6,
    Wrong.BUS: 4,
    Wrong.CLOCK: 2,
    Wrong.DISK_SLOW: 3,
    Wrong.DISK_FAILS: 3,
    Wrong.JOURNAL_CUT: 4,
    Wrong.CACHE_LOST: 4,
    Wrong.CACHE_SLOW: 2,
    Wrong.BLACKOUT: 1,
    Wrong.BACKUP_SLOW: 4,
    Wrong.BACKUP_FAILS: 3,
    Wrong.RESTORED: 3,
}
DRAWN = tuple(_SHARES)
"""Kinds that a seed may draw. What destroys the only copy of something is for scenarios alone."""

_ON_SPARES = {Wrong.SELF_TEST, Wrong.PREROLL_LIE, Wrong.CRASH_APPLYING, Wrong.REFUSE, Wrong.VANISH, Wrong.SAVE_FAILS, Wrong.SLOW_SERVER}
_AMOUNTS: dict[Wrong, tuple[int, int]] = {
    Wrong.CUT: (0, 1),
    Wrong.MASS: (0, 1),
    Wrong.LOSSY: (5, 60),
    Wrong.SLOW_LINK: (50, 12_000),
    Wrong.DOUBLING: (10, 100),
    Wrong.CRASH_APPLYING: (0, 5),
    Wrong.STOP: (0, 4_000),
    Wrong.FLAP: (200, 8_000),
    Wrong.DISKS_IN_TURN: (100, 8_000),
    Wrong.LIES: (0, 4),
    Wrong.STATE_OLD: (1, 4),
    Wrong.UNREACHED: (0, 60),
    Wrong.POISON: (0, 11),
    Wrong.CLONE: (0, 3),
    Wrong.SLOW_SERVER: (300, 6_000),
    Wrong.CAMERA_SLOW: (1_000, 9_000),
    Wrong.SERVER_CLOCK: (-5_000, 5_000),
    Wrong.KILLED: (0, 40),
    Wrong.PAUSED: (0, 1),
    Wrong.CLOCK: (-7_200_000, 7_200_000),
    Wrong.DISK_SLOW: (20, 400),
    Wrong.DISK_FAILS: (1, 3),
    Wrong.CACHE_SLOW: (500, 25_000),
    Wrong.JOURNAL_CUT: (1, 12),
    Wrong.BACKUP_SLOW: (2_000, 40_000),
    Wrong.BACKUP_FAILS: (1, 3),
    Wrong.RESTORED: (0, 3),
}


def drawn_deeds(chance: random.Random, plan: SitePlan, *, count: int, end_ms: int) -> tuple[Deed, ...]:
    """So many faults of the site within this time, as one seed draws them: many in bursts, and most in one group, which is hit hard."""
    hit = chance.choice(plan.groups).id
    deeds: list[Deed] = []
    at_ms = 0
    for number in range(count):
        what = chance.choices(list(_SHARES), list(_SHARES.values()))[0]
        burst = number and chance.random() < 0.6
        at_ms = min(end_ms, at_ms + chance.randint(0, chance.choice((1_000, 15_000)))) if burst else chance.randint(0, end_ms)
        target = ""
        if what not in SITE_DEEDS:
            near = [server for server in plan.servers if chance.random() < 0.2 or server.group == hit]
            spares = [server for server in near if server.settings is None]
            target = chance.choice(spares if what in _ON_SPARES and chance.random() < 0.7 else near).id
        lasts_ms = chance.choice((chance.randint(200, 5_000), chance.randint(5_000, 60_000), chance.randint(20_000, 240_000)))
        amount = chance.randint(*_AMOUNTS.get(what, (0, 0)))
        if what in (Wrong.KILLED, Wrong.JOURNAL_CUT, Wrong.PAUSED, Wrong.BLACKOUT, Wrong.RESTORED):
            lasts_ms = chance.randint(300, 30_000)
        deeds.append(Deed(at_ms=at_ms, what=what, target=target, lasts_ms=lasts_ms, amount=amount))
        if what is Wrong.CACHE_LOST:
            deeds.append(Deed(at_ms=at_ms, what=Wrong.POWER, target=target, lasts_ms=lasts_ms))
    return tuple(sorted(deeds, key=lambda deed: deed.at_ms))
