"""`sysmanager site`: a small real site on this machine, and its rehearsal."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

WAYS = ("kill", "stop", "connection", "disks", "service", "cameras", "manual", "switch")
VICTIMS = ("coordinator", "server")
"""As in `app.site.report`, which is not imported for a help text; a test compares them."""


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "site",
        help="a small real site on this machine, and its rehearsal",
        description="Runs synthetic cameras, a coordinator, two standard recorders and a failover server, each a process of its own, "
        "until Ctrl-C. With --rehearse it kills a recorder, waits for the failover, brings the recorder back, fails back, and checks "
        "the footage; exit status 0 only if all of it is right. Footage, settings and logs stay in DIR; the next run goes on there.",
        epilog="example: sysmanager site mysite --cameras 8 --rehearse report.json",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="folder of the site, made if it is missing")
    parser.add_argument("--cameras", type=int, metavar="N", help="cameras in all (default 8, or those that DIR was set up with)")
    parser.add_argument("--rehearse", type=Path, metavar="REPORT.json", help="rehearse a failover and a failback, and report it here")
    parser.add_argument(
        "--pre-roll", action="store_true", help="the failover server holds the last seconds of all cameras, so that they have no gap"
    )
    parser.add_argument(
        "--how",
        choices=WAYS,
        default=None,
        metavar="WAY",
        help=f"with --rehearse: how the recorder breaks: {', '.join(WAYS)} (default kill)",
    )
    parser.add_argument(
        "--kill-at",
        type=_kill_at,
        metavar="WHO:STEP",
        help="with --rehearse: kill the coordinator or the failover server once that step of the failover is durable, for example server:4",
    )
    parser.add_argument(
        "--matrix",
        action="store_true",
        help="with --rehearse: one rehearsal after the other, in every way and killed at every step, each in a folder of its own in DIR",
    )
    parser.set_defaults(run=run)


def _kill_at(text: str) -> tuple[str, int]:
    who, _, step = text.partition(":")
    if who not in VICTIMS or not step.isascii() or not step.isdigit() or not 1 <= int(step[:3]) <= 8:
        raise argparse.ArgumentTypeError(f"{text!r} is no WHO:STEP; write {VICTIMS[0]} or {VICTIMS[1]}, and a step from 1 to 8")
    return who, int(step)


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.errors import CommandError
    from sysmanager.app.logs import set_up_logging
    from sysmanager.app.site.command import Rehearsal, run_rehearsal, run_site
    from sysmanager.app.site.report import KillAt, Victim, Way

    set_up_logging(None)
    if args.rehearse is None:
        if args.how is not None or args.kill_at is not None or args.matrix:
            raise CommandError("--how, --kill-at and --matrix say what is rehearsed; give --rehearse REPORT.json with them.")
        return run_site(args.dir, args.cameras, preroll=args.pre_roll)
    if args.kill_at is not None and args.how not in (None, Way.KILL.value):
        raise CommandError("--kill-at goes with a recorder that is killed; leave out --how.")
    if args.matrix:
        if args.how is not None or args.kill_at is not None:
            raise CommandError("--matrix rehearses every way and step; leave out --how and --kill-at.")
        from sysmanager.app.site.matrix import run_matrix

        return run_matrix(args.dir, args.cameras, args.rehearse, preroll=args.pre_roll)
    also = KillAt(victim=Victim(args.kill_at[0]), step=args.kill_at[1]) if args.kill_at is not None else None
    rehearsal = Rehearsal(preroll=args.pre_roll, way=Way(args.how or Way.KILL.value), also=also)
    return run_rehearsal(args.dir, args.cameras, args.rehearse, rehearsal)
