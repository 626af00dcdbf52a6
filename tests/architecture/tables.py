"""Renders the tables of the coordinator as Markdown into `sysmanager/ARCHITECTURE.md`, between its two markers.

python -m tests.architecture.tables          write
python -m tests.architecture.tables --check  exit status 1 if the file says something else
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from sysmanager.coordinator.backup import BASELINE_TABLE
from sysmanager.coordinator.facts import AnyFact
from sysmanager.coordinator.failback import FAILBACK_TABLE
from sysmanager.coordinator.failover import FAILOVER_TABLE
from sysmanager.coordinator.ignored import IGNORED
from sysmanager.coordinator.jobs.copying import COPY_TABLE
from sysmanager.coordinator.jobs.drilling import DRILL_TABLE
from sysmanager.coordinator.jobs.ignored import COPY_IGNORED, DRILL_IGNORED, JobIgnored
from sysmanager.coordinator.jobs.table import JobRow
from sysmanager.coordinator.switching import SWITCH_TABLE
from sysmanager.coordinator.table import Row
from sysmanager.coordinator.undoing import UNDO_TABLE
from sysmanager.domain.failover import FAILBACK_STEPS, FAILOVER_STEPS, Phase
from sysmanager.protocol.clients import RIGHT_FOR

BEGIN, END = "<!-- tables:begin -->", "<!-- tables:end -->"
FILE = Path(__file__).parents[2] / "sysmanager" / "ARCHITECTURE.md"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """One Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def phases(found: Iterable[Phase]) -> str:
    return ", ".join(phase.value for phase in found)


def first_line(kind: type) -> str:
    """The first line of a docstring; empty where there is none."""
    text = (kind.__doc__ or "").strip().splitlines()
    return text[0] if text else ""


def transitions(rows: tuple[Row, ...]) -> str:
    """In the order in which they are tried: of the rows of one phase and input the first that holds is taken."""
    lines = [(row.number, phases(row.phases), row.on.value, phases(row.to), row.sentence) for row in rows]
    return table(["row", "in", "on", "to", "what"], lines)


def baseline_transitions() -> str:
    lines = [(row.number, ", ".join(stage.value for stage in row.stages), row.to.value, row.sentence) for row in BASELINE_TABLE]
    return table(["row", "in", "to", "what"], lines)


def job_transitions(rows: tuple[JobRow[Any], ...]) -> str:
    lines = [(row.number, ", ".join(row.phases), row.on.value, ", ".join(row.to), row.sentence) for row in rows]
    return table(["row", "in", "on", "to", "what"], lines)


def job_ignored(ignored: tuple[JobIgnored, ...]) -> str:
    lines = [(", ".join(ignore.phases), ", ".join(on.value for on in ignore.on), ignore.sentence) for ignore in ignored]
    return table(["in", "on", "why"], lines)


def steps(names: tuple[str, ...]) -> str:
    return "\n".join(f"{number}. {name}" for number, name in enumerate(names, 1))


def rendered() -> str:
    """All tables, without the markers."""
    facts = [(f"`{kind.__name__}`", first_line(kind)) for kind in get_args(AnyFact)]
    rights = [(f"`{kind.__name__}`", right.value) for kind, right in RIGHT_FOR.items()]
    ignored = [(phases(ignore.phases), ", ".join(on.value for on in ignore.on), ignore.sentence) for ignore in IGNORED]
    parts = [
        "### Steps of a failover",
        steps(FAILOVER_STEPS),
        "### Steps of a failback",
        steps(FAILBACK_STEPS),
        "### Transitions of a failover",
        transitions(FAILOVER_TABLE),
        "### Transitions of a planned switch",
        transitions(SWITCH_TABLE),
        "### Transitions of a failback",
        transitions(FAILBACK_TABLE + UNDO_TABLE),
        "### Transitions of the baseline",
        baseline_transitions(),
        "### Transitions of a material copy",
        job_transitions(COPY_TABLE),
        "### Transitions of a drill",
        job_transitions(DRILL_TABLE),
        "### Inputs that mean nothing",
        table(["in", "on", "why"], ignored),
        "### Inputs that mean nothing to a material copy",
        job_ignored(COPY_IGNORED),
        "### Inputs that mean nothing to a drill",
        job_ignored(DRILL_IGNORED),
        "### Facts",
        table(["fact", "what happened"], facts),
        "### Requests and their rights",
        table(["request", "right"], rights),
    ]
    return "\n\n".join(parts)


def replaced(text: str) -> str:
    """The document with its tables as they are now. Raises ValueError if it has no markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{FILE.name} has no line {BEGIN} followed by a line {END}; put them where the tables belong.")
    return f"{before}{BEGIN}\n{rendered()}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    text = FILE.read_text(encoding="utf-8")
    fresh = replaced(text)
    if "--check" in arguments:
        return 0 if fresh == text else 1
    FILE.write_text(fresh, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
