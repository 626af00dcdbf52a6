"""What this machine is made of, for the heartbeat (SPEC 2, 5). Asked once, at the start of the service."""

from __future__ import annotations

import platform

import msgspec
import psutil

from sysmanager.protocol.hardware import Hardware
from sysmanager.recorder.machine import Identity
from sysmanager.thismachine import machine_id

_NAME_LIMIT = 200


def this_hardware() -> Hardware:
    """Never fails: what cannot be found out is 0 or empty."""
    try:
        memory_mb = int(psutil.virtual_memory().total // (1024 * 1024))
    except (OSError, psutil.Error):
        memory_mb = 0
    name = "".join(letter for letter in platform.processor() or platform.machine() if letter.isprintable())
    return Hardware(psutil.cpu_count() or 0, memory_mb, name[:_NAME_LIMIT])


def this_machine(identity: Identity) -> Identity:
    """With what the machine itself says."""
    return msgspec.structs.replace(identity, hardware=this_hardware(), machine=machine_id())
