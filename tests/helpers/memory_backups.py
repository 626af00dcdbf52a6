"""A place for backups that keeps nothing but the jobs: for tests of the engine around it."""

from __future__ import annotations

import asyncio

from sysmanager.backup.port import PART_BYTES, BackupFailed, BackupJob
from sysmanager.domain.backup import BackupFile


class MemoryBackups:
    """Implements `Backups`. jobs: what was asked for. fails: why none is made, if it says so. held: until it is set, none ends."""

    def __init__(self) -> None:
        self.jobs: list[BackupJob] = []
        self.fails = ""
        self.held: asyncio.Event | None = None
        self.content = bytes(range(256)) * 1024

    async def make(self, job: BackupJob) -> BackupFile:
        self.jobs.append(job)
        if self.held is not None:
            await self.held.wait()
        if self.fails:
            raise BackupFailed(self.fails)
        name = f"{job.kind.value}-{job.number}"
        return BackupFile(number=job.number, name=name, made_ms=job.made_ms, size_bytes=len(self.content), position=job.position)

    async def read(self, name: str, offset: int) -> bytes:
        if self.fails:
            raise BackupFailed(self.fails)
        return self.content[offset : offset + PART_BYTES]
