"""A coordinator that serves: data folder, journal, documents, bus, engine and clients' service, put together and taken apart in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from sysmanager import __version__
from sysmanager.app import paths
from sysmanager.app.errors import CommandError
from sysmanager.app.site.step_hold import HeldJournal, HoldAtStep
from sysmanager.backup.folder import BackupFolder
from sysmanager.backup.restore import unfinished
from sysmanager.bus.credentials import BusUser
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.server import BusServer
from sysmanager.documents.files import FileDocumentStore
from sysmanager.documents.site_key import SiteKey
from sysmanager.engine.cache import DocumentCache
from sysmanager.engine.clients import ClientService
from sysmanager.engine.clock import SystemClock
from sysmanager.engine.engine import Engine
from sysmanager.engine.field import Field
from sysmanager.engine.logbook import KEEP_DAYS
from sysmanager.engine.recovery import SnapshotFile
from sysmanager.history.sqlite import SqliteHistory
from sysmanager.journal.lock import DataFolderLock
from sysmanager.journal.sqlite import SqliteJournal
from sysmanager.thismachine import machine_id

log = structlog.get_logger(__name__)

BUS_WAIT_MS = 10_000


_NEW_KEY = (
    "The data folder {data} has a journal but its site key is not in {key}, so a new one was made there: "
    "end the coordinator and put the old key in its place, or give every recorder the new one."
)


@dataclass(frozen=True, slots=True)
class Serving:
    """A coordinator at work. url: of the bus, without credentials. warnings: what is wrong with its data, a sentence each."""

    engine: Engine
    credentials_file: Path
    url: str
    warnings: tuple[str, ...] = ()


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"The data folder {data} cannot be made ({error.strerror or error}); name another one.") from error


def _journal(file: Path, sync_delay_ms: int, hold_at: str | None) -> SqliteJournal:
    if hold_at is None:
        return SqliteJournal(file, sync_delay_ms=sync_delay_ms)
    try:
        return HeldJournal(file, HoldAtStep(hold_at), sync_delay_ms=sync_delay_ms)
    except ValueError as error:
        raise CommandError(f"{error}.") from None


@asynccontextmanager
async def serving(
    data: Path,
    *,
    site: str,
    host: str = "127.0.0.1",
    port: int = 0,
    practice: bool = False,
    site_key: Path | None = None,
    sync_delay_ms: int = 0,
    keep_days: int = KEEP_DAYS,
    hold_at: str | None = None,
) -> AsyncIterator[Serving]:
    """Run a coordinator on a data folder until the block ends.

    port: of the bus, 0 for the one it had, or a free one. site_key: where the site key lies; made at the first start.
    sync_delay_ms: added to every journal sync, for measurements. keep_days: how long the failover log and the audit log can be searched.
    hold_at: stand still at a step of the first failover, for rehearsals.
    Raises the errors of `app.errors`, each in one sentence.
    """
    _make_folder(data)
    half = unfinished(data)
    if half is not None:
        raise CommandError(half)
    async with AsyncExitStack() as stack:
        stack.enter_context(DataFolderLock(data))
        key_file, journal_file = site_key or paths.site_key_file(data), data / paths.JOURNAL
        warnings = [_NEW_KEY.format(data=data, key=key_file)] if journal_file.exists() and not key_file.exists() else []
        key = SiteKey.load_or_create(key_file)
        server = BusServer(data / paths.SERVER_FOLDER, host=host, port=port)
        credentials = await server.start()
        stack.push_async_callback(server.close)
        bus = NatsBus(credentials, BusUser.COORDINATOR, "coordinator")
        stack.push_async_callback(bus.close)
        if not await bus.open(wait_ms=BUS_WAIT_MS):
            raise CommandError(f"The bus at {credentials.url} does not answer; see the log of the coordinator.")
        store = FileDocumentStore(data)
        field = Field(bus, store, key.material_key)
        journal = _journal(journal_file, sync_delay_ms, hold_at)
        backups = BackupFolder(
            data / paths.BACKUPS, journal, store, program=__version__, site_key=key, bus=server.credentials_path.read_bytes
        )
        cache = DocumentCache(store, field.document)
        engine = Engine(
            journal,
            field,
            cache,
            SystemClock(),
            site=site,
            practice=practice,
            history=SqliteHistory(data / "history.sqlite"),
            keep_days=keep_days,
            machine="" if practice else machine_id(),
            backups=backups,
            snapshots=SnapshotFile(data / paths.SNAPSHOT),
        )
        stack.push_async_callback(engine.stop)
        await engine.start()
        warnings += [engine.damage] if engine.damage is not None else []
        clients = ClientService(engine, bus)
        await clients.open()
        stack.push_async_callback(clients.close)
        log.info("coordinator serves", data=str(data), url=credentials.url)
        yield Serving(engine=engine, credentials_file=server.credentials_path, url=credentials.url, warnings=tuple(warnings))
        log.info("coordinator ends")
