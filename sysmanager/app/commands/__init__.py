"""The commands. Importing them is cheap: what a command needs it imports when it runs, so that `--help` and the demo start at once."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final

NAMES: Final = (
    "desktop",
    "demo",
    "site",
    "coordinator",
    "recorder",
    "material",
    "cameras",
    "simulate",
    "scripts",
    "caution",
    "jobs",
    "logs",
    "backup",
    "knowing",
    "picture",
    "self_test",
)
"""The modules, in the order of `--help`."""

ALONE: Final = frozenset({"recorder"})
"""Commands for which no other one is loaded: they run for months in two processes, on machines that have something else to do."""


def modules(command: str) -> tuple[ModuleType, ...]:
    """Those that the command line of this command is made of: all of them, so that what is wrong with it can be said, but for a few."""
    names = (command,) if command in ALONE else NAMES
    return tuple(import_module(f"{__name__}.{name}") for name in names)
