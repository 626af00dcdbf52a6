"""Which coordinator a command speaks to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from sysmanager.app import paths
from sysmanager.app.errors import CommandError

VARIABLE = "SYSMANAGER_COORDINATOR"
CREDENTIALS = "credentials.json"


def add_target(parser: argparse.ArgumentParser | Any) -> None:
    parser.add_argument(
        "--coordinator",
        metavar="WHERE",
        default=os.environ.get(VARIABLE),
        help=f"data folder or credentials file of the coordinator; by default ${VARIABLE}, else the desktop program's own",
    )
    parser.add_argument("--role", choices=["Administrator", "Operator", "Monitoring"], default="Administrator", help="act with this role")


def credentials_file(where: str | None) -> Path:
    """The credentials file that a data folder, a credentials file or an address names. Raises CommandError."""
    if where is None:
        return paths.default_data() / paths.SERVER_FOLDER / CREDENTIALS
    if where.startswith("nats://"):
        return _for_address(where)
    place = Path(where)
    for candidate in (place, place / CREDENTIALS, place / paths.SERVER_FOLDER / CREDENTIALS, place / "coordinator" / "bus" / CREDENTIALS):
        if candidate.is_file():
            return candidate
    raise CommandError(f"There is no coordinator's data folder or credentials file at {place}; name the file that the coordinator wrote.")


def _for_address(url: str) -> Path:
    """An address alone opens nothing: the passwords of the same address must lie in the desktop program's own data."""
    from sysmanager.bus.credentials import load_credentials

    own = paths.default_data() / paths.SERVER_FOLDER / CREDENTIALS
    if own.is_file() and load_credentials(own).url == url.rstrip("/"):
        return own
    raise CommandError(f"For {url} the credentials file that its coordinator wrote is needed; name that file instead of the address.")
