"""Connecting the window: to its own coordinator with patience, to another one without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sysmanager import api
from sysmanager.api import ClientError, RoleName
from sysmanager.app import windows

CREDENTIALS = Path("credentials.json")


class Away:
    """A coordinator that answers from the third time on, and a clock that each attempt moves on by five seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.attempts = 0
        self.now_s = 100.0
        monkeypatch.setattr(api, "connect", self.connect)
        monkeypatch.setattr(windows, "monotonic", lambda: self.now_s)

    async def connect(self, credentials: Path, *, role: RoleName) -> Any:
        assert (credentials, role) == (CREDENTIALS, RoleName.OPERATOR)
        self.attempts += 1
        self.now_s += 5
        if self.attempts < 3:
            raise ClientError("Nothing answers.")
        return "the session"


async def test_a_coordinator_that_is_started_again_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Away(monkeypatch)
    assert await windows.connect_patiently(CREDENTIALS, RoleName.OPERATOR, 40.0) == "the session"
    assert away.attempts == 3


@pytest.mark.parametrize(("patience_s", "attempts"), [(0.0, 1), (7.0, 2)])
async def test_patience_ends(monkeypatch: pytest.MonkeyPatch, patience_s: float, attempts: int) -> None:
    away = Away(monkeypatch)
    with pytest.raises(ClientError, match="Nothing answers"):
        await windows.connect_patiently(CREDENTIALS, RoleName.OPERATOR, patience_s)
    assert away.attempts == attempts
