"""The server tree at the left."""

from __future__ import annotations

from PySide6.QtCore import QItemSelection, QModelIndex, QPoint, Qt
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTreeView, QWidget

from sysmanager.ui.models.tree import ServerTreeModel
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import PlaceSelected
from sysmanager.ui.state.model import Place, UiState
from sysmanager.ui.state.tree import TreeBuilder
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.delegates import TreeDelegate

MENU: tuple[Action, ...] = (
    Action.START_FAILOVER,
    Action.PREVIEW,
    Action.DRILL,
    Action.SWITCH,
    Action.FAILBACK,
    Action.ABORT,
    Action.HOLD,
    Action.RELEASE,
    Action.HOLD_FAILBACK,
    Action.ACKNOWLEDGE,
    Action.RELEASE_CAMERA,
    Action.ADOPT,
    Action.MAINTENANCE,
    Action.END_MAINTENANCE,
    Action.REMOVE_SERVER,
)


class ServerTree(QTreeView):
    """Shows the tree; what is selected in it is an event, what is selected in the state is shown."""

    def __init__(self, context: Context, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._actions = actions
        self._builder = TreeBuilder()
        self._model = ServerTreeModel(self)
        self._following = False
        self.setModel(self._model)
        self.setItemDelegate(TreeDelegate(context.theme, context.icons, self))
        self.setAccessibleName("Servers")
        self.setHeaderHidden(True)
        self.setIndentation(16)
        self.setUniformRowHeights(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)
        self._model.rowsInserted.connect(self._unfold)
        context.theme.changed.connect(self.viewport().update)

    def render_state(self, state: UiState) -> None:
        """Follow the rows and the selection."""
        self._following = True
        self._model.show(self._builder.build(state))
        self._follow_selection(state)
        self._following = False

    def _follow_selection(self, state: UiState) -> None:
        if state.place is not Place.SERVER or state.selected is None:
            node = self._model.node_at(self.currentIndex())
            if state.place is Place.SITE and (node is None or node.recorder is not None):
                self.setCurrentIndex(self._model.index(0, 0))
            return
        index = self._model.index_of(state.selected)
        if index.isValid() and self.currentIndex() != index:
            self.setCurrentIndex(index)
            self.scrollTo(index)

    def _unfold(self, parent: QModelIndex, first: int, last: int) -> None:
        """New branches are open; those that a person closed stay as they are."""
        if parent.isValid() and self._model.rowCount(parent) == last - first + 1:
            self.setExpanded(parent, True)
        for row in range(first, last + 1):
            index = self._model.index(row, 0, parent)
            if self._model.rowCount(index):
                self.expandRecursively(index)

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        super().selectionChanged(selected, deselected)
        if self._following or not selected.indexes():
            return
        node = self._model.node_at(selected.indexes()[0])
        if node is None:
            return
        place = Place.SERVER if node.recorder is not None else Place.SITE
        self._context.store.dispatch(PlaceSelected(place, node.recorder))

    def _open_menu(self, at: QPoint) -> None:
        node = self._model.node_at(self.indexAt(at))
        if node is None or node.recorder is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        menu.addActions([self._actions[action] for action in MENU])
        menu.popup(self.viewport().mapToGlobal(at))
