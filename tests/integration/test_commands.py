"""The command line as people and scripts use it: real processes, exit statuses, one sentence for what cannot be done."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from sysmanager import api
from sysmanager.bus.credentials import BusUser, load_credentials
from sysmanager.bus.nats import NatsBus
from sysmanager.domain.failover import Phase
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.recorder import RecorderEdit, Role
from sysmanager.protocol import recorders as r
from tests.helpers.bus_recorder import BusRecorder

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

ROOT = Path(__file__).parents[2]
WITHIN_S = 30.0
COMMANDS = [
    "connect", "demo", "site", "coordinator", "recorder", "cameras", "simulate", "servers", "log", "audit", "comment", "tick",
    "failover", "failback", "abort", "hold", "release", "watch", "maintenance", "system", "self-test", "backup", "restore",
    "readiness", "who-lands-where", "gaps", "accept-machine", "reconcile",
]  # fmt: skip


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What it said on stderr: one line, and no traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> dict[str, str]:
    """Without a display, and without what the person who runs the tests has set."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


class Machine:
    """A home folder of its own for every command: data, logs and keys of the user lie there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.started: list[asyncio.subprocess.Process] = []

    def environment(self, **more: str) -> dict[str, str]:
        folders = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
        return environment(HOME=str(self.home), **folders, **more)

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sysmanager",
            *arguments,
            cwd=self.home,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=1 << 22,
        )
        self.started.append(process)
        return process

    async def run(self, *arguments: str, **more: str) -> Ran:
        process = await self.start(*arguments, **more)
        async with asyncio.timeout(WITHIN_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def coordinator(self, data: Path, *arguments: str) -> tuple[asyncio.subprocess.Process, Path]:
        process = await self.start("coordinator", "--data", str(data), *arguments)
        assert process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            line = await process.stdout.readline()
        if not line:
            raise AssertionError((await process.communicate())[1].decode())
        return process, Path(json.loads(line)["credentials"])

    async def end(self) -> None:
        for process in self.started:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def stop(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        return await process.wait()


def relatives(folder: Path) -> list[psutil.Process]:
    """Processes that name something in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in part for part in process.cmdline()) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


async def until(holds: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    async with asyncio.timeout(within_s):
        while not (found := holds()):  # noqa: ASYNC110  # other processes have no events
            await asyncio.sleep(0.05)
    return found


class LiveSite:
    """A coordinator process with recorders A and B and failover server F attached over NATS."""

    def __init__(self, machine: Machine, data: Path) -> None:
        self.machine = machine
        self.data = data
        self.recorders: dict[str, BusRecorder] = {}

    async def open(self) -> None:
        self.process, self.credentials = await self.machine.coordinator(self.data, "--site", "Test site")
        self.client = await api.connect(self.credentials, name="tests")
        await self.client.request(api.SaveGroup(group=Group(id=GroupId("gate"), name="Gate")))
        await self.client.request(api.SaveGroup(group=Group(id=GroupId("empty"), name="Empty")))
        for server, group in (("A", "gate"), ("B", "empty"), ("F", "gate")):
            await self._add(server, group)
        await self.snapshot_until(lambda rows: all(rows[name].documents for name in "AB") and rows["F"].connection == "connected")

    async def _add(self, server: str, group: str) -> None:
        failover = server == "F"
        bus = NatsBus(load_credentials(self.credentials), BusUser.RECORDER, server)
        made = self.recorders[server] = BusRecorder(bus, server, failover=failover, cameras=2)
        await made.open()
        await bus.open(wait_ms=5_000)
        made.live(0.5)
        role = Role.FAILOVER if failover else Role.STANDARD
        fields = RecorderEdit(
            name=f"Server {server}", address="", role=role, group=GroupId(group), failover_enabled=True, detection_timeout_s=10
        )
        reply = await self.client.request(api.AddRecorder(id=RecorderId(server), fields=fields))
        assert isinstance(reply, api.Done), reply

    async def snapshot_until(self, holds: Callable[[dict[str, api.RecorderRow]], Any]) -> api.Snapshot:
        async with asyncio.timeout(WITHIN_S):
            while True:
                snapshot = await self.client.snapshot()
                if holds({row.id: row for row in snapshot.recorders}):
                    return snapshot
                await asyncio.sleep(0.1)

    async def command(self, *arguments: str) -> Ran:
        return await self.machine.run(arguments[0], "--coordinator", str(self.data), *arguments[1:])

    async def close(self) -> None:
        for recorder in self.recorders.values():
            await recorder.close()
        await self.client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("home"))
    yield made
    await made.end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveSite]:
    made = LiveSite(machine, tmp_path_factory.mktemp("site"))
    await made.open()
    yield made
    await made.close()
    await stop(made.process)


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize("command", ["", *COMMANDS])
async def test_help_has_an_example(machine: Machine, command: str) -> None:
    ran = await machine.run(*command.split(), "--help")
    assert ran.status == 0
    assert "example: sysmanager" in ran.out
    assert ran.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["coordinator"], "--data"),
        (["coordinator", "--data", "d", "--port", "many"], "--port"),
        (["coordinator", "--data", "d", "--port", "70000"], "--port"),
        (["coordinator", "--data", "d", "--metrics", "here"], "--metrics"),
        (["coordinator", "--data", "d", "--metrics", "::1:70000"], "--metrics"),
        (["coordinator", "--data", "d", "--keep-log", "0"], "--keep-log"),
        (["coordinator", "--data", "d", "--sync-delay", "-5"], "--sync-delay"),
        (["demo", "--servers", "0"], "0"),
        (["log", "--limit", "some"], "--limit"),
        (["log", "--limit", "-1"], "--limit"),
        (["log", "--state", "strange"], "--state"),
        (["log", "--since", "tomorrow"], "--since"),
        (["log", "--sort", "colour"], "--sort"),
        (["audit", "--since", "999999w"], "--since"),
        (["audit", "--until", "0001-01-01"], "--until"),
        (["tick", "F00001", "0"], "line"),
        (["watch", "--seconds", "-1"], "--seconds"),
        (["failover"], "server"),
        (["servers", "--role", "King"], "King"),
        (["simulate", "--seeds", "9..1"], "seed"),
    ],
)
async def test_wrong_arguments_are_one_line_and_status_2(machine: Machine, arguments: Sequence[str], said: str) -> None:
    ran = await machine.run(*arguments)
    assert ran.status == 2
    assert said in ran.sentence
    assert "--help" in ran.sentence


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display")
@pytest.mark.parametrize("arguments", [[], ["demo"]])
async def test_without_a_display_the_tour_is_named(machine: Machine, arguments: Sequence[str]) -> None:
    ran = await machine.run(*arguments)
    assert ran.status == 2
    assert "--tour" in ran.sentence


# ---------------------------------------------------------------- a coordinator that cannot start


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


async def test_a_port_in_use_is_refused(machine: Machine, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = await machine.run("coordinator", "--data", str(tmp_path), "--port", str(port))
    assert ran.status == 2
    assert f"Port {port}" in ran.sentence
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


async def test_a_port_of_the_metrics_in_use_is_refused(machine: Machine, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = await machine.run("coordinator", "--data", str(tmp_path), "--metrics", str(port))
    assert ran.status == 2
    assert f"127.0.0.1:{port}" in ran.sentence
    assert not relatives(tmp_path)


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


async def test_nobody_there_is_one_sentence(machine: Machine, tmp_path: Path) -> None:
    ran = await machine.run("servers", "--coordinator", str(tmp_path))
    assert ran.status == 2
    assert str(tmp_path) in ran.sentence
    ran = await machine.run("servers")
    assert ran.status == 2
    assert "start the coordinator" in ran.sentence


async def test_a_coordinator_that_has_ended_is_one_sentence(machine: Machine, tmp_path: Path) -> None:
    process, _ = await machine.coordinator(tmp_path)
    assert await stop(process) == 0
    ran = await machine.run("servers", "--coordinator", str(tmp_path))
    assert ran.status == 2
    assert "check that the coordinator runs" in ran.sentence


async def test_servers_lists_them(site: LiveSite) -> None:
    ran = await site.command("servers", "--json")
    assert ran.status == 0
    rows = {row["id"]: row for row in ran.documents[0]}
    assert set(rows) == {"A", "B", "F"}
    assert rows["A"]["connection"] == "connected"
    assert len(rows["A"]["cameras"]) == 2
    table = await site.command("servers")
    assert table.status == 0
    assert "Server A" in table.out


async def test_readiness_who_lands_where_and_gaps(site: LiveSite) -> None:
    await site.snapshot_until(lambda rows: all(row.readiness is not None for row in rows.values()))
    ran = await site.command("readiness", "--json")
    rows = {row["id"]: row["readiness"] for row in ran.documents[0]}
    assert set(rows) == {"A", "B", "F"}
    assert rows["B"]["level"] == "not ready"
    assert ran.status == 1
    one = await site.command("readiness", "Server B")
    assert one.status == 1
    assert "The group Empty has no failover server; add one to it." in one.out
    assert "Server B" in (await site.command("readiness")).out
    landing = await site.command("who-lands-where", "--two", "--json")
    assert landing.status == 1, "B lands nowhere"
    assert {found["recorder"]: found["server"] for found in landing.documents[0]["single"]}["B"] is None
    assert "pairs of failures leave cameras unprotected" in (await site.command("who-lands-where", "--two")).out
    gaps = await site.command("gaps", "--json")
    assert {found["recorder"] for found in gaps.documents[0]["recorders"]} >= {"A", "B"}
    assert "recorder" in (await site.command("gaps")).out
    refused = await site.command("accept-machine", "B", "nobody")
    assert refused.status == 1
    assert "nothing to accept" in refused.sentence


async def test_an_unknown_server_is_one_sentence(site: LiveSite) -> None:
    for command in ("failover", "failback", "hold", "release"):
        ran = await site.command(command, "Z")
        assert ran.status == 2
        assert ran.sentence == "sysmanager: There is no server Z; known are: A, B, F."


async def test_what_is_refused_has_status_1_and_says_why(site: LiveSite) -> None:
    ran = await site.command("failover", "B")
    assert ran.status == 1
    assert ran.sentence == "The group Empty has no failover server; add one to it."
    ran = await site.command("failover", "A", "--role", "Monitoring")
    assert ran.status == 1
    assert "ask someone with the role" in ran.sentence
    ran = await site.command("abort", "F99999", "--json")
    assert ran.status == 1
    assert "F99999" in ran.documents[0]["sentence"]


async def test_hold_and_release(site: LiveSite) -> None:
    assert (await site.command("hold", "Server A")).status == 0
    await site.snapshot_until(lambda rows: rows["A"].hold is not None)
    assert (await site.command("release", "A")).status == 0
    assert (await site.command("release", "A")).status == 1


async def test_maintenance_and_system_settings(site: LiveSite) -> None:
    ran = await site.command("maintenance", "A")
    assert (ran.status, ran.sentence) == (2, "sysmanager: A maintenance needs a reason; give it with --reason TEXT.")
    assert (await site.command("maintenance", "A", "--reason", "new disks", "--minutes", "5")).status == 0
    await site.snapshot_until(lambda rows: rows["A"].maintenance is not None)
    listed = await site.command("maintenance", "--json")
    assert [(one["target"]["id"], one["reason"]) for one in listed.documents[0]] == [("A", "new disks")]
    assert (await site.command("maintenance", "A", "--end")).status == 0
    assert (await site.command("maintenance")).out == "Nothing is in maintenance.\n"
    assert (await site.command("maintenance", "--group", "Empty", "--reason", "x", "--until", "2001-01-01T00:00")).status == 1
    assert (await site.command("maintenance", "A", "--system")).status == 2
    assert (await site.command("system", "--brake-limit", "never", "--opinion-holds", "yes")).status == 0
    shown = await site.command("system", "--json")
    assert (shown.documents[0]["brake_limit_s"], shown.documents[0]["opinion_holds"]) == (None, True)
    assert "never goes on by itself" in (await site.command("system")).out
    assert (await site.command("system", "--brake-limit", "60", "--opinion-holds", "no")).status == 0


async def test_a_failover_and_a_failback_by_command_with_a_watcher(site: LiveSite) -> None:
    watcher = await site.machine.start("watch", "--coordinator", str(site.data), "--json")
    assert watcher.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        assert "snapshot" in json.loads(await watcher.stdout.readline())
    preview = await site.command("failover", "A", "--preview")
    assert preview.status == 0
    assert "2 cameras move, 0 stay." in preview.out
    over = await site.command("failover", "A", "--wait", "--json")
    assert over.status == 0, over
    entry = over.documents[-1]
    assert (entry["phase"], entry["recorder"], entry["server"]) == ("ready", "A", "F")
    await site.snapshot_until(lambda rows: rows["A"].stable_ms > 0)
    assert (await site.command("failback", "A", "--preview")).status == 0
    back = await site.command("failback", "A", "--wait")
    assert back.status == 0, back
    assert "Failback ready" in back.out
    assert (await site.command("failback", "A")).status == 2
    log = await site.command("log", "--json", "--limit", "1")
    assert [entry["phase"] for entry in log.documents[0]] == ["returned"]
    assert "Failback ready" in (await site.command("log")).out
    failed = await site.command("log", "--json", "--state", "failover-failed")
    assert failed.documents == [[]]
    found = await site.command("log", "--json", "--search", "serv retur", "--recorder", "Server A", "--since", "1h", "--sort", "gap")
    assert found.documents == [[]], "“returned” is no word that people read"
    found = await site.command("log", "--json", "--search", "server ready", "--recorder", "Server A", "--since", "1h", "--sort", "gap")
    assert len(found.documents[0]) == 1
    entry_id = found.documents[0][0]["id"]
    assert (await site.command("comment", entry_id, "Lightning.")).status == 0
    assert "no line 5" in (await site.command("tick", entry_id, "5", "--json")).documents[0]["sentence"]
    table = site.data / "log.csv"
    assert "1 lines written" in (await site.command("log", "--csv", str(table), "--search", "lightning")).out
    rows = list(csv.reader(table.read_text(encoding="utf-8-sig").splitlines()))
    assert [row[0] for row in rows] == ["Entry", entry_id]
    audit = (await site.command("audit", "--json", "--limit", "2")).documents[0]
    assert [(line["request"], line["about"], line["outcome"]) for line in audit] == [
        ("tick-to-do", entry_id, "refused"),
        ("comment-entry", entry_id, "done"),
    ]
    more = await site.command("audit", "--limit", "1")
    cursor = more.err.strip().split("'")[1]
    assert "comment-entry" in (await site.command("audit", "--limit", "1", "--after", cursor)).out
    assert (await site.command("log", "--after", "nonsense")).status == 2
    watcher.send_signal(signal.SIGINT)
    async with asyncio.timeout(10):
        out, err = await watcher.communicate()
    assert watcher.returncode == 130
    assert err == b""
    phases = [
        entry["phase"] for line in out.splitlines() for kind, update in json.loads(line).items() for entry in update.get("failovers", ())
    ]
    assert phases[0] in ("reserved", "fetched")
    assert "ready" in phases
    assert phases[-1] == "returned"


async def test_watch_ends_by_itself_when_told(site: LiveSite) -> None:
    ran = await site.command("watch", "--seconds", "0.5")
    assert ran.status == 0


async def test_output_into_a_closed_pipe_is_no_traceback(site: LiveSite) -> None:
    process = await site.machine.start("watch", "--coordinator", str(site.data), "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readline()
    process.stdout._transport.close()  # type: ignore[attr-defined]  # there is no public way to close the reading end
    async with asyncio.timeout(WITHIN_S):
        await process.wait()
    assert b"Traceback" not in await process.stderr.read()


# ---------------------------------------------------------------- ends


async def test_a_coordinator_killed_in_the_middle_of_a_failover_goes_on_with_it(machine: Machine, tmp_path: Path) -> None:
    site = LiveSite(machine, tmp_path)
    await site.open()
    f = site.recorders["F"]
    f.gate.clear()
    reply = await site.client.request(api.StartFailover(recorder=RecorderId("A")))
    assert isinstance(reply, api.Done)
    await until(lambda: any(isinstance(order, r.Record) for order in f.orders))
    site.process.kill()
    await site.process.wait()
    f.gate.set()
    process, _ = await machine.coordinator(tmp_path, "--site", "Test site")
    await site.client.close()
    site.client = await api.connect(site.credentials, name="tests")
    await site.snapshot_until(lambda rows: rows["F"].assignment.__class__.__name__ == "Acting")
    async with asyncio.timeout(WITHIN_S):
        while True:
            entries = (await site.client.snapshot()).failovers
            if entries[0].phase is Phase.READY:
                break
            await asyncio.sleep(0.1)
    assert [entry.id for entry in entries] == [reply.failover]
    assert entries[0].attempt == 1
    assert f.mode is r.Mode.RECORDING
    await site.close()
    assert await stop(process) == 0
    await until(lambda: not relatives(tmp_path))


async def test_a_coordinator_that_is_told_to_end_leaves_no_process_behind(machine: Machine, tmp_path: Path) -> None:
    process, _ = await machine.coordinator(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2, "guard and nats-server"
    assert await stop(process) == 0
    await until(lambda: not any(child.is_running() for child in children), 10)


async def test_a_coordinator_that_is_killed_leaves_no_process_behind(machine: Machine, tmp_path: Path) -> None:
    process, _ = await machine.coordinator(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    await process.wait()
    await until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children), 10)


async def test_a_coordinator_ends_with_its_parent(machine: Machine, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
    process, _ = await machine.coordinator(tmp_path, "--parent", str(parent.pid))
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(15):
        assert await process.wait() == 0


async def test_the_desktop_brings_its_coordinator_and_takes_it_along(machine: Machine, tmp_path: Path) -> None:
    process = await machine.start("--data", str(tmp_path), QT_QPA_PLATFORM="offscreen")
    credentials = tmp_path / "bus" / "credentials.json"
    await until(credentials.is_file)

    async def serving() -> api.Snapshot:
        async with asyncio.timeout(WITHIN_S):
            while True:
                with suppress(api.ClientError):
                    client = await api.connect(credentials)
                    try:
                        return await client.snapshot()
                    finally:
                        await client.close()
                await asyncio.sleep(0.1)

    first = await serving()
    assert first.system.site == "My site"
    others = psutil.Process(process.pid).children(recursive=True)
    assert len(others) == 3, "coordinator, guard and nats-server"
    coordinator = next(other for other in others if "coordinator" in other.cmdline())
    coordinator.kill()
    await until(lambda: not coordinator.is_running() or coordinator.status() == psutil.STATUS_ZOMBIE)
    assert (await serving()).sequence > first.sequence
    others = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(15):
        _, err = await process.communicate()
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    await until(lambda: not any(other.is_running() for other in others), 10)


async def test_the_desktop_says_why_its_coordinator_does_not_start(site: LiveSite) -> None:
    ran = await site.machine.run("--data", str(site.data), QT_QPA_PLATFORM="offscreen")
    assert ran.status == 2
    assert "is in use by process" in ran.sentence


async def test_connect_to_nobody_is_one_sentence(machine: Machine, tmp_path: Path) -> None:
    ran = await machine.run("connect", str(tmp_path), QT_QPA_PLATFORM="offscreen")
    assert ran.status == 2
    assert "There is no coordinator" in ran.sentence
