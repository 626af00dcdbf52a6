"""What would happen in a failover or failback, and the confirmation without which nothing is done (SPEC 14.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sysmanager.api import Change, Check, Level, Preview
from sysmanager.ui.icons import LEVEL_GLYPHS, Glyph
from sysmanager.ui.models.columns import CANDIDATE_COLUMNS, CameraLine, camera_names, candidate_lines
from sysmanager.ui.models.table import Column, LineTableModel
from sysmanager.ui.state.log import name_of
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import NOTHING, counted, gap_text, natural_key
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import IconLabel, fit, heading, keep_primary_icon, muted, rule, sortable, table, work_with, wrapped

LEVEL_TONES: dict[Level, Tone] = {Level.GOOD: Tone.GOOD, Level.WARNING: Tone.WARNING, Level.STOP: Tone.BAD}

_CHANGE_COLUMNS: tuple[Column[Change], ...] = (
    Column(title="Camera", text=lambda change: change.name or change.camera or "Recorder"),
    Column(title="What", text=lambda change: change.field if _told(change) else f"{change.field} {change.kind}".strip()),
    Column(title="Before", text=lambda change: (change.before or "nothing") if _told(change) else NOTHING),
    Column(title="Now", text=lambda change: (change.after or "nothing") if _told(change) else NOTHING),
)


def _told(change: Change) -> bool:
    """Whether the change says what was and what is; of a secret, or of a whole camera, it does not."""
    return bool(change.before or change.after)


_CAMERA_COLUMNS: tuple[Column[CameraLine], ...] = (
    Column(title="Camera", text=lambda line: line.name, sort=lambda line: natural_key(line.name)),
    Column(title="Outcome", text=lambda line: line.sentence, tone=lambda line: Tone.GOOD if line.moved else Tone.WARNING, dot=True),
)


def preview_cameras(preview: Preview, state: UiState) -> tuple[CameraLine, ...]:
    """Those that stay behind first, then those that move, each with what to expect."""
    names = camera_names(state)
    gaps = {gap.camera: gap.gap_ms for gap in preview.expected_gaps}
    stays = [
        CameraLine(camera=one.camera, name=one.name or one.camera, moved=False, sentence=f"stays: {one.sentence}") for one in preview.stays
    ]
    moves = []
    words = {one.camera: one.sentence for one in preview.moving}
    for camera in preview.moves:
        sentence = f"moves: {words[camera]}" if camera in words else "moves"
        if camera in preview.handed_over_singly:
            gap = gaps.get(camera)
            sentence += "; it allows one session, so it has a short gap" + (f" of about {gap_text(gap)}" if gap is not None else "")
        moves.append(CameraLine(camera=camera, name=names.get(camera, camera), moved=True, sentence=sentence))
    return (*stays, *sorted(moves, key=lambda line: natural_key(line.name)))


class PreviewDialog(QDialog):
    """Asks for the preview, shows it, and with `confirm` offers to go on.

    confirmed: the person wants it done. Emitted once, after which the dialog is closed.
    """

    confirmed = Signal()

    def __init__(
        self,
        context: Context,
        *,
        title: str,
        sentence: str,
        ask: Callable[[], Awaitable[Preview | str]],
        confirm: str | None,
        glyph: Glyph,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        fit(self, 780, 720)
        self._context = context
        self._ask = ask
        self.ready = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(heading(title, 1.4))
        layout.addWidget(wrapped(sentence))
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName("Asking the coordinator")
        layout.addWidget(self._progress)
        area = QScrollArea()
        area.setWidgetResizable(True)
        self._page = QWidget()
        self._body = QVBoxLayout(self._page)
        self._body.setContentsMargins(0, 0, 0, 0)
        self._body.setSpacing(8)
        area.setWidget(self._page)
        layout.addWidget(area, 1)
        layout.addWidget(rule())
        self._verdict = wrapped()
        self._verdict.setContentsMargins(0, 2, 0, 2)
        layout.addWidget(self._verdict)
        self._choice = QCheckBox()
        self._choice.hide()
        layout.addWidget(self._choice)
        layout.addLayout(self._buttons(confirm, glyph))
        work_with(context, self, self._load())

    def offer(self, text: str, *, ticked: bool = True) -> None:
        """Show a choice above the buttons; see `offered` and `chosen`."""
        self._choice.setText(text)
        self._choice.setChecked(ticked)
        self._choice.show()

    @property
    def chosen(self) -> bool:
        """Whether a choice was offered and is ticked."""
        return self._choice.isChecked()

    @property
    def offered(self) -> bool:
        """Whether the person left the choice ticked; also where none was offered."""
        return self._choice.isChecked() or not self._choice.text()

    def _buttons(self, confirm: str | None, glyph: Glyph) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addStretch(1)
        self.go: QPushButton | None = None
        if confirm is not None:
            self.go = QPushButton(confirm)
            self.go.setProperty("primary", True)
            self.go.setAutoDefault(False)
            self.go.setEnabled(False)
            self.go.setToolTip("The preview is being computed.")
            keep_primary_icon(self._context, self.go, glyph)
            self.go.clicked.connect(self._confirm)
            row.addWidget(self.go)
        cancel = QPushButton("Cancel" if confirm is not None else "Close")
        cancel.setDefault(True)
        cancel.clicked.connect(self.reject)
        row.addWidget(cancel)
        cancel.setFocus()
        return row

    async def _load(self) -> None:
        answer = await self._ask()
        self._progress.hide()
        if isinstance(answer, str):
            self._refuse(answer)
        else:
            self._show(answer, self._context.store.state)
        self.ready = True

    def _refuse(self, sentence: str) -> None:
        self._body.addWidget(_check_line(self._context, Check(level=Level.STOP, sentence=sentence)))
        self._body.addStretch(1)
        if self.go is not None:
            self.go.setToolTip(sentence)

    def _show(self, preview: Preview, state: UiState) -> None:
        by_hand = set(preview.to_do)
        for check in preview.checks:
            if check.sentence in by_hand:
                continue
            self._body.addWidget(_check_line(self._context, check))
        if preview.to_do:
            self._body.addWidget(rule())
            self._body.addWidget(heading("To do by hand"))
            for sentence in preview.to_do:
                self._body.addWidget(wrapped(f"•  {sentence}"))
        if preview.verdicts:
            self._body.addWidget(rule())
            self._body.addWidget(heading("Failover servers"))
            self._body.addWidget(self._candidates(preview, state))
        if preview.changes:
            self._body.addWidget(rule())
            self._body.addWidget(heading("Changed meanwhile"))
            self._body.addWidget(self._changes(preview.changes))
        lines = preview_cameras(preview, state)
        if lines:
            self._body.addWidget(rule())
            self._body.addWidget(_cameras_heading(preview))
            self._body.addWidget(self._cameras(lines), 1)
        else:
            self._body.addStretch(1)
        will = f"{name_of(preview.target, state)} will record." if preview.target is not None else "It will wait for a failover server."
        stops = [check.sentence for check in preview.checks if check.level is Level.STOP]
        refusal = stops[0] if stops else "The coordinator would refuse it."
        self._verdict.setText(will if preview.allowed else f"It cannot be done now. {refusal}")
        if self.go is not None:
            self.go.setEnabled(preview.allowed)
            self.go.setToolTip("" if preview.allowed else refusal)

    def _candidates(self, preview: Preview, state: UiState) -> QTableView:
        lines = candidate_lines(preview.verdicts, None, state)
        model = LineTableModel(CANDIDATE_COLUMNS, key=lambda line: line.verdict.server, parent=self)
        model.show(lines)
        view = table(self._context, model, "Failover servers", stretch=3, wrap=True)
        for column, width in ((0, 36), (1, 120), (2, 150)):
            view.setColumnWidth(column, width)
        view.setFixedHeight(46 + min(4, len(lines)) * (view.verticalHeader().defaultSectionSize() + 6))
        return view

    def _changes(self, changes: tuple[Change, ...]) -> QTableView:
        model = LineTableModel(_CHANGE_COLUMNS, key=lambda change: (change.camera, change.field), parent=self)
        model.show(changes)
        view = table(self._context, model, "Changed meanwhile", stretch=3, wrap=True)
        for column, width in ((0, 150), (1, 170), (2, 190)):
            view.setColumnWidth(column, width)
        view.setFixedHeight(46 + min(6, len(changes)) * (view.verticalHeader().defaultSectionSize() + 6))
        return view

    def _cameras(self, lines: tuple[CameraLine, ...]) -> QTableView:
        model = LineTableModel(_CAMERA_COLUMNS, key=lambda line: line.camera, parent=self)
        model.show(lines)
        view = table(self._context, model, "Cameras", stretch=1)
        view.setColumnWidth(0, 220)
        view.setMinimumHeight(120)
        sortable(view)
        return view

    def _confirm(self) -> None:
        self.confirmed.emit()
        self.accept()


def _cameras_heading(preview: Preview) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(heading("Cameras"))
    text = f"{counted(len(preview.moves), 'moves', 'move')}, {counted(len(preview.stays), 'stays', 'stay')} behind"
    row.addWidget(muted(text))
    row.addStretch(1)
    return box


def _check_line(context: Context, check: Check) -> QWidget:
    tone = LEVEL_TONES[check.level]
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    row.addWidget(IconLabel(context, LEVEL_GLYPHS[tone], tone), 0, Qt.AlignmentFlag.AlignTop)
    label: QLabel = wrapped(check.sentence)
    label.setAccessibleName(f"{check.level.value}: {check.sentence}")
    row.addWidget(label, 1)
    return box
