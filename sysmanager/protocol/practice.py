"""How a simulated server is told to fail, for the demo, training and the tests (SPEC 16, last point)."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from sysmanager.domain.ids import RecorderId


class Fault(StrEnum):
    """What can be wrong with a simulated server. Several at once are possible."""

    CONNECTION = "connection"
    """Cut off from the coordinator; it goes on recording and does not know."""
    POWER = "power"
    """The machine is off: records nothing, answers nothing."""
    SHUTDOWN = "shutdown"
    """It is shut down in order: its Watchdog announces that, and it goes when its cameras were taken over, or nobody can."""
    CAMERAS = "cameras"
    """Cut off from its cameras; the coordinator hears it."""
    ALL_DISKS = "all disks"
    ONE_DISK = "one disk"
    SERVICE = "recording service"
    """The recording service cannot be started; its Watchdog says so."""
    REFUSE = "refuse settings"
    """Refuses settings that it is told to apply."""
    SELF_TEST = "self-test"
    """Its self-test fails while it waits, and it says so; it would work all the same."""
    VANISH = "vanish when asked"
    """Loses power at the moment it is told to apply settings."""


FAULT_SENTENCES: dict[Fault, str] = {
    Fault.CONNECTION: "Pull its network cable: it records on, but nobody hears it.",
    Fault.POWER: "Switch the machine off.",
    Fault.SHUTDOWN: "Shut it down in order: it says so first, and records on while another server takes over.",
    Fault.CAMERAS: "Cut it off from its cameras: it is heard, and records nothing.",
    Fault.ALL_DISKS: "Break all of its material disks.",
    Fault.ONE_DISK: "Break one of its material disks.",
    Fault.SERVICE: "Break its recording service: the Watchdog cannot start it.",
    Fault.REFUSE: "Let it refuse settings that it is told to apply.",
    Fault.SELF_TEST: "Let its self-test fail while it waits.",
    Fault.VANISH: "Let it lose power when it is told to apply settings.",
}


class PracticeServer(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated server and the faults that it has now."""

    id: RecorderId
    name: str
    failover: bool
    faults: frozenset[Fault] = frozenset()


class PracticeControls(Protocol):
    """The levers behind the demo panel. Safe to call from any thread; takes effect at once, visible within a second."""

    def servers(self) -> tuple[PracticeServer, ...]:
        """All simulated servers in the order of their names, with their present faults."""
        ...

    def set_fault(self, server: RecorderId, fault: Fault, present: bool) -> None:
        """Break the server in one way, or mend that. Unknown servers raise KeyError."""
        ...

    def mend(self, server: RecorderId) -> None:
        """End all faults of the server and switch it on again."""
        ...
