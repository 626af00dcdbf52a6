"""Opens the main window on a site in memory, and drives Qt and asyncio in turn; also paints pictures of it:

QT_QPA_PLATFORM=offscreen python -m tests.ui.harness OUT_DIR
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from PySide6.QtCore import QEvent, QSettings
from PySide6.QtWidgets import QApplication

from sysmanager.api import Snapshot
from sysmanager.ui.operations import Session
from sysmanager.ui.state.store import Store
from sysmanager.ui.theme import Theme, ThemeChoice
from sysmanager.ui.views.main_window import CloseGuard, MainWindow
from sysmanager.ui.window import create_main_window, make_store
from tests.ui.fakes import EagerClock, FakeClient, FakeControls, FakeSwitcher
from tests.ui.site import NOW_MS

TURNS = 2000
"""Turns of both loops in which something expected must have happened."""


async def turn() -> None:
    """One turn of the asyncio loop and of Qt's."""
    await asyncio.sleep(0)
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


async def until(true: Callable[[], bool], what: str = "it") -> None:
    """Turn the loops until `true`; fails after `TURNS` turns."""
    for _ in range(TURNS):
        if true():
            return
        await turn()
    raise AssertionError(f"{what} did not happen within {TURNS} turns of the loops")


class Opened:
    """A window with what stands behind it."""

    def __init__(
        self,
        snapshot: Snapshot,
        settings_path: Path,
        *,
        client: FakeClient | None = None,
        demo: bool = False,
        guard: CloseGuard | None = None,
        joining: str = "",
        theme: Theme | None = None,
    ) -> None:
        self.client = client if client is not None else FakeClient(snapshot)
        self.switcher = FakeSwitcher(snapshot) if demo else None
        self.controls = FakeControls(snapshot) if demo else None
        self.store: Store = make_store(self.client.actor, EagerClock())
        self.session = Session(self.client, self.store, self.switcher)
        self.window: MainWindow = create_main_window(
            self.store,
            self.session,
            settings=QSettings(str(settings_path), QSettings.Format.IniFormat),
            controls=self.controls,
            guard=guard,
            joining=joining,
            now_wall_ms=lambda: NOW_MS,
            zone=UTC,
            theme=theme,
        )

    async def show(self, width: int = 1440, height: int = 900) -> MainWindow:
        """Show the window and wait until the site is in it."""
        self.window.resize(width, height)
        self.window.show()
        self.window.arrange()
        self.window.start()
        await until(lambda: self.store.state.loaded and self.store.settled, "the first snapshot")
        await turn()
        return self.window

    async def close(self) -> None:
        self.window._leaving = True
        self.window.close()
        await self.window.end()
        self.window.deleteLater()
        await turn()


__all__ = ["Opened", "ThemeChoice", "turn", "until"]
