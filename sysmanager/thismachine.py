"""Which machine this is: the same for every part that runs on it, and another one on every other (SPEC 2).

Made from what the system keeps for that purpose; the value itself stays here, as it may serve other programs as a secret.
"""

from __future__ import annotations

import hashlib
import sys
import uuid
from pathlib import Path

_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_ID_LIMIT = 4096


def machine_id() -> str:
    """32 hexadecimal digits. Never fails: without anything better it is the address of a network card."""
    return hashlib.sha256(f"sysmanager {_kept() or uuid.getnode()}".encode()).hexdigest()[:32]


if sys.platform == "win32":
    import winreg

    _KEY = r"SOFTWARE\Microsoft\Cryptography"

    def _kept() -> str:
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _KEY, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])
        except OSError:
            return ""

else:

    def _kept() -> str:
        for file in _FILES:
            try:
                text = file.read_text("utf-8")[:_ID_LIMIT].strip()
            except (OSError, UnicodeDecodeError):
                continue
            if text:
                return text
        return ""
