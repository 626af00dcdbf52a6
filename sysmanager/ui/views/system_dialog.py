"""The settings of the system as a whole: how careful the coordinator is before it acts by itself (SPEC 13)."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QDialogButtonBox, QFormLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from sysmanager.api import SystemSettings
from sysmanager.domain.recorder import DETECTION_TIMEOUTS_S, timeout_text
from sysmanager.domain.system import BRAKE_LIMITS_S, BRAKE_MINIMUMS, BRAKE_SHARES_PERCENT, FLAP_WINDOWS_MIN, MANUAL_MAINTENANCES_MIN
from sysmanager.ui.icons import Glyph
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.job_fields import CalmSpinBox
from sysmanager.ui.views.parts import fit, heading, keep_primary_icon, muted, wrapped


class SystemDialog(QDialog):
    """wanted: the settings as the person left them, when they are to be saved; after that the dialog is closed.

    why_not: one sentence why they cannot be changed; they are shown all the same.
    """

    wanted = Signal(object)

    def __init__(self, context: Context, settings: SystemSettings, why_not: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("System settings")
        fit(self, 620, 460)
        self._base = settings
        self.share = _number(
            settings.brake_share_percent, BRAKE_SHARES_PERCENT, " % of the recorders", "Share of the recorders for the mass-loss brake"
        )
        self.least = _number(settings.brake_minimum, BRAKE_MINIMUMS, " recorders", "Number of recorders for the mass-loss brake, at least")
        self.goes_on = QCheckBox("&Goes on by itself, if nobody confirms it")
        self.goes_on.setChecked(settings.brake_limit_s is not None)
        self.limit = _number(
            60 if settings.brake_limit_s is None else settings.brake_limit_s, BRAKE_LIMITS_S, " s", "The brake goes on after"
        )
        self.limit.setEnabled(settings.brake_limit_s is not None)
        self.goes_on.toggled.connect(self.limit.setEnabled)
        self.opinion = QCheckBox("Waits while other servers reach the recorder and it says that it records (5 min at most)")
        self.opinion.setChecked(settings.opinion_holds)
        self.announced = QComboBox()
        self.announced.setAccessibleName("Detection timeout after an announced shutdown")
        self.announced.addItem("That of the recorder", None)
        for seconds in DETECTION_TIMEOUTS_S:
            self.announced.addItem(f"{timeout_text(seconds)} at least", seconds)
        self.announced.setCurrentIndex(max(0, self.announced.findData(settings.announced_timeout_s)))
        self.manual = _number(settings.manual_maintenance_min, MANUAL_MAINTENANCES_MIN, " min", "Maintenance after a failover by hand")
        self.flaps = _number(settings.flap_window_min, FLAP_WINDOWS_MIN, " min", "Two failovers within this time hold automatic failback")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(heading("System settings", 1.4))
        layout.addWidget(
            wrapped(
                "When many recorders fall silent together, it may be the network of the coordinator that is lost: the mass-loss brake "
                "holds failovers until a failover server confirms that it does not reach a recorder either."
            )
        )
        layout.addLayout(self._form())
        if why_not:
            layout.addWidget(wrapped(why_not))
        layout.addStretch(1)
        buttons = QDialogButtonBox()
        self.save: QPushButton = buttons.addButton("Save", QDialogButtonBox.ButtonRole.AcceptRole)
        self.save.setProperty("primary", True)
        keep_primary_icon(context, self.save, Glyph.SAVE)
        self.save.setEnabled(not why_not)
        self.save.setToolTip(why_not)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(18)
        form.setVerticalSpacing(9)
        for text, field in (
            ("&Brake: more than", self.share),
            ("and at &least", self.least),
            ("", self.goes_on),
            ("&after", self.limit),
            ("&Second opinion", self.opinion),
            ("Timeout after an a&nnounced shutdown", self.announced),
            ("&Two failovers hold failback within", self.flaps),
            ("&Maintenance after a failover by hand", self.manual),
        ):
            label = muted(text)
            label.setBuddy(field)
            form.addRow(label, field)
        return form

    def settings(self) -> SystemSettings:
        """As they stand in the fields."""
        return msgspec.structs.replace(
            self._base,
            brake_share_percent=self.share.value(),
            brake_minimum=self.least.value(),
            brake_limit_s=self.limit.value() if self.goes_on.isChecked() else None,
            opinion_holds=self.opinion.isChecked(),
            announced_timeout_s=self.announced.currentData(),
            manual_maintenance_min=self.manual.value(),
            flap_window_min=self.flaps.value(),
        )

    def _accept(self) -> None:
        self.wanted.emit(self.settings())
        self.accept()


def _number(value: int, span: tuple[int, int], suffix: str, name: str) -> QSpinBox:
    box = CalmSpinBox()
    box.setRange(*span)
    box.setValue(value)
    box.setSuffix(suffix)
    box.setAccessibleName(name)
    return box
