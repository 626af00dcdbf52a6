"""`sysmanager coordinator`: the coordinator as a service."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sysmanager.app import paths
from sysmanager.app.arguments import whole
from sysmanager.app.commands import services
from sysmanager.app.errors import CommandError
from sysmanager.sdnotify import Heart, tell_systemd

if TYPE_CHECKING:
    from sysmanager.app.serving import Serving


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "coordinator",
        help="the coordinator as a service",
        description="Watches the recorders of a site and carries out failovers, until it is told to end.",
        epilog="example: sysmanager coordinator --data /var/lib/sysmanager --site 'Harbour site'",
    )
    _add_what(parser)
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS", help="where the bus listens (loopback only in this version)")
    parser.add_argument(
        "--port", type=whole(0, 65535), default=0, metavar="N", help="port of the bus; by default the one it had, or a free one"
    )
    parser.add_argument("--practice", action="store_true", help="mark the site as one for practice")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log file; by default in the platform's log folder")
    parser.add_argument("--parent", type=whole(0, 1 << 32), default=0, metavar="PID", help="end when this process ends")
    parser.add_argument(
        "--keep-log",
        type=whole(1, 100_000),
        default=3653,
        metavar="DAYS",
        help="how long the logs can be searched; 10 years by default",
    )
    parser.add_argument(
        "--sync-delay", type=whole(0, 10_000), default=0, metavar="MS", help="make every journal sync so much slower, to measure"
    )
    parser.add_argument("--hold-at", metavar="STEP:FILE", help=argparse.SUPPRESS)  # for rehearsals: see `app.site.step_hold`
    parser.set_defaults(run=run)
    deeds = parser.add_subparsers(dest="deed", metavar="DEED")
    install, uninstall = services.add_deeds(deeds, "coordinator", "--data /var/lib/sysmanager/coordinator")
    _add_what(install, below=True)
    install.set_defaults(run=services.install_coordinator)
    uninstall.set_defaults(run=services.uninstall_coordinator)


def _add_what(parser: argparse.ArgumentParser, *, below: bool = False) -> None:
    """What a coordinator serves. below: of a deed, whose arguments must not undo those before it."""

    def default(value: object) -> object:
        return argparse.SUPPRESS if below else value

    parser.add_argument("--data", type=Path, default=default(None), metavar="DIR", help="journal, documents and bus of the site")
    parser.add_argument("--site", default=default("Site"), metavar="NAME", help="the name that people see")
    parser.add_argument("--site-key", type=Path, default=default(None), metavar="FILE", help="where the site key lies, apart from the data")
    parser.add_argument(
        "--metrics",
        type=_address,
        default=default(None),
        metavar="ADDRESS:PORT",
        help="serve Prometheus metrics there; a port alone is on loopback, 0 a free one",
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is no ADDRESS:PORT; write for example 127.0.0.1:9464")
    return host.strip("[]") or "127.0.0.1", int(port)


@asynccontextmanager
async def _metrics(args: argparse.Namespace, served: Serving) -> AsyncIterator[str | None]:
    """The URL of the metrics, if they are wanted."""
    if args.metrics is None:
        yield None
        return
    from sysmanager.app.metrics import serving_metrics

    files = {"journal": args.data / "journal.sqlite", "history": args.data / "history.sqlite"}
    async with serving_metrics(args.metrics, served.engine.figures, files) as url:
        yield url


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.logs import set_up_logging

    if args.data is None:
        raise CommandError("No data folder is named; name it with --data DIR (see sysmanager coordinator --help).")

    trouble = set_up_logging(args.log or paths.log_folder() / "coordinator.log")
    if trouble is not None:
        print(f"sysmanager: {trouble}", file=sys.stderr)
    return asyncio.run(_serve(args))


async def _beat_for_ever() -> None:
    """Signs of life for systemd, from the loop that must not hang."""
    heart = Heart()
    while heart.every_s is not None:
        heart.beat()
        await asyncio.sleep(heart.every_s)


async def _serve(args: argparse.Namespace) -> int:
    from sysmanager.app.ending import end_on_signals, end_with_parent, first_of
    from sysmanager.app.serving import serving

    asked = end_on_signals()
    if args.parent:
        end_with_parent(asked, args.parent)
    async with (
        serving(
            args.data,
            site=args.site,
            host=args.listen,
            port=args.port,
            practice=args.practice,
            site_key=args.site_key,
            sync_delay_ms=args.sync_delay,
            keep_days=args.keep_log,
            hold_at=args.hold_at,
        ) as served,
        _metrics(args, served) as metrics_url,
    ):
        for warning in served.warnings:
            print(f"sysmanager: {warning}", file=sys.stderr, flush=True)
        ready = {
            "ready": True,
            "credentials": str(served.credentials_file.resolve()),
            "site_key": str((args.site_key or paths.site_key_file(args.data)).resolve()),
            "url": served.url,
            "pid": os.getpid(),
        }
        if metrics_url is not None:
            ready["metrics"] = metrics_url
        print(json.dumps(ready), flush=True)
        tell_systemd("READY=1", "STATUS=The coordinator serves.")
        beating = asyncio.create_task(_beat_for_ever())
        await first_of(asked, served.engine.failure)
        beating.cancel()
        tell_systemd("STOPPING=1")
        if served.engine.failure.done():
            print(f"sysmanager: {served.engine.failure.result()}", file=sys.stderr)
            return 2
    return 0
