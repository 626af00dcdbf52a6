"""The engine has backups made by a worker, of what is durable, and gives them to who may have them (SPEC 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import ANY

import pytest

from sysmanager import api, wire
from sysmanager.api.backups import BackupRefused, save_backup
from sysmanager.backup.folder import BackupFolder
from sysmanager.backup.reader import opened
from sysmanager.coordinator import facts as f
from sysmanager.documents.port import StoreName
from sysmanager.domain.backup import BackupKind
from sysmanager.domain.failover import Phase
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.clients import LocalClient
from sysmanager.protocol import clients as c
from tests.helpers.backups import PASSPHRASE
from tests.helpers.engine_site import ADMIN, EngineSite, rid
from tests.helpers.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_baseline_is_made_of_what_is_durable_and_of_the_documents_in_use() -> None:
    site = EngineSite()
    await site.start()
    await site.ask(c.StartFailover(recorder=rid("A")))
    await site.until(lambda: bool(site.backups.jobs))
    (job,) = site.backups.jobs
    entry = await site.until(lambda: site.entry if site.entry.backup else None)
    assert entry.backup == f"baseline-{job.number}"
    assert job.kind is BackupKind.BASELINE
    assert job.site == "Test site"
    kinds = [type(wire.decode_fact(record.body).fact) for record in await site.memory.read()]
    assert job.position == kinds.index(f.BackupStarted) + 1, "up to the fact that began it"
    documents = site.rows[rid("B")].documents
    assert documents is not None
    assert (StoreName.SETTINGS, documents.settings) in job.documents
    assert entry.documents is not None
    assert (StoreName.SCHEDULES, entry.documents.schedules) in job.documents
    await site.close()


@in_virtual_time
async def test_the_engine_hears_and_decides_while_a_backup_takes_for_ever() -> None:
    site = EngineSite()
    await site.start("A", "B", "F", "H")
    site.backups.held = asyncio.Event()
    await site.ask(c.StartFailover(recorder=rid("A")))
    await site.until_phase(Phase.READY)
    await site.ask(c.StartFailover(recorder=rid("B")))
    assert site.phase is Phase.QUEUED
    await asyncio.sleep(9.0)
    assert site.phase is Phase.QUEUED
    await site.until_phase(Phase.READY, 3.0)
    await asyncio.sleep(0.5)
    system = (await site.engine.snapshot()).system
    assert [alarm.key for alarm in system.alarms if alarm.key == "baseline"] == ["baseline"]
    site.backups.held.set()
    await site.until(lambda: all(entry.backup for entry in site.engine_core.state.failovers.values()))
    assert [job.number for job in site.backups.jobs] == [1, 2]
    await site.close()


@in_virtual_time
async def test_without_a_place_for_backups_an_alarm_says_so() -> None:
    site = EngineSite()
    site.engine._backing_up._backups = None
    await site.start()
    await site.ask(c.StartFailover(recorder=rid("A")))
    await site.until(lambda: site.engine_core.state.backups.baseline.sentence != "")
    await asyncio.sleep(0.5)
    alarms = (await site.engine.snapshot()).system.alarms
    assert next(alarm.sentence for alarm in alarms if alarm.key == "baseline").endswith("This coordinator has no place for backups.")
    await site.close()


@in_virtual_time
async def test_a_backup_is_read_by_who_may_back_up_and_by_nobody_else() -> None:
    site = EngineSite()
    await site.start()
    reply = await site.ask(c.BackUp())
    assert isinstance(reply, c.Done)
    await site.until(lambda: site.engine_core.state.backups.manual.file)
    question = c.ReadBackup(number=reply.backup, offset=0)
    part = await site.engine.ask(ADMIN, question)
    assert part == c.BackupPart(number=reply.backup, offset=0, size_bytes=len(site.backups.content), content=ANY)
    refused = await site.engine.ask(Actor(name="otto", role=RoleName.OPERATOR), question)
    assert isinstance(refused, c.Refused)
    for number, offset in ((reply.backup + 1, 0), (reply.backup, -1), (reply.backup, 10**9)):
        assert isinstance(await site.engine.ask(ADMIN, c.ReadBackup(number=number, offset=offset)), c.Refused)
    site.backups.fails = "The disk is gone."
    assert await site.engine.ask(ADMIN, question) == c.Refused(sentence="The disk is gone.")
    await site.close()


# ---------------------------------------------------------------- saving it elsewhere


@pytest.fixture
async def saving(tmp_path: Path) -> AsyncIterator[tuple[EngineSite, LocalClient]]:
    """A site with a real folder of backups, and a session."""
    site = EngineSite()
    site.engine._backing_up._backups = BackupFolder(tmp_path / "backups", site.journal, site.store, program="0.1.0")
    await site.start()
    client = LocalClient(site.engine, ADMIN)
    yield site, client
    await client.close()
    await site.close()


async def test_it_is_saved_whole_and_checked(saving: tuple[EngineSite, LocalClient], tmp_path: Path) -> None:
    site, client = saving
    target = tmp_path / "harbour.smbackup"
    saved = await save_backup(client, target, PASSPHRASE)
    with opened(target) as backup:
        backup.verify()
        assert backup.manifest.position == saved.position
    assert saved.documents == 4
    assert not saved.sealed, "this coordinator has no site key"
    assert saved.size_bytes == target.stat().st_size
    assert site.engine_core.state.backups.recovery is not None
    with pytest.raises(BackupRefused, match="exists already"):
        await save_backup(client, target)
    assert (await save_backup(client, tmp_path / "second")).position > saved.position


async def test_what_keeps_it_from_being_saved_is_said(saving: tuple[EngineSite, LocalClient], tmp_path: Path) -> None:
    site, client = saving
    with pytest.raises(BackupRefused, match="There is no folder"):
        await save_backup(client, tmp_path / "gone" / "file")
    onlooker = LocalClient(site.engine, Actor(name="otto", role=RoleName.MONITORING))
    with pytest.raises(BackupRefused, match="may not"):
        await save_backup(onlooker, tmp_path / "file")
    site.backups.fails = "The disk is full."
    site.engine._backing_up._backups = site.backups
    with pytest.raises(BackupRefused, match="The disk is full"):
        await save_backup(client, tmp_path / "file")
    site.backups.fails = ""
    with pytest.raises(BackupRefused, match="file is no backup of System Manager"):
        await save_backup(client, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["backups"] or not list(tmp_path.iterdir())  # noqa: ASYNC240  # a test


async def test_a_short_passphrase_is_refused_before_anything_is_asked(saving: tuple[EngineSite, LocalClient], tmp_path: Path) -> None:
    site, client = saving
    before = site.memory.last
    with pytest.raises(BackupRefused, match="8 to"):
        await save_backup(client, tmp_path / "file", "short")
    assert site.memory.last == before


def test_the_api_offers_it() -> None:
    assert api.save_backup is save_backup
    assert issubclass(api.BackupRefused, Exception)
