"""Changes for clients: numbered without a hole, in pieces that fit a message of the bus."""

from __future__ import annotations

import pytest

from sysmanager import wire
from sysmanager.bus.port import MAX_BODY_BYTES
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.domain.recorder import Broken, Recording
from sysmanager.engine import publisher as publisher_module
from sysmanager.engine.publisher import NUMBERS_PER_START, Publisher
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, rid, small_site


def busy_site(servers: int, cameras: int) -> Site:
    site = Site()
    for number in range(servers):
        site.add(f"R{number:02}", cameras=cameras)
    site.add("F", failover=True)
    site.run(3_000)
    return site


def test_many_rows_at_once_go_in_pieces_that_fit_a_message() -> None:
    site = busy_site(60, 64)
    publisher = Publisher("Site")
    heard: list[c.Changes] = []
    publisher.subscribe(heard.append)
    publisher.publish(site.core, site.now)
    assert len(heard) > 1
    assert [change.sequence for change in heard] == list(range(1, len(heard) + 1))
    assert all(len(wire.encode(change)) <= MAX_BODY_BYTES for change in heard)
    rows = [row.id for change in heard for row in change.recorders]
    assert sorted(rows) == sorted(site.state.recorders)
    assert heard[0].system is not None
    assert publisher.snapshot().sequence == heard[-1].sequence


def test_many_log_entries_at_once_go_in_pieces_that_fit_a_message() -> None:
    site = busy_site(50, 64)
    for server in list(site.servers.values()):
        if server.id != "F":
            site.ask(c.StartFailover(recorder=server.id))
    publisher = Publisher("Site")
    heard: list[c.Changes] = []
    publisher.subscribe(heard.append)
    publisher.restart(site.core)
    publisher.publish(site.core, site.now)
    assert all(len(wire.encode(change)) <= MAX_BODY_BYTES for change in heard)
    assert sorted(entry.id for change in heard for entry in change.failovers) == sorted(site.state.failovers)


def test_more_rows_than_are_made_at_a_time_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "ROWS_AT_ONCE", 4)
    site = busy_site(10, 1)
    for number in range(10):
        site.server(f"R{number:02}").up = False
    publisher = Publisher("Site")
    shown: dict[str, int] = {}
    publisher.subscribe(lambda changes: shown.update({row.id: row.silence_ms for row in changes.recorders}))
    publisher.publish(site.core, site.now)
    assert len(shown) == 4
    for _ in range(2):
        publisher.refresh(site.core, site.now)
    assert sorted(shown) == sorted(site.state.recorders)
    site.run(4_000)
    for _ in range(6):
        publisher.refresh(site.core, site.now)
    assert all(silence_ms > 3_000 for recorder, silence_ms in shown.items() if recorder != "F")


def test_no_row_carries_a_readiness_of_another_state() -> None:
    """A row is told as soon as its change is durable, and readiness is looked at some moments later."""
    site = small_site()
    publisher = Publisher("Site")
    told: list[c.RecorderRow] = []
    publisher.subscribe(lambda changes: told.extend(changes.recorders))
    publisher.refresh(site.core, site.now)

    def right() -> None:
        publisher.publish(site.core, site.now)
        assert told
        for row in told:
            assert row.readiness is not None, row.id
            replaced = any("was replaced" in reason.sentence for reason in row.readiness.reasons)
            assert replaced is isinstance(row.assignment, Broken), row
            maintained = any("is in maintenance" in reason.sentence for reason in row.readiness.reasons)
            assert maintained is (row.maintenance is not None), row
        counts = dict.fromkeys(c.Ready, 0)
        for row in publisher.snapshot().recorders:
            assert row.readiness is not None
            counts[row.readiness.level] += 1
        assert site.core.readiness.counts == counts
        told.clear()

    site.fail_over("A")
    right()
    site.server("A").up = True
    site.run(3_000)
    publisher.refresh(site.core, site.now)
    site.ask(c.StartFailback(failover=site.entry.id))
    for _ in range(60):
        site.run(250)
        if site.entry.phase.ended:
            break
    assert isinstance(site.row("A").assignment, Recording)
    right()
    site.ask(c.StartMaintenance(target=Target(scope=Scope.RECORDER, id="A"), reason="a fan", until_wall_ms=site.now.wall_ms + 60_000))
    right()


def test_nothing_new_is_nothing_said() -> None:
    site = busy_site(2, 2)
    publisher = Publisher("Site")
    publisher.publish(site.core, site.now)
    heard: list[c.Changes] = []
    publisher.subscribe(heard.append)
    publisher.publish(site.core, site.now)
    assert heard == []


def test_a_removed_server_is_told_and_not_counted_any_more() -> None:
    site = busy_site(2, 2)
    publisher = Publisher("Site")
    publisher.publish(site.core, site.now)
    heard: list[c.Changes] = []
    publisher.subscribe(heard.append)
    site.ask(c.RemoveRecorder(recorder=rid("R01")))
    publisher.publish(site.core, site.now)
    assert [change.removed_recorders for change in heard] == [("R01",)]
    assert heard[0].system is not None
    assert heard[0].system.watched == 2
    assert rid("R01") not in {row.id for row in publisher.snapshot().recorders}


def test_numbers_of_a_later_start_are_above_all_earlier_ones() -> None:
    site = busy_site(2, 2)
    first, second = Publisher("Site"), Publisher("Site")
    first.restart(site.core)
    first.publish(site.core, site.now)
    before = first.sequence
    site.restart()
    second.restart(site.core)
    second.publish(site.core, site.now)
    assert second.sequence >= before + NUMBERS_PER_START - 1
    at = second.sequence
    second.restart(site.core)
    second.publish(site.core, site.now)
    assert second.sequence >= at + 2, "a hole, so that clients ask for a snapshot"


def test_a_journal_that_cannot_be_written_is_said_to_all() -> None:
    site = busy_site(2, 2)
    publisher = Publisher("Site")
    publisher.publish(site.core, site.now)
    heard: list[c.Changes] = []
    publisher.subscribe(heard.append)
    publisher.cannot_save("The disk is full.", site.now)
    publisher.cannot_save("The disk is full.", site.now)
    system = heard[-1].system
    assert system is not None
    assert system.health is c.Health.BAD
    assert [alarm.sentence for alarm in system.alarms if alarm.key == "journal"] == ["The disk is full."]
    publisher.publish(site.core, site.now)
    assert publisher.snapshot().system.health is not c.Health.BAD
