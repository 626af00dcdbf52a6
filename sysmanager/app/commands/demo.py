"""`sysmanager demo`: a believable simulated site, offline; `--tour` tells its story in pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "demo",
        help="a simulated site to break and mend",
        description="Opens the program on a simulated site, offline, with a panel to break its servers. Nothing real is touched.",
        epilog="example: sysmanager demo    |    sysmanager demo --tour pictures",
    )
    parser.add_argument("--servers", type=_servers, default=10, metavar="N", help="standard recorders of the site (default 10)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="draws cameras and small differences")
    parser.add_argument("--tour", type=Path, metavar="DIR", help="tell the story without a display: numbered pictures and tour.json")
    parser.add_argument("--report-painted", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def _servers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 500:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of servers from 1 to 500")
    return int(text)


def run(args: argparse.Namespace) -> int:
    from sysmanager.app import paths
    from sysmanager.app.logs import set_up_logging

    set_up_logging(paths.log_folder() / "demo.log")
    if args.tour is not None:
        from sysmanager.app.tour import run_tour

        return run_tour(args.tour, servers=args.servers, seed=args.seed)
    from sysmanager.app.desktop import run_scene
    from sysmanager.app.display import need_display

    need_display()
    from sysmanager.app.practice import demo_scene

    return run_scene(lambda _: demo_scene(servers=args.servers, seed=args.seed, report_painted=args.report_painted))
