"""The scenes of the desktop program: a window for a coordinator elsewhere, and one for the demo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from PySide6.QtCore import QSettings

from sysmanager import api
from sysmanager.api import Client, ClientError, PracticeControls, RoleName
from sysmanager.app.desktop import user_settings
from sysmanager.ui.operations import Session
from sysmanager.ui.operations.session import SessionSwitcher
from sysmanager.ui.state.store import Store
from sysmanager.ui.window import MainWindow, create_main_window, make_store

OWN_PATIENCE_S = 40.0
"""The program's own coordinator is started again when it ends; one that ended right after its start must not end the program."""


def open_window(
    client: Client,
    *,
    settings: QSettings,
    switcher: SessionSwitcher | None = None,
    controls: PracticeControls | None = None,
    guard: Callable[[], str | None] | None = None,
    joining: str = "",
) -> tuple[MainWindow, Store]:
    """A window for this session, not shown yet. Inside a running loop."""
    store = make_store(client.actor)
    session = Session(client, store, switcher)
    return create_main_window(store, session, settings=settings, controls=controls, guard=guard, joining=joining), store


async def until_closed(window: MainWindow) -> None:
    """Show the window and come back when it was closed and everything it started has ended."""
    closed = asyncio.Event()
    window.closed.connect(closed.set)
    window.show()
    window.start()
    try:
        await closed.wait()
    finally:
        # Also when the program is told to end by a signal.
        await window.end()


async def show_connected(credentials: Path, role: RoleName, *, embedded: bool, site_key: Path | None = None) -> int:
    """Work with the coordinator that wrote these credentials. embedded: it ends with the window, which then warns first.

    site_key: where its site key lies, if that is known; recorders need it.
    """
    client = await connect_patiently(credentials, role, OWN_PATIENCE_S if embedded else 0.0)
    store: Store | None = None

    def guard() -> str | None:
        return unprotected(store) if embedded and store is not None else None

    window, store = open_window(client, settings=user_settings(), guard=guard, joining=_joining(credentials, site_key))
    await until_closed(window)
    return 0


async def connect_patiently(credentials: Path, role: RoleName, patience_s: float) -> Client:
    """Connect; for so long an answer that does not come is asked for again. Raises ClientError."""
    until_s = monotonic() + patience_s
    while True:
        try:
            return await api.connect(credentials, role=role)
        except ClientError:
            if monotonic() >= until_s:
                raise


def _joining(credentials: Path, site_key: Path | None) -> str:
    """What the configuration of a recorder on this machine must name, so that it appears here (README)."""
    key = f'site_key = "{site_key.as_posix()}"' if site_key is not None else "the site key of the coordinator"
    return (
        "A VMS server on this machine announces itself when it is started with `sysmanager recorder --config FILE` "
        f'and its file has these two lines:\n\nbus = "{credentials.as_posix()}"\n{key}'
    )


def unprotected(store: Store) -> str | None:
    """The question before the window is closed; None if no real server loses its protection (SPEC 17)."""
    rows = store.state.recorders.values()
    real = [row for row in rows if not row.practice and row.failover_enabled and row.group is not None and row.role is api.Role.STANDARD]
    if not real:
        return None
    count = "1 server loses" if len(real) == 1 else f"{len(real)} servers lose"
    return (
        f"{count} failover protection when this window is closed, because its coordinator ends with it. "
        "To keep the protection, run the coordinator as a service: sysmanager coordinator."
    )
