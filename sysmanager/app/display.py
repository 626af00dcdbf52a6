"""Whether a window could be shown here. Qt itself ends the process with a core dump when it could not, so it is asked beforehand."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

from sysmanager.app.errors import CommandError

PICTURES_INSTEAD = "or `sysmanager demo --tour DIR` to get pictures instead"

X_LIBRARIES = {
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
}
"""What Qt's window system plug-in for X needs of the system and a wheel does not bring, with the names of Debian's packages."""


def need_display(environment: Mapping[str, str] = os.environ) -> None:
    """Raises CommandError where no window can be shown, with one sentence that says what to do."""
    if environment.get("QT_QPA_PLATFORM", "") in ("offscreen", "minimal", "vnc") or sys.platform in ("win32", "darwin"):
        return
    display = environment.get("DISPLAY", "")
    if not display and not environment.get("WAYLAND_DISPLAY"):
        raise CommandError(f"There is no display to open a window on; use a machine that has one, {PICTURES_INSTEAD}.")
    if environment.get("WAYLAND_DISPLAY"):
        return
    missing = [package for library, package in X_LIBRARIES.items() if not _loads(library)]
    if missing:
        names = " ".join(missing)
        raise CommandError(f"A window needs libraries of the system: install {names} (Debian: apt install {names}), {PICTURES_INSTEAD}.")
    if not _answers(display):
        raise CommandError(f"The display {display} does not answer; set DISPLAY to one that does, {PICTURES_INSTEAD}.")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _answers(display: str) -> bool:
    """Whether an X server takes a connection from this user."""
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    for function in (xcb.xcb_connection_has_error, xcb.xcb_disconnect):
        function.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    try:
        return bool(xcb.xcb_connection_has_error(connection) == 0)
    finally:
        xcb.xcb_disconnect(connection)
