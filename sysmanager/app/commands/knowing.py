"""`readiness`, `who-lands-where`, `gaps`, `accept-machine`: what is known before it happens, and what was measured."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sysmanager import api
from sysmanager.app.commands.asking import command, print_json, print_table, server_called
from sysmanager.app.errors import CommandError
from sysmanager.domain.gaps import GapTotal

_MARKS = {api.Level.GOOD: "ok", api.Level.WARNING: "warning", api.Level.STOP: "stop"}


def add(chosen: Any) -> None:
    readiness = command(chosen, "readiness", "say how ready every server is, and why", _readiness, "sysmanager readiness TA-REC-03 --json")
    readiness.add_argument("server", nargs="?", help="id or name of one server; all of them by default")
    landing = command(
        chosen, "who-lands-where", "say who would take over if a recorder failed now", _landing, "sysmanager who-lands-where --two --json"
    )
    landing.add_argument("--two", action="store_true", help="also what any two failures in a group leave unprotected")
    command(chosen, "gaps", "say what the measured gaps come to", _gaps, "sysmanager gaps --json")
    accept = command(
        chosen,
        "accept-machine",
        "accept that a server shares its machine with others",
        _accept,
        'sysmanager accept-machine TA-FO-01 "the coordinator" TA-REC-03',
    )
    accept.add_argument("server", help="id or name of the server")
    accept.add_argument("shares", nargs="+", metavar="NAME", help="with whom, exactly as `sysmanager readiness` says")


async def _readiness(client: api.Client, args: argparse.Namespace) -> int:
    """Exit status 1 if any of the servers is not ready."""
    snapshot = await client.snapshot()
    rows = sorted(snapshot.recorders, key=lambda row: row.name)
    if args.server is not None:
        rows = [await server_called(client, args.server)]
    red = any(row.readiness is not None and row.readiness.level is api.Ready.NOT_READY for row in rows)
    if args.json:
        print_json([{"id": row.id, "name": row.name, "readiness": row.readiness} for row in rows])
        return 1 if red else 0
    system = snapshot.system
    print(f"{system.ready} of {system.watched} servers ready, {system.limited} limited, {system.not_ready} not ready")
    if args.server is not None and rows[0].readiness is not None:
        for reason in rows[0].readiness.reasons:
            print(f"{_MARKS[reason.level]:8} {reason.sentence}")
        return 1 if red else 0
    table = [
        (row.id, row.name, row.readiness.level.value, row.readiness.target or "", row.readiness.worst)
        if row.readiness is not None
        else (row.id, row.name, "not known yet", "", "")
        for row in rows
    ]
    print_table(("ID", "NAME", "READINESS", "LANDS ON", "WHY NOT BETTER"), table)
    return 1 if red else 0


async def _landing(client: api.Client, args: argparse.Namespace) -> int:
    """Exit status 1 if one failure would leave cameras unprotected."""
    answer = await client.ask(api.WhoLandsWhere(two=args.two))
    if not isinstance(answer, api.Landings):
        raise CommandError(getattr(answer, "sentence", "The coordinator did not answer the question."))
    lost = any(one.unprotected for one in answer.single)
    if args.json:
        print_json(answer)
        return 1 if lost else 0
    single = [(one.recorder, one.server or "nobody", str(one.moved), str(one.unprotected), one.sentence) for one in answer.single]
    print_table(("IF IT FAILS", "LANDS ON", "CAMERAS", "UNPROTECTED", "WHY"), single)
    for group in answer.pairs:
        print()
        print(f"Group {group.group}: {group.unprotected_pairs} of {group.pairs} pairs of failures leave cameras unprotected.")
        if group.worst:
            worst = [(pair.first, pair.second, str(pair.unprotected)) for pair in group.worst]
            print_table(("IF THIS FAILS", "AND THIS", "UNPROTECTED"), worst)
    return 1 if lost else 0


async def _gaps(client: api.Client, args: argparse.Namespace) -> int:
    answer = await client.ask(api.MeasuredGaps())
    if not isinstance(answer, api.GapTotals):
        raise CommandError(getattr(answer, "sentence", "The coordinator did not answer the question."))
    if args.json:
        print_json(answer)
        return 0
    rows = [_gap_row("system", "", answer.system)]
    rows += [_gap_row("group", found.group, found.total) for found in answer.groups]
    rows += [_gap_row("recorder", found.recorder, found.total) for found in answer.recorders]
    print_table(("OF", "ID", "FAILOVERS", "GAPS", "PROVISIONAL", "UNKNOWN", "WORST", "SUM", "AVAILABLE"), rows)
    return 0


def _gap_row(kind: str, name: str, total: GapTotal) -> tuple[str, ...]:
    available = "" if total.available_ppm is None else f"{total.available_ppm / 10_000:.4f} %"
    counts = (str(total.failovers), str(total.gaps), str(total.provisional), str(total.unknown))
    return (kind, name, *counts, f"{total.worst_ms / 1000:.1f} s", f"{total.sum_ms / 1000:.1f} s", available)


async def _accept(client: api.Client, args: argparse.Namespace) -> int:
    row = await server_called(client, args.server)
    reply = await client.request(api.AcceptSharedMachine(recorder=row.id, shares=tuple(args.shares)))
    done = isinstance(reply, api.Done)
    print_json(reply) if args.json else print(reply.sentence, file=sys.stdout if done else sys.stderr)
    return 0 if done else 1
