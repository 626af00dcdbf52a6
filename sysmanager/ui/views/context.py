"""What every view of one window shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo

from sysmanager.ui.icons import Icons
from sysmanager.ui.operations import Operations
from sysmanager.ui.operations.session import Tasks
from sysmanager.ui.state.store import Store
from sysmanager.ui.theme import Theme


def wall_clock_ms() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class Context:
    """zone None: the local time zone."""

    theme: Theme
    icons: Icons
    store: Store
    operations: Operations
    tasks: Tasks = field(default_factory=Tasks)
    now_wall_ms: Callable[[], int] = wall_clock_ms
    zone: tzinfo | None = None
