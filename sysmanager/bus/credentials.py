"""The generated passwords of the bus, in a file that only the user can read."""

import secrets
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from sysmanager.bus.port import BusError
from sysmanager.durable import is_private, read_bounded, write_durably

__all__ = ["BusCredentials", "BusUser", "CredentialsUnusable", "generate_credentials", "load_credentials", "save_credentials"]

MAX_FILE_BYTES = 64 * 1024


class BusUser(Enum):
    """Who may do what: see `bus.server_config`."""

    COORDINATOR = "coordinator"
    RECORDER = "recorder"
    CLIENT = "client"


class CredentialsUnusable(BusError):
    """The file is missing, readable by others, or not what it should be."""


class BusCredentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, repr_omit_defaults=True):
    """`url`: `nats://host:port`, without a password. `users`: name of a `BusUser` → password."""

    url: str
    users: dict[str, str]

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def password(self, user: BusUser) -> str:
        """Raises `CredentialsUnusable`."""
        if user.value not in self.users:
            raise CredentialsUnusable(f"The bus credentials hold no password for {user.value}; use the file that the coordinator wrote.")
        return self.users[user.value]

    def only(self, *users: BusUser) -> "BusCredentials":
        """What may be given to a machine that acts as these users alone."""
        return BusCredentials(url=self.url, users={user.value: self.password(user) for user in users})

    def __repr__(self) -> str:
        return f"BusCredentials(url={self.url!r}, users={sorted(self.users)})"


def generate_credentials(host: str, port: int) -> BusCredentials:
    bracketed = f"[{host}]" if ":" in host else host
    return BusCredentials(url=f"nats://{bracketed}:{port}", users={user.value: secrets.token_urlsafe(24) for user in BusUser})


def save_credentials(path: Path, credentials: BusCredentials) -> None:
    """Raises `OSError`."""
    write_durably(path, msgspec.json.format(msgspec.json.encode(credentials)) + b"\n", private=True)


def load_credentials(path: Path) -> BusCredentials:
    """Raises `CredentialsUnusable`."""
    try:
        if not is_private(path):
            raise CredentialsUnusable(f"The bus credentials {path} can be read by other users; take their rights away (chmod 600).")
        credentials = msgspec.json.decode(read_bounded(path, MAX_FILE_BYTES), type=BusCredentials)
        is_complete = urlsplit(credentials.url).scheme == "nats" and bool(credentials.host) and credentials.port > 0
    except FileNotFoundError as error:
        raise CredentialsUnusable(f"There are no bus credentials at {path}; start the coordinator, which writes them.") from error
    except OSError as error:
        raise CredentialsUnusable(f"The bus credentials {path} can't be read ({error.strerror or error}); check the rights.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # the texts name fields and types, never values
        raise CredentialsUnusable(
            f"The bus credentials {path} are damaged ({error}); delete the file and start the coordinator."
        ) from error
    except ValueError as error:
        raise CredentialsUnusable(f"The url in the bus credentials {path} is wrong; it must be nats://host:port.") from error
    if not is_complete:
        raise CredentialsUnusable(f"The url in the bus credentials {path} is wrong; it must be nats://host:port.")
    return credentials
