"""Models: they become equal to what they are shown, row by row, never by reset; Qt's model tester watches each of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QAbstractItemModel, QItemSelectionModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester, QSignalSpy
from PySide6.QtWidgets import QApplication

from sysmanager.domain.failover import FAILBACK_STEPS, FAILOVER_STEPS, Phase
from sysmanager.domain.ids import FailoverId
from sysmanager.ui.models import columns
from sysmanager.ui.models.table import DOT_ROLE, KEY_ROLE, PROGRESS_ROLE, TONE_ROLE, Column, LineTableModel
from sysmanager.ui.models.tree import NODE_ROLE, ServerTreeModel
from sysmanager.ui.state.events import SnapshotArrived
from sysmanager.ui.state.log import LogBuilder
from sysmanager.ui.state.look import Symbol
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.reducer import reduce
from sysmanager.ui.state.texts import cameras_text
from sysmanager.ui.state.tree import TreeBuilder, TreeNode
from tests.ui import site
from tests.ui.situations import entry


class Line(msgspec.Struct, frozen=True):
    key: str
    text: str


COLUMNS = (Column[Line](title="Key", text=lambda line: line.key), Column[Line](title="Text", text=lambda line: line.text, right=True))


def watched(model: QAbstractItemModel) -> QAbstractItemModelTester:
    return QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)


@pytest.fixture
def table(qapp: QApplication) -> LineTableModel[Line]:
    return LineTableModel(COLUMNS, key=lambda line: line.key)


def lines(text: str) -> tuple[Line, ...]:
    """``"a b c"``: one line for each word; ``a1`` is the line a with the text 1."""
    return tuple(Line(word[0], word[1:]) for word in text.split())


def shown(model: LineTableModel[Line]) -> str:
    return " ".join(str(model.index(row, 0).data()) + str(model.index(row, 1).data()) for row in range(model.rowCount()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "a b c"),
        ("a b c", ""),
        ("a b c", "a c"),
        ("a c", "a b c"),
        ("a b c", "c b a"),
        ("a b c d", "d x a y"),
        ("a1 b1", "a1 b2"),
        ("a b", "x y"),
    ],
)
def test_a_table_becomes_what_it_is_shown(table: LineTableModel[Line], before: str, after: str) -> None:
    tester = watched(table)
    resets = QSignalSpy(table.modelReset)
    table.show(lines(before))
    assert shown(table) == before
    table.show(lines(after))
    assert shown(table) == after
    assert table.lines == lines(after)
    assert resets.count() == 0
    del tester


def test_any_list_becomes_any_other(table: LineTableModel[Line]) -> None:
    tester = watched(table)
    draw = random.Random(7)
    for _ in range(200):
        wanted = tuple(Line(key, str(draw.randrange(3))) for key in draw.sample("abcdefgh", draw.randrange(9)))
        table.show(wanted)
        assert table.lines == wanted
    del tester


def test_only_what_changed_is_announced(table: LineTableModel[Line]) -> None:
    table.show(lines("a1 b1 c1 d1 e1"))
    changes, inserts, removals = QSignalSpy(table.dataChanged), QSignalSpy(table.rowsInserted), QSignalSpy(table.rowsRemoved)
    table.show(lines("a1 b2 c2 d1 e2"))
    assert [(change[0].row(), change[1].row()) for change in (changes.at(place) for place in range(changes.count()))] == [(1, 2), (4, 4)]
    table.show(lines("a1 b2 c2 d1 e2"))
    assert changes.count() == 2
    assert inserts.count() == removals.count() == 0


def test_selection_and_persistent_indexes_follow_their_line(table: LineTableModel[Line]) -> None:
    table.show(lines("a b c"))
    index = QPersistentModelIndex(table.index(1, 0))
    selection = QItemSelectionModel(table)
    selection.select(table.index(1, 0), QItemSelectionModel.SelectionFlag.Select)
    table.show(lines("x c b"))
    assert index.data() == "b"
    assert [one.data() for one in selection.selectedIndexes()] == ["b"]


def test_a_column_sorts_and_keeps_sorting(table: LineTableModel[Line]) -> None:
    tester = watched(table)
    table.show(lines("a2 b3 c1"))
    table.sort(1, Qt.SortOrder.DescendingOrder)
    assert shown(table) == "b3 a2 c1"
    table.show(lines("a2 b3 c1 d9"))
    assert shown(table) == "d9 b3 a2 c1"
    table.sort(-1)
    assert shown(table) == "a2 b3 c1 d9"
    del tester


def test_rows_are_found_by_key(table: LineTableModel[Line]) -> None:
    table.show(lines("a b"))
    assert (table.row_of("b"), table.row_of("z")) == (1, -1)
    assert table.line_at(0) == Line("a", "")
    assert table.line_at(9) is None
    assert table.index(1, 0).data(KEY_ROLE) == "b"


def test_heads_and_alignment(table: LineTableModel[Line]) -> None:
    head = table.headerData(1, Qt.Orientation.Horizontal)
    assert head == "Text"
    assert table.headerData(9, Qt.Orientation.Horizontal) is None
    assert table.headerData(0, Qt.Orientation.Vertical) is None
    assert table.headerData(1, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole) & Qt.AlignmentFlag.AlignRight


def harbour() -> UiState:
    return reduce(UiState(actor=site.ADMIN), SnapshotArrived(site.harbour()))


def test_every_table_of_the_interface_shows_every_cell(qapp: QApplication) -> None:
    state = harbour()
    failovers = tuple(state.failovers.values())
    tables: list[tuple[Sequence[Column[Any]], Sequence[object]]] = [
        (columns.LOG_COLUMNS, list(LogBuilder().build(state, site.NOW_MS))),
        (columns.CAMERA_COLUMNS, list(state.recorders[site.rid("TA-REC-03")].cameras)),
        (columns.DISK_COLUMNS, [columns.DiskLine(disk=disk) for disk in site.disks(1)]),
        (columns.STEP_COLUMNS, list(columns.step_lines(FAILOVER_STEPS, site.steps(3), columns.StepsPhase.RUNNING))),
        (columns.CANDIDATE_COLUMNS, list(columns.candidate_lines(failovers[-1].verdicts, failovers[-1], state))),
        (columns.MOVED_COLUMNS, list(columns.moved_lines(failovers[-2], state))),
    ]
    for wanted, its_lines in tables:
        model: LineTableModel[Any] = LineTableModel(wanted, key=id)
        tester = watched(model)
        model.show(its_lines)
        assert model.rowCount() == len(its_lines) > 0
        for row in range(model.rowCount()):
            for column in range(model.columnCount()):
                index = model.index(row, column)
                assert isinstance(index.data(), str)
                for role in (TONE_ROLE, PROGRESS_ROLE, DOT_ROLE, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.TextAlignmentRole):
                    index.data(role)
        for column in range(model.columnCount()):
            model.sort(column)
        del tester


def test_steps_that_were_done_twice_stand_in_time() -> None:
    records = (*site.steps(4), *site.steps(3, attempt=2, start=2))
    told = columns.step_lines(FAILOVER_STEPS, records, columns.StepsPhase.RUNNING)
    assert [line.number for line in told] == [1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 8]
    assert [line.number for line in told if line.running] == [4]
    assert len({line.key for line in told}) == len(told)
    state_of = columns.STEP_COLUMNS[2].text
    assert [state_of(line) for line in told[5:8]] == ["done", "running", "to come"]
    ended = columns.step_lines(FAILBACK_STEPS, site.steps(2), columns.StepsPhase.ENDED)
    assert [state_of(line) for line in ended[1:4]] == ["done", "not done", "not done"]


def test_a_step_after_a_restart_of_the_coordinator_says_so() -> None:
    record = msgspec.structs.replace(site.steps(1)[0], duration_ms=-1)
    line = columns.step_lines(FAILOVER_STEPS, (record,), columns.StepsPhase.ENDED)[0]
    took = columns.STEP_COLUMNS[4]
    assert took.text(line) == "restart"
    assert took.tip is not None
    assert "started again" in took.tip(line)


def test_candidates_say_how_their_attempt_ended() -> None:
    state = harbour()
    running = state.failovers[FailoverId("F00034")]
    outcomes = {line.name: line.outcome for line in columns.candidate_lines(running.verdicts, running, state)}
    assert outcomes == {"TB-FO-01": "refused: It has no disk G:.", "TB-FO-02": "being tried"}
    ready = state.failovers[FailoverId("F00033")]
    assert [line.outcome for line in columns.candidate_lines(ready.verdicts, ready, state)] == [
        "taken",
        "could be taken",
        "cannot be taken",
    ]
    assert next(line.outcome for line in columns.candidate_lines(ready.verdicts, None, state)) == "would be taken"


def test_how_many_cameras_moved_is_none_before_the_commit_point() -> None:
    told = {phase: cameras_text(entry(phase)) for phase in Phase}
    everybody = told[Phase.READY]
    moved, of_all = everybody.split(" / ")
    assert int(moved) > 0
    early = {phase for phase in Phase if phase.before_commit} | {Phase.FAILED, Phase.CANCELLED}
    assert {phase for phase, text in told.items() if text == f"0 / {of_all}"} == early
    assert {text for phase, text in told.items() if phase not in early} == {everybody}


def test_cameras_that_stay_come_first_and_dark_ones_are_named() -> None:
    state = harbour()
    ready = state.failovers[FailoverId("F00033")]
    told = columns.moved_lines(ready, state)
    assert not told[0].moved
    assert told[1].name == "Berth 01 west"
    assert columns.moved_lines(entry(Phase.FETCHED), state)[0].sentence == "will move"
    for phase in (Phase.FAILED, Phase.CANCELLED):
        assert all(not line.moved for line in columns.moved_lines(entry(phase), state))
        assert columns.moved_lines(entry(phase), state)[-1].sentence == "the failover ended before it moved"


def node(text: str, *children: TreeNode) -> TreeNode:
    return TreeNode(key=text[0], text=text, symbol=Symbol.GROUP, children=children)


def outline(model: ServerTreeModel, parent: QModelIndex | None = None) -> str:
    parent = parent if parent is not None else QModelIndex()
    parts = []
    for row in range(model.rowCount(parent)):
        index = model.index(row, 0, parent)
        assert model.parent(index) == parent
        below = outline(model, index)
        parts.append(index.data() + (f"({below})" if below else ""))
    return " ".join(parts)


def test_a_tree_becomes_what_it_is_shown(qapp: QApplication) -> None:
    model = ServerTreeModel()
    tester = watched(model)
    resets = QSignalSpy(model.modelReset)
    for nodes, expected in (
        ((), ""),
        ((node("a", node("b"), node("c")),), "a(b c)"),
        ((node("a", node("c"), node("b", node("d"))),), "a(c b(d))"),
        ((node("a2", node("b", node("e"), node("d2"))), node("f")), "a2(b(e d2)) f"),
        ((node("f"), node("a2")), "f a2"),
        ((), ""),
    ):
        model.show(nodes)
        assert outline(model) == expected
    assert resets.count() == 0
    del tester


def test_any_tree_becomes_any_other(qapp: QApplication) -> None:
    model = ServerTreeModel()
    tester = watched(model)
    draw = random.Random(3)

    def grown(depth: int) -> tuple[TreeNode, ...]:
        keys = draw.sample("abcd", draw.randrange(5))
        return tuple(node(key + str(draw.randrange(2)), *(grown(depth - 1) if depth else ())) for key in keys)

    def words(nodes: tuple[TreeNode, ...]) -> str:
        return " ".join(one.text + (f"({words(one.children)})" if one.children else "") for one in nodes)

    for _ in range(120):
        wanted = grown(2)
        model.show(wanted)
        assert outline(model) == words(wanted)
    del tester


def test_servers_are_found_wherever_they_move(qapp: QApplication) -> None:
    model, builder, state = ServerTreeModel(), TreeBuilder(), harbour()
    tester = watched(model)
    model.show(builder.build(state))
    silent = model.index_of(site.rid("TA-REC-03"))
    assert silent.data() == "TA-REC-03"
    assert isinstance(silent.data(NODE_ROLE), TreeNode)
    assert silent.data(Qt.ItemDataRole.AccessibleTextRole) == "TA-REC-03: silent · fails over in 0:14"
    assert model.parent(silent).data() == "Group  Terminal A"
    row = msgspec.structs.replace(state.recorders[site.rid("TA-REC-03")], group=site.B)
    model.show(builder.build(msgspec.structs.replace(state, recorders={**state.recorders, row.id: row})))
    assert model.parent(model.index_of(row.id)).data() == "Group  Terminal B"
    model.show(())
    assert not model.index_of(row.id).isValid()
    del tester


def test_only_changed_lines_of_the_tree_are_announced(qapp: QApplication) -> None:
    model, builder, state = ServerTreeModel(), TreeBuilder(), harbour()
    model.show(builder.build(state))
    changes = QSignalSpy(model.dataChanged)
    row = msgspec.structs.replace(state.recorders[site.rid("TA-REC-03")], countdown_ms=12_000)
    model.show(builder.build(msgspec.structs.replace(state, recorders={**state.recorders, row.id: row})))
    assert [changes.at(place)[0].data() for place in range(changes.count())] == ["TA-REC-03"]
