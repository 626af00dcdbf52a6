"""`sysmanager picture`: the last key frame of a camera as a JPEG file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sysmanager import api
from sysmanager.app.commands.asking import command, print_json, server_called, time_text
from sysmanager.app.errors import CommandError
from sysmanager.domain.recorder import Broken

EXIT_NO = 1


def add(chosen: Any) -> None:
    picture = command(
        chosen, "picture", "save the last picture of a camera as a JPEG file", _picture, "sysmanager picture gate-1 --out gate.jpg"
    )
    picture.add_argument("camera", help="id or name of the camera")
    picture.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write; an old one is replaced")
    picture.add_argument("--server", metavar="SERVER", help="id or name of the server that lists the camera, where several do")


async def _picture(client: api.Client, args: argparse.Namespace) -> int:
    """Exit status 1 if there is no picture."""
    rows = [await server_called(client, args.server)] if args.server is not None else list((await client.snapshot()).recorders)
    found = [(row, camera) for row in rows for camera in row.cameras if args.camera in (camera.id, camera.name)]
    # A camera of a server that was replaced is listed twice: with it, and with whoever acts for it.
    present = [(row, camera) for row, camera in found if not isinstance(row.assignment, Broken)] or found
    if not present:
        raise CommandError(
            f"There is no camera {args.camera}{f' on {args.server}' if args.server else ''}; see 'sysmanager servers --json'."
        )
    if len({camera.id for _, camera in present}) > 1 or len(present) > 1:
        servers = ", ".join(sorted(row.id for row, _ in present))
        raise CommandError(f"Several servers have a camera {args.camera}: {servers}; name one with --server.")
    row, camera = present[0]
    answer = await client.ask(api.ShowPicture(recorder=row.id, camera=camera.id))
    if not isinstance(answer, api.Picture):
        print(f"No picture: {getattr(answer, 'sentence', 'the coordinator did not answer the question.')}")
        return EXIT_NO
    try:
        args.out.write_bytes(answer.jpeg)
    except OSError as error:
        raise CommandError(f"The file {args.out} can't be written ({error.strerror or error}).") from error
    if args.json:
        print_json(
            {
                "camera": answer.camera,
                "recorder": answer.recorder,
                "taken_wall_ms": answer.taken_wall_ms,
                "age_ms": answer.age_ms,
                "width": answer.width,
                "height": answer.height,
                "file": str(args.out),
            }
        )
    else:
        age_s = answer.age_ms / 1000
        print(f"{camera.name} at {time_text(answer.taken_wall_ms)}, {age_s:.0f} s old, from {answer.recorder}: {args.out}")
    return 0
