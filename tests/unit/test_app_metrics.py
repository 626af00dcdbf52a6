"""Metrics: what a scrape tells, and what an HTTP server on the engine's loop does with clients that make no sense (SPEC 15, 18)."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sysmanager.app import metrics
from sysmanager.app.errors import CommandError
from sysmanager.coordinator import facts as f
from sysmanager.domain.failover import CameraGap
from sysmanager.domain.ids import CameraId, FailoverId
from sysmanager.domain.rights import COORDINATOR
from sysmanager.engine.figures import Distribution, Figures, Tally, look
from sysmanager.engine.publisher import Publisher
from sysmanager.protocol import clients as c
from sysmanager.protocol.recorders import CameraState
from sysmanager.protocol.selftest import SelfTestReport
from tests.helpers.coordination import Site, rid, small_site

LOOPBACK = ("127.0.0.1", 0)


def record(fact: f.AnyFact) -> f.FactRecord:
    return f.FactRecord(term=1, wall_ms=1, actor=COORDINATOR, fact=fact)


def figures_of(site: Site, tally: Tally | None = None) -> Figures:
    publisher = Publisher("Site")
    publisher.restart(site.core)
    publisher.publish(site.core, site.now)
    told = {"lag_ms": 12, "replies": 1, "journal_records": len(site.journal), "journal_failing": False, "history": (3, True)}
    return look(site.core, publisher.snapshot(), tally or Tally(), site.now, **told)


async def scraped(figures: Callable[[], Figures], files: dict[str, Path] | None = None) -> dict[tuple[str, ...], float]:
    async with metrics.serving_metrics(LOOPBACK, figures, files or {}) as url:
        response = await asyncio.to_thread(urllib.request.urlopen, url, timeout=5)
        with response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = response.read().decode("utf-8")
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name.removeprefix("sysmanager_"), *sample.labels.values()): sample.value for sample in samples}


async def test_a_scrape_tells_the_state_of_the_site(tmp_path: Path) -> None:
    site = small_site()
    site.fail_over("B")
    site.server("A").up = False
    site.run(4_000)
    site.ask(c.HoldFailover(recorder=rid("F")))
    (tmp_path / "journal.sqlite").write_bytes(b"x" * 100)
    (tmp_path / "journal.sqlite-wal").write_bytes(b"x" * 20)
    files = {"journal": tmp_path / "journal.sqlite", "history": tmp_path / "none"}
    site.server("H").self_test = SelfTestReport(wall_ms=1, problems=("The disk rots.", "The key is gone."))
    site.server("F").dark_state = CameraState.QUARANTINED
    site.server("F").dark = {camera.id for camera in site.server("F").settings.cameras[:2]}
    site.run(1_000)
    found = await scraped(lambda: figures_of(site), files)
    assert (found["self_tests_failed",], found["cameras_quarantined",]) == (1, 2)
    assert found["recorders_heard",] == 3
    away = {key: count for key, count in found.items() if key[0] == "servers" and "connected" not in key}
    assert [(key[2:], count) for key, count in away.items()] == [(("bad", "standard"), 1)]
    assert found["countdowns",] == 1
    assert 4 <= found["countdown_shortest_seconds",] <= 6
    assert found["failover_holds",] == 1
    assert found["open_entries", "Failover ready"] == 1
    assigned = {key[1]: count for key, count in found.items() if key[0] == "servers_assigned"}
    assert assigned == {"recording": 1, "standby": 1, "reserved": 0, "acting": 1, "broken": 1}
    assert {key[1] for key in found if key[0] == "servers_ready"} == {"ready", "limited", "not ready"}
    assert (found["failback_holds",], found["maintenances",], found["brake",]) == (0, 0, 0)
    assert (found["failover_queue_length", "g"], found["failovers_waiting", "g"]) == (0, 0)
    assert (found["open_jobs", "material copy"], found["open_jobs", "drill"]) == (0, 0)
    assert (found["failovers_total", "failed"], found["failovers_total", "failback undone"]) == (0, 0)
    assert found["worst_gap_seconds", "F00001"] >= 0
    assert found["canary_age_seconds",] < 1
    assert (found["deaf",], found["reconciling",], found["loop_lag_seconds",]) == (0, 0, 0.012)
    assert (found["journal_records",], found["history_missing_records",], found["history_failing",]) == (len(site.journal), 3, 1)
    assert (found["file_size_bytes", "journal"], found["file_size_bytes", "history"]) == (120, 0)


async def test_what_happened_is_counted_once() -> None:
    tally = Tally()
    gaps = tuple(CameraGap(camera=CameraId(f"c{n}"), last_before_ms=1_000, first_after_ms=1_000 + n * 1_500) for n in range(1, 4))
    open_end = CameraGap(camera=CameraId("c9"), last_before_ms=1_000)
    measured = f.GapsMeasured(failover=FailoverId("F00001"), gaps=(*gaps, open_end))
    ready = f.ClientsNotified(failover=FailoverId("F00001"), duration_ms=1)
    refused = f.RequestRefused(actor=COORDINATOR, request="x", about="", sentence="No.", times=7)
    tally.appended([record(measured), record(measured), record(ready), record(refused)], 0.004)
    site = small_site()
    found = await scraped(lambda: figures_of(site, tally))
    assert found["failovers_total", "ready"] == 1
    assert found["refused_requests_total",] == 7
    assert found["facts_total", "GapsMeasured"] == 2
    assert found["camera_gap_seconds_count",] == 3
    assert found["camera_gap_seconds_sum",] == 9.0
    assert found["camera_gap_seconds_bucket", "2.0"] == 1
    assert (found["journal_append_seconds_bucket", "0.0025"], found["journal_append_seconds_bucket", "0.005"]) == (0, 1)
    assert ("countdown_shortest_seconds",) not in found


def test_gaps_are_remembered_for_so_many_failovers() -> None:
    tally = Tally()
    gap = CameraGap(camera=CameraId("c"), last_before_ms=1_000, first_after_ms=2_000)
    for number in range(1_001):
        tally.appended([record(f.GapsMeasured(failover=FailoverId(f"F{number:05d}"), gaps=(gap,)))], 0.0)
    assert len(tally._measured) == 1_000
    assert tally.gap_s.sum == 1_001


def test_a_distribution_counts_what_is_beyond_its_last_bound() -> None:
    values = Distribution((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 99.0):
        values.add(value)
    assert values.buckets == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"HEAD / HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /secrets HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"\xff\xfe\r\n\r\n", b"405"),
        (b"\r\n\r\n", b"405"),
        (b"x" * 40_000, b""),
        (b"GET", b""),
    ],
)
async def test_any_client_gets_an_answer_or_nothing(sent: bytes, status: bytes) -> None:
    site = small_site()
    async with metrics.serving_metrics(LOOPBACK, lambda: figures_of(site), {}) as url:
        port = int(url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(sent)
            writer.write_eof()
            answer = await reader.read()
        except ConnectionError:
            answer = b""
        writer.close()
    assert answer[9:12] == status
    if sent.startswith(b"HEAD"):
        assert answer.endswith(b"\r\n\r\n")


async def test_a_port_in_use_is_one_sentence() -> None:
    site = small_site()
    async with metrics.serving_metrics(LOOPBACK, lambda: figures_of(site), {}) as url:
        port = int(url.split(":")[2].split("/")[0])
        with pytest.raises(CommandError, match=f"127.0.0.1:{port} .*choose another port with --metrics"):
            async with metrics.serving_metrics(("127.0.0.1", port), lambda: figures_of(site), {}):
                pass
