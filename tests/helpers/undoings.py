"""Sites in which a failback is being undone, and cameras that allow one session go back one by one (SPEC 8)."""

from __future__ import annotations

from collections.abc import Callable

from sysmanager.domain.camera import Camera
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import CameraId
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, cameras_of, small_site


def one_session(count: int, others: int = 0) -> tuple[Camera, ...]:
    """`count` cameras of A with one session, and others with two."""
    return (*cameras_of("A", count, sessions=1), *cameras_of("A", count + others)[count:])


def handed(count: int, others: int = 0, *, first_frame_ms: int = 1_500) -> Site:
    """A failback of A in which A has all of its cameras that allow one session but the last, which gives it no frame."""
    site = small_site(cameras=one_session(count, others))
    site.fail_over("A")
    site.run(3_000)
    site.server("A").dark = {CameraId(f"A-c{count - 1}")}
    site.server("A").first_frame_ms = site.server("F").first_frame_ms = first_frame_ms
    assert isinstance(site.fail_back(), c.Done)
    site.run(60_000, until=lambda: _handed(site) == count)
    assert site.entry.phase is Phase.FAILBACK_SAVED
    return site


def _handed(site: Site) -> int:
    return len(site.entry.failback.handed) if site.entry.failback is not None else 0


def undoing(count: int, others: int = 0, *, first_frame_ms: int = 1_500) -> Site:
    """The same, a moment after a person aborted it: A still has all but the last."""
    site = handed(count, others, first_frame_ms=first_frame_ms)
    site.run(4_000)
    assert isinstance(site.ask(c.AbortFailover(failover=site.entry.id)), c.Done)
    assert site.entry.phase is Phase.FAILBACK_UNDOING
    return site


def row_150() -> Site:
    site = undoing(3)
    site.server("A").up = False
    site.run(5_000)
    return site


def row_151() -> Site:
    site = undoing(3)
    site.run(10_000)
    return site


def row_152() -> Site:
    site = undoing(4)
    site.server("A").dark |= {CameraId("A-c1"), CameraId("A-c2")}
    site.run(2_000)
    return site


UNDOINGS: dict[int, Callable[[], Site]] = {150: row_150, 151: row_151, 152: row_152, 153: row_151}
