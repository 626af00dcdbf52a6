"""`sysmanager recorder`: a VMS server, which is its Watchdog and the recording service that the Watchdog starts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from sysmanager.app.errors import CommandError


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "recorder",
        help="a VMS server: Watchdog and recording service",
        description="Runs the Watchdog of a VMS server, which starts and supervises its recording service, until it is told to end.",
        epilog="example: sysmanager recorder --config /etc/sysmanager/recorder.toml",
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration of the machine, TOML")
    parser.add_argument("--service-only", action="store_true", help="the recording service alone, without a Watchdog")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.inherited import end_with_owner, log_folder
    from sysmanager.app.logs import set_up_logging
    from sysmanager.recorder.configuration import ConfigurationError, load_configuration

    config: Path = args.config.resolve()
    try:
        recorder = load_configuration(config).id
    except ConfigurationError as error:
        raise CommandError(str(error)) from error
    part = "service" if args.service_only else "watchdog"
    trouble = set_up_logging(log_folder() / f"{recorder}-{part}.log")
    if trouble is not None:
        print(f"sysmanager: {trouble}", file=sys.stderr)
    end_with_owner()
    if args.service_only:
        from sysmanager.recorder.service_process import run_service

        return run_service(config)
    from sysmanager.recorder.watchdog import run_watchdog

    return run_watchdog(config)
