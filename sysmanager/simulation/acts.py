"""What a cue is, and what happens at it: the words in which plots are written."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import StrEnum

import msgspec

from sysmanager.domain.ids import RecorderId
from sysmanager.simulation.faults import Wrong
from sysmanager.simulation.site import SitePlan
from sysmanager.simulation.wishes import Ask


class Whom(StrEnum):
    """Whom of an entry, or of a job, it hits; a fact of neither names its recorder alone. The server of a copy is its source."""

    RECORDER = "the recorder"
    HOME = "the home"
    SERVER = "the failover server"
    NEIGHBOUR = "another recorder of its group"
    SITE = "the site"


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happens, so long after the cue. what: a fault, or a request. lasts_ms, amount: as of a `Deed`.

    server: whom it hits, by name, where the cue names nobody.
    """

    after_ms: int = 0
    what: Wrong | Ask
    whom: Whom = Whom.SITE
    server: RecorderId | None = None
    lasts_ms: int = 0
    amount: int = 0


class Cue(msgspec.Struct, frozen=True, kw_only=True):
    """fact: name of a type of facts; empty for none, so that time alone is the cue. skip: so many go by first. acts: happen once."""

    fact: str
    skip: int = 0
    acts: tuple[Act, ...]


Plot = Callable[[random.Random, SitePlan], Cue]
"""A turn of events that leads where chance alone seldom comes, as one seed draws it."""
