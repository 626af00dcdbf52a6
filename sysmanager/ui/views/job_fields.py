"""Editors for what a recorder or a group does by itself: material copy after a failback, and drills (SPEC 9, 14.3)."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QCheckBox, QLineEdit, QSizePolicy, QSpinBox, QWidget

from sysmanager.domain.hours import EXAMPLE, SHORT_EXAMPLE, TEXT_LIMIT
from sysmanager.domain.jobs import DAYS_LIMIT, RATE_LIMIT_KBPS, DrillSchedule, MaterialCopySettings

LIMIT_STEP_KBPS = 10_000


class CalmSpinBox(QSpinBox):
    """Lets the page scroll when the wheel turns above it; changes by the wheel only when it has the keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.lineEdit().setTextMargins(7, 0, 0, 0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def hours_line() -> QLineEdit:
    """An editor for hours of the week."""
    line = QLineEdit()
    line.setMaxLength(TEXT_LIMIT)
    line.setPlaceholderText(f"Any time; or {SHORT_EXAMPLE}")
    line.setToolTip(f"Hours of the week, as {EXAMPLE}. Empty: at any time.")
    return line


class CopyFields:
    """Editors of `MaterialCopySettings`."""

    def __init__(self) -> None:
        self.automatic = QCheckBox("Copy &material home by itself after a failback")
        self.automatic.setMinimumHeight(28)
        self.limit = CalmSpinBox()
        self.limit.setRange(0, RATE_LIMIT_KBPS)
        self.limit.setSingleStep(LIMIT_STEP_KBPS)
        self.limit.setGroupSeparatorShown(True)
        self.limit.setSuffix(" kbit/s")
        self.limit.setSpecialValueText("No limit")
        self.hours = hours_line()

    @property
    def editors(self) -> tuple[QWidget, ...]:
        return self.automatic, self.limit, self.hours

    def show_settings(self, settings: MaterialCopySettings) -> None:
        """Show these without disturbing what is being typed."""
        blockers = [QSignalBlocker(editor) for editor in self.editors]
        self.automatic.setChecked(settings.automatic)
        if self.limit.value() != settings.limit_kbps:
            self.limit.setValue(settings.limit_kbps)
        if self.hours.text() != settings.hours:
            self.hours.setText(settings.hours)
        del blockers

    def settings(self) -> MaterialCopySettings:
        """What is entered now."""
        return MaterialCopySettings(automatic=self.automatic.isChecked(), limit_kbps=self.limit.value(), hours=self.hours.text())


class DrillFields:
    """Editors of a `DrillSchedule`. never: what no days mean."""

    def __init__(self, never: str) -> None:
        self.days = CalmSpinBox()
        self.days.setRange(0, DAYS_LIMIT)
        self.days.setPrefix("Every ")
        self.days.setSuffix(" days")
        self.days.setSpecialValueText(never)
        self.hours = hours_line()

    @property
    def editors(self) -> tuple[QWidget, ...]:
        return self.days, self.hours

    def show_schedule(self, schedule: DrillSchedule) -> None:
        """Show this without disturbing what is being typed."""
        blockers = [QSignalBlocker(editor) for editor in self.editors]
        if self.days.value() != schedule.every_days:
            self.days.setValue(schedule.every_days)
        if self.hours.text() != schedule.hours:
            self.hours.setText(schedule.hours)
        del blockers

    def schedule(self) -> DrillSchedule:
        """What is entered now."""
        return DrillSchedule(every_days=self.days.value(), hours=self.hours.text())
