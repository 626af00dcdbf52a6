"""How far a recorder's wall clock is off, and how sure that is; and which servers share a machine."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator.beats import differs
from sysmanager.coordinator.heard import OFFSET_WINDOW_MS, Heard
from sysmanager.domain.ids import CameraId
from sysmanager.protocol import clients as c
from sysmanager.protocol.preroll import PrerollBeat, PrerollReport
from tests.helpers.coordination import rid, small_site


def heard_with(*offsets: tuple[int, int]) -> Heard:
    """Beats at a moment with an offset."""
    heard = Heard(0, 0)
    for at_ms, offset_ms in offsets:
        heard.compare_clocks(offset_ms, at_ms)
    return heard


def test_the_fastest_beat_tells_the_offset_and_the_spread_the_error() -> None:
    heard = heard_with((0, -40), (1_000, -2), (2_000, -300), (3_000, -10))
    assert (heard.clock_offset_ms, heard.clock_error_ms) == (-2, 298)
    assert (Heard(0, 0).clock_offset_ms, Heard(0, 0).clock_error_ms) == (0, 0)


@pytest.mark.parametrize("first", [(-300, -20), (-20, 400)], ids=["the slowest in the window before", "the fastest in the window before"])
def test_what_was_in_the_window_before_counts_on_both_sides(first: tuple[int, int]) -> None:
    heard = heard_with((0, first[0]), (1_000, first[1]), (OFFSET_WINDOW_MS, -10), (OFFSET_WINDOW_MS + 1_000, -50))
    fastest, slowest = max(*first, -10), min(*first, -50)
    assert (heard.clock_offset_ms, heard.clock_error_ms) == (fastest, fastest - slowest)


def test_what_was_long_ago_is_forgotten() -> None:
    heard = heard_with((0, 5_000), (1_000, 0), (OFFSET_WINDOW_MS, 0))
    assert heard.clock_error_ms == 5_000
    heard.compare_clocks(0, 2 * OFFSET_WINDOW_MS)
    assert heard.clock_error_ms == 0
    heard.compare_clocks(7_000, 9 * OFFSET_WINDOW_MS)
    assert (heard.clock_offset_ms, heard.clock_error_ms) == (7_000, 0), "what was before a long silence says nothing"


def test_servers_are_known_by_the_machine_that_they_are_on() -> None:
    site = small_site()
    site.server("A").machine = site.server("B").machine = "m"
    site.run(1_000)
    assert site.core.seen.on_machine["m"] == {"A", "B"}
    site.server("B").machine = "n"
    site.run(1_000)
    assert site.core.seen.on_machine == {"m": {"A"}, "n": {"B"}}
    site.server("B").up = False
    site.ask(c.RemoveRecorder(recorder=rid("B")))
    assert site.core.seen.on_machine["n"] == set()


def test_what_pre_roll_holds_grows_without_being_news_but_what_is_held_at_all_is() -> None:
    site = small_site()
    beat = site.server("F").beat(site.now)

    def holding(*cameras: PrerollBeat, plan: str = "p") -> object:
        return msgspec.structs.replace(beat, preroll=PrerollReport(memory_mb=1, limit_s=9, plan=plan, cameras=cameras))

    one, more, none = (PrerollBeat(CameraId("a"), held_ms) for held_ms in (1_000, 2_000, 0))
    assert not differs(holding(one), holding(more))  # type: ignore[arg-type]  # beats
    for other in (holding(), holding(none), holding(one, plan="q"), holding(PrerollBeat(CameraId("b"), 1_000))):
        assert differs(holding(one), other)  # type: ignore[arg-type]  # beats
