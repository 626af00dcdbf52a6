"""`maintenance` and `system`: how careful the coordinator is, for scripts (SPEC 13)."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, time, timedelta
from typing import Any

import msgspec

from sysmanager import api
from sysmanager.app.arguments import whole
from sysmanager.app.commands.asking import command, print_json, print_table, server_called, time_text
from sysmanager.app.commands.scripts import _ask
from sysmanager.app.errors import CommandError
from sysmanager.domain.system import BRAKE_LIMITS_S, BRAKE_MINIMUMS, BRAKE_SHARES_PERCENT, MANUAL_MAINTENANCES_MIN

DEFAULT_MINUTES = 60
NEVER, OWN = -1, -1


def add(chosen: Any) -> None:
    maintenance = command(
        chosen,
        "maintenance",
        "put a server, a group or the system into maintenance, end that, or list what is",
        _maintenance,
        "sysmanager maintenance TA-REC-03 --reason 'new disks' --minutes 90",
    )
    maintenance.add_argument("server", nargs="?", help="id or name of the server")
    maintenance.add_argument("--group", metavar="GROUP", help="the failover group with this id or name instead of a server")
    maintenance.add_argument("--system", action="store_true", help="the whole system instead of a server")
    maintenance.add_argument("--reason", help="why, for the people who see it")
    end = maintenance.add_mutually_exclusive_group()
    end.add_argument("--until", type=moment, metavar="TIME", help="its end: 14:30, or 2026-12-01T06:00")
    end.add_argument("--minutes", type=whole(1, 527_040), metavar="N", help=f"its end, in so many minutes; by default {DEFAULT_MINUTES}")
    end.add_argument("--end", action="store_true", help="end it now")
    system = command(chosen, "system", "show or change the settings of the system", _system, "sysmanager system --brake-limit 120")
    system.add_argument(
        "--brake-share", type=whole(*BRAKE_SHARES_PERCENT), metavar="PERCENT", help="of the recorders, for the mass-loss brake"
    )
    system.add_argument("--brake-minimum", type=whole(*BRAKE_MINIMUMS), metavar="N", help="so many recorders at least")
    system.add_argument("--brake-limit", type=_limit, metavar="S|never", help="after so long the brake lets failovers go on")
    system.add_argument("--opinion-holds", choices=("yes", "no"), help="whether a recorder that others reach is waited for")
    system.add_argument(
        "--announced-timeout", type=_timeout, metavar="S|own", help="detection timeout after an announced shutdown, at least"
    )
    system.add_argument("--manual-maintenance", type=whole(*MANUAL_MAINTENANCES_MIN), metavar="MIN", help="after a failover by hand")


def moment(text: str) -> datetime:
    """The type of an argument that is a moment in local time: ``14:30`` is the next one, or a date and time as ISO 8601 writes them."""
    now = datetime.now().astimezone()
    try:
        clock = time.fromisoformat(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text).astimezone()
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no time; write 14:30, or 2026-12-01T06:00") from None
    found = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return found if found > now else found + timedelta(days=1)


def _limit(text: str) -> int:
    return NEVER if text == "never" else whole(*BRAKE_LIMITS_S)(text)


def _timeout(text: str) -> int:
    return OWN if text == "own" else whole(10, 1800)(text)


async def _maintenance(client: api.Client, args: argparse.Namespace) -> int:
    snapshot = await client.snapshot()
    named = [args.server is not None, args.group is not None, args.system]
    if not any(named):
        return _list(snapshot, args)
    if sum(named) > 1:
        raise CommandError("Name one thing only: a server, --group GROUP, or --system.")
    if args.system:
        target = api.Target(scope=api.Scope.SYSTEM)
    elif args.group is not None:
        found = next((group for group in snapshot.groups if args.group in (group.id, group.name)), None)
        if found is None:
            known = ", ".join(sorted(group.id for group in snapshot.groups)) or "none"
            raise CommandError(f"There is no group {args.group}; known are: {known}.")
        target = api.Target(scope=api.Scope.GROUP, id=found.id)
    else:
        target = api.Target(scope=api.Scope.RECORDER, id=(await server_called(client, args.server)).id)
    if args.end:
        return await _ask(client, api.EndMaintenance(target=target), args)
    if not args.reason:
        raise CommandError("A maintenance needs a reason; give it with --reason TEXT.")
    until = args.until or datetime.now().astimezone() + timedelta(minutes=args.minutes or DEFAULT_MINUTES)
    request = api.StartMaintenance(target=target, reason=args.reason, until_wall_ms=int(until.timestamp() * 1000))
    return await _ask(client, request, args)


def _list(snapshot: api.Snapshot, args: argparse.Namespace) -> int:
    found = snapshot.system.maintenance
    if args.json:
        print_json(found)
        return 0
    if not found:
        print("Nothing is in maintenance.")
        return 0
    rows = [(one.target.scope.value, one.target.id, time_text(one.until_wall_ms), one.actor.name, one.reason) for one in found]
    print_table(("WHAT", "ID", "UNTIL", "BY", "REASON"), rows)
    return 0


async def _system(client: api.Client, args: argparse.Namespace) -> int:
    row = (await client.snapshot()).system
    changes = {
        "brake_share_percent": args.brake_share,
        "brake_minimum": args.brake_minimum,
        "opinion_holds": None if args.opinion_holds is None else args.opinion_holds == "yes",
        "manual_maintenance_min": args.manual_maintenance,
    }
    given: dict[str, Any] = {field: value for field, value in changes.items() if value is not None}
    if args.brake_limit is not None:
        given["brake_limit_s"] = None if args.brake_limit == NEVER else args.brake_limit
    if args.announced_timeout is not None:
        given["announced_timeout_s"] = None if args.announced_timeout == OWN else args.announced_timeout
    if given:
        settings = msgspec.structs.replace(row.settings, **given)
        return await _ask(client, api.EditSystem(revision=row.settings_revision, settings=settings), args)
    if args.json:
        print_json(row.settings)
        return 0
    settings = row.settings
    limit = "never goes on by itself" if settings.brake_limit_s is None else f"goes on after {settings.brake_limit_s} s"
    announced = "the recorder's own" if settings.announced_timeout_s is None else f"{settings.announced_timeout_s} s at least"
    sys.stdout.write(
        f"Mass-loss brake: more than {settings.brake_share_percent} % of the recorders, {settings.brake_minimum} at least; {limit}\n"
        f"Second opinion: {'holds a failover while others reach the recorder' if settings.opinion_holds else 'is only recorded'}\n"
        f"Detection timeout after an announced shutdown: {announced}\n"
        f"Maintenance after a failover by hand: {span_text(settings.manual_maintenance_min)}\n"
    )
    return 0


def span_text(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest or not hours else "") if part)
