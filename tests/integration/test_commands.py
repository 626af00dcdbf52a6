"""The command line as people and scripts use it: real processes, exit statuses, one sentence for what cannot be done."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.command_line import WITHIN_S, LiveSite, Machine, stop

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

COMMANDS = [
    "connect", "demo", "site", "coordinator", "recorder", "cameras", "simulate", "servers", "log", "audit", "comment", "tick",
    "failover", "failback", "abort", "hold", "release", "watch", "maintenance", "system", "self-test", "backup", "restore",
    "readiness", "who-lands-where", "gaps", "accept-machine", "reconcile", "picture",
    "recorder release", "recorder quarantine", "recorder install-service", "recorder uninstall-service", "coordinator install-service",
]  # fmt: skip


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
        (["recorder"], "--config"),
        (["recorder", "release", "gate-1"], "--config"),
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
    ran = await site.command("release", "A", "nobody")
    assert (ran.status, "Server A has no camera nobody" in ran.sentence) == (1, True)


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
