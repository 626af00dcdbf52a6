"""How something that was looked at came out."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How a check came out. `stop`: it would be refused, or does not work; `warning`: it goes on, and you should know."""

    GOOD = "good"
    WARNING = "warning"
    STOP = "stop"
