"""`sysmanager` and `sysmanager connect`: the desktop program, with its own coordinator or for one elsewhere."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import structlog

from sysmanager.app import paths

START_S = 20.0
END_S = 10.0

RESTART_PAUSES_S = (0.5, 2.0, 5.0, 15.0)
"""Pauses before a coordinator that ended by itself is started again; the last one is repeated."""

log = structlog.get_logger(__name__)


def add_own(top: argparse.ArgumentParser) -> None:
    """Arguments of the program without a command."""
    top.add_argument("--data", type=Path, default=None, metavar="DIR", help="data of its own coordinator (default: the user's data folder)")
    top.add_argument("--site", default="My site", metavar="NAME", help="the name that people see, with its own coordinator")
    top.set_defaults(run=run_own)


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "connect",
        help="System Manager for a coordinator elsewhere",
        description="Opens the desktop program for a coordinator that runs as a service.",
        epilog="example: sysmanager connect /var/lib/sysmanager",
    )
    parser.add_argument("where", help="data folder or credentials file of the coordinator")
    parser.add_argument("--role", choices=["Administrator", "Operator", "Monitoring"], default="Administrator", help="work with this role")
    parser.set_defaults(run=run_connect)


def run_connect(args: argparse.Namespace) -> int:
    from sysmanager.app.desktop import run_scene
    from sysmanager.app.display import need_display
    from sysmanager.app.logs import set_up_logging
    from sysmanager.app.target import credentials_file
    from sysmanager.app.windows import show_connected
    from sysmanager.domain.rights import RoleName

    set_up_logging(paths.log_folder() / "desktop.log")
    credentials = credentials_file(args.where)
    need_display()
    return run_scene(lambda _: show_connected(credentials, RoleName(args.role), embedded=False))


def run_own(args: argparse.Namespace) -> int:
    """The coordinator runs as a child process, the same code as the service, so that a stuck window cannot make it deaf (DESIGN)."""
    from sysmanager.app.desktop import run_scene
    from sysmanager.app.display import need_display
    from sysmanager.app.logs import set_up_logging

    set_up_logging(paths.log_folder() / "desktop.log")
    need_display()
    data: Path = args.data or paths.default_data()
    return run_scene(lambda _: _with_own_coordinator(data, args.site))


async def _with_own_coordinator(data: Path, site: str) -> int:
    from sysmanager.app.children import Child, ended, start_child
    from sysmanager.app.errors import CommandError
    from sysmanager.app.windows import show_connected
    from sysmanager.domain.rights import RoleName

    command = ["coordinator", "--data", str(data), "--site", site, "--parent", str(os.getpid())]
    child: Child = await start_child(command)
    keeping: asyncio.Task[None] | None = None
    try:
        first = await child.first_line(START_S)
        try:
            ready = json.loads(first)
            credentials, site_key = Path(ready["credentials"]), Path(ready["site_key"])
        except (ValueError, KeyError, TypeError):
            why = await child.complaint()
            raise CommandError(why or f"The coordinator did not start; see its log in {paths.log_folder()}.") from None

        async def keep() -> None:
            """A coordinator that ended by itself is started again, at the same address: the window finds it there."""
            nonlocal child
            for pause_s in chain(RESTART_PAUSES_S, repeat(RESTART_PAUSES_S[-1])):
                status = await child.process.wait()
                log.error("the coordinator ended and is started again", status=status, said=await child.complaint())
                await asyncio.sleep(pause_s)
                child = await start_child(command)

        keeping = asyncio.create_task(keep())
        return await show_connected(credentials, RoleName.ADMINISTRATOR, embedded=True, site_key=site_key)
    finally:
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        if not ended(child):
            await child.end(END_S)
