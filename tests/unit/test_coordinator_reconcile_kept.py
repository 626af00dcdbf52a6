"""A restored journal that does not know who took cameras over for good (SPEC 7, 10): each camera is with one recorder afterwards."""

from __future__ import annotations

import pytest

from sysmanager.coordinator.reconcile import findings
from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.failover import Phase
from sysmanager.domain.recorder import Acting, Broken, Recording, Standby
from sysmanager.protocol import clients as c
from tests.helpers.coordination import GROUP, Site, contents, document_set, rid, small_site

LOST = "The journal was restored from a backup."


def adopt(site: Site, server: str) -> None:
    assert isinstance(site.ask(c.AdoptServer(recorder=rid(server), group=GROUP)), c.Done)
    site.run(3_000)


def handed_on() -> tuple[Site, int, int]:
    """F keeps A's cameras for good, and A those of B. And where the journal stood before all that, and when F acted for A."""
    site = small_site()
    site.server("H").up = False
    site.run(3_000)
    before = len(site.journal)
    assert site.fail_over("A").server == "F"
    site.run(3_000)
    acting = len(site.journal)
    adopt(site, "A")
    assert site.fail_over("B").server == "A"
    site.run(3_000)
    adopt(site, "B")
    assert cameras(site, "A") == {"B-c0", "B-c1", "B-c2"}
    return site, before, acting


def cameras(site: Site, server: str) -> set[str]:
    """What it records."""
    beat = site.server(server).beat(site.now)
    return {str(camera.camera) for camera in beat.cameras}


def confirm(site: Site) -> None:
    assert isinstance(site.ask(c.ConfirmReconcile(findings=findings(site.state, site.core.seen))), c.Done)
    site.run(3_000)
    assert findings(site.state, site.core.seen) == (), "once is enough"
    assert contents(site.state) == contents(site.replayed())


def sentences(site: Site) -> dict[str, str]:
    return {found.recorder: found.sentence for found in findings(site.state, site.core.seen)}


def test_who_has_cameras_of_another_one_does_not_win_its_own_from_who_has_them() -> None:
    site, _, acting = handed_on()
    site.restart(keep=acting, damage=LOST)
    site.run(2_000)
    assert sentences(site)["A"].endswith("it has cameras that it took over for good, and stays replaced by F.")
    confirm(site)
    assert isinstance(site.row("F").assignment, Acting)
    assert isinstance(site.row("A").assignment, Broken)
    assert isinstance(site.row("B").assignment, Recording)
    assert (cameras(site, "F"), cameras(site, "A"), cameras(site, "B")) == (
        {"A-c0", "A-c1", "A-c2"},
        set(),
        {"B-c0", "B-c1", "B-c2"},
    )
    assert isinstance(site.fail_back(), c.Done)
    site.run(5_000)
    assert site.entry.phase is Phase.RETURNED
    assert cameras(site, "A") == {"A-c0", "A-c1", "A-c2"}


@pytest.mark.parametrize("dark", [False, True])
def test_where_nobody_else_has_its_own_cameras_it_is_given_them_again(dark: bool) -> None:
    """dark: it reports no camera, and is known by the documents that it holds."""
    site, before, _ = handed_on()
    site.server("F").up = False
    site.restart(keep=before, damage=LOST)
    held = site.server("A").settings
    if dark:
        site.server("A").settings = SettingsSummary()
    site.run(2_000)
    assert sentences(site)["A"].endswith("it has cameras that it took over for good, and will record its own again.")
    site.server("A").settings = held
    confirm(site)
    assert isinstance(site.row("A").assignment, Recording)
    assert (cameras(site, "A"), cameras(site, "B")) == ({"A-c0", "A-c1", "A-c2"}, {"B-c0", "B-c1", "B-c2"})
    site.server("F").up = True
    site.run(2_000)
    confirm(site)
    assert isinstance(site.row("F").assignment, Standby)


def test_settings_that_were_changed_since_the_backup_are_its_own_all_the_same() -> None:
    site = small_site()
    mark = len(site.journal)
    site.server("A").epoch = 70
    site.server("A").documents = document_set("A changed", revision=2)
    site.restart(keep=mark, damage=LOST)
    site.run(2_000)
    assert sentences(site)["A"].endswith("it records its own cameras, and will be a normal recorder.")
    confirm(site)
    assert site.row("A").assignment.epoch == 70
