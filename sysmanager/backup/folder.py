"""The folder in which a coordinator keeps its backups. Implements `Backups` with a thread for each backup that is being made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from sysmanager.backup.format import Secrets
from sysmanager.backup.port import PART_BYTES, BackupFailed, BackupJob
from sysmanager.backup.writer import write_backup
from sysmanager.documents.port import DocumentStore
from sysmanager.documents.site_key import SiteKey
from sysmanager.domain.backup import BackupFile, BackupKind
from sysmanager.durable import TEMPORARY_PREFIX
from sysmanager.journal.port import Journal

log = structlog.get_logger(__name__)

SUFFIX = ".smbackup"
KEPT: Mapping[BackupKind, int] = {BackupKind.BASELINE: 10, BackupKind.MANUAL: 3}
"""So many of each kind are kept, the newest. One made by hand is fetched by who asked, and kept where they want it."""

GIVE_UP_S = 120.0
"""A disk that takes longer does not answer: the backup has failed, and its thread ends with the disk's next word."""


class BackupFolder:
    """Backups of this journal and these documents in `folder`, which is made when it is needed.

    site_key, bus: what is sealed into backups, as far as there is a key for it; `bus` gives the credentials of the bus as they are now.
    """

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        store: DocumentStore,
        *,
        program: str,
        site_key: SiteKey | None = None,
        bus: Callable[[], bytes] = bytes,
    ) -> None:
        self._folder = folder
        self._journal = journal
        self._store = store
        self._program = program
        self._site_key = site_key
        self._bus = bus
        self._making: dict[int, asyncio.Future[BackupFile]] = {}
        self._stuck: set[threading.Thread] = set()

    async def make(self, job: BackupJob) -> BackupFile:
        known = self._making.get(job.number)
        if known is not None:
            return await asyncio.shield(known)
        self._stuck = {thread for thread in self._stuck if thread.is_alive()}
        if self._stuck:
            raise BackupFailed(f"An earlier backup still waits for the disk of {self._folder}; check that disk.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[BackupFile] = loop.create_future()
        self._making[job.number] = future
        given_up = threading.Event()
        thread = threading.Thread(target=self._work, args=(job, loop, future, given_up), name=f"backup {job.number}", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                return await asyncio.shield(future)
        except TimeoutError:
            self._stuck.add(thread)
            late = BackupFailed(f"The disk of {self._folder} did not take the backup within {GIVE_UP_S:g} s; check that disk.")
            if not future.done():
                future.set_exception(late)
                future.exception()  # for others that wait for the same; nobody may
            raise late from None
        finally:
            given_up.set()
            self._making.pop(job.number, None)

    async def read(self, name: str, offset: int) -> bytes:
        def part() -> bytes:
            with (self._folder / name).open("rb") as file:
                file.seek(offset)
                return file.read(PART_BYTES)

        try:
            return await asyncio.to_thread(part)
        except OSError as error:
            raise BackupFailed(f"The backup {name} can't be read ({error.strerror or error}); make a new one.") from error

    # ------------------------------------------------------------ in the thread

    def _work(self, job: BackupJob, loop: asyncio.AbstractEventLoop, future: asyncio.Future[BackupFile], given_up: threading.Event) -> None:
        outcome: BackupFile | BackupFailed
        try:
            outcome = self._make(job, lambda: not given_up.is_set())
        except BackupFailed as error:
            outcome = error
        except Exception as error:
            log.exception("the backup worker failed", number=job.number)
            outcome = BackupFailed(f"The backup failed on an internal error ({type(error).__name__}); see the log file.")

        def settle() -> None:
            if not future.done():
                future.set_exception(outcome) if isinstance(outcome, BackupFailed) else future.set_result(outcome)

        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _make(self, job: BackupJob, goes_on: Callable[[], bool]) -> BackupFile:
        when = datetime.fromtimestamp(job.made_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        path = self._folder / f"{job.kind.value}-{job.number:06d}-{when}{SUFFIX}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BackupFailed(f"The folder {self._folder} can't be made ({error.strerror or error}); check the disk.") from error
        secrets = None
        if self._site_key is not None and job.recovery is not None:
            try:
                bus = self._bus()
            except OSError as error:
                raise BackupFailed(f"The credentials of the bus can't be read ({error.strerror or error}); check their file.") from error
            secrets = msgspec.json.encode(Secrets(site_key=self._site_key.for_backup(), bus=bus))
        size_bytes = write_backup(
            path,
            job,
            pages=self._journal.pages,
            document=self._store.get_blocking,
            program=self._program,
            key_id=self._site_key.key_id if self._site_key is not None else "",
            secrets=secrets,
            goes_on=goes_on,
        )
        self._prune(job.kind, path)
        return BackupFile(number=job.number, name=path.name, made_ms=job.made_ms, size_bytes=size_bytes, position=job.position)

    def _prune(self, kind: BackupKind, made: Path) -> None:
        """Only the newest stay; and nothing that a kill left half. What cannot be deleted now is deleted after the next one."""
        try:
            all_of_kind = self._folder.glob(f"{kind.value}-*{SUFFIX}")
            found = sorted(all_of_kind, key=lambda path: (path == made, path.stat().st_mtime_ns, path.name))
            half = self._folder.glob(f"{TEMPORARY_PREFIX}{kind.value}-*")
            for path in (*found[: -KEPT[kind]], *half):
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("old backups not deleted", folder=str(self._folder), why=str(error))
