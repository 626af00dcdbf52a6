"""Says on stdout when the window was painted for the first time with its rows in it: for the measurement of the start."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QObject, QTimer

from sysmanager.ui.window import MainWindow


class _FirstPaint(QObject):
    """Watches a window's paint events until one shows servers."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._said = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        state = self._window.context.store.state
        if not self._said and event.type() == QEvent.Type.Paint and state.recorders:
            self._said = True
            # The paint event is being handled; once the loop turns, it is done.
            QTimer.singleShot(0, self._say)
        return False

    def _say(self) -> None:
        print(f"painted {time.monotonic_ns()}", flush=True)
        self._window.tree.viewport().removeEventFilter(self)


def report_first_paint(window: MainWindow) -> None:
    """Print ``painted NANOSECONDS`` (monotonic clock) once the server tree is on the screen."""
    window.tree.viewport().installEventFilter(_FirstPaint(window))
