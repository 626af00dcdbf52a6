"""`sysmanager coordinator`: the coordinator as a service."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from sysmanager.app import paths
from sysmanager.app.arguments import whole


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "coordinator",
        help="the coordinator as a service",
        description="Watches the recorders of a site and carries out failovers, until it is told to end.",
        epilog="example: sysmanager coordinator --data /var/lib/sysmanager --site 'Harbour site'",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="journal, documents and bus of the site")
    parser.add_argument("--site", default="Site", metavar="NAME", help="the name that people see")
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS", help="where the bus listens (loopback only in this version)")
    parser.add_argument(
        "--port", type=whole(0, 65535), default=0, metavar="N", help="port of the bus; by default the one it had, or a free one"
    )
    parser.add_argument("--site-key", type=Path, metavar="FILE", help="where the site key lies, apart from the data")
    parser.add_argument("--practice", action="store_true", help="mark the site as one for practice")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log file; by default in the platform's log folder")
    parser.add_argument("--parent", type=whole(0, 1 << 32), default=0, metavar="PID", help="end when this process ends")
    parser.add_argument(
        "--sync-delay", type=whole(0, 10_000), default=0, metavar="MS", help="make every journal sync so much slower, to measure"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.logs import set_up_logging

    trouble = set_up_logging(args.log or paths.log_folder() / "coordinator.log")
    if trouble is not None:
        print(f"sysmanager: {trouble}", file=sys.stderr)
    return asyncio.run(_serve(args))


async def _serve(args: argparse.Namespace) -> int:
    from sysmanager.app.ending import end_on_signals, end_with_parent, first_of
    from sysmanager.app.serving import serving

    asked = end_on_signals()
    if args.parent:
        end_with_parent(asked, args.parent)
    async with serving(
        args.data,
        site=args.site,
        host=args.listen,
        port=args.port,
        practice=args.practice,
        site_key=args.site_key,
        sync_delay_ms=args.sync_delay,
    ) as served:
        for warning in served.warnings:
            print(f"sysmanager: {warning}", file=sys.stderr, flush=True)
        ready = {
            "ready": True,
            "credentials": str(served.credentials_file.resolve()),
            "site_key": str((args.site_key or paths.site_key_file(args.data)).resolve()),
            "url": served.url,
            "pid": os.getpid(),
        }
        print(json.dumps(ready), flush=True)
        await first_of(asked, served.engine.failure)
        if served.engine.failure.done():
            print(f"sysmanager: {served.engine.failure.result()}", file=sys.stderr)
            return 2
    return 0
