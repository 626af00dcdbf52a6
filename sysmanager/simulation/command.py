"""What `sysmanager simulate` prints: the summary of many seeds, or the story of one."""

from __future__ import annotations

import sys
import time

import msgspec

from sysmanager.simulation import seldom
from sysmanager.simulation.counting import COORDINATOR_ROWS, MACHINE_ROWS, UNREACHABLE
from sysmanager.simulation.run import Failure, Outcome, Report, run_seed, simulate


def simulate_command(seeds: range, seed: int | None, story: bool, json: bool, workers: int) -> int:
    """Run the seeds, or only `seed` if there is one, and write the result to stdout; 0 if no rule was broken, else 1.

    story: of one seed, tell everything; of many, the last lines of those that failed. workers: processes that share the seeds.
    """
    if seed is not None:
        outcome = run_seed(seed, story=story)
        _write(_json(outcome) if json else _outcome_text(outcome))
        return 0 if outcome.failure is None else 1
    began_s = time.monotonic()
    report = simulate(seeds, workers=workers)
    took_s = time.monotonic() - began_s
    _write(_json(report) if json else _report_text(report, took_s, story=story))
    return 0 if report.passed else 1


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _outcome_text(outcome: Outcome) -> str:
    lines = [*outcome.story]
    minutes = outcome.virtual_ms / 60_000
    lines.append(f"Seed {outcome.seed}: {minutes:.1f} virtual minutes, {outcome.faults} faults, {outcome.facts} facts.")
    lines.append(f"Journal {outcome.digest}")
    lines.append(_failure_text(outcome.failure) if outcome.failure is not None else "No rule was broken, and everything came to rest.")
    return "\n".join(lines)


def _failure_text(failure: Failure) -> str:
    return f"BROKEN after {failure.at_ms / 60_000:.1f} min: {failure.rule}: {failure.sentence}"


def _report_text(report: Report, took_s: float, *, story: bool) -> str:
    hours = report.virtual_ms / 3_600_000
    lines = [f"{report.seeds} seeds, {hours:.1f} virtual hours, {report.facts} facts in {took_s:.1f} s."]
    for kind, title, sentences in (
        ("fault", "Faults", {}),
        ("row", "Rows of the coordinator's table", {f"{number:03d}": text for number, text in COORDINATOR_ROWS.items()}),
        ("machine row", "Rows of the recorder's table", {f"{number:02d}": text for number, text in MACHINE_ROWS.items()}),
        ("checker", "Rules checked", {}),
        (seldom.KIND, "What chance seldom brings", {}),
        ("worst moment", "Requests right after a fact", {}),
        ("reply", "Replies to people", {}),
    ):
        lines.append("")
        lines.append(f"{title}:")
        lines += [f"  {count:>9}  {name}  {sentences.get(name, '')}".rstrip() for name, count in report.counts.get(kind, {}).items()]
        if report.never.get(kind):
            lines.append(f"      never  {', '.join(report.never[kind])}")
        lines += [f"   by rights never  {name}: {reason}" for name, reason in UNREACHABLE.get(kind, {}).items()]
    lines.append("")
    if not report.failures:
        lines.append("No rule was broken, and everything came to rest.")
    if report.full and any(report.never.values()):
        left = ", ".join(f"{kind} {name}" for kind, names in report.never.items() for name in names)
        lines.append(f"FAILED: so many seeds should have exercised everything, and never did: {left}.")
    for failure in report.failures:
        lines.append(f"Seed {failure.seed} {_failure_text(failure)}")
        lines.append(f"  replay it with: sysmanager simulate --seed {failure.seed} --story")
        lines += [f"    {line}" for line in failure.tail] if story else []
    return "\n".join(lines)
