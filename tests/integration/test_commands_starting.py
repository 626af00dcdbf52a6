"""How a coordinator starts, and what it says where it cannot: one sentence, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request
from pathlib import Path

import pytest

from sysmanager import api
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId
from tests.helpers.command_line import WITHIN_S, LiveSite, Machine, relatives, stop

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]


async def test_a_data_folder_in_use_is_refused(site: LiveSite) -> None:
    ran = await site.machine.run("coordinator", "--data", str(site.data))
    assert ran.status == 2
    assert f"is in use by process {site.process.pid}" in ran.sentence


async def test_a_data_folder_that_is_a_file_is_refused(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("no folder", encoding="utf-8")
    for place in (file, file / "below"):
        ran = await machine.run("coordinator", "--data", str(place))
        assert ran.status == 2
        assert str(place) in ran.sentence
    assert file.read_text(encoding="utf-8") == "no folder"


@pytest.mark.skipif(not Path("/proc/1").is_dir(), reason="needs a folder that nobody can write")
async def test_a_data_folder_that_cannot_be_written_is_refused(machine: Machine) -> None:
    ran = await machine.run("coordinator", "--data", "/proc/1/sysmanager")
    assert ran.status == 2
    assert "/proc/1/sysmanager" in ran.sentence


@pytest.mark.parametrize(("option", "named"), [("--port", "Port {}"), ("--metrics", "127.0.0.1:{}")])
async def test_a_port_in_use_is_refused(machine: Machine, tmp_path: Path, option: str, named: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = await machine.run("coordinator", "--data", str(tmp_path), option, str(port))
    assert ran.status == 2
    assert named.format(port) in ran.sentence
    assert not relatives(tmp_path)


async def test_a_kill_after_an_answer_loses_no_line_of_the_audit_log(machine: Machine, tmp_path: Path) -> None:
    """What was told to a person is in the journal; what the history had not written yet is read from there."""
    process, credentials = await machine.coordinator(tmp_path)
    client = await api.connect(credentials, name="anna")
    for number in range(40):
        reply = await client.request(api.SaveGroup(group=Group(id=GroupId(f"g{number}"), name=f"Group {number}")))
        assert isinstance(reply, api.Done)
    process.kill()
    await process.wait()
    await client.close()
    (tmp_path / "history.sqlite-wal").unlink(missing_ok=True)
    process, credentials = await machine.coordinator(tmp_path)
    client = await api.connect(credentials, name="anna")
    found = await client.ask(api.FindAudit(limit=200))
    assert isinstance(found, api.AuditFound), found
    assert [line.about for line in found.lines] == [f"g{number}" for number in reversed(range(40))]
    await client.close()
    assert await stop(process) == 0


async def test_metrics_are_served_where_the_ready_line_says(machine: Machine, tmp_path: Path) -> None:
    process = await machine.start("coordinator", "--data", str(tmp_path), "--metrics", "127.0.0.1:0")
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        ready = json.loads(await process.stdout.readline())
    assert ready["metrics"].startswith("http://127.0.0.1:")
    response = await asyncio.to_thread(urllib.request.urlopen, ready["metrics"], timeout=10)
    with response:
        text = response.read().decode("utf-8")
    assert "sysmanager_term 1.0" in text
    assert 'sysmanager_file_size_bytes{file="journal"}' in text
    assert await stop(process) == 0


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.7", "example.org", "::"])
async def test_an_address_that_others_can_reach_is_refused(machine: Machine, tmp_path: Path, address: str) -> None:
    ran = await machine.run("coordinator", "--data", str(tmp_path), "--listen", address)
    assert ran.status == 2
    assert "enrolled" in ran.sentence


async def test_a_journal_of_a_newer_version_is_refused_and_left_alone(machine: Machine, tmp_path: Path) -> None:
    import sqlite3

    process, _ = await machine.coordinator(tmp_path)
    assert await stop(process) == 0
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("UPDATE version SET version = 99")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "journal.sqlite").read_bytes()
    ran = await machine.run("coordinator", "--data", str(tmp_path))
    assert ran.status == 2
    assert "has version 99" in ran.sentence
    assert (tmp_path / "journal.sqlite").read_bytes() == before


async def test_a_journal_that_lost_its_end_is_said_and_the_coordinator_serves(machine: Machine, tmp_path: Path) -> None:
    import sqlite3

    process, _ = await machine.coordinator(tmp_path)
    assert await stop(process) == 0
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("DELETE FROM record WHERE sequence = (SELECT max(sequence) FROM record)")
    connection.close()
    process, _ = await machine.coordinator(tmp_path)
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    assert "has lost its end: its record 1 is lost" in line
    assert await stop(process) == 0


async def test_a_data_folder_without_its_site_key_is_said_and_the_coordinator_serves(machine: Machine, tmp_path: Path) -> None:
    data, key = tmp_path / "data", tmp_path / "keys" / "site.key"
    process, _ = await machine.coordinator(data, "--site-key", str(key))
    assert await stop(process) == 0
    key.unlink()
    process, _ = await machine.coordinator(data, "--site-key", str(key))
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    assert f"its site key is not in {key}, so a new one was made there" in line
    assert await stop(process) == 0


async def test_a_damaged_credentials_file_is_refused(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "bus"
    folder.mkdir(mode=0o700)
    file = folder / "credentials.json"
    file.write_text("{", encoding="utf-8")
    file.chmod(0o600)
    ran = await machine.run("coordinator", "--data", str(tmp_path))
    assert ran.status == 2
    assert "credentials" in ran.sentence


async def test_a_log_that_cannot_be_written_is_said_and_the_coordinator_serves(machine: Machine, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("", encoding="utf-8")
    process, _ = await machine.coordinator(tmp_path / "data", "--log", str(blocked / "coordinator.log"))
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    assert "The log file" in line
    assert "goes on without it" in line
    assert await stop(process) == 0


# ---------------------------------------------------------------- commands against a coordinator
