"""Gaps as the coordinator measures them: by one clock, with its error; and their totals, also of entries that have left memory."""

from __future__ import annotations

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.tables import put_failover
from sysmanager.coordinator.gaps import last_frames, measured, off_question
from sysmanager.coordinator.inputs import OrderAnswered
from sysmanager.coordinator.preview import answer
from sysmanager.coordinator.seen import Seen
from sysmanager.domain.camera import Camera, RecordingMode
from sysmanager.domain.failover import Phase, Trigger
from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.protocol import clients as c
from sysmanager.protocol.recorders import Footage, Mode, Refusal, RefusalReason, ReportFootage, ServiceState, StandDown
from tests.helpers.coordination import GROUP, Site, cameras_of, rid, small_site


def totals(site: Site) -> c.GapTotals:
    found = answer(site.state, site.core.seen, c.MeasuredGaps(), now=site.now)
    assert isinstance(found, c.GapTotals)
    return found


def broken(**changes: object) -> Site:
    """A has broken and F has taken over."""
    site = small_site(**changes)
    site.server("A").up = False
    site.run(14_000)
    return site


def test_a_gap_is_told_by_one_clock_however_the_servers_clocks_differ() -> None:
    plain = broken().entry.worst_gap_ms
    site = broken(clock_offset_ms=-7_000)
    (gap, *_) = site.entry.gaps
    assert (gap.before_offset_ms, gap.after_offset_ms, gap.error_ms) == (-7_000, 0, 0)
    assert site.entry.worst_gap_ms == plain
    assert plain is not None
    assert plain >= 10_000


def test_a_clock_of_the_coordinator_that_was_set_since_it_heard_the_recorder_bends_no_gap() -> None:
    site = small_site(clock_offset_ms=2_000)
    heard, settings, now = site.core.seen.of(rid("A")), site.row("A").settings, site.now
    set_ahead = replace(now, wall_ms=now.wall_ms + 3_600_000)
    assert [gap.before_offset_ms for gap in last_frames(heard, settings, now)] == [2_000] * 3
    assert [gap.before_offset_ms for gap in last_frames(heard, settings, set_ahead)] == [2_000 - 3_600_000] * 3


def test_a_clock_of_the_coordinator_that_is_set_while_an_entry_is_open_bends_no_gap() -> None:
    site = small_site()
    site.server("A").up = False
    site.run(10_500)
    entry, now = site.entry, site.now
    site.run(3_500)
    set_back = replace(site.now, wall_ms=site.now.wall_ms - 3_600_000)
    assert site.core.seen.set_since_opening_ms(entry.id, now) == 0
    assert site.core.seen.set_since_opening_ms(entry.id, set_back) == -3_600_000
    gaps = measured(site.core.seen, replace(site.entry, gaps=entry.gaps), set_back)
    assert [gap.before_offset_ms for gap in gaps] == [3_600_000] * 3


def test_a_clock_that_was_set_shortly_before_makes_the_gap_unsure() -> None:
    site = small_site()
    site.server("A").clock_offset_ms = 3_000
    site.run(3_000)
    site.server("A").up = False
    site.run(14_000)
    assert site.entry.gaps[0].error_ms == 3_000


def test_a_recorder_that_was_never_heard_tells_its_clock_when_it_is_back() -> None:
    site = small_site(clock_offset_ms=4_000)
    site.server("A").up = False
    site.restart()
    site.run(1_000)
    site.fail_over("A")
    assert site.entry.worst_gap_ms is None
    site.server("A").up = True
    site.run(3_000)
    gap = site.entry.gaps[0]
    assert (gap.final, gap.before_offset_ms) == (True, 4_000)


def test_the_word_of_a_watchdog_tells_no_clock_of_frames() -> None:
    """Since the start of the coordinator the Watchdog alone was heard, and said that the service cannot start."""
    site = small_site(clock_offset_ms=7_000)
    server = site.server("A")
    server.service, server.beats = ServiceState.FAILED, False
    site.restart()
    site.run(3_000)
    assert (site.entry.trigger, site.entry.phase, site.entry.gaps[0].before_offset_ms) == (Trigger.SERVICE, Phase.READY, 0)
    server.service, server.beats = ServiceState.RUNNING, True
    site.run(4_000)
    gap = site.entry.gaps[0]
    assert (gap.final, gap.before_offset_ms, gap.after_offset_ms) == (True, 7_000, 0)


def test_a_camera_that_is_not_recorded_has_no_gap_and_nobody_waits_for_its_frames() -> None:
    off = Camera(id=CameraId("off"), name="off", mode=RecordingMode.OFF)
    site = small_site(cameras=(*cameras_of("A", 2), off))
    entry = site.fail_over("A")
    assert "off" in entry.moved
    assert [gap.camera for gap in entry.gaps] == ["A-c0", "A-c1"]
    assert all(gap.first_after_ms for gap in entry.gaps)


def test_totals_per_recorder_group_and_system() -> None:
    site = broken()
    found = totals(site)
    assert [one.recorder for one in found.recorders] == ["A", "B"]
    first, second = (one.total for one in found.recorders)
    assert (first.failovers, first.gaps, first.unknown, first.provisional) == (1, 3, 0, 3)
    assert first.worst_ms == site.entry.worst_gap_ms
    assert first.camera_ms == 3 * site.mono_ms
    assert first.available_ppm is not None
    assert first.available_ppm < 1_000_000
    assert (second.failovers, second.available_ppm) == (0, 1_000_000)
    assert found.system == first.plus(second)
    assert [(one.group, one.total) for one in found.groups] == [(GROUP, found.system)]


def test_what_ended_stays_in_the_totals_when_it_has_left_memory_and_the_recorder_system_data() -> None:
    site = broken()
    site.server("A").up = True
    site.run(3_000)
    before = totals(site).recorders[0].total
    assert before.provisional == 0
    site.fail_back()
    site.run(15_000)
    assert site.entry.phase.ended
    assert replace(totals(site).recorders[0].total, camera_ms=0) == replace(before, camera_ms=0)
    site.state.failovers.clear()
    assert totals(site).recorders[0].total.gaps == 3
    assert site.replayed().gap_totals == site.state.gap_totals
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    found = totals(site)
    assert [one.recorder for one in found.recorders] == ["B"]
    assert (found.system.gaps, found.groups[0].total.gaps) == (3, 0)


def test_the_material_of_a_recorder_that_records_on_is_read_only_when_it_has_stood_down() -> None:
    site = small_site()
    site.fail_over("A")
    asked = [order for order in site.server("A").orders if isinstance(order, ReportFootage)]
    down = [order for order in site.server("A").orders if isinstance(order, StandDown)]
    assert site.server("A").orders.index(down[0]) < site.server("A").orders.index(asked[0])
    site = small_site()
    site.server("A").answers = False
    site.fail_over("A")
    site.run(5_000)
    assert site.commands
    assert not any(isinstance(getattr(command, "order", None), ReportFootage) for _, command in site.commands)


def test_an_ended_entry_counts_once_whatever_is_written_on_it_later() -> None:
    site = broken()
    site.server("A").up = True
    site.run(3_000)
    site.fail_back()
    site.run(15_000)
    before = dict(site.state.gap_totals)
    put_failover(site.state, replace(site.entry, server=rid("H")))
    assert site.state.gap_totals == before


def test_a_recorder_that_lost_its_disks_is_asked_for_its_footage_when_it_has_one_again_and_at_every_one_that_returns() -> None:
    site = small_site(disks={"D:": True, "E:": True})
    server = site.server("A")
    server.disks = {"D:": False, "E:": False}
    site.run(15_000)
    assert server.mode is Mode.STANDBY
    assert not any(isinstance(order, ReportFootage) for order in server.orders)
    assert {gap.final for gap in site.entry.gaps} == {False}
    server.footage = False
    server.disks["D:"] = True
    site.run(3_000)
    assert {gap.final for gap in site.entry.gaps} == {False}
    assert sum(isinstance(order, ReportFootage) for order in server.orders) == 1
    server.footage = True
    server.disks["E:"] = True
    site.run(3_000)
    assert {gap.final for gap in site.entry.gaps} == {True}
    assert sum(isinstance(order, ReportFootage) for order in server.orders) == 2


def test_a_watchdog_that_refuses_for_its_service_keeps_nobody_from_asking_the_service_when_it_is_there() -> None:
    site = broken()
    server = site.server("A")
    server.footage, server.footage_refusal = False, RefusalReason.SERVICE_DOWN
    server.up = True
    site.run(2_000)
    assert any(isinstance(order, ReportFootage) for order in server.orders)
    assert {gap.final for gap in site.entry.gaps} == {False}
    server.footage = True
    site.run(1_000)
    assert {gap.final for gap in site.entry.gaps} == {True}


def test_while_a_camera_gives_no_frame_the_gaps_of_the_others_are_written_once_after_half_a_minute() -> None:
    site = small_site()
    site.server("A").up = False
    site.server("F").dark = {site.server("A").settings.cameras[0].id}
    site.run(20_000, until=lambda: bool(site.state.failovers) and site.entry.phase is Phase.READY)
    site.run(20_000)
    assert site.of(f.GapsMeasured) == []
    site.run(15_000)
    assert [bool(gap.first_after_ms) for gap in site.entry.gaps] == [False, True, True]
    assert len(site.of(f.GapsMeasured)) == 1


# ---------------------------------------------------------------- a gap in which cameras were off more than once

HOUR_MS = 3_600_000


def long_gap(**server: object) -> Site:
    """Nobody could take A over for six hours; c0 was off in three of them, c1 in one, c2 never."""
    site = small_site()
    begun_ms = site.now.wall_ms
    for name in ("A", "F", "H"):
        site.server(name).up = False
    site.run(12_000)
    site.mono_ms += 6 * HOUR_MS
    f_server = site.server("F")
    first, second, _ = (camera.id for camera in site.server("A").settings.cameras)
    f_server.off = {
        first: (begun_ms + 5 * HOUR_MS, begun_ms + 5 * HOUR_MS + HOUR_MS // 2),
        second: (begun_ms + HOUR_MS // 8, begun_ms + 2 * HOUR_MS),
    }
    early = ((begun_ms - 9 * HOUR_MS, begun_ms - 8 * HOUR_MS), (begun_ms - HOUR_MS, begun_ms + HOUR_MS))
    f_server.earlier_off = {first: (*early, (begun_ms + 2 * HOUR_MS, begun_ms + 3 * HOUR_MS))}
    for name, value in server.items():
        setattr(f_server, name, value)
    f_server.up = True
    site.run(6_000)
    assert site.entry.phase is Phase.READY
    return site


def questions(site: Site) -> list[ReportFootage]:
    return [order for order in site.server("F").orders if isinstance(order, ReportFootage)]


def test_all_times_in_which_a_camera_was_off_are_no_gap() -> None:
    site = long_gap()
    site.run(3_000)
    first, second, third = site.entry.gaps
    assert len(first.earlier_off) == 2
    assert first.gap_ms is not None
    assert second.gap_ms is not None
    assert third.gap_ms is not None
    assert abs(third.gap_ms - first.gap_ms - 5 * HOUR_MS // 2) < 2_000
    assert abs(third.gap_ms - second.gap_ms - 15 * HOUR_MS // 8) < 2_000
    assert (second.earlier_off, third.earlier_off) == ((), ())
    assert [order.cameras for order in questions(site)] == [(first.camera,)], "nobody asks of one that can have been off once only"
    site.run(20_000)
    assert len(questions(site)) == 1


def test_a_refusal_is_an_answer_and_the_last_time_counts_all_the_same() -> None:
    site = long_gap(off_refused=True)
    site.run(20_000)
    assert len(questions(site)) == 1
    assert site.entry.gaps[0].earlier_off == ()
    site.restart()
    site.server("F").off_refused = False
    site.run(10_000)
    assert len(site.entry.gaps[0].earlier_off) == 2, "after a restart it is asked again"


def test_who_took_over_is_asked_when_it_is_heard() -> None:
    site = long_gap(off_refused=True)
    site.server("F").off_refused = False
    site.core.seen.off_times.clear()
    assert off_question(site.core.seen, replace(site.entry, server=None)) is None
    assert off_question(site.core.seen, replace(site.entry, epoch=site.entry.epoch + 1)) is None
    assert off_question(site.core.seen, site.entry) is not None
    assert off_question(Seen(site.now), site.entry) is None
    site.server("F").beats = False
    site.server("F").service = ServiceState.STARTING
    site.run(4_000)
    site.core.seen.off_times.clear()
    assert off_question(site.core.seen, site.entry) is None


def test_an_answer_about_another_task_of_the_server_is_passed_over() -> None:
    site = long_gap()
    site.core.seen.off_times.clear()
    order = ReportFootage(epoch=Epoch(99), off_since_ms=1)
    site.core.take(OrderAnswered(recorder=rid("F"), order=order, answer=Footage(epoch=Epoch(99))), site.now)
    assert site.entry.id not in site.core.seen.off_times


def test_a_watchdog_that_answers_for_its_service_ends_no_question_about_times_that_were_off() -> None:
    site = long_gap()
    site.core.seen.off_times.clear()
    order = off_question(site.core.seen, site.entry)
    assert order is not None
    down = Refusal(reason=RefusalReason.SERVICE_DOWN, sentence="The recording service does not run.")
    site.core.take(OrderAnswered(recorder=rid("F"), order=order, answer=down), site.now)
    assert site.entry.id not in site.core.seen.off_times
    assert off_question(site.core.seen, site.entry) == order
    site.server("F").dark = {site.server("F").settings.cameras[0].id}
    site.run(2_000)
    assert site.core.seen.off_times[site.entry.id], "it was asked again at its next news"
