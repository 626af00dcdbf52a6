"""Who is asked for a picture of a camera: whoever records it now."""

from __future__ import annotations

import pytest

from sysmanager.coordinator.pictures import picture_holder
from sysmanager.domain.ids import CameraId
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, rid, small_site


def holder(site: Site, server: str, camera: str = "A-c1") -> str:
    found = picture_holder(site.state, site.core.seen, rid(server), CameraId(camera))
    return found.sentence if isinstance(found, c.Refused) else found


def failed_over() -> Site:
    site = small_site()
    site.server("A").up = False
    site.run(20_000)
    return site


@pytest.mark.parametrize(
    ("server", "camera", "found"),
    [
        ("A", "A-c1", "A"),
        ("Z", "A-c1", "There is no server Z; see the list of servers."),
        ("A", "other", "A has no camera other; see the list of its cameras."),
        ("F", "A-c1", "F has no camera A-c1; see the list of its cameras."),
    ],
)
def test_a_recorder_is_asked_for_its_own_cameras(server: str, camera: str, found: str) -> None:
    assert holder(small_site(), server, camera) == found


def test_after_a_failover_the_acting_server_is_asked_whichever_row_was_chosen() -> None:
    site = failed_over()
    assert holder(site, "A") == "F"
    assert holder(site, "F") == "F"


def test_who_is_not_connected_gives_none() -> None:
    site = failed_over()
    site.server("F").up = False
    site.server("H").up = False
    site.run(5_000)
    assert holder(site, "A") == "F is not connected, so it gives no picture; check its network."


def test_where_nobody_acts_for_a_replaced_server_nobody_is_asked() -> None:
    site = failed_over()
    site.state.failovers.pop(next(iter(site.state.failovers)))
    assert holder(site, "A") == "Nobody records the cameras of A now."
