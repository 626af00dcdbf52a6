"""Starts the window on a loop that also runs Qt. The only place that knows qasync."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog
from PySide6.QtCore import QMessageLogContext, QSettings, QSocketNotifier, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from sysmanager.app import paths
from sysmanager.app.ending import end_others

log = structlog.get_logger(__name__)

Scene = Callable[[QApplication], Awaitable[int]]
"""What is done with the application; its result is the exit status."""


def make_application() -> QApplication:
    """The one QApplication of the process."""
    qInstallMessageHandler(_log_qt)
    QGuiApplication.setApplicationName("System Manager")
    QGuiApplication.setOrganizationName("System Manager")
    QGuiApplication.setDesktopFileName("sysmanager")
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setQuitOnLastWindowClosed(False)
    return application


def run_scene(scene: Scene) -> int:
    """Run a scene to its end on a loop that also runs Qt. A signal to end cancels it, so that it closes in order: that is status 0."""
    import qasync

    application = make_application()
    loop = qasync.QEventLoop(application)
    asyncio.set_event_loop(loop)
    try:
        with loop:
            playing: asyncio.Future[int] = asyncio.ensure_future(scene(application), loop=loop)
            with _signals_heard(lambda: loop.call_soon_threadsafe(playing.cancel)):
                try:
                    status: int = loop.run_until_complete(playing)
                finally:
                    loop.run_until_complete(end_others())
            return status
    except asyncio.CancelledError:
        return 0
    finally:
        asyncio.set_event_loop(None)


@contextmanager
def _signals_heard(ask: Callable[[], object]) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM (Windows: SIGBREAK) ask the scene to end.

    Python runs its handlers only when Python runs, and an idle window does not: the signal's number on a socket wakes it.
    """
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda: reading.recv(64))
    names = ("SIGINT", "SIGBREAK") if sys.platform == "win32" else ("SIGINT", "SIGTERM")
    before = {name: signal.signal(getattr(signal, name), lambda *_: ask()) for name in names}
    woken = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
        notifier.setEnabled(False)
        reading.close()
        writing.close()


def run_headless(scene: Scene) -> int:
    """Run a scene that turns Qt's events itself (`ui.pictures`), without a display and on a plain asyncio loop."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = make_application()

    async def whole() -> int:
        return await scene(application)

    return asyncio.run(whole())


def _log_qt(kind: QtMsgType, _context: QMessageLogContext, message: str | None) -> None:
    """Qt's messages go into the log; people at a terminal can do nothing with them."""
    write = log.debug if kind in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) else log.warning
    write("qt", message=message)


def user_settings() -> QSettings:
    """Where layout and theme of this user are kept."""
    return QSettings(str(paths.settings_file()), QSettings.Format.IniFormat)
