"""What a measurement ran on and how it is told: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total >> 20,
        "load_1min": round(psutil.getloadavg()[0], 2),
    }


def wall_ahead_ns() -> int:
    """How far the wall clock is ahead of the monotonic one now. Of a few looks the shortest counts: whoever is interrupted between the two
    clocks would be wrong by that."""
    looks = []
    for _ in range(5):
        before_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        looks.append((time.monotonic_ns() - before_ns, wall_ns - before_ns))
    return min(looks)[1]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def tell(title: str, rows: Sequence[dict[str, Any]], file: Path | None, *, good: bool) -> int:
    """Print and write; the exit status."""
    print(f"\n{title}")
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names] + [[_text(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))
    document = {"title": title, "machine": machine(), "rows": list(rows), "within_the_requirement": good}
    print(json.dumps(document))
    if file is not None:
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print("within the requirement" if good else "NOT within the requirement", file=sys.stderr)
    return 0 if good else 1


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 10 else f"{value:.0f}" if isinstance(value, float) else str(value)
