"""What the engine does about backups: it has them made by a worker, and reads them for who may have them (SPEC 7)."""

from __future__ import annotations

import structlog

from sysmanager.backup.port import BackupFailed, BackupJob, Backups
from sysmanager.coordinator.commands import MakeBackup
from sysmanager.coordinator.inputs import BackupEnded
from sysmanager.coordinator.state import View
from sysmanager.engine.cache import named_documents
from sysmanager.protocol.clients import Answer, BackupPart, ReadBackup, Refused

log = structlog.get_logger(__name__)


class BackingUp:
    """backups: where they are kept; without it none can be made, and an alarm says so. site: the name that people see."""

    def __init__(self, backups: Backups | None, site: str) -> None:
        self._backups = backups
        self._site = site

    async def make(self, command: MakeBackup, view: View, position: int, made_ms: int) -> BackupEnded:
        """Make it of the journal up to `position`, and of the documents that the tables name at this moment."""
        job = BackupJob(
            number=command.number,
            kind=command.kind,
            recovery=command.recovery,
            site=self._site,
            made_ms=made_ms,
            position=position,
            documents=named_documents(view),
        )
        try:
            if self._backups is None:
                raise BackupFailed("This coordinator has no place for backups.")
            file = await self._backups.make(job)
        except BackupFailed as error:
            log.error("backup not made", number=command.number, kind=command.kind.value, why=str(error))
            return BackupEnded(number=command.number, kind=command.kind, sentence=str(error))
        log.info("backup made", file=file.name, bytes=file.size_bytes, position=file.position)
        return BackupEnded(number=command.number, kind=command.kind, file=file)

    async def read(self, view: View, question: ReadBackup) -> Answer:
        """A piece of the last backup that was made by hand."""
        manual = view.backups.manual
        file = manual.file if manual is not None else None
        if self._backups is None or file is None or file.number != question.number or not 0 <= question.offset <= file.size_bytes:
            return Refused(sentence=f"There is no backup {question.number} to be read at {question.offset}; make a new one.")
        try:
            content = await self._backups.read(file.name, question.offset)
        except BackupFailed as error:
            return Refused(sentence=str(error))
        return BackupPart(number=file.number, offset=question.offset, size_bytes=file.size_bytes, content=content)
