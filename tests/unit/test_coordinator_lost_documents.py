"""Documents that the cache lost and the acting server came back without: the recorder that it replaced may hold the same ones (SPEC 3)."""

from __future__ import annotations

import pytest

from sysmanager.coordinator.commands import FetchDocuments
from sysmanager.domain.documents import DocumentSet
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, document_set, rid, small_site

MISSING = r.Refusal(reason=r.RefusalReason.DOCUMENTS_MISSING, sentence="not in the cache")


def acting_site() -> Site:
    """F acts for A, which is connected and stood down."""
    site = small_site()
    assert site.fail_over("A").server == "F"
    site.run(3_000)
    return site


def come_back_without(site: Site) -> None:
    """F has the state of when it waited, and the cache does not have its documents. Nobody takes over from it, by a person's wish."""
    assert isinstance(site.ask(c.HoldFailover(recorder=rid("F"))), c.Done)
    server = site.server("F")
    server.mode, server.home, server.epoch, server.documents, server.refusal = r.Mode.STANDBY, None, 1, None, MISSING


def fetched_from(site: Site, server: str, since: int) -> list[DocumentSet]:
    later = [command for _, command in site.commands[since:]]
    return [one.documents for one in later if isinstance(one, FetchDocuments) and one.recorder == server]


def missing_is_said(site: Site) -> bool:
    site.core.look_at_readiness(site.now)
    return any("missing from the cache" in reason.sentence for reason in site.core.readiness.known[rid("F")].reasons)


def test_they_are_fetched_from_the_recorder_that_it_replaced() -> None:
    site = acting_site()
    before = len(site.commands)
    come_back_without(site)
    site.run(3_000)
    assert set(fetched_from(site, "A", before)) == {document_set("A")}
    assert site.core.seen.doubted == set()
    site.server("F").refusal = None
    site.run(70_000)
    server = site.server("F")
    assert (server.mode, server.home, server.documents) == (r.Mode.RECORDING, "A", document_set("A"))


@pytest.mark.parametrize("acting_is_heard", [False, True])
def test_they_are_fetched_as_soon_as_that_recorder_is_back(acting_is_heard: bool) -> None:
    site = acting_site()
    site.server("A").up = False
    site.run(5_000)
    before = len(site.commands)
    come_back_without(site)
    site.run(2_000)
    assert (fetched_from(site, "A", before), site.core.seen.doubted) == ([], {"F"})
    assert missing_is_said(site)
    site.server("F").up = acting_is_heard
    site.run(5_000)
    site.server("A").up = True
    site.run(3_000)
    assert set(fetched_from(site, "A", before)) == {document_set("A")}
    if not acting_is_heard:
        assert site.core.seen.doubted == set()
    assert not missing_is_said(site)


@pytest.mark.parametrize("other", [None, document_set("edited", revision=2)])
def test_what_it_holds_otherwise_is_left_where_it_is(other: DocumentSet | None) -> None:
    site = acting_site()
    site.server("A").documents = other
    site.run(2_000)
    before = len(site.commands)
    come_back_without(site)
    site.run(5_000)
    assert fetched_from(site, "A", before) == []
    assert site.core.seen.doubted == {"F"}
