"""Real processes: a coordinator is backed up and lost, restored onto a second folder, and a failover works there (SPEC 7)."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from sysmanager import api
from sysmanager.bus.credentials import load_credentials
from sysmanager.documents.site_key import SiteKey
from sysmanager.domain.failover import Phase
from tests.helpers.command_line import LiveSite, Machine, stop

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

PASSPHRASE = "quite a long passphrase"


async def ready(site: LiveSite, recorder: str, within_s: float) -> float:
    """Start a failover by hand; how long it took to be ready, in seconds."""
    began_s = time.monotonic()
    reply = await site.client.request(api.StartFailover(recorder=api.RecorderId(recorder)))
    assert isinstance(reply, api.Done), reply
    async with asyncio.timeout(within_s):
        async for update in site.client.changes():
            if any(entry.id == reply.failover and entry.phase is Phase.READY for entry in update.failovers):
                return time.monotonic() - began_s
    raise AssertionError("the session ended")


async def test_a_restored_coordinator_reconciles_and_fails_over(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "home")
    machine.home.mkdir()
    passphrase = tmp_path / "passphrase.txt"
    passphrase.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    site = LiveSite(machine, tmp_path / "first")
    second = tmp_path / "second"
    try:
        await site.open()
        file = tmp_path / "harbour.smbackup"
        ran = await site.command("backup", str(file), "--passphrase-file", str(passphrase), "--json")
        assert ran.status == 0, ran.err
        saved = ran.documents[0]
        assert saved["sealed"]
        assert saved["documents"] == 4, "the two recorders have the same masks and schedules"
        again = await site.command("backup", str(file))
        assert again.status == 1
        assert "exists already" in again.sentence
        # What happens after the backup is not in it: a failover, and an epoch that only the recorders know.
        assert await ready(site, "A", 20) < 20
        key = SiteKey.load(next((machine.home / "config").rglob("*.key")))
        credentials = load_credentials(site.credentials)
        site.process.kill()
        await site.process.wait()
        # The machine is lost: the second has another folder, and no key.
        restoring = ("restore", str(file), "--data", str(second), "--site-key", str(tmp_path / "keys" / "site.key"))
        refused = await machine.run(*restoring)
        assert refused.status == 2
        assert "passphrase" in refused.sentence
        assert not second.exists()
        restored = await machine.run(*restoring, "--passphrase-file", str(passphrase))
        assert restored.status == 0, restored.err
        assert "Restored Test site" in restored.out
        assert SiteKey.load(tmp_path / "keys" / "site.key") == key
        assert (await machine.run(*restoring, "--passphrase-file", str(passphrase))).status == 2, "the folder is not empty any more"
        site.process, site.credentials = await machine.coordinator(second, "--site-key", str(tmp_path / "keys" / "site.key"))
        assert load_credentials(site.credentials) == credentials
        await site.client.close()
        site.client = await api.connect(site.credentials, name="tests")
        assert (await site.client.snapshot()).system.state is api.CoordinatorState.RECONCILE
        # No backup in a restore; and no failover before it is confirmed.
        site.data = second
        early = await site.command("backup", str(tmp_path / "early"))
        assert early.status == 1
        assert "restore is not finished" in early.sentence
        await site.snapshot_until(lambda rows: all(row.connection == "connected" for row in rows.values()))
        shown = await site.command("reconcile", "--json")
        findings = [finding["recorder"] for finding in json.loads(shown.out)["findings"]]
        assert set(findings) == {"A", "F"}, "the failover that the backup does not know"
        confirmed = await site.command("reconcile", "--confirm")
        assert confirmed.status == 0, confirmed.err
        snapshot = await site.snapshot_until(lambda rows: all(row.reconciled for row in rows.values()))
        async with asyncio.timeout(10):
            while snapshot.system.state is not api.CoordinatorState.WATCHING:  # the system's row is told a moment later
                await asyncio.sleep(0.05)
                snapshot = await site.client.snapshot()
        rows = {row.id: row for row in snapshot.recorders}
        assert rows[api.RecorderId("F")].condition.startswith("acting for") or rows[api.RecorderId("F")].assignment.epoch > 0
        # It works there: the tasks go back, and over again, a second after they were asked for.
        (entry,) = [entry for entry in snapshot.failovers if entry.phase is Phase.READY]
        assert isinstance(await site.client.request(api.StartFailback(failover=entry.id)), api.Done)
        await site.snapshot_until(lambda rows: rows["A"].assignment.epoch > 0 and rows["F"].condition == "standby")
        assert await ready(site, "A", 20) < 1.0
        await site.close()
        assert await stop(site.process) == 0
    finally:
        await machine.end()
