"""The commands. Importing them is cheap: what a command needs it imports when it runs, so that `--help` and the demo start at once."""

from __future__ import annotations

from sysmanager.app.commands import (
    backup,
    cameras,
    caution,
    coordinator,
    demo,
    desktop,
    jobs,
    knowing,
    logs,
    material,
    picture,
    recorder,
    scripts,
    self_test,
    simulate,
    site,
)

MODULES = (
    desktop,
    demo,
    site,
    coordinator,
    recorder,
    material,
    cameras,
    simulate,
    scripts,
    caution,
    jobs,
    logs,
    backup,
    knowing,
    picture,
    self_test,
)

__all__ = [
    "MODULES",
    "backup",
    "cameras",
    "caution",
    "coordinator",
    "demo",
    "desktop",
    "jobs",
    "knowing",
    "logs",
    "material",
    "picture",
    "recorder",
    "scripts",
    "self_test",
    "simulate",
    "site",
]
