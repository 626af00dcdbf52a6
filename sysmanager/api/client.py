"""The port behind which a coordinator stands for every client, in the same process or elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from sysmanager.domain.rights import Actor
from sysmanager.protocol.clients import Answer, Changes, Question, Reply, Request, Snapshot

API_VERSION = "1.0"


class ClientError(Exception):
    """The coordinator could not be asked. The text is one sentence that says what to do."""


class Client(Protocol):
    """A session with a coordinator. The coordinator decides what the session's role may do, for every request (SPEC 12)."""

    @property
    def actor(self) -> Actor:
        """Who asks: name and role of this session."""
        ...

    async def snapshot(self) -> Snapshot:
        """Everything, and the number after which `changes` goes on. Raises ClientError."""
        ...

    def changes(self) -> AsyncIterator[Snapshot | Changes]:
        """Changes as they happen, without end: first a snapshot, then changes in sequence without a hole.

        After a missed number it yields a new snapshot. Ends when the client is closed. Raises ClientError when the coordinator cannot be
        reached any more; to go on, begin again.
        """
        ...

    async def request(self, request: Request) -> Reply:
        """Ask for a change. The reply comes when it is durable or refused. Raises ClientError when there is no answer."""
        ...

    async def ask(self, question: Question) -> Answer:
        """Ask for a preview or for who records. Changes nothing. Raises ClientError."""
        ...

    async def close(self) -> None:
        """End the session; `changes` ends."""
        ...
