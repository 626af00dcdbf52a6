"""Qt without a display, one look for all tests, and windows that are closed again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from sysmanager.api import Snapshot
from sysmanager.ui.theme import Theme, ThemeChoice
from tests.ui.harness import Opened

OpenSite = Callable[..., Awaitable[Opened]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The offscreen platform says that it has no window manager; nothing depends on it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.qt_log_ignore("This plugin does not support"))


@pytest.fixture(scope="session")
def theme(qapp: QApplication) -> Theme:
    return Theme(qapp, ThemeChoice.LIGHT)


@pytest.fixture
async def open_site(theme: Theme, tmp_path: Path) -> AsyncIterator[OpenSite]:
    """Opens a window on a site; it is closed after the test."""
    windows: list[Opened] = []

    async def open_window(snapshot: Snapshot, **options: object) -> Opened:
        opened = Opened(snapshot, tmp_path / "layout.ini", theme=theme, **options)  # type: ignore[arg-type]  # passed on as they are
        windows.append(opened)
        await opened.show(1200, 800)
        return opened

    yield open_window
    for opened in windows:
        await opened.close()
