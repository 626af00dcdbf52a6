"""Where things lie on this machine, by the platform's own manners."""

from __future__ import annotations

from pathlib import Path

import platformdirs

APPLICATION = "sysmanager"
SERVER_FOLDER = "bus"
JOURNAL = "journal.sqlite"
BACKUPS = "backups"
SNAPSHOT = "journal.snapshot"


def default_data() -> Path:
    """Data of the coordinator that the desktop program brings with it."""
    return platformdirs.user_data_path(APPLICATION, appauthor=False) / "coordinator"


def log_folder() -> Path:
    return platformdirs.user_log_path(APPLICATION, appauthor=False)


def settings_file() -> Path:
    """Layout and theme of the desktop program."""
    return platformdirs.user_config_path(APPLICATION, appauthor=False) / "desktop.ini"


def cache_folder() -> Path:
    return platformdirs.user_cache_path(APPLICATION, appauthor=False)


def site_key_file(data: Path) -> Path:
    """The site key of a data folder: apart from the data, so that a copy of the one is not a copy of the other (SPEC 3)."""
    import hashlib  # not at the top: it brings OpenSSL, which the process that has to stay small does without

    name = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]
    return platformdirs.user_config_path(APPLICATION, appauthor=False) / "site-keys" / f"{name}.key"
