"""The server tree as a Qt model: `show` makes it equal to the nodes of `ui.state.tree`, by the fewest row changes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sysmanager.domain.ids import RecorderId
from sysmanager.ui.models.table import TONE_ROLE
from sysmanager.ui.state.look import Symbol
from sysmanager.ui.state.tree import TreeNode

Index = QModelIndex | QPersistentModelIndex

NODE_ROLE = Qt.ItemDataRole.UserRole + 16
"""The `TreeNode` itself."""


class _Item:
    """A node in its place. `number` names it towards Qt, which must not hold pointers to Python objects."""

    def __init__(self, number: int, node: TreeNode, parent: _Item | None) -> None:
        self.number = number
        self.node = node
        self.parent = parent
        self.children: list[_Item] = []

    @property
    def row(self) -> int:
        return self.parent.children.index(self) if self.parent is not None else 0


class ServerTreeModel(QAbstractItemModel):
    """One column; `NODE_ROLE` holds the node."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._next = 1
        self._root = _Item(0, TreeNode(key="", text="", symbol=Symbol.SITE), None)
        self._items: dict[int, _Item] = {0: self._root}
        self._servers: dict[RecorderId, _Item] = {}

    def show(self, nodes: tuple[TreeNode, ...]) -> None:
        """Show these nodes and what is below them. Keys must be distinct among brothers."""
        self._become(self._root, nodes)

    def index_of(self, recorder: RecorderId) -> QModelIndex:
        """Where a server is; invalid if it is nowhere."""
        item = self._servers.get(recorder)
        return self._index(item) if item is not None else QModelIndex()

    def node_at(self, index: Index) -> TreeNode | None:
        item = self._item(index)
        return item.node if item is not self._root else None

    def _item(self, index: Index) -> _Item:
        return self._items.get(index.internalId(), self._root) if index.isValid() else self._root

    def _index(self, item: _Item) -> QModelIndex:
        return QModelIndex() if item is self._root else self.createIndex(item.row, 0, item.number)

    def _become(self, parent: _Item, nodes: tuple[TreeNode, ...]) -> None:
        wanted = {node.key for node in nodes}
        for row in range(len(parent.children) - 1, -1, -1):
            if parent.children[row].node.key not in wanted:
                self._remove(parent, row)
        for row, node in enumerate(nodes):
            place = next((at for at in range(row, len(parent.children)) if parent.children[at].node.key == node.key), -1)
            if place < 0:
                self._insert(parent, row, node)
                continue
            if place != row:
                self.beginMoveRows(self._index(parent), place, place, self._index(parent), row)
                parent.children.insert(row, parent.children.pop(place))
                self.endMoveRows()
            self._update(parent.children[row], node)

    def _update(self, item: _Item, node: TreeNode) -> None:
        old = item.node
        if old is node:
            return
        item.node = node
        if _own(old) != _own(node):
            index = self._index(item)
            self.dataChanged.emit(index, index)
        self._become(item, node.children)

    def _insert(self, parent: _Item, row: int, node: TreeNode) -> None:
        self.beginInsertRows(self._index(parent), row, row)
        parent.children.insert(row, self._made(node, parent))
        self.endInsertRows()

    def _made(self, node: TreeNode, parent: _Item) -> _Item:
        item = _Item(self._next, node, parent)
        self._next += 1
        self._items[item.number] = item
        if node.recorder is not None:
            self._servers[node.recorder] = item
        item.children = [self._made(child, item) for child in node.children]
        return item

    def _remove(self, parent: _Item, row: int) -> None:
        self.beginRemoveRows(self._index(parent), row, row)
        self._forget(parent.children.pop(row))
        self.endRemoveRows()

    def _forget(self, item: _Item) -> None:
        del self._items[item.number]
        recorder = item.node.recorder
        if recorder is not None and self._servers.get(recorder) is item:
            del self._servers[recorder]
        for child in item.children:
            self._forget(child)

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's signature
        item = self._item(parent)
        if column != 0 or not 0 <= row < len(item.children):
            return QModelIndex()
        return self.createIndex(row, 0, item.children[row].number)

    def parent(self, index: Index) -> QModelIndex:  # type: ignore[override]  # QObject.parent() of the stubs takes no index
        item = self._item(index)
        return self._index(item.parent) if item.parent is not None else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return len(self._item(parent).children) if parent.column() <= 0 else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self.node_at(index)
        if node is None:
            return None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return node.text
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                text = f"{node.text}: {node.note}" if node.note else node.text
                return f"{text}\n{node.tip}" if node.tip else text
            case _ if role == NODE_ROLE:
                return node
            case _ if role == TONE_ROLE:
                return node.tone
            case _:
                return None


def _own(node: TreeNode) -> tuple[object, ...]:
    """What the line itself shows, without its children."""
    return node.text, node.symbol, node.tone, node.note, node.shorter, node.note_tone, node.strong, node.tip
