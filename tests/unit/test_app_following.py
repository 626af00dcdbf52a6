"""Commands that follow the coordinator go on when it, or its bus, was away for a while."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from sysmanager import api
from sysmanager.app.commands import jobs
from sysmanager.app.commands.asking import following
from tests.unit.test_app_jobs import Client, copy_row


class Away(Client):
    """Tells of the rows in turn; where there is None instead of one, it does not answer."""

    def __init__(self, *rows: api.JobRow | None) -> None:
        super().__init__()
        self.left = list(rows)

    async def changes(self) -> AsyncIterator[api.Changes]:
        while self.left:
            row = self.left.pop(0)
            if row is None:
                raise api.ClientError("The coordinator does not answer; check that it runs.")
            yield api.Changes(sequence=len(self.left), jobs=(row,))


def client(*rows: api.JobRow | None) -> api.Client:
    return cast(api.Client, Away(*rows))


async def test_what_was_interrupted_is_followed_on_and_said_once_for_each_outage(capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three = copy_row(percent=1), copy_row(percent=2), copy_row(percent=3)
    heard = [update.jobs[0].percent async for update in following(client(one, None, None, two, None, three), retry_s=0)]
    assert heard == [1, 2, 3]
    sentence = "sysmanager: The coordinator does not answer; check that it runs. It is asked again until it answers."
    assert capsys.readouterr().err.splitlines() == [sentence] * 2


async def test_who_never_answered_is_not_waited_for() -> None:
    with pytest.raises(api.ClientError, match="does not answer"):
        _ = [update async for update in following(client(None, copy_row()), retry_s=0)]


async def test_a_wait_outlasts_an_outage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(client: api.Client) -> AsyncIterator[Any]:
        return following(client, retry_s=0)

    monkeypatch.setattr(jobs, "following", at_once)
    args = argparse.Namespace(json=True, wait=True, entry="F00001")
    assert await jobs._copy(client(copy_row(), None, copy_row(api.JobPhase.READY, percent=100)), args) == 0
    assert json.loads(capsys.readouterr().out)["phase"] == "ready"
