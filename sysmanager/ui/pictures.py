"""Puts the window into situations and paints them into files: for the tour, and for people who look at pictures.

Every coroutine turns Qt's events and the asyncio loop itself, so it works under qasync and on a plain loop alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from sysmanager.domain.ids import FailoverId, RecorderId
from sysmanager.ui.state.conditions import Action, condition
from sysmanager.ui.state.events import FailoverSelected, LogFiltered, PlaceSelected
from sysmanager.ui.state.model import Place, UiState
from sysmanager.ui.theme import ThemeChoice
from sysmanager.ui.views.details_dialog import DetailsDialog
from sysmanager.ui.views.main_window import MainWindow
from sysmanager.ui.views.preview_dialog import PreviewDialog

TAB_SETTINGS, TAB_CAMERAS, TAB_STORAGE = 0, 1, 2

_POLL_S = 0.01


def grab(widget: QWidget) -> QImage:
    """What the widget shows now."""
    return widget.grab().toImage()


def grab_with_dialog(window: MainWindow) -> QImage:
    """The window with its newest open dialog in the middle of it, as a person sees them."""
    picture = window.grab()
    dialog = window.dialogs.opened
    if dialog is not None:
        painter = QPainter(picture)
        painter.fillRect(picture.rect(), QColor(0, 0, 0, 90))
        inner = dialog.grab()
        left = (window.width() - dialog.width()) // 2
        top = (window.height() - dialog.height()) // 2
        painter.drawPixmap(left, top, inner)
        painter.setPen(QPen(QColor(window.context.theme.colours.edge), 1))
        painter.drawRect(left, top, dialog.width() - 1, dialog.height() - 1)
        painter.end()
    return picture.toImage()


def save(image: QImage, path: Path) -> Path:
    """Write a PNG. Raises OSError if it cannot be written."""
    if not image.save(str(path)):
        raise OSError(f"The picture {path} cannot be written; check that its folder exists and has room.")
    return path


async def wait_until(window: MainWindow, true: Callable[[UiState], bool], timeout_s: float = 30.0) -> UiState:
    """Wait until the state is so and everything of it is on the screen. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not (true(window.context.store.state) and window.context.store.settled):
        if loop.time() > deadline:
            raise TimeoutError(f"The interface did not come to the expected state within {timeout_s:g} s.")
        QApplication.processEvents()
        await asyncio.sleep(_POLL_S)
    await settle()
    return window.context.store.state


async def settle(turns: int = 12) -> None:
    """Let everything be laid out and painted that waits for it."""
    for _ in range(turns):
        await asyncio.sleep(0)
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


async def select_server(window: MainWindow, recorder: RecorderId, tab: int = TAB_SETTINGS) -> None:
    """Select a server in the tree and show one of its tabs, with a fresh forecast."""
    window.context.store.dispatch(PlaceSelected(Place.SERVER, recorder))
    window.tabs.setCurrentIndex(tab)
    await settle()


async def show_site(window: MainWindow) -> None:
    """Select the site: the overview."""
    window.context.store.dispatch(PlaceSelected(Place.SITE))
    await settle()


async def select_entry(window: MainWindow, failover: FailoverId | None) -> None:
    window.context.store.dispatch(FailoverSelected(failover))
    await settle()


async def filter_log(window: MainWindow, text: str) -> None:
    window.context.store.dispatch(LogFiltered(text))
    await settle()


async def trigger(window: MainWindow, action: Action) -> QDialog | None:
    """Do what the button does; the dialog that it opened, with its preview in it. Raises ValueError where it is disabled."""
    now = condition(action, window.context.store.state)
    if not now.enabled:
        raise ValueError(now.reason or f"The action {action.value} is not offered now.")
    window.actions_[action].trigger()
    dialog = window.dialogs.opened
    if isinstance(dialog, PreviewDialog):
        preview = dialog
        await wait_until(window, lambda _: preview.ready)
    await settle()
    return dialog


async def open_details(window: MainWindow, failover: FailoverId) -> DetailsDialog:
    """The details of an entry of the failover log."""
    await select_entry(window, failover)
    dialog = await trigger(window, Action.DETAILS)
    if not isinstance(dialog, DetailsDialog):
        raise ValueError(f"The entry {failover} is not in the failover log.")
    return dialog


async def confirm(dialog: PreviewDialog) -> None:
    """Press the button that goes on."""
    if dialog.go is None or not dialog.go.isEnabled():
        raise ValueError("The dialog does not offer to go on.")
    dialog.go.click()
    await settle()


async def close_dialogs(window: MainWindow) -> None:
    while (dialog := window.dialogs.opened) is not None:
        dialog.reject()
        await settle(4)


async def choose_theme(window: MainWindow, choice: ThemeChoice) -> None:
    """Light or dark without a restart."""
    window.choose_theme(choice)
    await settle()
