"""The configuration of the bundled NATS server: where it listens, and what each of its users may say and hear."""

import ipaddress
import json
from pathlib import Path

from sysmanager.bus import subjects
from sysmanager.bus.credentials import BusCredentials, BusUser
from sysmanager.bus.port import MAX_BODY_BYTES, BusError

__all__ = ["EnrolmentFirst", "check_loopback", "server_config"]

LOG_LIMIT_BYTES = 1 << 20
ANSWER_WITHIN = "5m"
"""How long a recorder may answer a request that it got."""

RIGHTS: dict[BusUser, dict[str, list[str]]] = {
    BusUser.COORDINATOR: {
        "publish": ["sm.>", "_INBOX_coordinator.>", "_INBOX_recorder.>", "_INBOX_client.>"],
        "subscribe": ["sm.>", "_INBOX_coordinator.>"],
    },
    BusUser.RECORDER: {
        "publish": [
            subjects.EVERY_BEAT,
            subjects.EVERY_WATCHDOG,
            subjects.EVERY_REPORT,
            subjects.ASK,
            subjects.STORE,
            subjects.LEAVING,
            subjects.EVERY_PEER,
        ],
        "subscribe": [
            subjects.BEACON,
            "sm.order.*",
            "sm.documents.*",
            "sm.probe.*",
            "sm.picture.*",
            subjects.EVERY_PEER,
            "_INBOX_recorder.>",
        ],
    },
    BusUser.CLIENT: {
        "publish": [subjects.REQUEST, subjects.SNAPSHOT],
        "subscribe": [subjects.BEACON, subjects.CHANGES, "_INBOX_client.>"],
    },
}
"""Answers to the coordinator go to its inbox; recorders may write there only when they were asked (`allow_responses`)."""


class EnrolmentFirst(BusError):
    """Only this machine may reach the bus until recorders can be told apart."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The bus can't listen on {host}: other machines may reach it only after recorders have been enrolled, which this version "
            "can't do yet; use 127.0.0.1."
        )


def check_loopback(host: str) -> str:
    """The address to listen on; raises `EnrolmentFirst` for all that is not loopback, names included."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise EnrolmentFirst(host)
    return host


def server_config(credentials: BusCredentials, server_name: str, folder: Path) -> bytes:
    """The server's configuration file (JSON, which it reads as its own language). Holds the passwords."""
    host = f"[{credentials.host}]" if ":" in credentials.host else credentials.host
    config = {
        "server_name": server_name,
        "listen": f"{host}:{credentials.port}",
        "max_payload": MAX_BODY_BYTES,
        "ping_interval": "2s",
        "ping_max": 2,
        "write_deadline": "5s",
        "pid_file": str(folder / "nats.pid"),
        "log_file": str(folder / "nats.log"),
        "logfile_size_limit": LOG_LIMIT_BYTES,
        "logfile_max_num": 2,
        "authorization": {"timeout": 2, "users": [_user(user, credentials.password(user)) for user in BusUser]},
    }
    return json.dumps(config, indent=1).encode()


def _user(user: BusUser, password: str) -> dict[str, object]:
    permissions: dict[str, object] = {direction: {"allow": allowed} for direction, allowed in RIGHTS[user].items()}
    if user is BusUser.RECORDER:
        permissions["allow_responses"] = {"max": 1, "expires": ANSWER_WITHIN}
    return {"user": user.value, "password": password, "permissions": permissions}
