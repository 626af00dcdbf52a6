"""What failover servers said before the coordinator could hear nobody says nothing about the present (SPEC 4, 4.4, 13.4)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator.witnesses import cameras_reached, opinions_of
from sysmanager.domain.failover import Phase, Trigger
from sysmanager.protocol import clients as c
from tests.helpers.coordination import small_site

PAUSE_MS = 600_000


@pytest.mark.parametrize("paused", [True, False])
def test_what_was_reached_before_the_coordinator_was_paused_does_not_count(paused: bool) -> None:
    """Proven time stood still meanwhile, and whatever took the cameras away may have."""
    site = small_site()
    site.server("A").dark = {camera.id for camera in site.row("A").settings.cameras}
    site.run(8_000)
    assert cameras_reached(site.state, site.core.seen, site.row("A"))
    site.server("F").answers = site.server("H").answers = False
    site.mono_ms += PAUSE_MS if paused else 0
    site.run(4_000)
    assert bool(site.state.failovers) is not paused
    site.server("F").answers = site.server("H").answers = True
    site.run(4_000)
    assert [entry.trigger for entry in site.state.failovers.values()] == [Trigger.NOT_RECORDING]


@pytest.mark.parametrize("paused", [True, False])
def test_words_from_before_the_coordinator_was_paused_hold_nothing_and_are_not_written_down(paused: bool) -> None:
    site = small_site()
    settings = msgspec.structs.replace(site.state.settings, opinion_holds=True)
    site.ask(c.EditSystem(revision=site.state.settings_revision, settings=settings))
    site.server("A").up, site.server("A").reached_by_peers = False, True
    site.run(9_000)
    site.server("F").answers = site.server("H").answers = False
    assert len(opinions_of(site.state, site.core.seen, site.row("A"))) == 2
    site.mono_ms += PAUSE_MS if paused else 0
    site.run(500)
    assert len(opinions_of(site.state, site.core.seen, site.row("A"))) == (0 if paused else 2)
    site.run(1_500)
    assert site.entry.trigger is Trigger.CONNECTION
    assert (site.entry.phase is Phase.WITHHELD) is not paused
    assert len(site.entry.opinions) == (0 if paused else 2)
