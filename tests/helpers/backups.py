"""A journal, documents and a site key in memory, and backups of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from sysmanager import wire
from sysmanager.backup.folder import BackupFolder
from sysmanager.backup.port import BackupJob
from sysmanager.backup.recovery import recovery_key
from sysmanager.coordinator import facts as f
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.documents.port import StoreName
from sysmanager.documents.sealing import canonical_hash
from sysmanager.documents.site_key import SiteKey
from sysmanager.domain.backup import BackupKind, RecoveryKey
from sysmanager.domain.rights import COORDINATOR
from sysmanager.journal.memory import MemoryJournal

PASSPHRASE = "correct horse battery"
BUS = b'{"url":"nats://127.0.0.1:4222","users":{"coordinator":"x","recorder":"y","client":"z"}}'
KEY = SiteKey(bytes(range(32)))


def cheap_key(passphrase: str = PASSPHRASE) -> RecoveryKey:
    """As `recovery_key`, whose cost is only for who guesses."""
    return recovery_key(passphrase, cost=1 << 14)


def document(number: int) -> tuple[str, bytes]:
    """Hash and content."""
    content = {"format": 1, "name": f"document {number}", "text": "x" * 300}
    return canonical_hash(content), msgspec.json.encode(content)


class BackedUp:
    """Facts and documents as `open` wrote them. missing: a document that is named, and not in the cache."""

    def __init__(self, folder: Path, *, key: SiteKey | None = KEY, bus: Callable[[], bytes] = lambda: BUS) -> None:
        self.journal = MemoryJournal()
        self.store = MemoryDocumentStore()
        self.folder = folder
        self.backups = BackupFolder(folder, self.journal, self.store, program="0.1.0", site_key=key, bus=bus)
        self.named: set[tuple[StoreName, str]] = set()
        self.bodies: list[bytes] = []

    async def open(self, records: int = 50, documents: int = 4) -> BackedUp:
        await self.journal.open()
        facts = [f.CoordinatorStarted(term=term) for term in range(1, records + 1)]
        self.bodies = [wire.encode_fact(f.FactRecord(term=1, wall_ms=1, actor=COORDINATOR, fact=fact)) for fact in facts]
        await self.journal.append(0, self.bodies)
        for number in range(documents):
            name, content = document(number)
            store = list(StoreName)[number % 3]
            await self.store.put(store, name, content)
            self.named.add((store, name))
        self.missing = (StoreName.MASKS, document(99)[0])
        self.named.add(self.missing)
        return self

    def job(self, number: int = 1, **changes: object) -> BackupJob:
        job = BackupJob(
            number=number,
            kind=BackupKind.MANUAL,
            site="Harbour",
            made_ms=1_790_000_000_000,
            position=self.journal.last,
            documents=frozenset(self.named),
        )
        return msgspec.structs.replace(job, **changes)

    async def file(self, number: int = 1, **changes: object) -> Path:
        """A backup that was made."""
        made = await self.backups.make(self.job(number, **changes))
        return self.folder / made.name
