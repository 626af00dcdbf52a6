"""Failover groups: add, rename, remove, and the order in which failover servers are taken."""

from __future__ import annotations

import asyncio

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.ui.icons import Glyph
from sysmanager.ui.state.conditions import Action, condition
from sysmanager.ui.state.forms import DESCRIPTION_LIMIT, NAME_LIMIT, new_group_id, problem_with_group, removal_problem
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.texts import natural_key
from sysmanager.ui.state.tree import group_members
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.job_fields import DrillFields
from sysmanager.ui.views.parts import ShortList, fit, heading, icon_button, keep_icon, keep_primary_icon, muted, work_with, wrapped

_NEW = GroupId("")
_PREROLL: tuple[tuple[str, FailoverPriority | None], ...] = (
    ("Off", None),
    ("Cameras of high priority", FailoverPriority.HIGH),
    ("Cameras of high and medium priority", FailoverPriority.MEDIUM),
    ("All cameras that move", FailoverPriority.LOW),
)
PREROLL_TIP = (
    "Failover servers on standby keep the last seconds of these cameras, as far as the cameras allow a second session, "
    "so that they have no gap in a failover."
)


class GroupsDialog(QDialog):
    """Left the groups, right the chosen one. What is changed is sent with Save."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Failover groups")
        fit(self, 760, 520)
        self._context = context
        self._state: UiState | None = None
        self._base: Group | None = None
        self._seen: Group | None = None
        self.list = ShortList("No group yet. Name the first one at the right.")
        self.list.setAccessibleName("Failover groups")
        self.name, self.description = QLineEdit(), QLineEdit()
        self.name.setMaxLength(NAME_LIMIT)
        self.description.setMaxLength(DESCRIPTION_LIMIT)
        self.partial = QCheckBox("Allow a failover that leaves cameras behind when none has room for all")
        self.preroll = QComboBox()
        for text, priority in _PREROLL:
            self.preroll.addItem(text, priority)
        self.preroll.setToolTip(PREROLL_TIP)
        self.drill = DrillFields("Never by itself")
        self.drill.days.setToolTip("Of recorders of the group that have no schedule of their own.")
        self.order = ShortList("No failover server is in this group yet. Add one, or choose this group in its settings.")
        self.order.setAccessibleName("Failover servers in the order in which they are taken")
        self._members, self._problem = wrapped(), wrapped()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(heading("Failover groups", 1.4))
        layout.addWidget(muted("A broken server is replaced by a failover server of its own group."))
        middle = QHBoxLayout()
        middle.setSpacing(18)
        middle.addLayout(self._left(), 2)
        middle.addLayout(self._right(), 3)
        layout.addLayout(middle, 1)
        layout.addWidget(self._problem)
        layout.addLayout(self._buttons())
        self.list.itemSelectionChanged.connect(self._chosen)
        for line in (self.name, self.description):
            line.textEdited.connect(self._check)
        self.partial.clicked.connect(self._check)
        self.preroll.activated.connect(self._check)
        self.drill.days.valueChanged.connect(self._check)
        self.drill.hours.textEdited.connect(self._check)
        self.render_state(context.store.state)
        if self._base is None:
            self._show(self._fresh())

    def _left(self) -> QVBoxLayout:
        left = QVBoxLayout()
        left.addWidget(self.list, 1)
        row = QHBoxLayout()
        self.new, self.remove = QPushButton("&New group"), QPushButton("&Remove")
        keep_icon(self._context, self.new, Glyph.ADD)
        keep_icon(self._context, self.remove, Glyph.REMOVE)
        self.new.clicked.connect(self._start_new)
        self.remove.clicked.connect(lambda: work_with(self._context, self, self._send_removal()))
        for button in (self.new, self.remove):
            button.setAutoDefault(False)
            row.addWidget(button)
        left.addLayout(row)
        return left

    def _right(self) -> QFormLayout:
        form = QFormLayout()
        form.setVerticalSpacing(9)
        form.setHorizontalSpacing(16)
        order = QWidget()
        row = QHBoxLayout(order)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.order, 1)
        arrows = QVBoxLayout()
        self.up = icon_button(self._context, Glyph.UP, "Take this failover server earlier")
        self.down = icon_button(self._context, Glyph.DOWN, "Take this failover server later")
        self.up.clicked.connect(lambda: self._move(-1))
        self.down.clicked.connect(lambda: self._move(1))
        arrows.addWidget(self.up)
        arrows.addWidget(self.down)
        arrows.addStretch(1)
        row.addLayout(arrows)
        for text, field in (
            ("N&ame", self.name),
            ("&Description", self.description),
            ("", self.partial),
            ("&Pre-roll", self.preroll),
            ("Dr&ill", self.drill.days),
            ("Drill hours", self.drill.hours),
            ("Standard servers", self._members),
            ("Failover servers,\nfirst one first", order),
        ):
            label = muted(text)
            label.setBuddy(field)
            if text:
                field.setAccessibleName(text.replace("&", "").replace("\n", " "))
            form.addRow(label, field)
        self.partial.setText("May leave cameras behind when none has room for all")
        return form

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        self.save = QPushButton("&Save group")
        self.save.setProperty("primary", True)
        self.save.setDefault(True)
        keep_primary_icon(self._context, self.save, Glyph.SAVE)
        self.save.clicked.connect(lambda: work_with(self._context, self, self._send()))
        close = QPushButton("Close")
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        row.addWidget(self.save)
        row.addWidget(close)
        return row

    def render_state(self, state: UiState) -> None:
        """Follow the groups; what is being edited stays."""
        untouched = self._base is not None and self._group() == self._base
        self._state = state
        self._fill(state)
        base = self._base
        if base is not None and base.id != _NEW:
            now = state.groups.get(base.id)
            # A group that was just saved may be announced only a moment later.
            if now is None and self._seen is not None:
                self._base = None
            elif now is not None and untouched and (now != self._seen or self._members.text() != self._members_text(now)):
                self._show(now)
        if self._base is None and state.groups:
            self._show(min(state.groups.values(), key=lambda group: natural_key(group.name)))
        self._check()

    def _fill(self, state: UiState) -> None:
        groups = sorted(state.groups.values(), key=lambda group: natural_key(group.name))
        shown = [(self.list.item(row).data(Qt.ItemDataRole.UserRole), self.list.item(row).text()) for row in range(self.list.count())]
        if shown == [(group.id, group.name) for group in groups]:
            return
        self.list.blockSignals(True)
        self.list.clear()
        for group in groups:
            item = QListWidgetItem(group.name)
            item.setData(Qt.ItemDataRole.UserRole, group.id)
            self.list.addItem(item)
            item.setSelected(self._base is not None and group.id == self._base.id)
        self.list.blockSignals(False)

    def _chosen(self) -> None:
        items = self.list.selectedItems()
        if items and self._state is not None:
            group = self._state.groups.get(GroupId(items[0].data(Qt.ItemDataRole.UserRole)))
            if group is not None:
                self._show(group)
                self._check()

    @staticmethod
    def _fresh() -> Group:
        return Group(id=_NEW, name="")

    def _start_new(self) -> None:
        self.list.clearSelection()
        self._show(self._fresh())
        self._check()
        self.name.setFocus()

    def _show(self, group: Group) -> None:
        state = self._context.store.state
        _, failover = group_members(group, state)
        self._seen = state.groups.get(group.id)
        self._base = msgspec.structs.replace(group, preference=tuple(row.id for row in failover))
        self.name.setText(group.name)
        self.description.setText(group.description)
        self.partial.setChecked(group.partial)
        self.preroll.setCurrentIndex(next(place for place, (_, priority) in enumerate(_PREROLL) if priority is group.preroll))
        self.drill.show_schedule(group.drill)
        self._members.setText(self._members_text(group))
        self.order.clear()
        for row in failover:
            item = QListWidgetItem(row.name)
            item.setData(Qt.ItemDataRole.UserRole, row.id)
            self.order.addItem(item)
        for place in range(self.list.count()):
            if self.list.item(place).data(Qt.ItemDataRole.UserRole) == group.id:
                self.list.blockSignals(True)
                self.list.setCurrentRow(place)
                self.list.blockSignals(False)

    def _members_text(self, group: Group) -> str:
        return ", ".join(row.name for row in group_members(group, self._context.store.state)[0]) or "none"

    def _move(self, step: int) -> None:
        row = self.order.currentRow()
        if 0 <= row < self.order.count() and 0 <= row + step < self.order.count():
            self.order.insertItem(row + step, self.order.takeItem(row))
            self.order.setCurrentRow(row + step)
            self._check()

    def _group(self) -> Group:
        base = self._base if self._base is not None else self._fresh()
        preference = tuple(RecorderId(self.order.item(row).data(Qt.ItemDataRole.UserRole)) for row in range(self.order.count()))
        return msgspec.structs.replace(
            base,
            name=self.name.text(),
            description=self.description.text(),
            partial=self.partial.isChecked(),
            preroll=_PREROLL[max(0, self.preroll.currentIndex())][1],
            preference=preference,
            drill=self.drill.schedule(),
        )

    def _check(self) -> None:
        state = self._state
        if state is None:
            return
        allowed = condition(Action.EDIT_GROUPS, state).reason
        group = self._group()
        changed = group != self._base
        problem = allowed or problem_with_group(group, state)
        self._problem.setText((allowed or problem or "") if changed or allowed else "")
        self.save.setEnabled(changed and not problem)
        self.save.setToolTip(problem or ("" if changed else "Nothing was changed."))
        self.new.setEnabled(not allowed)
        self.new.setToolTip(allowed)
        existing = group.id in state.groups
        obstacle = allowed or (removal_problem(group.id, state) or "" if existing else "Choose a group to remove.")
        self.remove.setEnabled(not obstacle)
        self.remove.setToolTip(obstacle)
        for field in (self.name, self.description, self.partial, self.preroll, *self.drill.editors, self.order, self.up, self.down):
            field.setEnabled(not allowed)

    async def _send(self) -> None:
        group = self._group()
        if group.id == _NEW:
            group = msgspec.structs.replace(group, id=new_group_id(group.name, self._context.store.state))
        self.save.setEnabled(False)
        outcome = await asyncio.shield(self._context.tasks.start(self._context.operations.save_group(group)))
        if outcome.done:
            tidy = msgspec.structs.replace(group, name=group.name.strip(), description=group.description.strip())
            self._show(self._context.store.state.groups.get(group.id, tidy))
        self.render_state(self._context.store.state)
        if not outcome.done:
            self._problem.setText(outcome.sentence)

    async def _send_removal(self) -> None:
        base = self._base
        if base is None or base.id == _NEW:
            return
        outcome = await asyncio.shield(self._context.tasks.start(self._context.operations.remove_group(base.id)))
        if not outcome.done:
            self._problem.setText(outcome.sentence)
