"""`sysmanager self-test`: one failover and one failback on a small simulated site, all in this process, with a report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "self-test",
        help="check this installation with one failover",
        description="Starts coordinator and simulated servers in this process, does one failover and one failback, and writes a report.",
        epilog="example: sysmanager self-test report.json",
    )
    parser.add_argument("report", type=Path, metavar="FILE", help="where the report (JSON) goes")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.logs import set_up_logging
    from sysmanager.app.selftest import self_test

    set_up_logging(None)
    return self_test(args.report)
