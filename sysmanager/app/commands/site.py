"""`sysmanager site`: a small real site on this machine, and its rehearsal."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.logs import set_up_logging
    from sysmanager.app.site.command import run_site

    set_up_logging(None)
    return run_site(args.dir, args.cameras, args.rehearse, preroll=args.pre_roll)
