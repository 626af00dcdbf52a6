"""The main window, and how a program makes one.

store = make_store(client.actor)
session = Session(client, store, switcher)            # ui.operations; starts nothing yet
window = create_main_window(store, session, settings=QSettings(path, QSettings.Format.IniFormat), controls=None, guard=None)
window.show(); window.start()                         # inside a running asyncio loop that also runs Qt
... window.closed is emitted ...
await window.end()
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import tzinfo

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from sysmanager.api import PracticeControls
from sysmanager.domain.rights import Actor
from sysmanager.ui.icons import Icons
from sysmanager.ui.operations import Operations, Session
from sysmanager.ui.state.events import PracticeOffered
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.store import Clock, Store
from sysmanager.ui.theme import Theme, ThemeChoice
from sysmanager.ui.views.context import Context, wall_clock_ms
from sysmanager.ui.views.main_window import CloseGuard, MainWindow

__all__ = ["CloseGuard", "MainWindow", "create_main_window", "make_store"]


def make_store(actor: Actor, clock: Clock | None = None) -> Store:
    """An empty state for this person. `clock`: by default the running asyncio loop."""
    return Store(UiState(actor=actor), clock if clock is not None else asyncio.get_running_loop())


def create_main_window(
    store: Store,
    session: Session,
    *,
    settings: QSettings,
    controls: PracticeControls | None = None,
    guard: CloseGuard | None = None,
    joining: str = "",
    now_wall_ms: Callable[[], int] = wall_clock_ms,
    zone: tzinfo | None = None,
    theme: Theme | None = None,
) -> MainWindow:
    """The window of one session. `theme`: that of the application where it has one already.

    settings: where layout and theme are kept. controls: the demo's levers, None without a demo panel.
    guard: what to ask before closing. joining: a sentence that says how a server finds the coordinator.
    now_wall_ms, zone: for texts such as "Today 14:02:11"; zone None is the local one.
    """
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise RuntimeError("A QApplication must exist before the main window.")
    if theme is None:
        theme = Theme(app, chosen_theme(settings))
    if controls is not None:
        store.dispatch(PracticeOffered())
    context = Context(
        theme=theme,
        icons=Icons(theme),
        store=store,
        operations=Operations(lambda: session.client, store),
        now_wall_ms=now_wall_ms,
        zone=zone,
    )
    return MainWindow(context, session, settings=settings, controls=controls, guard=guard, joining=joining)


def chosen_theme(settings: QSettings) -> ThemeChoice:
    """The theme that was chosen last; the system's where nothing sensible is kept."""
    kept = str(settings.value("theme", ThemeChoice.SYSTEM.value))
    return ThemeChoice(kept) if kept in set(ThemeChoice) else ThemeChoice.SYSTEM
