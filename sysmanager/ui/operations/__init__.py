"""One coroutine per operator command; errors are handled in one place, and the outcome says what changed."""

from __future__ import annotations

from sysmanager.ui.operations.commands import Operations, Outcome
from sysmanager.ui.operations.forecast import Forecaster
from sysmanager.ui.operations.log_pages import LogPager, export_log
from sysmanager.ui.operations.session import Session, SessionSwitcher, follow

__all__ = ["Forecaster", "LogPager", "Operations", "Outcome", "Session", "SessionSwitcher", "export_log", "follow"]
