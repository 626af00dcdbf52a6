"""Reports that come late say nothing of the time since they were sent (SPEC 4.4)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.detection import assess
from sysmanager.domain.failover import Trigger
from sysmanager.domain.instant import Instant
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import WALL_MS, Site, rid, small_site

LATE_MS = 6_000


def dark_site() -> Site:
    """A's cameras have just gone dark; from now on its heartbeats are brought by hand."""
    site = small_site(detection_timeout_s=10)
    server = site.server("A")
    server.dark = {camera.id for camera in server.settings.cameras}
    site.core.take(i.Heard(message=server.beat(site.now)), site.now)
    server.up = False
    return site


def bring(site: Site, late_ms: int, *, boot_ms: int = 0, told: bool = True) -> None:
    """A heartbeat of A arrives that it sent so long ago. boot_ms: when its machine was started. told: whether it tells its clock."""
    sent_ms = site.mono_ms - late_ms
    beat = site.server("A").beat(Instant(mono_ms=sent_ms, wall_ms=WALL_MS + sent_ms))
    site.core.take(i.Heard(message=msgspec.structs.replace(beat, mono_ms=sent_ms - boot_ms if told else 0)), site.now)


def watchdog(site: Site) -> r.WatchdogBeat:
    return r.WatchdogBeat(
        recorder=rid("A"),
        instance=site.server("A").beat(site.now).instance,
        wall_ms=site.now.wall_ms,
        service=r.ServiceState.RUNNING,
        mono_ms=site.mono_ms,
    )


def test_messages_that_become_late_do_not_make_a_recorder_dark_for_longer() -> None:
    site = dark_site()
    for second in range(1, 13):
        site.run(1_000)
        bring(site, min(LATE_MS, second * 500))
    assert site.core.seen.dark_ms(rid("A")) == 6_000, "12 s have gone by, and it told of the first 6"
    assert not site.state.failovers
    for dark_ms in (7_000, 8_000, 9_000):
        site.run(1_000)
        bring(site, LATE_MS)
        assert site.core.seen.dark_ms(rid("A")) == dark_ms
    assert not site.state.failovers
    site.run(1_100)
    assert site.entry.trigger is Trigger.NOT_RECORDING


def test_messages_that_become_faster_prove_no_more_than_the_coordinator_heard() -> None:
    site = dark_site()
    bring(site, 1_000)
    site.run(500)
    bring(site, 0)
    assert site.core.seen.dark_ms(rid("A")) <= 1_000


@pytest.mark.parametrize("told", [True, False], ids=["its clock began anew", "it does not tell its clock"])
def test_without_a_clock_to_go_by_what_was_heard_counts(told: bool) -> None:
    site = dark_site()
    for _ in range(4):
        site.run(1_000)
        bring(site, 0)
    assert site.core.seen.dark_ms(rid("A")) == 4_000
    for _ in range(3):
        site.run(1_000)
        bring(site, 0, boot_ms=site.mono_ms - 100, told=told)
    assert site.core.seen.dark_ms(rid("A")) <= 7_000


def test_with_another_task_darkness_begins_anew() -> None:
    """As after a reconcile: it turned out that the server records for somebody else than system data had it."""
    site = small_site(detection_timeout_s=10)
    server = site.server("A")
    server.dark = {camera.id for camera in server.settings.cameras}
    site.run(8_000)
    assert site.core.seen.dark_ms(rid("A")) >= 7_000
    row = site.row("A")
    other = msgspec.structs.replace(row, settings=msgspec.structs.replace(row.settings, cameras=site.row("B").settings.cameras))
    site.state.recorders[row.id] = other
    judged = assess(site.state, site.core.seen, other)
    assert judged.counting is not Trigger.NOT_RECORDING, "these cameras have not been looked at yet"
    bring(site, 0)
    assert site.core.seen.dark_ms(rid("A")) < 1_000
    edited = msgspec.structs.replace(other, name="A, edited")
    site.run(4_000)
    assert assess(site.state, site.core.seen, edited).counting is Trigger.NOT_RECORDING, "an edit that leaves its cameras changes nothing"


def test_the_watchdog_may_overtake_the_service_a_little() -> None:
    site = dark_site()
    for _ in range(4):
        site.run(1_000)
        site.core.take(i.Heard(message=watchdog(site)), site.now)
        bring(site, 40)
    assert site.core.seen.dark_ms(rid("A")) == 4_000


def test_between_two_reports_darkness_goes_on() -> None:
    site = dark_site()
    for _ in range(4):
        site.run(1_000)
        bring(site, 0)
    site.run(1_500)
    assert site.core.seen.dark_ms(rid("A")) == 5_500


def test_after_three_heartbeats_without_a_frame_it_counts_down() -> None:
    site = dark_site()
    countdown = []
    for _ in range(4):
        site.run(1_000)
        bring(site, 0)
        listening = site.core.seen.listening
        site.core.seen.opinions.cameras[rid("A")] = {rid("F"): (listening.stamp_ms(site.now), listening.generation)}
        judged = assess(site.state, site.core.seen, site.row("A"))
        countdown.append((judged.counting, judged.remaining_ms))
    dark = Trigger.NOT_RECORDING
    assert countdown == [(None, None), (None, None), (dark, 7_000), (dark, 6_000)]
