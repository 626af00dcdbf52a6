"""Which rows of the tables were taken: what the summary counts."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.backup import BASELINE_TABLE
from sysmanager.coordinator.decide import TABLE
from sysmanager.coordinator.jobs.review import JOB_ROWS
from sysmanager.domain.instant import Instant
from sysmanager.domain.rights import COORDINATOR
from sysmanager.engine.batch import Batch
from sysmanager.recorder import machine as m
from sysmanager.recorder.machine.table import DUES_LIMIT, row_for, turn_of

OPENINGS = {
    1: "no failover of it runs, and a candidate exists",
    2: "there is no candidate",
    3: "another failover of the group runs",
    4: "something keeps it from starting by itself: the log says what would have happened",
    5: "a person asks for a failover of a recorder that has one running: skipped, and said once in the log",
}
"""The rows of `open_entry`, which start from no entry and so stand in no table."""

COORDINATOR_ROWS = {
    **OPENINGS,
    **{row.number: row.sentence for row in TABLE},
    **{row.number: row.sentence for row in BASELINE_TABLE},
    **JOB_ROWS,
}
UNREACHABLE: dict[str, dict[str, str]] = {
    "row": {
        "010": "the request to remove a recorder is refused while an open entry names it",
        "040": "what would contradict the commit closes the entry first; the row is the last guard before system data",
    },
    "machine row": {
        "14": "the coordinator gives every order an epoch of its own",
        "18": "the coordinator gives every order an epoch of its own",
    },
}
"""What no seed can exercise, and why. Each of these rows has its unit test, in `test_coordinator_table` and `test_machine_table`."""

MACHINE_ROWS = {row.number: row.sentence for row in m.ROWS}


def rows_of(batch: Batch) -> list[int]:
    """Numbers of the rows that led to a batch: those of the table, those that open an entry, and those that a person asked for."""
    rows = list(batch.rows)
    for record in batch.records:
        match record.fact:
            case f.FailoverStarted():
                rows.append(1)
            case f.FailoverWaiting(opening=f.Opening()):
                rows.append(2)
            case f.FailoverQueued():
                rows.append(3)
            case f.FailoverWithheld():
                rows.append(4)
            case f.FailoverSkipped():
                rows.append(5)
            case f.FailoverCancelled() if record.actor != COORDINATOR:
                rows.append(14 if record.fact.hold else 403)
            case f.CopyEnded() if record.actor != COORDINATOR:
                rows.append(707)
            case f.CopyPaused():
                rows.append(708)
            case f.CopyResumed():
                rows.append(709)
            case f.DrillEnded() if record.actor != COORDINATOR:
                rows.append(507)
            case f.FailbackStarted(automatic=False):
                rows.append(100)
            case f.FailbackUndone() | f.FailbackUndoing() if record.actor != COORDINATOR:
                rows.append(102)
            case f.ClientsNotified() if any(isinstance(other.fact, f.BackupStarted) for other in batch.records) and 600 not in rows:
                rows.append(600)
            case _:
                pass
    return rows


def machine_rows(state: m.MachineState, taken: m.Input, now: Instant) -> list[int]:
    """Numbers of the rows that an input will take; none if it is illegal, which `step` says better. A tick takes one for each thing due."""
    turn = turn_of(taken)
    try:
        row = row_for(state, turn, now)
    except m.IllegalInput:
        return []
    rows = [row.number]
    while isinstance(turn, m.Tick) and len(rows) <= DUES_LIMIT:
        state, _ = row.act(state, turn, now)
        due_ms = m.deadline_ms(state)
        if due_ms is None or due_ms > now.mono_ms:
            break
        row = row_for(state, turn, now)
        rows.append(row.number)
    return rows
