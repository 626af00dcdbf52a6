"""When a failover is to be looked at again without news, by the monotonic clock."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sysmanager.coordinator.decide import due_failover_ms
from sysmanager.coordinator.failback import DOCUMENTS_MS
from sysmanager.coordinator.failover import ANSWER_MS, DELIVERY_MS
from sysmanager.domain.failover import Phase
from sysmanager.domain.instant import Instant
from sysmanager.protocol import clients as c
from tests.helpers.coordination import rid, small_site

BEGAN_MS = 70_000
"""Not 0: a deadline is counted from the beginning of its step."""


def due_ms(phase: Phase, after_ms: int) -> int | None:
    """So long after the beginning of its step."""
    site = small_site()
    site.server("F").answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    seen = site.core.seen
    seen.step_began_ms[site.entry.id] = BEGAN_MS
    seen.undelivered_ms.clear()
    now = Instant(mono_ms=BEGAN_MS + after_ms, wall_ms=site.now.wall_ms)
    return due_failover_ms(site.state, seen, replace(site.entry, phase=phase), now)


@pytest.mark.parametrize(
    ("after_ms", "due"),
    [
        (0, min(ANSWER_MS, DELIVERY_MS)),
        (min(ANSWER_MS, DELIVERY_MS), max(ANSWER_MS, DELIVERY_MS)),
        (max(ANSWER_MS, DELIVERY_MS), max(ANSWER_MS, DELIVERY_MS) + 1),  # at once, but not in this look
    ],
)
def test_an_order_that_is_under_way_is_looked_at_at_its_next_limit(after_ms: int, due: int) -> None:
    assert due_ms(Phase.FETCHED, after_ms) == BEGAN_MS + due


def test_a_failback_that_begins_waits_for_documents_from_its_beginning() -> None:
    assert due_ms(Phase.FAILBACK_STARTED, 1_000) == BEGAN_MS + DOCUMENTS_MS
