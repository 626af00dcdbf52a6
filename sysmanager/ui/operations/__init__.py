"""One coroutine per operator command; errors are handled in one place, and the outcome says what changed."""

from __future__ import annotations

from sysmanager.ui.operations.commands import Operations, Outcome
from sysmanager.ui.operations.forecast import Forecaster
from sysmanager.ui.operations.session import Session, SessionSwitcher, follow

__all__ = ["Forecaster", "Operations", "Outcome", "Session", "SessionSwitcher", "follow"]
