"""Rehearsals one after the other: a recorder broken in every way, and a part killed at every step, with one table of it all."""

from __future__ import annotations

import platform
import time
from pathlib import Path

import msgspec

from sysmanager.app.errors import CommandError
from sysmanager.app.site.command import INTERRUPTED, Rehearsal, run_rehearsal
from sysmanager.app.site.footage_check import read_report
from sysmanager.app.site.report import KillAt, Report, Victim, Way, columns
from sysmanager.durable import write_durably

STEPS = (2, 3, 4, 6, 7, 8)
"""Steps 5 and 6 are one record. At step 1 there is no failover yet, and a coordinator that starts anew gives a recorder 5 min."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One rehearsal. status: 0 all was right. Gaps in milliseconds over all cameras that moved; None where it did not get so far.

    A gap below 0: the footage of both servers overlaps by so much.
    """

    name: str
    status: int
    seconds: float
    cameras: int = 0
    moved: int = 0
    trigger: str = ""
    least_gap_ms: int | None = None
    worst_gap_ms: int | None = None
    to_ready_ms: int | None = None
    gapless: bool = False
    load_percent: float = 0.0


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    preroll: bool
    system: str
    rows: tuple[Row, ...]


def rehearsals(preroll: bool) -> dict[str, Rehearsal]:
    """By name, in the order in which they run."""
    found = {way.value: Rehearsal(preroll=preroll, way=way) for way in Way}
    for victim in Victim:
        for step in (1, *STEPS) if victim is Victim.SERVER else STEPS:
            also = KillAt(victim=victim, step=step)
            found[f"{victim.value}-{step}"] = Rehearsal(preroll=preroll, also=also)
    return found


def run_matrix(folder: Path, cameras: int | None, file: Path, *, preroll: bool) -> int:
    """Exit status: 0 if every rehearsal went right, 1 if one did not, 130 interrupted. Raises `app.errors`."""
    file = file.absolute()
    if not file.parent.is_dir():
        raise CommandError(f"There is no folder {file.parent} for the report; name another file.")
    rows: list[Row] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rehearsal in rehearsals(preroll).items():
            print(f"\n== {name}", flush=True)
            own, began = folder / f"{name}.json", time.monotonic()
            own.unlink(missing_ok=True)
            try:
                status = run_rehearsal(folder / name, cameras, own, rehearsal)
            except CommandError as error:
                print(f"{name}: {error}", flush=True)
                status = 2
            if status == INTERRUPTED:
                return INTERRUPTED
            rows.append(_row(name, status, time.monotonic() - began, read_report(own) if own.exists() else None))
            matrix = Matrix(preroll=preroll, system=platform.platform(), rows=tuple(rows))
            write_durably(file, msgspec.json.format(msgspec.json.encode(matrix)) + b"\n")
    except OSError as error:
        raise CommandError(f"The rehearsals can't be written to {folder} ({error.strerror or error}); name another folder.") from error
    print("\n".join(["", *table(rows), ""]), flush=True)
    wrong = [row.name for row in rows if row.status]
    print(f"Not right: {', '.join(wrong)}." if wrong else f"All {len(rows)} rehearsals went right.", flush=True)
    return 1 if wrong else 0


def _row(name: str, status: int, seconds: float, report: Report | None) -> Row:
    if report is None:
        return Row(name=name, status=status, seconds=round(seconds, 1))
    gaps = [camera.gap.gap_ms for camera in report.cameras if camera.gap is not None]
    return Row(
        name=name,
        status=status,
        seconds=round(seconds, 1),
        cameras=len(report.cameras),
        moved=len(report.entry.moved),
        trigger=report.entry.trigger.value,
        least_gap_ms=min(gaps, default=None),
        worst_gap_ms=max(gaps, default=None),
        to_ready_ms=report.moments.ready_ms - report.moments.killed_ms,
        gapless=report.gapless,
        load_percent=report.machine.load_percent,
    )


def table(rows: list[Row]) -> list[str]:
    """For people, a line per rehearsal; times in seconds."""
    lines: list[tuple[str, ...]] = [
        ("REHEARSAL", "RESULT", "TRIGGER", "MOVED", "LEAST GAP", "WORST GAP", "NO GAP DEMANDED", "TO READY", "LOAD", "TOOK")
    ]
    for row in rows:
        lines.append(
            (
                row.name,
                "right" if row.status == 0 else "WRONG",
                row.trigger,
                str(row.moved),
                _seconds(row.least_gap_ms),
                _seconds(row.worst_gap_ms),
                "yes" if row.gapless else "",
                _seconds(row.to_ready_ms),
                f"{row.load_percent:.0f} %",
                f"{row.seconds:.0f} s",
            )
        )
    return columns(lines)


def _seconds(ms: int | None) -> str:
    return "" if ms is None else f"{ms / 1000:.2f}"
