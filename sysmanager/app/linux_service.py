"""Installing a systemd unit on this machine, and taking it away again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sysmanager.app.errors import CommandError
from sysmanager.durable import write_durably

UNITS: Final = Path("/etc/systemd/system")
COMMAND_LIMIT_S: Final = 90.0

Run = Callable[[Sequence[str]], tuple[int, str]]
"""Runs a command; exit status and what it said on stderr."""


def run_command(words: Sequence[str]) -> tuple[int, str]:
    """Raises CommandError when it cannot be run or takes too long."""
    try:
        done = subprocess.run(list(words), capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{' '.join(words)} could not be carried out ({error}).") from error
    return done.returncode, done.stderr.strip()


class Installer:
    """`folder`: of the units. `run`: carries commands out. `has_account`: whether there is a user of that name.

    Every method raises CommandError.
    """

    def __init__(self, *, folder: Path = UNITS, run: Run = run_command, has_account: Callable[[str], bool] | None = None) -> None:
        self._folder = folder
        self._run = run
        self._has_account = has_account or _has_account

    def install(self, unit: str, text: str, account: str, *, folders: Sequence[Path] = (), start: bool = True) -> None:
        """Write the unit, have systemd read it, have it started now and at every boot.

        folders: made for the account where they are missing; those that are there stay as they are.
        """
        if not self._folder.is_dir():
            raise CommandError(f"There is no folder {self._folder}: this machine does not run systemd, so no service can be installed.")
        if not self._has_account(account):
            raise CommandError(f"There is no user {account}; make one with 'useradd --system {account}', or name another with --account.")
        path = self._folder / unit
        try:
            for folder in folders:
                if not folder.exists():
                    folder.mkdir(parents=True, mode=0o700)
                    shutil.chown(folder, user=account)
            write_durably(path, text.encode())
            path.chmod(0o644)
        except OSError as error:
            place = error.filename or path
            raise CommandError(f"{place} can't be written ({error.strerror or error}); run the command as root.") from error
        self._systemctl("daemon-reload")
        self._systemctl("enable", *(("--now",) if start else ()), unit)

    def uninstall(self, unit: str) -> None:
        """Stop it in order, and forget it. What it recorded, and its data, stay."""
        path = self._folder / unit
        if not path.exists():
            raise CommandError(f"There is no service {unit} on this machine.")
        self._systemctl("disable", "--now", unit)
        try:
            path.unlink()
        except OSError as error:
            raise CommandError(f"The unit {path} can't be removed ({error.strerror or error}); run the command as root.") from error
        self._systemctl("daemon-reload")

    def _systemctl(self, *words: str) -> None:
        status, said = self._run(("systemctl", *words))
        if status != 0:
            raise CommandError(f"'systemctl {' '.join(words)}' failed: {said.splitlines()[-1] if said else f'status {status}'}.")


def _has_account(name: str) -> bool:
    if sys.platform == "win32":
        return False
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
