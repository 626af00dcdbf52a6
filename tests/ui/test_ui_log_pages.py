"""The long logs in the interface: pages come as one scrolls, live entries stay live, nothing begins anew (SPEC 11, 12, 17)."""

from __future__ import annotations

import asyncio
import csv
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester, QSignalSpy, QTest
from PySide6.QtWidgets import QApplication

from sysmanager.api import AuditFound, AuditLine, AuditOutcome, CommentEntry, EntriesFound, LogColumn, Severity, TickToDo
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.models.columns import LOG_COLUMNS
from sysmanager.ui.models.paged import PagedTableModel
from sysmanager.ui.operations import log_pages as operations
from sysmanager.ui.state.events import AuditArrived, AuditAsked, LogAsked, LogFiltered, LogPageArrived, SnapshotArrived
from sysmanager.ui.state.log import LogBuilder
from sysmanager.ui.state.log_pages import KEPT_LIVE, AuditPages, LogQuery, live_ones
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.reducer import reduce
from tests.helpers import log_entries
from tests.ui import site
from tests.ui.fakes import FakeClient
from tests.ui.harness import Opened, turn, until

OpenSite = Callable[..., Awaitable[Opened]]
OLD = 450


def older(count: int = OLD) -> list[Failover]:
    """Entries with numbers below those of the site."""
    chance = random.Random(5)
    made = (log_entries.entry(number, chance) for number in range(1, count + 1))
    return [msgspec.structs.replace(one, id=FailoverId(f"F9{one.number:05d}"), number=one.number - count) for one in made]


def lines(count: int, first: int = 1) -> list[AuditLine]:
    """Newest first."""
    return [
        AuditLine(
            number=number,
            at_ms=site.NOW_MS - 1_000 * (first + count - number),
            actor="anna",
            role=RoleName.OPERATOR,
            request="hold-failover",
            about="TA-REC-01",
            outcome=AuditOutcome.REFUSED if number % 2 else AuditOutcome.DONE,
            sentence=f"Sentence {number}.",
            times=1 + number % 3,
        )
        for number in range(first + count - 1, first - 1, -1)
    ]


def loaded() -> UiState:
    return reduce(UiState(actor=site.ADMIN), SnapshotArrived(site.harbour()))


# ---------------------------------------------------------------- state


def test_pages_are_put_together_and_late_ones_passed_over() -> None:
    state, query, entries = loaded(), LogQuery(), older(4)
    assert state.log.more
    first = reduce(state, LogPageArrived(query, "", EntriesFound(entries=tuple(entries[2:]), next="c", total=9)))
    assert (len(first.log.entries), first.log.next, first.log.total) == (2, "c", 9)
    assert reduce(first, LogPageArrived(query, "", EntriesFound(entries=tuple(entries)))) is first, "it came already"
    assert reduce(first, LogPageArrived(LogQuery(search="x"), "c", EntriesFound())) is first, "another question"
    failed = reduce(first, LogPageArrived(query, "c", "The log is being read."))
    assert failed.log.trouble == "The log is being read."
    last = reduce(failed, LogPageArrived(query, "c", EntriesFound(entries=tuple(entries[:2]))))
    assert (len(last.log.entries), last.log.more, last.log.trouble, last.log.total) == (4, False, "", 9)
    asked = reduce(last, LogFiltered("quay"))
    assert (asked.log.query.search, asked.log.entries, asked.log.next) == ("quay", {}, None)
    assert reduce(asked, LogAsked(asked.log.query)) is asked
    again = reduce(last, SnapshotArrived(site.harbour()))
    assert again.log.next is None, "what came in pages may have changed meanwhile"


def test_lines_are_what_is_live_and_matches_and_what_came_in_pages() -> None:
    state, entries = loaded(), older(3)
    query = LogQuery(severity=Severity.ERROR, search="sluice")
    state = reduce(state, LogAsked(query))
    state = reduce(state, LogPageArrived(query, "", EntriesFound(entries=tuple(entries))))
    shown = {line.id for line in LogBuilder().build(state, site.NOW_MS)}
    assert shown == {entry.id for entry in entries}, "what the coordinator found is not judged again"
    narrow = reduce(loaded(), LogAsked(LogQuery(severity=Severity.ERROR)))
    live = LogBuilder().build(narrow, site.NOW_MS)
    assert live
    assert {narrow.failovers[line.id].log_state.severity for line in live} == {Severity.ERROR}
    recent = reduce(loaded(), LogAsked(LogQuery(days=1)))
    assert 0 < len(LogBuilder().build(recent, site.NOW_MS)) < len(recent.failovers)


def test_an_entry_that_came_in_a_page_is_followed_when_it_changes() -> None:
    state = loaded()
    (entry,) = older(1)
    state = reduce(state, LogPageArrived(LogQuery(), "", EntriesFound(entries=(entry,))))
    state = msgspec.structs.replace(state, selected_failover=entry.id)
    assert state.entry == entry
    changed = msgspec.structs.replace(entry, note="changed")
    from sysmanager.api import Changes
    from sysmanager.ui.state.events import ChangesArrived

    state = reduce(state, ChangesArrived(Changes(sequence=2, failovers=(changed,))))
    assert state.log.entries[entry.id].note == "changed"


def test_so_many_live_entries_are_kept_and_open_ones_always() -> None:
    chance = random.Random(1)
    many = [log_entries.entry(number, chance) for number in range(1, KEPT_LIVE + 3)]
    many[0] = msgspec.structs.replace(many[0], phase=Phase.READY)
    kept = live_ones({entry.id: entry for entry in many})
    assert len(kept) == KEPT_LIVE // 2
    assert many[0].id in kept
    few = {entry.id: entry for entry in many[:3]}
    assert live_ones(few) is few


def test_the_audit_log_grows_above_and_below() -> None:
    state = loaded()
    known = lines(10)
    state = reduce(state, AuditArrived("", "", AuditFound(lines=tuple(known[:4]), next="p2")))
    state = reduce(state, AuditArrived("", "p2", AuditFound(lines=tuple(known[4:8]), next="p3")))
    new = lines(2, first=11)
    state = reduce(state, AuditArrived("", "", AuditFound(lines=(*new, *known[:2]), next="x")))
    assert [line.number for line in state.audit.lines] == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert state.audit.next == "p3"
    same = reduce(state, AuditArrived("", "", AuditFound(lines=(*new, *known[:2]), next="x")))
    assert same.audit == state.audit
    assert reduce(state, AuditArrived("other", "", AuditFound())) is state
    far = lines(4, first=100)
    jumped = reduce(state, AuditArrived("", "", AuditFound(lines=tuple(far), next="y")))
    assert (jumped.audit.lines, jumped.audit.next) == (tuple(far), "y"), "what lies between is not left out unseen"
    assert reduce(state, AuditArrived("", "p3", "No.")).audit.trouble == "No."
    assert reduce(state, AuditAsked("x")).audit == AuditPages(search="x")


# ---------------------------------------------------------------- model


def test_a_paged_model_asks_once_for_each_page_and_never_begins_anew(qapp: QApplication) -> None:
    model = PagedTableModel(LOG_COLUMNS, key=lambda line: line.id)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    resets, wanted = QSignalSpy(model.modelReset), QSignalSpy(model.wanted)
    state, builder, entries = loaded(), LogBuilder(), older(200)
    assert not model.canFetchMore()
    for begin in range(0, 200, 50):
        page = EntriesFound(entries=tuple(entries[begin : begin + 50]), next=str(begin + 50) if begin < 150 else "")
        model.show_page(builder.build(state, site.NOW_MS), more=state.log.more, asked=state.log.next)
        # The tester fetches too, as a view does: each page is wanted once all the same.
        model.fetchMore()
        model.fetchMore()
        assert wanted.count() == begin // 50 + 1
        assert not model.canFetchMore()
        state = reduce(state, LogPageArrived(LogQuery(), str(begin) if begin else "", page))
    model.show_page(builder.build(state, site.NOW_MS), more=state.log.more, asked=state.log.next)
    assert not model.canFetchMore()
    assert model.rowCount() == 200 + len(state.failovers)
    assert model.line_at(0) is not None
    sorted_by = QSignalSpy(model.sorted_by)
    model.sort(5, Qt.SortOrder.DescendingOrder)
    assert (sorted_by.at(0)[0], sorted_by.at(0)[1]) == (5, True)
    assert resets.count() == 0
    del tester


# ---------------------------------------------------------------- window


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "PAUSE_S", 0.0)


async def opened_with_older(open_site: OpenSite) -> Opened:
    client = FakeClient(site.harbour())
    client.older = older()
    return await open_site(site.harbour(), client=client)


@pytest.mark.usefixtures("quick")
async def test_older_entries_come_as_one_scrolls(open_site: OpenSite) -> None:
    opened = await opened_with_older(open_site)
    log = opened.window.log
    resets = QSignalSpy(log._model.modelReset)
    await until(lambda: log._model.rowCount() >= 100, "the first page")
    for _ in range(20):
        await turn()
    assert log._model.rowCount() < OLD, "what nobody looks for is not fetched"
    assert log._count.text() == f"{log._model.rowCount()} of {OLD + 34} entries"
    assert log._model.lines[0].number == 34, "what is live stays on top"
    while log._model.rowCount() < OLD + 34:
        before = log._model.rowCount()
        log.view.scrollToBottom()
        await until(lambda before=before: log._model.rowCount() > before, "the next page")
    assert log._count.text() == f"{OLD + 34} entries"
    assert resets.count() == 0
    live = opened.store.state.failovers[log._model.lines[0].id]
    opened.client.tell(failovers=(msgspec.structs.replace(live, note="told live"),))
    await until(lambda: opened.store.state.failovers[live.id].note == "told live", "a change of a live entry")
    assert resets.count() == 0


@pytest.mark.usefixtures("quick")
async def test_filters_and_orders_are_asked_of_the_coordinator(open_site: OpenSite) -> None:
    opened = await opened_with_older(open_site)
    log = opened.window.log
    log.severity.setCurrentIndex(1)
    log._narrowed()
    await until(lambda: not opened.store.state.log.more, "all errors")
    assert {line.tone.value for line in log._model.lines} == {"bad"}
    assert log._count.text().endswith("found")
    log.span.setCurrentIndex(1)
    log._narrowed()
    await until(lambda: not opened.store.state.log.more, "errors of a day")
    log.severity.setCurrentIndex(0)
    log.span.setCurrentIndex(0)
    log._narrowed()
    log.view.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    await until(lambda: opened.store.state.log.next not in (None, ""), "the worst gaps")
    query = opened.store.state.log.query
    assert (query.sort, query.descending, query.narrow) == (LogColumn.GAP, True, False)
    gaps = [line.gap_ms for line in log._model.lines]
    assert gaps == sorted(gaps, reverse=True)


@pytest.mark.usefixtures("quick")
async def test_an_older_entry_is_selected_opened_and_written_on(open_site: OpenSite) -> None:
    opened = await opened_with_older(open_site)
    opened.client.older[0] = msgspec.structs.replace(opened.client.older[0], to_do=("Install the plug-in & test.",), note="walrus")
    log = opened.window.log
    QTest.keyClicks(log.filter, "walrus")
    await until(lambda: log._model.rowCount() == 1, "the entry")
    log.view.selectRow(0)
    log.view.setFocus()
    QTest.keyClick(log.view, Qt.Key.Key_Return)
    await turn()
    dialog = opened.window.dialogs.opened
    assert dialog is not None
    remarks = dialog.remarks
    assert [box.accessibleName() for box in remarks.boxes] == ["Install the plug-in & test."]
    remarks.boxes[0].click()
    await until(lambda: bool(opened.client.requests), "the tick")
    key = opened.client.older[0].id
    assert opened.client.requests[-1] == TickToDo(failover=key, item=0, done=True)
    assert not remarks.boxes[0].isChecked(), "it is done when the coordinator says so"
    assert not remarks.button.isEnabled()
    QTest.keyClicks(remarks.edit, "Lightning")
    QTest.keyClick(remarks.edit, Qt.Key.Key_Return)
    await until(lambda: remarks.edit.text() == "", "the comment")
    assert opened.client.requests[-1] == CommentEntry(failover=key, text="Lightning")


async def test_a_role_without_the_right_is_told_why_it_may_not_write(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), client=FakeClient(site.harbour(), Actor(name="olga", role=RoleName.MONITORING)))
    opened.window.dialogs.details()
    await turn()
    remarks = opened.window.dialogs.opened.remarks
    assert not remarks.edit.isEnabled()
    assert "may not" in remarks.edit.toolTip()
    assert all(not box.isEnabled() for box in remarks.boxes)


@pytest.mark.usefixtures("quick")
async def test_trouble_with_old_entries_is_said_and_live_ones_are_shown(open_site: OpenSite) -> None:
    client = FakeClient(site.harbour())
    opened = await open_site(site.harbour(), client=client)
    client.error = "The coordinator does not answer."
    opened.store.dispatch(LogFiltered("ta"))
    await until(lambda: bool(opened.store.state.log.trouble), "the trouble")
    log = opened.window.log
    assert log._count.text() == "older entries cannot be had"
    assert log._count.toolTip() == "The coordinator does not answer."
    assert log._model.rowCount() > 0


@pytest.mark.usefixtures("quick")
async def test_the_audit_log_is_read_page_by_page_and_kept_up_to_date(open_site: OpenSite) -> None:
    client = FakeClient(site.harbour())
    client.audit = lines(250)
    opened = await open_site(site.harbour(), client=client)
    audit = opened.window.audit
    tester = QAbstractItemModelTester(audit._model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    assert audit._model.rowCount() == 0, "nobody looks at it"
    opened.window.audit_dock.show()
    opened.window.audit_dock.raise_()
    await until(lambda: audit._model.rowCount() >= 100, "the first page")
    while audit._model.rowCount() < 250:
        before = audit._model.rowCount()
        audit.view.scrollToBottom()
        await until(lambda before=before: audit._model.rowCount() > before, "the next page")
    texts = [audit._model.index(0, column).data() for column in range(7)]
    assert texts[1:] == ["anna", "Operator", "hold failover", "TA-REC-01", "done 2 times", "Sentence 250."]
    client.audit = lines(251)
    await opened.window.pager._bring_lines(opened.store.state, "")
    await until(lambda: audit._model.rowCount() == 251, "the newest line")
    assert audit._model.index(0, 6).data() == "Sentence 251."
    QTest.keyClicks(audit.filter, "anna")
    await until(lambda: opened.store.state.audit.search == "anna" and bool(opened.store.state.audit.lines), "the search")
    del tester


@pytest.mark.usefixtures("quick")
async def test_the_log_is_written_into_a_table_for_other_programs(open_site: OpenSite, tmp_path: Path) -> None:
    opened = await opened_with_older(open_site)
    file = tmp_path / "log.csv"
    opened.window.export_to(str(file))
    await until(file.exists, "the file")
    rows = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == OLD + 34 + 1
    outcome = await operations.export_log(opened.client, opened.store, tmp_path / "none" / "log.csv", site.NOW_MS)
    assert not outcome.done
    assert "choose another one" in outcome.sentence
    opened.client.error = "Nobody answers."
    assert (await operations.export_log(opened.client, opened.store, file, site.NOW_MS)).sentence == "Nobody answers."
    assert len(file.read_text(encoding="utf-8-sig").splitlines()) == OLD + 34 + 1, "what was there stays"
    await asyncio.sleep(0)


async def test_the_role_gives_way_to_what_was_said(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.client.audit = lines(3)
    opened.window.audit_dock.show()
    opened.window.audit_dock.raise_()
    view = opened.window.audit.view
    await until(lambda: view.model().rowCount() == 3, "the lines")
    for width, hidden in ((1024, True), (1440, False), (1024, True)):
        opened.window.resize(width, 900)
        await turn()
        assert view.isColumnHidden(2) is hidden
        assert view.columnWidth(6) >= 320
    assert view.model().index(0, 1).data(Qt.ItemDataRole.ToolTipRole) == "anna, Operator"
