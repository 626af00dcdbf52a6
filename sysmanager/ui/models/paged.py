"""A table whose lines come in pages: it asks for more when its end is reached, and never begins anew."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, Qt, Signal

from sysmanager.ui.models.table import Column, Index, LineTableModel


class PagedTableModel(LineTableModel[Any]):
    """Lines that are there, in the order of the coordinator's answer and of what is live.

    wanted: somebody has come to the end, and more may be had. sorted_by: a person chose a column; the question changes, and with it the
    lines.
    """

    wanted = Signal()
    sorted_by = Signal(int, bool)

    def __init__(self, columns: Sequence[Column[Any]], key: Any, parent: QObject | None = None) -> None:
        super().__init__(columns, key, parent)
        self._more = False
        self._asked: Hashable = self

    def show_page(self, lines: Sequence[Any], *, more: bool, asked: Hashable) -> None:
        """Show these lines. more: whether others can be had. asked: stays the same until another page has come."""
        if asked != self._asked:
            self._asked = asked
            self._more = more
        elif not more:
            self._more = False
        self.show(lines)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        super().sort(column, order)
        if column >= 0:
            self.sorted_by.emit(column, order is Qt.SortOrder.DescendingOrder)

    def canFetchMore(self, parent: Index = QModelIndex()) -> bool:  # noqa: B008 - Qt's signature
        return not parent.isValid() and self._more

    def fetchMore(self, parent: Index = QModelIndex()) -> None:  # noqa: B008 - Qt's signature
        if self.canFetchMore(parent):
            # Once for each page: until it has come there is nothing more to ask for.
            self._more = False
            self.wanted.emit()
