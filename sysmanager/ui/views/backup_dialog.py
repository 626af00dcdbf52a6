"""Saving a system backup: where to, and the passphrase for the secrets in it (SPEC 7, 17)."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QDir, Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from sysmanager.ui.icons import Glyph
from sysmanager.ui.state.forms import problem_with_backup
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import fit, form_rows, heading, keep_primary_icon, wrapped

SUFFIX = "smbackup"


class BackupDialog(QDialog):
    """Asks for a file that does not exist and, twice, for a passphrase; then the backup is saved while work goes on."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Save system backup")
        fit(self, 560, 360)
        self._context = context
        self.file = QLineEdit(str(Path(QDir.homePath()) / f"backup.{SUFFIX}"))
        self.browse = QPushButton("B&rowse\u2026")
        self.browse.setAutoDefault(False)
        self.passphrase, self.again = QLineEdit(), QLineEdit()
        for field in (self.passphrase, self.again):
            field.setEchoMode(QLineEdit.EchoMode.Password)
        self.passphrase.setPlaceholderText("Empty: as in the last backup")
        self.problem = wrapped()
        self.problem.setMinimumHeight(36)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(heading("Save a system backup", 1.4))
        layout.addWidget(
            wrapped(
                "System data, the log and the settings of all servers. The passphrase opens the keys in it, and in later automatic ones."
            )
        )
        layout.addLayout(self._form())
        layout.addWidget(self.problem)
        layout.addStretch(1)
        layout.addLayout(self._buttons())
        for field in (self.file, self.passphrase, self.again):
            field.textEdited.connect(self._check)
        self.browse.clicked.connect(self._choose)
        self._check()
        self.file.setFocus()

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(18)
        form.setVerticalSpacing(9)
        place = QWidget()
        row = QHBoxLayout(place)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.file, 1)
        row.addWidget(self.browse)
        form_rows(
            form,
            (
                ("&File", place, self.file),
                ("&Passphrase", self.passphrase, self.passphrase),
                ("&Once more", self.again, self.again),
            ),
        )
        return form

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        self.save = QPushButton("Save backup")
        self.save.setProperty("primary", True)
        self.save.setDefault(True)
        keep_primary_icon(self._context, self.save, Glyph.SAVE)
        self.save.clicked.connect(self._save)
        cancel = QPushButton("Cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        row.addWidget(self.save)
        row.addWidget(cancel)
        return row

    def _choose(self) -> None:
        """The platform's own dialog, opened and not run: nothing waits for it."""
        dialog = QFileDialog(self, "Save system backup", self.file.text(), f"System backups (*.{SUFFIX})")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(SUFFIX)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.fileSelected.connect(self._chosen)
        dialog.open()

    def _chosen(self, file: str) -> None:
        self.file.setText(file)
        self._check()

    def _check(self) -> None:
        problem = problem_with_backup(self.file.text(), self.passphrase.text(), self.again.text())
        self.problem.setText(problem or "")
        self.save.setEnabled(problem is None)

    def _save(self) -> None:
        passphrase = self.passphrase.text() or None
        self._context.tasks.start(self._context.operations.back_up(Path(self.file.text().strip()), passphrase))
        self.accept()
