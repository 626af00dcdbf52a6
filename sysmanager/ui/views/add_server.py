"""Taking a server into system data."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from sysmanager.api import UnknownServer
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.recorder import DEFAULT_DETECTION_TIMEOUT_S, RecorderEdit, Role
from sysmanager.ui.icons import Glyph
from sysmanager.ui.state.conditions import Action, condition
from sysmanager.ui.state.forms import problem_with, problem_with_id
from sysmanager.ui.state.model import UiState
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.general_form import GeneralFields
from sysmanager.ui.views.pages import announced_text
from sysmanager.ui.views.parts import ActionButton, fit, form_rows, heading, keep_primary_icon, muted, work_with, wrapped


class AddServerDialog(QDialog):
    """Choose a server that announces itself, or type an id; give it name, role and group."""

    def __init__(self, context: Context, actions: Actions, chosen: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Add server")
        fit(self, 560, 620)
        self._context = context
        self._unknown: tuple[UnknownServer, ...] | None = None
        self._state: UiState | None = None
        self._named_by_hand = False
        self._grouped_by_hand = False
        self.list = QListWidget()
        self.list.setAccessibleName("Servers that announce themselves")
        self.list.setMaximumHeight(150)
        self.id = QLineEdit(chosen)
        self.id.setPlaceholderText("The id under which the server announces itself")
        self.edit = GeneralFields()
        self.edit.show_fields(
            RecorderEdit(
                name=chosen,
                address="",
                role=Role.STANDARD,
                group=None,
                failover_enabled=True,
                detection_timeout_s=DEFAULT_DETECTION_TIMEOUT_S,
            )
        )
        self._problem = wrapped()
        self._problem.setMinimumHeight(36)
        self._problem.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(heading("Add a VMS server", 1.4))
        layout.addWidget(muted("Servers that announce themselves:"))
        layout.addWidget(self.list)
        layout.addLayout(self._form(actions))
        layout.addWidget(self._problem)
        layout.addStretch(1)
        layout.addLayout(self._buttons())
        self.list.itemSelectionChanged.connect(self._take_announced)
        self.id.textEdited.connect(self._id_typed)
        self.edit.name.textEdited.connect(self._name_typed)
        self.edit.group.activated.connect(self._group_chosen)
        self.edit.role.activated.connect(self._check)
        self.edit.address.textEdited.connect(self._check)
        self.list.setFocus()
        self.render_state(context.store.state)
        self._choose(chosen)

    def _form(self, actions: Actions) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(18)
        form.setVerticalSpacing(9)
        group = QWidget()
        row = QHBoxLayout(group)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.edit.group, 1)
        row.addWidget(ActionButton(actions[Action.EDIT_GROUPS]))
        form_rows(
            form,
            (
                ("&Id", self.id, self.id),
                ("&Name", self.edit.name, self.edit.name),
                ("A&ddress", self.edit.address, self.edit.address),
                ("R&ole", self.edit.role, self.edit.role),
                ("Failover g&roup", group, self.edit.group),
                ("Failover", self.edit.enabled, self.edit.enabled),
                ("Disconnected f&or", self.edit.timeout, self.edit.timeout),
            ),
        )
        return form

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        self.add = QPushButton("Add server")
        self.add.setProperty("primary", True)
        self.add.setDefault(True)
        keep_primary_icon(self._context, self.add, Glyph.ADD_SERVER)
        self.add.clicked.connect(lambda: work_with(self._context, self, self._send()))
        cancel = QPushButton("Cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        row.addWidget(self.add)
        row.addWidget(cancel)
        return row

    def render_state(self, state: UiState) -> None:
        """Follow who announces itself, the groups and the rights."""
        self._state = state
        self.edit.show_groups(state.groups.values())
        if not self._grouped_by_hand and self.edit.group.currentData() is None and len(state.groups) == 1:
            self.edit.group.setCurrentIndex(1)
        unknown = state.system.unknown if state.system is not None else ()
        if unknown != self._unknown:
            self._unknown = unknown
            self._fill(unknown)
        self._check()

    def _fill(self, unknown: tuple[UnknownServer, ...]) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for server in unknown:
            item = QListWidgetItem(f"{server.id}    {announced_text(server)}")
            item.setData(Qt.ItemDataRole.UserRole, server.id)
            self.list.addItem(item)
            item.setSelected(server.id == self.id.text())
        if not unknown:
            nobody = QListWidgetItem("No server announces itself now. You may type the id of one that will.")
            nobody.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(nobody)
        self.list.blockSignals(False)

    def _take_announced(self) -> None:
        items = self.list.selectedItems()
        if items:
            self._choose(str(items[0].data(Qt.ItemDataRole.UserRole)))

    def _choose(self, recorder: str) -> None:
        """Fill in what is known of a server that announces itself."""
        known = next((server for server in self._unknown or () if server.id == recorder), None)
        self.id.setText(recorder)
        if not self._named_by_hand:
            self.edit.name.setText(recorder)
        if known is not None:
            self.edit.role.setCurrentIndex(self.edit.role.findData(Role.FAILOVER if known.standby else Role.STANDARD))
        self._check()

    def _id_typed(self, text: str) -> None:
        if not self._named_by_hand:
            self.edit.name.setText(text)
        self._check()

    def _name_typed(self) -> None:
        self._named_by_hand = True
        self._check()

    def _group_chosen(self) -> None:
        self._grouped_by_hand = True
        self._check()

    def _check(self) -> None:
        if self._state is None:
            return
        allowed = condition(Action.ADD_SERVER, self._state)
        problem = allowed.reason or problem_with_id(self.id.text(), self._state) or problem_with(self.edit.fields(), self._state, own=None)
        self._problem.setText(problem or "")
        self.add.setEnabled(problem is None)
        self.add.setToolTip(problem or "")

    async def _send(self) -> None:
        self.add.setEnabled(False)
        command = self._context.operations.add_server(RecorderId(self.id.text()), self.edit.fields())
        outcome = await asyncio.shield(self._context.tasks.start(command))
        if outcome.done:
            self.accept()
            return
        self._check()
        self._problem.setText(outcome.sentence)
