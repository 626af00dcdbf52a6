"""The readiness of every server, kept up to date by looking at what a change touches (SPEC 14.1)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import readiness_book
from sysmanager.coordinator.readiness import readiness_of
from sysmanager.coordinator.readiness_book import ReadinessBook
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.group import Group
from sysmanager.domain.ids import Epoch, GroupId
from sysmanager.domain.recorder import edit_of
from sysmanager.protocol import clients as c
from sysmanager.protocol.clients import Readiness, Ready
from tests.helpers.coordination import GROUP, Site, cameras_of, document_set, rid, small_site

RED, YELLOW, GREEN = Ready.NOT_READY, Ready.LIMITED, Ready.READY


def edit(site: Site, server: str, **changes: object) -> None:
    row = site.row(server)
    fields = msgspec.structs.replace(edit_of(row), **changes)
    reply = site.ask(c.EditRecorder(recorder=row.id, revision=row.revision, fields=fields))
    assert isinstance(reply, c.Done), reply


def sharing(practice: bool = False) -> Site:
    """A and F on one machine, which is the coordinator's."""
    site = small_site(machine="m", practice=practice)
    site.server("F").machine, site.server("F").practice = "m", practice
    site.core.seen.machine = "m"
    site.run(1_000)
    return site


def fresh(site: Site) -> dict[str, Readiness]:
    return {row.id: readiness_of(site.state, site.core.seen, row, site.now) for row in site.state.recorders.values()}


def looked_at(site: Site) -> dict[str, Readiness]:
    while site.core.readiness.pending:
        site.core.look_at_readiness(site.now)
    return dict(site.core.readiness.known)


def more_cameras(site: Site, count: int) -> None:
    """Somebody edits the settings on the recorder itself."""
    server = site.server("A")
    server.documents = document_set(f"A with {count}", count)
    server.settings = msgspec.structs.replace(server.settings, cameras=cameras_of("A", count))


def test_what_is_kept_is_what_computing_everything_anew_gives() -> None:
    site = sharing()
    assert looked_at(site) == fresh(site)
    deeds = (
        lambda: site.ask(c.HoldFailover(recorder=rid("B"))),
        lambda: site.ask(c.ReleaseHold(recorder=rid("B"))),
        lambda: more_cameras(site, 70),
        lambda: more_cameras(site, 3),
        lambda: edit(site, "A", failover_enabled=False),
        lambda: edit(site, "A", failover_enabled=True),
        lambda: setattr(site.server("F"), "vca_channels", 7),
        lambda: setattr(site.server("H"), "up", False),
        lambda: setattr(site.server("F"), "machine", "other"),
        lambda: site.ask(c.SaveGroup(group=Group(id=GROUP, name="Gate", preroll=FailoverPriority.HIGH))),
        lambda: site.ask(c.SaveGroup(group=Group(id=GroupId("e"), name="Else"))),
        lambda: edit(site, "H", group=GroupId("e")),
        lambda: site.fail_over("A"),
        lambda: site.ask(c.RemoveRecorder(recorder=rid("H"))),
        lambda: site.add("Z"),
    )
    for number, deed in enumerate(deeds):
        deed()
        site.run(5_000)
        assert looked_at(site) == fresh(site), number
        assert sum(site.core.readiness.counts.values()) == len(site.state.recorders)


def test_a_change_of_one_recorder_computes_one_and_of_a_failover_server_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    site = small_site()
    site.ask(c.SaveGroup(group=Group(id=GroupId("e"), name="Else")))
    site.add("X", group=GroupId("e"))
    site.run(2_000)
    looked_at(site)
    computed: list[str] = []
    right = readiness_book.readiness_of

    def counted(view: object, seen: object, row: object, *more: object) -> Readiness:
        computed.append(row.id)  # type: ignore[attr-defined]
        return right(view, seen, row, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(readiness_book, "readiness_of", counted)
    site.server("A").dark = {site.server("A").settings.cameras[0].id}
    site.run(1_000)
    looked_at(site)
    assert computed == ["A"]
    computed.clear()
    site.server("F").vca_channels = 5
    site.run(1_000)
    looked_at(site)
    assert computed == ["F", "A", "B", "H"]


def test_it_looks_at_no_more_than_it_may_at_a_time_and_forgets_nobody() -> None:
    site = small_site()
    book = ReadinessBook()
    for recorder in site.state.recorders:
        book.touch(recorder)
    assert len(book.update(site.state, site.core.seen, site.now, 3)) == 3
    assert book.pending
    assert len(book.update(site.state, site.core.seen, site.now, 3)) == 1
    assert not book.pending
    book.touch_group(GROUP)
    assert book.update(site.state, site.core.seen, site.now) == (), "nothing differs"
    assert book.update(site.state, site.core.seen, site.now, also=(rid("gone"),)) == ()


def test_an_entry_that_waits_has_nobody_to_look_at() -> None:
    site = small_site()
    site.server("F").up = site.server("H").up = False
    site.run(4_000)
    site.server("A").up = False
    site.run(12_000)
    assert site.entry.server is None
    assert looked_at(site) == fresh(site)


def test_a_recorder_that_is_back_is_counted_on_by_the_server_that_acts_for_it() -> None:
    site = small_site()
    site.server("H").up = False
    site.server("A").up = False
    site.run(20_000)
    assert (looked_at(site)["F"].level, site.entry.server) == (RED, "F")
    for up in (True, False, True):
        site.server("A").up = up
        site.run(10_000)
        assert looked_at(site) == fresh(site)
        assert (looked_at(site)["F"].level is RED) is not up


def test_a_standby_onto_whose_machine_a_recorder_moves_is_said_to_share_it() -> None:
    site = small_site()
    site.server("F").machine = "m"
    site.run(2_000)
    assert not any("shares its machine" in reason.sentence for reason in looked_at(site)["F"].reasons)
    site.server("B").machine = "m"
    site.run(2_000)
    assert any("F shares its machine with B" in reason.sentence for reason in looked_at(site)["F"].reasons)


def test_a_server_that_left_is_forgotten_and_that_is_said_once() -> None:
    site = small_site()
    book, state, seen = ReadinessBook(), site.state, site.core.seen
    book.touch(rid("B"))
    assert book.update(state, seen, site.now) == (rid("B"),)
    assert sum(book.counts.values()) == 1
    del state.recorders[rid("B")]
    book.touch(rid("B"))
    assert book.update(state, seen, site.now) == (rid("B"),)
    assert (dict(book.known), sum(book.counts.values())) == ({}, 0)
    book.touch(rid("B"))
    assert book.update(state, seen, site.now) == ()


def test_a_server_that_knew_a_newer_epoch_is_of_use_again_once_system_data_has_given_it() -> None:
    site = small_site()
    site.server("F").up = False
    site.run(5_000)
    heard, given = site.core.seen.of(rid("H")), site.state.next_epoch
    assert heard.beat is not None
    heard.beat = msgspec.structs.replace(heard.beat, epoch=Epoch(given + 1))
    site.core.seen.ahead.add(rid("H"))
    site.core.seen.ahead.add(rid("gone"))
    book = ReadinessBook()
    for recorder in site.state.recorders:
        book.touch(recorder)
    book.update(site.state, site.core.seen, site.now)
    assert book.known[rid("A")].level is RED, "nobody else could take over"
    site.state.next_epoch = Epoch(given + 1)
    assert book.update(site.state, site.core.seen, site.now) == (), "the next one is the same again"
    site.state.next_epoch = Epoch(given + 2)
    book.update(site.state, site.core.seen, site.now)
    assert book.known == fresh(site)
    assert book.known[rid("A")].target == "H"
