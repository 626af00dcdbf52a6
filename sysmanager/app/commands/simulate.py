"""`sysmanager simulate`: the coordinator under faults drawn from seeds, on a virtual clock."""

from __future__ import annotations

import argparse
from typing import Any

from sysmanager.app.arguments import whole


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "simulate",
        help="deterministic simulation with faults",
        description="Runs simulated sites under faults and checks that nothing unsafe happens and everything comes to rest.",
        epilog="example: sysmanager simulate --seeds 1..200    |    sysmanager simulate --seed 17 --story",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seeds", type=_range, metavar="A..B", help="run these seeds, both included")
    which.add_argument("--seed", type=whole(0, 1 << 62), metavar="N", help="replay one seed exactly")
    parser.add_argument("--story", action="store_true", help="tell what happened, with virtual times")
    parser.add_argument("--workers", type=whole(1, 256), default=2, metavar="N", help="processes that share the seeds (default 2)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(run=run)


def _range(text: str) -> range:
    first, dots, last = text.partition("..")
    try:
        seeds = range(int(first), int(last) + 1) if dots else range(int(first), int(first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds such as 1..200") from None
    if not seeds or seeds.start < 0:
        raise argparse.ArgumentTypeError(f"{text!r} holds no seed; write the smaller number first")
    return seeds


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.logs import set_up_logging
    from sysmanager.simulation.command import simulate_command

    set_up_logging(None)
    return simulate_command(args.seeds or range(args.seed, args.seed + 1), args.seed, args.story, args.json, args.workers)
