"""`log`, `audit`, `comment`, `tick`: the failover log and the audit log, for scripts."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from sysmanager import api
from sysmanager.api.export import audit_pages, entry_pages, write_csv
from sysmanager.api.tables import AUDIT_HEADS, ENTRY_HEADS, audit_cells, entry_cells
from sysmanager.app.arguments import whole
from sysmanager.app.commands.asking import command, print_json, print_table, time_text
from sysmanager.app.errors import CommandError

ALL = 10_000_000
SHOWN = 50
MOMENTS = "2026-11-27, 2026-11-27T14:30, or 2h, 7d ago"

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def add(chosen: Any) -> None:
    log = command(
        chosen, "log", "search the failover log, newest first", _log, "sysmanager log --state cancelled --since 30d --csv log.csv"
    )
    _many(log, "--state", api.LogState, "entries in this state")
    _many(log, "--severity", api.Severity, "entries of this severity")
    _many(log, "--trigger", api.Trigger, "entries that this started")
    _many(log, "--reason", api.Reason, "entries that went wrong for this reason")
    log.add_argument("--recorder", metavar="SERVER", help="entries of this server, by id or name: it broke, or its cameras moved")
    log.add_argument("--server", metavar="SERVER", help="entries in which this failover server took over")
    log.add_argument("--group", metavar="GROUP", help="entries of this failover group, by id or name")
    log.add_argument("--sort", type=_choice(api.LogColumn), default=api.LogColumn.STARTED, metavar="COLUMN", help=_listed(api.LogColumn))
    log.add_argument("--ascending", action="store_true", help="the smallest first, instead of the greatest")
    audit = command(chosen, "audit", "list every request and refusal, newest first", _audit, "sysmanager audit --refused --since 1d")
    audit.add_argument("--actor", default="", metavar="NAME", help="requests of this person")
    outcomes = audit.add_mutually_exclusive_group()
    outcomes.add_argument("--refused", action="store_const", dest="outcome", const=api.AuditOutcome.REFUSED, help="those that were refused")
    outcomes.add_argument("--done", action="store_const", dest="outcome", const=api.AuditOutcome.DONE, help="those that were carried out")
    for parser in (log, audit):
        parser.add_argument(
            "--since", type=_moment, default=0, metavar="WHEN", help="from this moment on: 2026-11-27, 2026-11-27T14:30, or 2h, 7d ago"
        )
        parser.add_argument("--until", type=_moment, default=0, metavar="WHEN", help="before this moment")
        parser.add_argument("--search", default="", metavar="TEXT", help="with all these words, or beginnings of words")
        parser.add_argument("--limit", type=whole(0, ALL), metavar="N", help=f"at most so many; by default {SHOWN}, with --csv all")
        parser.add_argument("--after", default="", metavar="CURSOR", help="go on where an earlier list ended, as it said on stderr")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write a table for other programs instead; must not exist")
        parser.add_argument("--force", action="store_true", help="with --csv: replace the file if it is there")
    comment = command(
        chosen, "comment", "write a comment on an entry of the failover log", _comment, 'sysmanager comment F00012 "Disk changed."'
    )
    comment.add_argument("entry", help="id of the log entry")
    comment.add_argument("text", help="what to write")
    tick = command(chosen, "tick", "tick a line of the to-do list of an entry off", _tick, "sysmanager tick F00012 1")
    tick.add_argument("entry", help="id of the log entry")
    tick.add_argument("line", type=whole(1, 1_000), help="number of the line, from 1")
    tick.add_argument("--undo", action="store_true", help="take it back")


# ---------------------------------------------------------------- arguments


def _slug(value: StrEnum) -> str:
    return value.value.lower().replace(" ", "-")


def _listed(kind: type[StrEnum]) -> str:
    return ", ".join(_slug(value) for value in kind)


def _choice(kind: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> E:
        found = next((value for value in kind if text.lower() in (_slug(value), value.value.lower())), None)
        if found is None:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {_listed(kind)}")
        return found

    return parse


def _many(parser: argparse.ArgumentParser, name: str, kind: type[StrEnum], text: str) -> None:
    help_text = f"{text}; may be given several times: {_listed(kind)}"
    parser.add_argument(name, type=_choice(kind), action="append", default=[], metavar=name.strip("-").upper(), help=help_text)


def _moment(text: str) -> int:
    """Wall-clock milliseconds of a date, a date and time, or so long ago."""
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            moment = datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text).astimezone()
        milliseconds = int(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        milliseconds = 0
    if milliseconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment; write {MOMENTS}")
    return milliseconds


# ---------------------------------------------------------------- to look


async def _log(client: api.Client, args: argparse.Namespace) -> int:
    snapshot = await client.snapshot()
    names = {row.id: row.name for row in snapshot.recorders}
    question = api.FindEntries(
        states=tuple(args.state),
        severities=tuple(args.severity),
        triggers=tuple(args.trigger),
        reasons=tuple(args.reason),
        recorder=_called(args.recorder, names),
        server=_called(args.server, names),
        group=_group_called(args.group, snapshot),
        since_wall_ms=args.since,
        until_wall_ms=args.until,
        search=args.search,
        sort=args.sort,
        descending=not args.ascending,
        after=args.after,
    )
    pages = entry_pages(client, question, _limit(args))
    return await list_pages(args, pages, ENTRY_HEADS, lambda entry: entry_cells(entry, names), _print_entries)


async def _audit(client: api.Client, args: argparse.Namespace) -> int:
    question = api.FindAudit(
        actor=args.actor, outcome=args.outcome, since_wall_ms=args.since, until_wall_ms=args.until, search=args.search, after=args.after
    )
    return await list_pages(args, audit_pages(client, question, _limit(args)), AUDIT_HEADS, audit_cells, _print_lines)


def _limit(args: argparse.Namespace) -> int:
    chosen: int | None = args.limit
    return chosen if chosen is not None else ALL if args.csv is not None else SHOWN


async def list_pages(
    args: argparse.Namespace,
    pages: AsyncIterator[tuple[Sequence[T], str]],
    heads: tuple[str, ...],
    cells: Callable[[T], tuple[str, ...]],
    show: Callable[[Sequence[T]], None],
) -> int:
    if args.csv is not None:
        if args.csv.exists() and not args.csv.is_dir() and not args.force:
            raise CommandError(f"{args.csv} is there already; name another file, or replace it with --force.")
        try:
            count, cursor = await write_csv(args.csv, pages, heads, cells)
        except OSError as error:
            raise CommandError(f"The file {args.csv} cannot be written ({error.strerror or error}); name another one.") from error
        print_json({"file": str(args.csv), "lines": count}) if args.json else print(f"{count} lines written to {args.csv}.")
    else:
        found: list[T] = []
        cursor = ""
        async for page, after in pages:
            found += page
            cursor = after
        print_json(found) if args.json else show(found)
    if cursor:
        print(f"There is more: go on with --after '{cursor}'", file=sys.stderr)
    return 0


def _print_entries(entries: Sequence[api.Failover]) -> None:
    rows = [
        (
            entry.id,
            time_text(entry.started_ms),
            entry.recorder,
            entry.server or "",
            entry.trigger.value,
            entry.log_state.value,
            "" if entry.worst_gap_ms is None else f"{entry.worst_gap_ms / 1000:.1f} s",
            entry.actor.name,
            entry.shown_reason.value if entry.shown_reason is not None else "",
        )
        for entry in entries
    ]
    print_table(("ENTRY", "STARTED", "SERVER", "FAILOVER SERVER", "TRIGGER", "STATE", "GAP", "BY", "REASON"), rows)


def _print_lines(lines: Sequence[api.AuditLine]) -> None:
    rows = [
        (
            time_text(line.at_ms),
            line.actor,
            line.role.value if line.role is not None else "",
            line.request,
            line.about,
            line.outcome.value if line.times == 1 else f"{line.outcome.value} {line.times} times",
            line.sentence,
        )
        for line in lines
    ]
    print_table(("TIME", "WHO", "ROLE", "REQUEST", "ABOUT", "OUTCOME", "SENTENCE"), rows)


def _called(wanted: str | None, names: dict[api.RecorderId, str]) -> api.RecorderId | None:
    """The id of a server by its id or name; one that is not in system data any more is named by its id."""
    if wanted is None:
        return None
    return next((server for server, name in names.items() if wanted in (server, name)), api.RecorderId(wanted))


def _group_called(wanted: str | None, snapshot: api.Snapshot) -> api.GroupId | None:
    if wanted is None:
        return None
    return next((group.id for group in snapshot.groups if wanted in (group.id, group.name)), api.GroupId(wanted))


# ---------------------------------------------------------------- to write


async def _comment(client: api.Client, args: argparse.Namespace) -> int:
    return _said(await client.request(api.CommentEntry(failover=api.FailoverId(args.entry), text=args.text)), args)


async def _tick(client: api.Client, args: argparse.Namespace) -> int:
    return _said(await client.request(api.TickToDo(failover=api.FailoverId(args.entry), item=args.line - 1, done=not args.undo)), args)


def _said(reply: api.Reply, args: argparse.Namespace) -> int:
    done = isinstance(reply, api.Done)
    print_json(reply) if args.json else print(reply.sentence, file=sys.stdout if done else sys.stderr)
    return 0 if done else 1
