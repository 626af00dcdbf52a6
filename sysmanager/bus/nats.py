"""The bus over a NATS server.

nats-py's own reconnection is not used: a lost connection is replaced by a new one with the same subscriptions, whatever the reason
was (nats-py gives up for good after some errors of the server), and nothing that was published meanwhile is sent late.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

import structlog

from sysmanager.bus.credentials import BusCredentials, BusUser
from sysmanager.bus.ending import Lost, end_task, heeding
from sysmanager.bus.inbox import Inbox
from sysmanager.bus.nats_library import Client, Msg, NoRespondersError
from sysmanager.bus.nats_library import Error as NatsError
from sysmanager.bus.nats_library import Subscription as NatsSubscription
from sysmanager.bus.port import (
    ANSWERS_AT_ONCE,
    Answer,
    ConnectionChanged,
    Message,
    NoAnswer,
    NoAnswerKind,
    Receive,
    check_body,
    check_subject,
)

__all__ = ["NatsBus"]

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 2
RECONNECT_WAIT_S = 0.25
PING_INTERVAL_S = 2
PINGS_MISSED = 2
FLUSH_TIMEOUT_S = 2
CLOSE_TIMEOUT_S = 2
WATCH_INTERVAL_S = 0.5
"""How often the connection is looked at besides nats-py's own notice, which can hang in its clean-up."""

_CONNECTION_ERRORS = (NatsError, OSError, EOFError, ValueError)


class _LibraryLog(logging.Handler):
    """nats-py logs unexpected faults with a traceback; here they become one line."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log.warning("nats-py", message=record.getMessage(), error=repr(error) if error is not None else None)


_library_log = logging.getLogger("nats")
_library_log.addHandler(_LibraryLog())
_library_log.propagate = False


@dataclass(eq=False, slots=True)
class _Interest:
    """One subscription or server; `made` is its counterpart on the present connection."""

    bus: "NatsBus"
    subject: str
    inbox: Inbox[Msg]
    made: NatsSubscription | None = None

    @property
    def dropped(self) -> int:
        return self.inbox.dropped

    @property
    def waiting(self) -> int:
        return self.inbox.waiting + (self.made.pending_msgs if self.made is not None else 0)

    async def end(self) -> None:
        self.inbox.close()
        await self.bus.forget(self)


class NatsBus:
    """Implements `Bus`. Call `open` first; subscribing, publishing and requesting are allowed before it is connected."""

    def __init__(self, credentials: BusCredentials, user: BusUser, name: str) -> None:
        """`name` is shown by the server. Raises `CredentialsUnusable` when there is no password for `user`."""
        self._url = credentials.url
        self._user = user.value
        self._password = credentials.password(user)
        self._name = name
        self._client: Client | None = None
        self._interests: list[_Interest] = []
        self._watchers: list[ConnectionChanged] = []
        self._keeper: asyncio.Task[None] | None = None
        self._first_connection = asyncio.Event()
        self._outage_logged = False
        self.refused = False
        """Whether the server refused the credentials since the last connection."""
        self._closing = asyncio.Event()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    def on_connection(self, changed: ConnectionChanged) -> None:
        self._watchers.append(changed)

    async def open(self, wait_ms: int = 0) -> bool:
        """Connect, and go on trying for ever. Waits at most `wait_ms` for the first connection; whether it is there."""
        if self._keeper is None:
            self._closing.clear()
            self._keeper = asyncio.get_running_loop().create_task(self._keep_connected())
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                await self._first_connection.wait()
        return self.connected

    async def publish(self, subject: str, body: bytes) -> None:
        check_subject(subject)
        check_body(subject, body)
        await self._send(self._client, subject, body)

    async def request(self, subject: str, body: bytes, timeout_ms: int) -> bytes:
        check_subject(subject)
        check_body(subject, body)
        client = self._client
        if client is None or not client.is_connected:
            raise NoAnswer(NoAnswerKind.DISCONNECTED, subject, timeout_ms)
        try:
            reply = await heeding(client.request(subject, body, timeout=timeout_ms / 1000), self._lost)
        except NoRespondersError:
            raise NoAnswer(NoAnswerKind.NO_RESPONDERS, subject, timeout_ms) from None
        except Lost:
            raise NoAnswer(NoAnswerKind.LOST, subject, timeout_ms) from None
        except _CONNECTION_ERRORS:
            raise NoAnswer(NoAnswerKind.TIMEOUT, subject, timeout_ms) from None
        return bytes(reply.data)

    async def subscribe(self, subject: str, receive: Receive) -> _Interest:
        return await self._add(subject, Inbox(subject, lambda msg: receive(Message(subject=msg.subject, body=msg.data))))

    async def serve(self, subject: str, answer: Answer) -> _Interest:
        async def serve_one(msg: Msg) -> None:
            client = self._client
            body = await answer(Message(subject=msg.subject, body=msg.data))
            if msg.reply:
                check_body(msg.subject, body)
                await self._send(client, msg.reply, body)

        return await self._add(subject, Inbox(subject, serve_one, at_once=ANSWERS_AT_ONCE))

    async def close(self) -> None:
        self._closing.set()
        for interest in list(self._interests):
            interest.inbox.close()
        self._interests.clear()
        if self._keeper is not None:
            await end_task(self._keeper)
            self._keeper = None

    async def forget(self, interest: _Interest) -> None:
        if interest in self._interests:
            self._interests.remove(interest)
            if interest.made is not None and self.connected:
                with suppress(*_CONNECTION_ERRORS):
                    await heeding(interest.made.unsubscribe())

    async def _add(self, subject: str, inbox: Inbox[Msg]) -> _Interest:
        check_subject(subject, wildcards=True)
        interest = _Interest(self, subject, inbox)
        self._interests.append(interest)
        client = self._client
        if client is not None and client.is_connected:
            with suppress(*_CONNECTION_ERRORS):  # lost at this moment: the next connection makes it
                await heeding(self._make(client, interest))
                await heeding(_reach_server(client))
        return interest

    async def _make(self, client: Client, interest: _Interest) -> None:
        async def put(msg: Msg) -> None:
            interest.inbox.put(msg)

        interest.made = await client.subscribe(interest.subject, cb=put)

    async def _send(self, client: Client | None, subject: str, body: bytes) -> None:
        if client is not None and client.is_connected:
            with suppress(*_CONNECTION_ERRORS):  # at most once: a message that meets a lost connection is lost
                await client.publish(subject, body)  # not `heeding`: it waits only when the connection is full

    async def _keep_connected(self) -> None:
        # The library swallows a cancellation that meets it at the wrong moment: what counts is that we are closing.
        while not self._closing.is_set():
            client = Client()
            closed = asyncio.Event()
            try:
                await self._connect(client, closed)
                if self._closing.is_set():
                    return
                for interest in list(self._interests):
                    await self._make(client, interest)
                await _reach_server(client)
                self._changed(client)
                await self._wait_closed(client, closed)
            except Exception as error:  # noqa: BLE001 - also what the library stumbles over when another program has the port
                self._log_outage(error)
            finally:
                was_connected, self._client = self._client is not None, None
                self._give_up_requests()
                await _close(client)
                if was_connected and not self._closing.is_set():
                    log.warning("the connection to the bus is lost", url=self._url)
                    self._tell(False)
            if not self._closing.is_set():
                await asyncio.sleep(RECONNECT_WAIT_S)

    async def _wait_closed(self, client: Client, closed: asyncio.Event) -> None:
        while not (self._closing.is_set() or closed.is_set()) and client.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_INTERVAL_S):
                    await closed.wait()

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def on_closed() -> None:
            closed.set()

        async def on_error(error: Exception) -> None:
            if client.is_connected:
                log.warning("the bus reports an error", url=self._url, error=str(error))
            else:
                self._log_outage(error)

        await client.connect(
            self._url,
            user=self._user,
            password=self._password,
            name=self._name,
            inbox_prefix=f"_INBOX_{self._user}",
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=PINGS_MISSED,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # any number of seconds; only handed to sleep
            error_cb=on_error,
            closed_cb=on_closed,
        )

    def _give_up_requests(self) -> None:
        """Their answers went to the connection that is gone."""
        self._lost.set_result(None)
        self._lost = asyncio.get_running_loop().create_future()

    def _changed(self, client: Client) -> None:
        self._client = client
        self._outage_logged = False
        self.refused = False
        self._first_connection.set()
        log.info("connected to the bus", url=self._url, user=self._user)
        self._tell(True)

    def _tell(self, connected: bool) -> None:
        for watcher in self._watchers:
            watcher(connected)

    def _log_outage(self, error: Exception) -> None:
        """Once per outage: the attempts go on four times a second."""
        self.refused = self.refused or "authorization violation" in str(error).lower()
        if not self._outage_logged:
            self._outage_logged = True
            log.warning("no connection to the bus; trying on", url=self._url, error=str(error) or type(error).__name__)


async def _reach_server(client: Client) -> None:
    """Wait until the server has taken all that was said so far, subscriptions above all: whoever asks then finds somebody.

    The library's own `flush` does not do: its PING goes past what still waits to be written, and is answered before that is there.
    """
    await client._flush_pending(force_flush=True)
    await client.flush(timeout=FLUSH_TIMEOUT_S)


async def _close(client: Client) -> None:
    """Bounded: a connection whose other end is frozen can't be closed politely."""
    with suppress(*_CONNECTION_ERRORS):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.close()
