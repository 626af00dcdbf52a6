"""What could bend a gap: footage that still grows, a restart between two comparisons of clocks, a server that goes on after a hang."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sysmanager.coordinator.gaps import measured
from sysmanager.domain.failover import CameraGap, Phase
from sysmanager.domain.ids import CameraId
from sysmanager.domain.instant import Instant
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import WALL_MS, Site, rid, small_site

HOUR_MS = 3_600_000
CAMERA = CameraId("A-c0")


def says(site: Site, **changes: object) -> list[r.ReportFootage]:
    """From now on A answers questions about its footage with these changes; the questions are put into the list."""
    server, asked = site.server("A"), []
    right = server.obey

    def obey(order: r.Order, settings: object, now: Instant) -> r.OrderAnswer:
        answer = right(order, settings, now)  # type: ignore[arg-type]  # passed on as it came
        if isinstance(answer, r.Footage) and isinstance(order, r.ReportFootage):
            asked.append(order)
            spans = tuple(replace(span, **changes) for span in answer.spans) if "goes_on" not in changes else answer.spans
            return replace(answer, spans=spans, goes_on=bool(changes.get("goes_on")))
        return answer

    server.obey = obey  # type: ignore[method-assign]
    return asked


def test_footage_of_a_recorder_that_has_no_newer_epoch_yet_ends_no_gap_and_is_asked_for_again_when_it_says_something_new() -> None:
    site = small_site()
    asked = says(site, goes_on=True)
    site.fail_over("A")
    site.run(5_000)
    assert len(asked) == 1
    assert {gap.final for gap in site.entry.gaps} == {False}
    again = says(site, last_frame_ms=WALL_MS + 4_000)
    site.server("A").boot += 1
    site.run(2_000)
    assert len(again) == 1
    assert {(gap.final, gap.last_before_ms) for gap in site.entry.gaps} == {(True, WALL_MS + 4_000)}


@pytest.mark.parametrize("back", [True, False], ids=["it is back at once", "it comes back later"])
def test_a_clock_of_the_coordinator_that_was_set_around_its_restart_bends_no_gap(back: bool) -> None:
    """The beginning was compared with the clock as it was; the other end is compared with the clock as it is now."""
    site = small_site(clock_offset_ms=2_000)
    site.server("A").up = False
    site.server("F").first_frame_ms = 6_000
    site.run(20_000, until=lambda: bool(site.state.failovers) and site.entry.phase is Phase.READY)
    assert [(gap.before_offset_ms, gap.first_after_ms) for gap in site.entry.gaps] == [(2_000, 0)] * 3
    # The clock of the coordinator is set an hour back: both servers are an hour ahead of it then.
    for name, offset_ms in (("A", 2_000), ("B", 0), ("F", 0), ("H", 0)):
        site.server(name).clock_offset_ms = offset_ms + HOUR_MS
    site.server("A").up = back
    site.restart()
    site.run(9_000)
    if not back:
        assert {(gap.apart, gap.final, gap.before_offset_ms, gap.after_offset_ms) for gap in site.entry.gaps} == {
            (True, False, 2_000, HOUR_MS)
        }
        site.server("A").up = True
        site.run(3_000)
    assert {(gap.apart, gap.final, gap.before_offset_ms, gap.after_offset_ms) for gap in site.entry.gaps} == {
        (False, True, HOUR_MS + 2_000, HOUR_MS)
    }


@pytest.mark.parametrize(
    ("pauses", "last_before_ms"),
    [
        ((), 90_000),
        (((40_000, 80_000),), 40_000),
        (((1_000, 5_000), (40_000, 60_000), (70_000, 75_000)), 40_000),
        (((40_000, 52_000),), 40_000),
        (((40_000, 51_000),), 90_000),
        (((53_000, 80_000),), 90_000),
    ],
    ids=["it recorded on", "it hung", "more than once", "just then", "it went on before", "it hung after"],
)
def test_frames_after_a_hang_hide_no_gap(pauses: tuple[tuple[int, int], ...], last_before_ms: int) -> None:
    """By the clock of the one that hung; it is 2 s ahead of the one that took over, which had its first frame at 50 s."""
    site = small_site()
    entry = site.fail_over("A")
    gap = CameraGap(camera=CAMERA, last_before_ms=39_000, first_after_ms=50_000, before_offset_ms=2_000)
    span = r.FootageSpan(camera=CAMERA, first_frame_ms=1, last_frame_ms=90_000, frames=9, segments=1, pauses=pauses)
    site.core.seen.footage[rid("A"), entry.previous_epoch] = r.Footage(epoch=entry.previous_epoch, spans=(span,))
    (found,) = measured(site.core.seen, replace(entry, gaps=(gap,)), site.now)
    assert (found.final, found.last_before_ms) == (True, last_before_ms)


def test_a_beginning_that_was_read_before_the_end_was_known_is_looked_at_once_more() -> None:
    site = small_site()
    entry = site.fail_over("A")
    first_ms = site.entry.gaps[0].first_after_ms
    gap = CameraGap(camera=CAMERA, last_before_ms=first_ms + 9_000, final=True)
    span = r.FootageSpan(
        camera=CAMERA,
        first_frame_ms=1,
        last_frame_ms=first_ms + 9_000,
        frames=9,
        segments=2,
        pauses=((first_ms - 12_000, first_ms + 8_000),),
    )
    site.core.seen.footage[rid("A"), entry.previous_epoch] = r.Footage(epoch=entry.previous_epoch, spans=(span,))
    (found,) = measured(site.core.seen, replace(entry, gaps=(gap,)), site.now)
    assert (found.final, found.first_after_ms, found.gap_ms) == (True, first_ms, 12_000)


def test_a_server_that_took_over_and_is_not_heard_tells_nothing_of_its_clock() -> None:
    site = small_site()
    entry = site.fail_over("A")
    gap = CameraGap(camera=CAMERA, last_before_ms=39_000, first_after_ms=50_000, before_offset_ms=7, after_offset_ms=9, apart=True)
    site.core.seen.forget(rid("F"))
    (found,) = measured(site.core.seen, replace(entry, gaps=(gap,)), site.now)
    assert (found.apart, found.before_offset_ms, found.after_offset_ms) == (True, 7, 9)
