"""`sysmanager cameras`: synthetic RTSP cameras."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sysmanager.app import paths
from sysmanager.app.arguments import whole
from sysmanager.app.errors import CommandError

if TYPE_CHECKING:
    from sysmanager.simulation.cameras.config import CamerasConfig
    from sysmanager.simulation.cameras.server import CameraServer

SCHEMES = ("none", "basic", "digest")
SCENES = ("bars", "yard", "visitor")


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "cameras",
        help="synthetic RTSP cameras",
        description="Serves live H.264 cameras whose frames carry a number, until it is told to end. The control port beside the RTSP port "
        "takes: stall, drop, refuse, blackhole, garbage, ok with a camera's id or all; and stat.",
        epilog="example: sysmanager cameras --count 8 --port 8554",
    )
    parser.add_argument("--count", type=whole(1, 1000), default=8, metavar="N", help="how many cameras (default 8)")
    parser.add_argument(
        "--port", type=whole(0, 65534), default=8554, metavar="P", help="RTSP port, control port is the next; 0 takes free ones"
    )
    parser.add_argument("--size", type=_size, default=(640, 360), metavar="WxH", help="picture size (default 640x360)")
    parser.add_argument("--fps", type=whole(1, 60), default=15, metavar="F", help="frames per second (default 15)")
    parser.add_argument(
        "--sessions", type=whole(1, 1000), default=4, metavar="S", help="streams that each camera gives at once (default 4)"
    )
    parser.add_argument("--scene", choices=SCENES, default="bars", help="bars: all moves; yard: nothing; visitor: somebody")
    parser.add_argument("--authentication", choices=SCHEMES, default="none", help="what a client must prove (default none)")
    parser.add_argument("--user", default="", metavar="NAME", help="user name, with --authentication")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="file whose first line is the password")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where the encoded picture is kept")
    parser.add_argument("--json", action="store_true", help="print one JSON line when the cameras listen")
    parser.set_defaults(run=run)


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not cross or not width.isdigit() or not height.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no picture size such as 640x360")
    return int(width), int(height)


def run(args: argparse.Namespace) -> int:
    from sysmanager.simulation.cameras.clip import ClipShape
    from sysmanager.simulation.cameras.config import CamerasConfig, CamerasError
    from sysmanager.simulation.cameras.scenes import Scene

    config = CamerasConfig(
        count=args.count,
        cache=args.cache or paths.cache_folder() / "cameras",
        port=args.port,
        clip=ClipShape(width=args.size[0], height=args.size[1], fps=args.fps, gop_frames=args.fps, scene=Scene(args.scene)),
        authentication=args.authentication,
        username=args.user,
        password=_password(args.password_file),
        sessions_per_camera=args.sessions,
    )
    try:
        asyncio.run(_serve(config, args.json))
    except CamerasError as error:
        raise CommandError(str(error)) from error
    return 0


def _password(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        with file.open(encoding="utf-8") as lines:
            return lines.readline(1024).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The password file {file} can't be read ({getattr(error, 'strerror', None) or error}).") from error


async def _serve(config: CamerasConfig, as_json: bool) -> None:
    from sysmanager.app.ending import end_on_signals
    from sysmanager.app.inherited import end_with_owner
    from sysmanager.simulation.cameras.server import CameraServer

    asked = end_on_signals()
    end_with_owner()
    async with CameraServer(config) as server:
        _say(server, as_json)
        await asked.wait()


def _say(server: CameraServer, as_json: bool) -> None:
    addresses = {camera: server.url(camera) for camera in server.cameras}
    if as_json:
        ready = {"ready": True, "port": server.port, "control_port": server.control_port, "cameras": addresses, "pid": os.getpid()}
        print(json.dumps(ready), flush=True)
        return
    for address in addresses.values():
        print(address)
    print(
        f"Control port {server.control_port}: stall, drop, refuse, blackhole, garbage or ok, and a camera or all; "
        "cut or mend, and a client; stat. Ctrl-C ends.",
        flush=True,
    )
