"""Tables for other programs: one cell for each head, times with their offset, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import random
from datetime import timedelta, timezone

import msgspec

from sysmanager.api.tables import AUDIT_HEADS, ENTRY_HEADS, audit_cells, csv_line, entry_cells
from sysmanager.domain.failover import Failback, NotMoved, Reason
from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.domain.remarks import Comment, Tick
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.protocol.clients import AuditLine, AuditOutcome
from tests.helpers import log_entries

ANNA = Actor(name="anna", role=RoleName.OPERATOR)
ZONE = timezone(timedelta(hours=2))


def cells(**changes: object) -> dict[str, str]:
    entry = msgspec.structs.replace(log_entries.entry(1, random.Random(3)), **changes)
    return dict(zip(ENTRY_HEADS, entry_cells(entry, {RecorderId("R"): "Hall 1"}, ZONE), strict=True))


def test_an_entry_has_a_cell_for_each_head() -> None:
    found = cells(
        recorder=RecorderId("R"),
        server=None,
        gaps=(),
        reason=Reason.NO_SETTINGS,
        to_do=("Do this.", "Do that."),
        ticks=(Tick(item=0, done=True, actor=ANNA, at_ms=1),),
        not_moved=(NotMoved(camera=CameraId("c1"), name="", sentence="no room"),),
        comments=(Comment(actor=ANNA, at_ms=1, text="Hm."),),
        note="a note",
    )
    assert (found["Server"], found["Failover server"], found["Gap (worst, s)"]) == ("Hall 1", "", "")
    assert (found["To do"], found["Cameras not moved"], found["Comments"]) == ("Do that.", "c1: no room", "anna: Hm.")
    assert (found["Reason"], found["What to do"], found["Note"]) == ("no recorder settings", Reason.NO_SETTINGS.sentence, "a note")
    assert found["Started"].endswith("+02:00")
    back = Failback(actor=ANNA, started_ms=1, epoch=Epoch(1), ended_ms=5_000, reason=Reason.CANCELLED, note="undone")
    found = cells(failback=back, reason=Reason.NO_SETTINGS)
    assert (found["Failback by"], found["Reason"], found["Note"]) == ("anna", "cancelled", "undone")
    assert found["Failback ended"] == "1970-01-01T02:00:05+02:00"


def test_a_line_of_the_audit_log_has_a_cell_for_each_head() -> None:
    line = AuditLine(number=7, at_ms=1_000, actor="x", role=None, request="r", about="a", outcome=AuditOutcome.REFUSED, sentence="No.")
    found = dict(zip(AUDIT_HEADS, audit_cells(line, ZONE), strict=True))
    assert (found["Role"], found["Since"], found["Times"], found["Outcome"]) == ("", "", "1", "refused")


def test_no_cell_is_a_formula() -> None:
    risky = ["=1+1", "+1", "-1", "@x", "\tx", 'say "a, b"', "plain\nline"]
    (row,) = (
        csv.reader([csv_line(risky)]) if "\n" not in csv_line(risky).rstrip() else csv.reader(csv_line(risky).splitlines(keepends=True))
    )
    assert row == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", 'say "a, b"', "plain\nline"]
