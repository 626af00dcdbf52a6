"""Planned switches, each up to the row of its table that it is about."""

from __future__ import annotations

from collections.abc import Callable

from sysmanager.domain.failover import Phase
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, cameras_of, rid, small_site

REFUSAL = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="the disk is full")


def begun(site: Site | None = None) -> Site:
    """A is to be relieved by F, which has the settings and not its first frames yet."""
    site = site or small_site()
    site.server("F").first_frame_ms = 3_000
    reply = site.ask(c.SwitchOver(recorder=rid("A")))
    assert isinstance(reply, c.Done), reply
    assert site.entry.phase is Phase.SAVED
    return site


def nobody_left() -> Site:
    site = small_site()
    site.server("F").refusal = site.server("H").refusal = REFUSAL
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(1_000)
    return site


def recorder_breaks() -> Site:
    site = begun()
    site.server("F").first_frame_ms = 60_000
    site.server("A").up = False
    site.run(5_000)
    return site


def gives_way() -> Site:
    site = begun()
    site.ask(c.StartFailover(recorder=rid("B")))
    site.run(1_000)
    return site


def aborted() -> Site:
    site = begun()
    site.ask(c.AbortFailover(failover=site.entry.id))
    return site


def server_lost() -> Site:
    site = begun()
    site.server("F").up = False
    site.run(5_000)
    return site


def switched() -> Site:
    site = begun()
    site.run(5_000)
    return site


def too_dark() -> Site:
    site = small_site()
    site.server("F").dark = {camera.id for camera in site.server("A").settings.cameras}
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(11_000)
    return site


def one_dark() -> Site:
    """While it is relieved the recorder loses the camera, too: nobody would record it."""
    site = small_site(cameras=20)
    one = site.server("A").settings.cameras[0].id
    site.server("F").dark = {one}
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(5_000)
    site.server("A").dark = {one}
    site.run(6_000)
    return site


def one_by_one() -> Site:
    site = small_site(cameras=cameras_of("A", 3, sessions=1))
    site.ask(c.SwitchOver(recorder=rid("A")))
    site.run(4_000)
    return site


SWITCHES: dict[int, Callable[[], Site]] = {
    400: nobody_left,
    401: recorder_breaks,
    402: gives_way,
    403: aborted,
    404: switched,
    405: server_lost,
    406: switched,
    407: too_dark,
    408: one_dark,
    409: one_by_one,
}
