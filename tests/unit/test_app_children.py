"""What a child says is kept, whoever asks for it too early."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sysmanager.app import children
from sysmanager.app.children import Child


class Silent:
    """A process that says something only after it was asked for."""

    returncode: int | None = 0

    def __init__(self) -> None:
        self.stderr = asyncio.StreamReader()

    async def wait(self) -> int:
        return 0


async def test_a_question_that_comes_too_early_does_not_end_the_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "COMPLAINT_WAIT_S", 0.0)
    process = Silent()
    child = Child(cast(Any, process))
    assert await child.complaint() == ""
    process.stderr.feed_data(b"sysmanager: The port 4222 is in use; choose another one.\n")
    process.stderr.feed_eof()
    assert await child.end(1.0) == 0
    assert await child.complaint() == "The port 4222 is in use; choose another one."
