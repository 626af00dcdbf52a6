"""The requests of the interface, for scripts: to look (`servers`, `log`, `watch`) and to do (`failover`, `failback`, `hold` and others)."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from typing import Any

import msgspec

from sysmanager import api
from sysmanager.app.arguments import seconds
from sysmanager.app.commands.asking import command, following, print_json, print_table, server_called, time_now
from sysmanager.app.errors import CommandError
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import CameraId, FailoverId, RecorderId

FOLLOW_S = 120.0
"""How long `--wait` follows a failover or failback."""


def add(chosen: Any) -> None:
    command(chosen, "servers", "list the servers and their state", _servers, "sysmanager servers --json")
    failover = command(chosen, "failover", "start a failover by hand", _failover, "sysmanager failover TA-REC-03 --wait")
    failover.add_argument("server", help="id or name of the recorder")
    failover.add_argument("--preview", action="store_true", help="only say what would happen")
    failover.add_argument("--no-maintenance", action="store_true", help="do not put the recorder into maintenance")
    failback = command(chosen, "failback", "give the tasks back to a recorder", _failback, "sysmanager failback TA-REC-03 --wait")
    failback.add_argument("server", help="id or name of the recorder that was replaced, or id of the log entry")
    failback.add_argument("--preview", action="store_true", help="only say what would happen")
    failback.add_argument(
        "--leave-dark",
        action="store_true",
        help="go on although up to 10 %% of the cameras stay dark on the recorder; else it is undone, as the failover server records them",
    )
    switch = command(chosen, "switch", "relieve a healthy recorder, without a gap", _switch, "sysmanager switch TA-REC-03 --wait")
    switch.add_argument("server", help="id or name of the recorder")
    switch.add_argument("--preview", action="store_true", help="only say what would happen")
    for parser in (failover, failback, switch):
        parser.add_argument("--wait", action="store_true", help=f"follow it to its end, at most {FOLLOW_S:g} s; exit status 1 if it fails")
    abort = command(chosen, "abort", "end a failover or failback before its commit point", _abort, "sysmanager abort F00012")
    abort.add_argument("entry", help="id of the log entry")
    hold = command(chosen, "hold", "hold automatic failover of a server", _hold, "sysmanager hold TA-REC-03")
    hold.add_argument("--failback", action="store_true", help="hold automatic failback instead")
    adopt = command(
        chosen, "adopt", "take a replaced server in as a failover server", _adopt, "sysmanager adopt TA-REC-03 --group terminal-a"
    )
    adopt.add_argument("server", help="id or name of the recorder that was replaced")
    adopt.add_argument("--group", metavar="G", help="id or name of its failover group; by default the one that it is in")
    adopt.add_argument("--preview", action="store_true", help="only say what would happen")
    acknowledge = command(
        chosen, "acknowledge", "let automatic failback of a server run again that is held", _acknowledge, "sysmanager acknowledge TA-REC-03"
    )
    release = command(
        chosen,
        "release",
        "let automatic failover of a server run again, or a camera out of quarantine",
        _release,
        "sysmanager release TA-REC-03",
    )
    for parser in (hold, release, acknowledge):
        parser.add_argument("server", help="id or name of the server")
    release.add_argument("camera", nargs="?", help="id or name of its camera that is in quarantine, to release that instead")
    watch = command(chosen, "watch", "print every change as it happens", _watch, "sysmanager watch --json")
    watch.add_argument("--seconds", type=seconds(10_000_000), default=0, metavar="S", help="end after so many seconds; by default never")


# ---------------------------------------------------------------- to look


async def _servers(client: api.Client, args: argparse.Namespace) -> int:
    snapshot = await client.snapshot()
    if args.json:
        print_json(snapshot.recorders)
        return 0
    print(snapshot.system.sentence)
    rows = [
        (
            row.id,
            row.name,
            row.role.value,
            row.group or "",
            row.connection.value,
            row.condition,
            f"{row.cameras_recording}/{len(row.cameras)}",
        )
        for row in sorted(snapshot.recorders, key=lambda row: row.name)
    ]
    print_table(("ID", "NAME", "ROLE", "GROUP", "CONNECTION", "CONDITION", "CAMERAS"), rows)
    return 0


async def _watch(client: api.Client, args: argparse.Namespace) -> int:
    async def follow() -> None:
        async for update in following(client):
            if args.json:
                kind = "snapshot" if isinstance(update, api.Snapshot) else "changes"
                print(json.dumps({kind: msgspec.to_builtins(update)}, ensure_ascii=False), flush=True)
                continue
            for row in update.recorders:
                countdown = f", fails over in {row.countdown_ms / 1000:.0f} s" if row.countdown_ms is not None else ""
                countdown += f", fails back in {row.failback_in_ms / 1000:.0f} s" if row.failback_in_ms is not None else ""
                print(f"{time_now()} {row.name}: {row.condition}{countdown}", flush=True)
            for entry in update.failovers:
                print(f"{time_now()} {entry.id} {entry.recorder} -> {entry.server or '?'}: {entry.log_state} ({entry.phase})", flush=True)

    try:
        async with asyncio.timeout(args.seconds or None):
            await follow()
    except TimeoutError:
        return 0
    return 0


# ---------------------------------------------------------------- to do


async def _failover(client: api.Client, args: argparse.Namespace) -> int:
    server = await server_called(client, args.server)
    if args.preview:
        return await _preview(client, api.PreviewFailover(recorder=server.id), args)
    return await _ask(client, api.StartFailover(recorder=server.id, maintenance=not args.no_maintenance), args)


async def _switch(client: api.Client, args: argparse.Namespace) -> int:
    server = await server_called(client, args.server)
    if args.preview:
        return await _preview(client, api.PreviewSwitch(recorder=server.id), args)
    return await _ask(client, api.SwitchOver(recorder=server.id), args)


async def _failback(client: api.Client, args: argparse.Namespace) -> int:
    entry = await _entry_of(client, args.server)
    if args.preview:
        return await _preview(client, api.PreviewFailback(failover=entry), args)
    return await _ask(client, api.StartFailback(failover=entry, leave_dark=args.leave_dark), args)


async def _abort(client: api.Client, args: argparse.Namespace) -> int:
    return await _ask(client, api.AbortFailover(failover=FailoverId(args.entry)), args)


async def _hold(client: api.Client, args: argparse.Namespace) -> int:
    server = (await server_called(client, args.server)).id
    return await _ask(client, api.HoldFailback(recorder=server) if args.failback else api.HoldFailover(recorder=server), args)


async def _adopt(client: api.Client, args: argparse.Namespace) -> int:
    server = await server_called(client, args.server)
    groups = (await client.snapshot()).groups
    wanted = args.group or server.group or ""
    group = next((one.id for one in groups if wanted in (one.id, one.name)), None)
    if group is None:
        known = ", ".join(sorted(one.id for one in groups)) or "none"
        raise CommandError(f"There is no group {wanted or 'for it'}; name one with --group, known are: {known}.")
    if args.preview:
        return await _preview(client, api.PreviewAdoption(recorder=server.id, group=group), args)
    return await _ask(client, api.AdoptServer(recorder=server.id, group=group), args)


async def _acknowledge(client: api.Client, args: argparse.Namespace) -> int:
    return await _ask(client, api.ReleaseFailback(recorder=(await server_called(client, args.server)).id), args)


async def _release(client: api.Client, args: argparse.Namespace) -> int:
    server = await server_called(client, args.server)
    if args.camera is None:
        return await _ask(client, api.ReleaseHold(recorder=server.id), args)
    camera = next((one.id for one in server.cameras if args.camera in (one.id, one.name)), CameraId(args.camera))
    return await _ask(client, api.ReleaseCamera(recorder=server.id, camera=camera), args)


async def _ask(client: api.Client, request: api.Request, args: argparse.Namespace) -> int:
    reply = await client.request(request)
    wait = getattr(args, "wait", False) and isinstance(reply, api.Done) and reply.failover is not None
    if not (args.json and wait):
        print_json(reply) if args.json else print(reply.sentence, file=sys.stdout if isinstance(reply, api.Done) else sys.stderr)
    if isinstance(reply, api.Refused):
        return 1
    if wait and reply.failover is not None:
        return await _follow(client, reply.failover, args, back=isinstance(request, api.StartFailback))
    return 0


async def _follow(client: api.Client, failover: FailoverId, args: argparse.Namespace, *, back: bool) -> int:
    """Until the entry is ready, returned or ended; 0 if it became what was asked for."""
    entry: Failover | None = None
    try:
        async with asyncio.timeout(FOLLOW_S):
            async for update in following(client):
                for found in update.failovers:
                    if found.id == failover:
                        entry = found
                if entry is not None and _settled(entry, back=back):
                    break
    except TimeoutError:
        pass
    if entry is None:
        raise CommandError(f"The entry {failover} was not found in the failover log; look at it with `sysmanager log`.")
    # An entry whose footage goes home is given back, too, whatever its state says of the copy.
    good = entry.phase is api.Phase.RETURNED or (not back and entry.log_state is api.LogState.FAILOVER_READY)
    if args.json:
        print_json(entry)
    else:
        print(f"{entry.id}: {entry.log_state}. {entry.reason.sentence if entry.reason is not None else entry.note}".rstrip())
    return 0 if good else 1


def _settled(entry: Failover, *, back: bool) -> bool:
    if back:
        return entry.phase.ended or (not entry.phase.failing_back and entry.failback is not None and entry.failback.reason is not None)
    return entry.phase.ended or (not entry.phase.before_commit and entry.log_state is api.LogState.FAILOVER_READY)


async def _preview(client: api.Client, question: api.Question, args: argparse.Namespace) -> int:
    answer = await client.ask(question)
    if args.json:
        print_json(answer)
    elif isinstance(answer, api.Preview):
        for check in answer.checks:
            print(f"{check.level.value:8} {check.sentence}")
        for change in answer.changes:
            print(f"changed  {change.sentence}")
        for verdict in answer.verdicts:
            print(f"{'-> ' if verdict.server == answer.target else '   '}{verdict.server}: {verdict.sentence}")
        print(f"{len(answer.moves)} cameras move, {len(answer.stays)} stay.")
        for line in answer.to_do:
            print(f"to do    {line}")
    else:
        print(getattr(answer, "sentence", ""), file=sys.stderr)
    return 0 if isinstance(answer, api.Preview) and answer.allowed else 1


# ---------------------------------------------------------------- look-ups and printing


async def _entry_of(client: api.Client, wanted: str) -> FailoverId:
    """The entry of this id, or the newest in which this server was replaced and not given back."""
    snapshot = await client.snapshot()
    if re.fullmatch(r"F\d{5,}", wanted) or any(entry.id == wanted for entry in snapshot.failovers):
        return FailoverId(wanted)
    server: RecorderId = (await server_called(client, wanted)).id
    entries = [entry for entry in snapshot.failovers if server in (entry.home, entry.recorder, entry.server) and not entry.phase.ended]
    if not entries:
        raise CommandError(f"No open failover of {wanted} is in the log; there is nothing to give back.")
    return max(entries, key=lambda entry: entry.number).id
