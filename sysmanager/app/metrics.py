"""Prometheus metrics of a coordinator, over HTTP on its own loop (SPEC 15). Everything is computed when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sysmanager import __version__
from sysmanager.app.errors import CommandError
from sysmanager.engine.figures import Distribution, Figures

REQUEST_LIMIT_BYTES = 16 * 1024
REQUEST_S = 5.0
CLIENTS_LIMIT = 8
"""So many are served at a time; the next one is sent away."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Figures(Collector):
    def __init__(self, figures: Callable[[], Figures], files: Mapping[str, Path]) -> None:
        self._figures = figures
        self._files = files

    def collect(self) -> Iterator[Metric]:
        return _families(self._figures(), self._files)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sysmanager_{name}", text, value=value)


def _gauges(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"sysmanager_{name}", text, labels=labels)
    for key, value in sorted(values):
        family.add_metric(key, value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"sysmanager_{name}", text, labels=(label,))
    for key, value in sorted(values.items()):
        family.add_metric((key,), value)
    return family


def _histogram(name: str, text: str, values: Distribution) -> HistogramMetricFamily:
    return HistogramMetricFamily(f"sysmanager_{name}", text, buckets=values.buckets, sum_value=values.sum)


def _families(now: Figures, files: Mapping[str, Path]) -> Iterator[Metric]:
    yield InfoMetricFamily("sysmanager_build", "The version of the coordinator.", value={"version": __version__})
    yield _gauge("term", "Number of the coordinator's starts on this journal.", now.term)
    yield _gauges("servers", "Servers in system data.", ("connection", "role", "health"), now.servers.items())
    yield _gauges("servers_assigned", "Servers by what system data wants of them.", ("assignment",), _single(now.assigned))
    yield _gauges("servers_ready", "Servers by their readiness.", ("level",), _single(now.readiness))
    yield _gauge("recorders_heard", "Servers that are heard.", now.heard)
    yield _gauge("countdowns", "Servers for which a countdown to failover runs.", now.countdowns)
    if now.shortest_countdown_ms is not None:
        yield _gauge("countdown_shortest_seconds", "The shortest of the countdowns.", now.shortest_countdown_ms / 1000)
    yield _gauge("failover_holds", "Servers whose automatic failover is held.", now.holds)
    yield _gauge("failback_holds", "Servers whose automatic failback is held.", now.failback_holds)
    yield _gauge("maintenances", "Servers, groups or systems in maintenance.", now.maintenances)
    yield _gauge("brake", "1 while the mass-loss brake holds automatic failover.", now.braked)
    yield _gauges("open_entries", "Open entries of the failover log.", ("state",), _single(now.entries))
    yield _gauges("failover_queue_length", "Entries in the failover queue of each group.", ("group",), _single(now.queued))
    yield _gauges("failovers_waiting", "Entries that wait for a failover server, by group.", ("group",), _single(now.waiting))
    yield _gauges("open_jobs", "Material copies and drills that are open.", ("kind",), _single(now.jobs))
    gaps = (((entry,), gap_ms / 1000) for entry, gap_ms in now.worst_gap_ms.items())
    yield _gauges("worst_gap_seconds", "The worst gap of a camera in each open entry.", ("entry",), gaps)
    yield _counters("failovers", "Failovers and failbacks that came out so, since the start.", "result", now.tally.results)
    yield _histogram("camera_gap_seconds", "Measured gaps, of each camera in each failover, since the start.", now.tally.gap_s)
    yield _counters("facts", "Facts that became durable since the start.", "fact", now.tally.facts)
    yield CounterMetricFamily("sysmanager_refused_requests", "Requests refused since the start.", value=now.tally.refused)
    yield _gauge("alarms", "Alarms that are shown.", now.alarms)
    yield _gauge("cameras_quarantined", "Cameras that are not recorded because their stream crashed a recording service.", now.quarantined)
    yield _gauge("self_tests_failed", "Failover servers that wait and whose last self-test failed.", now.self_tests_failed)
    yield _gauge("reconciling", "1 while a reconcile goes on.", now.reconciling)
    yield _gauge("canary_age_seconds", "Since the last canary that came back was sent.", now.canary_ms / 1000)
    yield _gauge("deaf", "1 while the coordinator cannot hear its own canary.", now.deaf)
    yield _gauge("loop_lag_seconds", "The greatest lag of the engine among its last beacons.", now.lag_ms / 1000)
    yield _gauge("inbox_length", "Inputs that wait to be decided.", now.inbox)
    yield _gauge("requests_waiting", "Requests of people that wait for their answer.", now.replies)
    yield _histogram("journal_append_seconds", "How long an append took until it was durable.", now.tally.append_s)
    yield _gauge("journal_records", "Records in the journal.", now.journal_records)
    yield _gauge("journal_failing", "1 while the journal cannot be written.", now.journal_failing)
    yield _gauge("history_missing_records", "Records of the journal that the history does not hold yet.", now.history_behind)
    yield _gauge("history_failing", "1 while the history cannot be written.", now.history_failing)
    sizes = (((name,), _size_bytes(path)) for name, path in files.items())
    yield _gauges("file_size_bytes", "Size of a database, its log included.", ("file",), sizes)


def _single(values: Mapping[str, int]) -> Iterator[tuple[tuple[str], float]]:
    """Values with one label."""
    return (((key,), number) for key, number in values.items())


def _size_bytes(path: Path) -> int:
    size = 0
    for file in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):
            size += file.stat().st_size
    return size


@asynccontextmanager
async def serving_metrics(address: tuple[str, int], figures: Callable[[], Figures], files: Mapping[str, Path]) -> AsyncIterator[str]:
    """Serve until the block ends; gives the URL. Raises CommandError when the port cannot be had."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures, files))
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        try:
            async with asyncio.timeout(REQUEST_S):
                writer.write(await _answer(reader, registry, busy=served > CLIENTS_LIMIT))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            served -= 1
            writer.close()

    host, port = address
    try:
        server = await asyncio.start_server(serve, host, port, limit=REQUEST_LIMIT_BYTES)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(f"Metrics cannot be served at {host}:{port} ({reason}); choose another port with --metrics.") from error
    bound = server.sockets[0].getsockname()
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    async with server:
        yield f"http://{shown}:{bound[1]}/metrics"


async def _answer(reader: asyncio.StreamReader, registry: CollectorRegistry, *, busy: bool) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    method, path, *_ = [*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""]
    if busy:
        return _response("503 Service Unavailable", b"Too many ask at once.\n")
    if method not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", b"Only GET is answered.\n")
    if path.partition("?")[0] not in ("/metrics", "/"):
        return _response("404 Not Found", b"Metrics are at /metrics.\n")
    body = generate_latest(registry)
    return _response("200 OK", body if method == "GET" else b"", length=len(body))


def _response(status: str, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {size}", "Connection: close", "", "")
    return "\r\n".join(lines).encode("ascii") + body
