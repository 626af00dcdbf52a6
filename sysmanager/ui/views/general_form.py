"""The general settings of a server, editable."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QGridLayout, QLabel, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from sysmanager.api import RecorderRow
from sysmanager.domain.group import Group
from sysmanager.domain.recorder import DETECTION_TIMEOUTS_S, FAILBACK_AFTER_S, RecorderEdit, Role, timeout_text
from sysmanager.ui.state.conditions import Action, condition
from sysmanager.ui.state.events import FieldsEdited
from sysmanager.ui.state.forms import ADDRESS_LIMIT, NAME_LIMIT
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.texts import NOTHING, counted, natural_key, rate_text, role_text
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.job_fields import CopyFields, DrillFields, hours_line
from sysmanager.ui.views.parts import muted

WIDE_PX = 860
"""Narrower than this the two halves stand below one another."""

NO_GROUP = "No group"


class CalmComboBox(QComboBox):
    """Lets the page scroll when the wheel turns above it; changes by the wheel only when it has the keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class GeneralFields:
    """The editors of a `RecorderEdit`; the settings tab and the add-server dialog place them."""

    def __init__(self) -> None:
        self.name = QLineEdit()
        self.name.setMaxLength(NAME_LIMIT)
        self.address = QLineEdit()
        self.address.setMaxLength(ADDRESS_LIMIT)
        self.address.setPlaceholderText("10.20.1.13 or a host name")
        self.role = CalmComboBox()
        for role in Role:
            self.role.addItem(role_text(role), role)
        self.group = CalmComboBox()
        self.enabled = QCheckBox("&Fail over this server when it breaks down")
        self.enabled.setMinimumHeight(28)
        self.timeout = CalmComboBox()
        for seconds in DETECTION_TIMEOUTS_S:
            self.timeout.addItem(timeout_text(seconds), seconds)
        self.failback = QCheckBox("Fail back b&y itself after an automatic failover")
        self.failback.setMinimumHeight(28)
        self.failback_after = CalmComboBox()
        for seconds in FAILBACK_AFTER_S:
            self.failback_after.addItem(timeout_text(seconds), seconds)
        self.failback_hours = hours_line()
        self.copy = CopyFields()
        self.drill = DrillFields("As its group says")
        for combo in (self.role, self.group, self.timeout, self.failback_after):
            combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            combo.setMinimumContentsLength(8)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.group.setPlaceholderText(NO_GROUP)
        self._groups: tuple[tuple[str, object], ...] = ()

    @property
    def editors(self) -> tuple[QWidget, ...]:
        return (
            *(self.name, self.address, self.role, self.group, self.enabled, self.timeout),
            *(self.failback, self.failback_after, self.failback_hours),
            *self.copy.editors,
            *self.drill.editors,
        )

    def show_groups(self, groups: Iterable[Group]) -> None:
        """Offer these groups, and none."""
        offered: tuple[tuple[str, object], ...] = (
            (NO_GROUP, None),
            *((group.name, group.id) for group in sorted(groups, key=lambda group: natural_key(group.name))),
        )
        if offered == self._groups:
            return
        self._groups = offered
        chosen = self.group.currentData()
        with QSignalBlocker(self.group):
            self.group.clear()
            for name, group in offered:
                self.group.addItem(name, group)
            self.group.setCurrentIndex(max(0, self._group_place(chosen)))

    def _group_place(self, group: object) -> int:
        return next((place for place, (_, known) in enumerate(self._groups) if known == group), -1)

    def show_fields(self, fields: RecorderEdit) -> None:
        """Show the values without disturbing what is being typed."""
        blockers = [QSignalBlocker(editor) for editor in self.editors]
        for line, text in ((self.name, fields.name), (self.address, fields.address), (self.failback_hours, fields.failback_hours)):
            if line.text() != text:
                line.setText(text)
        self.role.setCurrentIndex(self.role.findData(fields.role))
        self.group.setCurrentIndex(self._group_place(fields.group))
        self.enabled.setChecked(fields.failover_enabled)
        self.timeout.setCurrentIndex(self.timeout.findData(fields.detection_timeout_s))
        self.failback.setChecked(fields.automatic_failback)
        self.failback_after.setCurrentIndex(self.failback_after.findData(fields.failback_after_s))
        self.copy.show_settings(fields.material_copy)
        self.drill.show_schedule(fields.drill)
        del blockers

    def fields(self) -> RecorderEdit:
        """What is entered now."""
        return RecorderEdit(
            name=self.name.text(),
            address=self.address.text(),
            role=Role(self.role.currentData()),
            group=self.group.currentData(),
            failover_enabled=self.enabled.isChecked(),
            detection_timeout_s=int(self.timeout.currentData()),
            automatic_failback=self.failback.isChecked(),
            failback_after_s=int(self.failback_after.currentData()),
            failback_hours=self.failback_hours.text(),
            material_copy=self.copy.settings(),
            drill=self.drill.schedule(),
        )


class GeneralForm(QWidget):
    """Two halves of labelled fields, side by side where there is room; what is typed becomes the draft in the state."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._state: UiState | None = None
        self._wide: bool | None = None
        self.editors = GeneralFields()
        self._tips = {editor: editor.toolTip() for editor in self.editors.editors}
        self._facts = muted()
        self._facts.setWordWrap(True)
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        edit = self.editors
        self._left, below = QWidget(), QVBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(10)
        self._left.setLayout(below)
        half = _half(
            ("&Name", edit.name),
            ("A&ddress", edit.address),
            ("R&ole", edit.role),
            ("Failover g&roup", edit.group),
            ("Dr&ill", edit.drill.days),
            ("Drill hours", edit.drill.hours),
        )
        below.addWidget(half)
        below.addWidget(self._facts)
        self._right = _half(
            ("Failover", edit.enabled),
            ("Disconnected f&or", edit.timeout),
            ("Failback", edit.failback),
            ("Stable fo&r", edit.failback_after),
            ("&Within the hours", edit.failback_hours),
            ("Material copy", edit.copy.automatic),
            ("Bandwidth", edit.copy.limit),
            ("Copy hours", edit.copy.hours),
        )
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(28)
        self._grid.setVerticalSpacing(10)
        self._arrange(True)
        edit.name.textEdited.connect(self._edited)
        edit.address.textEdited.connect(self._edited)
        edit.role.activated.connect(self._edited)
        edit.group.activated.connect(self._edited)
        edit.timeout.activated.connect(self._edited)
        edit.enabled.clicked.connect(self._edited)
        edit.failback.clicked.connect(self._edited)
        edit.failback_after.activated.connect(self._edited)
        edit.failback_hours.textEdited.connect(self._edited)
        edit.copy.automatic.clicked.connect(self._edited)
        edit.copy.limit.valueChanged.connect(self._edited)
        edit.copy.hours.textEdited.connect(self._edited)
        edit.drill.days.valueChanged.connect(self._edited)
        edit.drill.hours.textEdited.connect(self._edited)

    def render_state(self, state: UiState) -> None:
        row, fields = state.row, state.fields
        self._state = state
        if row is None or fields is None:
            return
        self.editors.show_groups(state.groups.values())
        self.editors.show_fields(fields)
        editing = condition(Action.EDIT, state)
        for editor in self.editors.editors:
            editor.setEnabled(editing.enabled)
            editor.setToolTip(editing.reason or self._tips[editor])
        self._show_facts(row)

    def _show_facts(self, row: RecorderRow) -> None:
        self._facts.setText(facts_text(row))

    def _edited(self) -> None:
        if self._state is not None and self._state.selected is not None:
            self._context.store.dispatch(FieldsEdited(self._state.selected, self.editors.fields()))

    def arrange(self, width: int) -> None:
        """Both halves side by side, or one below the other, for so many pixels that can be seen."""
        self._arrange(width >= WIDE_PX)

    def _arrange(self, wide: bool) -> None:
        if wide is self._wide:
            return
        self._wide = wide
        self._grid.removeWidget(self._left)
        self._grid.removeWidget(self._right)
        self._grid.addWidget(self._left, 0, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(self._right, 0 if wide else 1, 1 if wide else 0, Qt.AlignmentFlag.AlignTop)
        self._grid.setColumnStretch(0, 5)
        self._grid.setColumnStretch(1, 6 if wide else 0)


def facts_text(row: RecorderRow) -> str:
    """What the server says of itself, in one line."""
    room = [f"room for {row.camera_limit} cameras and {rate_text(row.bitrate_limit_kbps)}"] if row.camera_limit else []
    plugins = [f"added plug-ins: {', '.join(row.plugins)}"] if row.plugins else ["no added plug-ins"]
    clock = [f"clock {row.clock_offset_ms} ms off"] if row.clock_offset_ms is not None else []
    parts = [f"Version {row.version or NOTHING}", *room, counted(row.vca_channels, "VCA channel"), *plugins, *clock]
    return ", ".join(parts)


def _half(*rows: tuple[str, QWidget]) -> QWidget:
    box = QWidget()
    form = QFormLayout(box)
    form.setContentsMargins(0, 0, 0, 0)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setHorizontalSpacing(12)
    form.setVerticalSpacing(7)
    for text, widget in rows:
        label = muted(text)
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance("Disconnected for") + 6)
        label.setMinimumHeight(28 if not isinstance(widget, QLabel) else 20)
        label.setBuddy(widget)
        widget.setAccessibleName(text.replace("&", ""))
        form.addRow(label, widget)
    return box
