"""A table of frozen lines that follows a changing list of them, row by row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sysmanager.ui.state.model import Tone

LineT = TypeVar("LineT")
Index = QModelIndex | QPersistentModelIndex

TONE_ROLE = Qt.ItemDataRole.UserRole + 1
"""The `Tone` of a cell, or None."""
PROGRESS_ROLE = Qt.ItemDataRole.UserRole + 2
"""A share from 0 to 1, or None."""
DOT_ROLE = Qt.ItemDataRole.UserRole + 3
"""Whether the cell begins with a dot in its tone."""
KEY_ROLE = Qt.ItemDataRole.UserRole + 4
"""What the row stands for."""


def _no_tone(line: Any) -> Tone | None:
    return None


def _no_progress(line: Any) -> float | None:
    return None


class Column(msgspec.Struct, Generic[LineT], frozen=True, kw_only=True):
    """How one column shows a line.

    sort: what the column sorts by, None: by its text. right: aligned to the right. dot: a dot in the tone before the text.
    """

    title: str
    text: Callable[[LineT], str]
    tip: Callable[[LineT], str] | None = None
    tone: Callable[[LineT], Tone | None] = _no_tone
    progress: Callable[[LineT], float | None] = _no_progress
    sort: Callable[[LineT], Any] | None = None
    right: bool = False
    dot: bool = False


class LineTableModel(QAbstractTableModel, Generic[LineT]):
    """Lines of one type in columns. `key` tells lines apart; `show` makes the table equal to a list, by the fewest row changes."""

    def __init__(self, columns: Sequence[Column[LineT]], key: Callable[[LineT], Hashable], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._columns = tuple(columns)
        self._key = key
        self._lines: list[LineT] = []
        self._keys: list[Hashable] = []
        self._given: tuple[LineT, ...] = ()
        self._sort: tuple[int, Qt.SortOrder] | None = None

    @property
    def lines(self) -> tuple[LineT, ...]:
        """What is shown, from top to bottom."""
        return tuple(self._lines)

    def show(self, lines: Sequence[LineT]) -> None:
        """Show these lines, in this order unless a column sorts them. Keys must be distinct."""
        if lines is self._given:
            return
        self._given = tuple(lines)
        self._become(self._sorted(self._given))

    def line_at(self, row: int) -> LineT | None:
        return self._lines[row] if 0 <= row < len(self._lines) else None

    def row_of(self, key: Hashable) -> int:
        """The row with this key, -1 if there is none."""
        return self._keys.index(key) if key in self._keys else -1

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1: as given."""
        self._sort = (column, order) if 0 <= column < len(self._columns) else None
        self._become(self._sorted(self._given))

    def _sorted(self, lines: tuple[LineT, ...]) -> list[LineT]:
        if self._sort is None:
            return list(lines)
        number, order = self._sort
        column = self._columns[number]
        return sorted(lines, key=column.sort or column.text, reverse=order is Qt.SortOrder.DescendingOrder)

    def _become(self, lines: list[LineT]) -> None:
        keys = [self._key(line) for line in lines]
        self._remove_gone(set(keys))
        present = set(self._keys)
        changed: list[int] = []
        row = 0
        while row < len(lines):
            key = keys[row]
            if row < len(self._keys) and self._keys[row] == key:
                if self._lines[row] is not lines[row]:
                    if self._lines[row] != lines[row]:
                        changed.append(row)
                    self._lines[row] = lines[row]
                row += 1
            elif key in present:
                self._move_up(self._keys.index(key, row), row)
            else:
                end = row + 1
                while end < len(lines) and keys[end] not in present:
                    end += 1
                self._insert(row, lines[row:end], keys[row:end])
                row = end
        self._announce(changed)

    def _remove_gone(self, wanted: set[Hashable]) -> None:
        last = len(self._keys) - 1
        while last >= 0:
            if self._keys[last] in wanted:
                last -= 1
                continue
            first = last
            while first > 0 and self._keys[first - 1] not in wanted:
                first -= 1
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._lines[first : last + 1]
            del self._keys[first : last + 1]
            self.endRemoveRows()
            last = first - 1

    def _insert(self, row: int, lines: list[LineT], keys: list[Hashable]) -> None:
        self.beginInsertRows(QModelIndex(), row, row + len(lines) - 1)
        self._lines[row:row] = lines
        self._keys[row:row] = keys
        self.endInsertRows()

    def _move_up(self, source: int, target: int) -> None:
        self.beginMoveRows(QModelIndex(), source, source, QModelIndex(), target)
        self._lines.insert(target, self._lines.pop(source))
        self._keys.insert(target, self._keys.pop(source))
        self.endMoveRows()

    def _announce(self, rows: list[int]) -> None:
        last_column = len(self._columns) - 1
        start = 0
        for place in range(1, len(rows) + 1):
            if place == len(rows) or rows[place] != rows[place - 1] + 1:
                self.dataChanged.emit(self.index(rows[start], 0), self.index(rows[place - 1], last_column))
                start = place

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self._columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(self._columns[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        line, column = self._lines[index.row()], self._columns[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return column.text(line)
            case Qt.ItemDataRole.ToolTipRole:
                return column.tip(line) if column.tip is not None else column.text(line)
            case Qt.ItemDataRole.TextAlignmentRole:
                return self._alignment(column)
            case _ if role == TONE_ROLE:
                return column.tone(line)
            case _ if role == PROGRESS_ROLE:
                return column.progress(line)
            case _ if role == DOT_ROLE:
                return column.dot
            case _ if role == KEY_ROLE:
                return self._keys[index.row()]
            case _:
                return None

    @staticmethod
    def _alignment(column: Column[LineT]) -> Qt.AlignmentFlag:
        return Qt.AlignmentFlag.AlignVCenter | (Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft)
