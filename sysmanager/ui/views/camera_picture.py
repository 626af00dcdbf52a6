"""The small panel beside the list of cameras: the last picture of the chosen one, its time and age, and what is wrong with the camera."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from sysmanager.api import RecorderRow
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.pictures import ShownPicture, caption
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import ActionButton, muted, wrapped

WIDTH_PX = 320


class CameraPicture(QWidget):
    """Hidden while no camera is chosen. renew: a person wants a new picture."""

    def __init__(self, context: Context, actions: Actions, renew: Callable[[], None]) -> None:
        super().__init__()
        self._context = context
        self._shown: ShownPicture | None = None
        self.name = QLabel()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.image = QLabel()
        self.image.setFixedWidth(WIDTH_PX)
        self.image.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.caption = muted()
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.caption.setWordWrap(True)
        self.trouble = wrapped()
        self.trouble.setTextFormat(Qt.TextFormat.PlainText)
        self.renew = QPushButton("&New picture")
        self.renew.setAutoDefault(False)
        self.renew.setToolTip("Ask for the camera's last picture again. The camera itself hears nothing of it.")
        self.renew.clicked.connect(lambda: renew())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 4, 16, 12)
        layout.setSpacing(8)
        layout.addWidget(self.name)
        layout.addWidget(self.image)
        layout.addWidget(self.caption)
        layout.addWidget(self.renew, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.trouble)
        layout.addWidget(ActionButton(actions[Action.RELEASE_CAMERA]), 0, Qt.AlignmentFlag.AlignLeft)
        layout.addStretch(1)
        self.setFixedWidth(WIDTH_PX + 32)
        self.setVisible(False)

    def render_state(self, row: RecorderRow, state: UiState) -> None:
        shown = state.picture if state.picture is not None and state.picture.recorder == row.id else None
        self.setVisible(shown is not None)
        if shown is None:
            self._shown = None
            return
        camera = next((camera for camera in row.cameras if camera.id == shown.camera), None)
        name = camera.name if camera is not None else shown.camera
        self.name.setText(name)
        trouble = camera.sentence if camera is not None else ""
        self.trouble.setText(trouble)
        self.trouble.setVisible(bool(trouble))
        words = caption(shown, self._context.now_wall_ms(), self._context.zone)
        self.caption.setText(words)
        if shown != self._shown:
            self._shown = shown
            self._paint(shown)
        self.image.setAccessibleName(f"Picture of {name}: {words}")

    def _paint(self, shown: ShownPicture) -> None:
        pixmap = QPixmap()
        if shown.picture is not None:
            pixmap.loadFromData(shown.picture.jpeg, "JPEG")
        self.image.setVisible(not pixmap.isNull())
        if not pixmap.isNull():
            ratio = self.devicePixelRatioF()
            pixmap = pixmap.scaledToWidth(round(WIDTH_PX * ratio), Qt.TransformationMode.SmoothTransformation)
            pixmap.setDevicePixelRatio(ratio)
            self.image.setPixmap(pixmap)
