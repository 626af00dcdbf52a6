"""What all commands share that ask a coordinator: their arguments, the session, look-ups and printing."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from sysmanager import api
from sysmanager.app.errors import CommandError
from sysmanager.app.target import add_target, credentials_file
from sysmanager.domain.rights import RoleName

RETRY_S = 1.0
"""Between two attempts to follow a coordinator that went away."""

Work = Callable[[api.Client, argparse.Namespace], Awaitable[int]]


def command(chosen: Any, name: str, text: str, work: Work, example: str) -> argparse.ArgumentParser:
    description = f"{text[0].upper()}{text[1:]}."
    parser: argparse.ArgumentParser = chosen.add_parser(name, help=text, description=description, epilog=f"example: {example}")
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, one document a line")
    parser.set_defaults(run=lambda args: asyncio.run(with_client(args, work)))
    return parser


async def with_client(args: argparse.Namespace, work: Work) -> int:
    from sysmanager.app.logs import set_up_logging

    set_up_logging(None)
    client = await api.connect(credentials_file(args.coordinator), role=RoleName(args.role))
    try:
        return await work(client, args)
    finally:
        await client.close()


async def following(client: api.Client, retry_s: float = RETRY_S) -> AsyncIterator[api.Snapshot | api.Changes]:
    """`changes`, which goes on when the coordinator or its bus was away for a while: that is said once, on stderr.

    Raises ClientError if nothing was heard at all.
    """
    heard, said = False, ""
    while True:
        try:
            async for update in client.changes():
                heard, said = True, ""
                yield update
            return
        except api.ClientError as error:
            if not heard:
                raise
            if said != str(error):
                said = str(error)
                print(f"sysmanager: {said} It is asked again until it answers.", file=sys.stderr, flush=True)
        await asyncio.sleep(retry_s)


async def server_called(client: api.Client, wanted: str) -> api.RecorderRow:
    rows = (await client.snapshot()).recorders
    for row in rows:
        if wanted in (row.id, row.name):
            return row
    known = ", ".join(sorted(row.id for row in rows)[:8]) or "none"
    raise CommandError(f"There is no server {wanted}; known are: {known}.")


def print_json(value: object) -> None:
    print(json.dumps(msgspec.to_builtins(value), ensure_ascii=False), flush=True)


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    for line in (head, *rows):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def time_text(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def time_now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
