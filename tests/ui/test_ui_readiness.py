"""Readiness in the interface: the section of a server, the tree, the status bar, and accepting a shared machine (SPEC 14.1, 17)."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtWidgets import QMessageBox, QPushButton

from sysmanager.api import AcceptSharedMachine, Level, Readiness, Ready, ReadyReason, RecorderRow, Snapshot, Topic
from sysmanager.domain.failover import CameraGap, Timeline
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.ui.state.events import PlaceSelected
from sysmanager.ui.state.look import server_look
from sysmanager.ui.state.model import Place, Tone
from sysmanager.ui.state.readiness import readiness_tip, readiness_words, ready_tip
from sysmanager.ui.state.texts import camera_gap_text, gap_parts_texts
from sysmanager.ui.views.readiness_panel import ReadinessPanel
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.harness import Opened, until

GOOD = ReadyReason(topic=Topic.CANDIDATE, level=Level.GOOD, sentence="F would take over 3 cameras.")
LIMIT = ReadyReason(topic=Topic.VCA, level=Level.WARNING, sentence="Video content analysis would be off for 2 cameras.")
SHARED = ReadyReason(topic=Topic.MACHINE, level=Level.STOP, sentence="It shares its machine with F <1>.")


def readiness(level: Ready, *reasons: ReadyReason, shares: tuple[str, ...] = ()) -> Readiness:
    return Readiness(level=level, reasons=reasons, shares=shares)


LIMITED = readiness(Ready.LIMITED, GOOD, LIMIT)
RED = readiness(Ready.NOT_READY, GOOD, LIMIT, SHARED, shares=("F <1>",))


def row_with(found: Readiness | None, condition: str = "ready") -> RecorderRow:
    row = next(row for row in site.harbour().recorders if row.id == "TA-REC-01")
    return msgspec.structs.replace(row, readiness=found, condition=condition)


def site_with(found: Readiness | None) -> Snapshot:
    snapshot = site.harbour()
    rows = tuple(row_with(found) if row.id == "TA-REC-01" else row for row in snapshot.recorders)
    return msgspec.structs.replace(snapshot, recorders=rows)


@pytest.mark.parametrize(
    ("found", "condition", "note", "tone"),
    [
        (None, "ready", "ready", Tone.MUTED),
        (readiness(Ready.READY, GOOD), "ready", "ready", Tone.MUTED),
        (LIMITED, "ready", "ready, limited", Tone.MUTED),
        (LIMITED, "standby", "standby, limited", Tone.MUTED),
        (RED, "ready", "not ready", Tone.WARNING),
        (RED, "1 disk lost", "1 disk lost", Tone.WARNING),
    ],
    ids=["not looked at", "ready", "limited", "standby", "not ready", "what it says comes first"],
)
def test_the_tree_says_who_is_not_fully_prepared(found: Readiness | None, condition: str, note: str, tone: Tone) -> None:
    look = server_look(row_with(found, condition))
    assert (look.note, look.note_tone) == (note, tone)


def test_the_tool_tip_lists_what_is_wrong_the_worst_first() -> None:
    assert readiness_tip(row_with(None)) == readiness_tip(row_with(readiness(Ready.READY, GOOD))) == ""
    assert readiness_tip(row_with(RED)).splitlines() == ["Not ready:", SHARED.sentence, LIMIT.sentence]
    assert RED.worst == SHARED.sentence
    assert readiness_words(None) == "Not looked at yet"


def test_the_status_bar_tells_more_when_asked() -> None:
    system = site.harbour().system
    counted = msgspec.structs.replace(system, watched=13, ready=9, limited=2, not_ready=1)
    assert ready_tip(counted) == "9 ready, 2 with limits, 1 not ready, 1 not looked at yet"


async def panel_of(open_site: OpenSite, found: Readiness | None) -> tuple[Opened, ReadinessPanel]:
    opened = await open_site(site_with(found))
    opened.store.dispatch(PlaceSelected(Place.SERVER, RecorderId("TA-REC-01")))
    return opened, opened.window.settings_tab.readiness


async def test_the_section_shows_every_reason_and_offers_nothing_where_nothing_is_shared(open_site: OpenSite) -> None:
    _, panel = await panel_of(open_site, LIMITED)
    text = panel._text.text()
    assert text.index(LIMIT.sentence) < text.index(GOOD.sentence)
    assert "Ready, with limits" in text
    assert not panel.accept.isVisibleTo(panel)


async def test_a_shared_machine_is_accepted_by_name_after_a_question(open_site: OpenSite) -> None:
    opened, panel = await panel_of(open_site, RED)
    assert "F &lt;1&gt;" in panel._text.text()
    assert panel.accept.isVisibleTo(panel)
    panel.accept.click()
    box = opened.window.dialogs.opened
    assert isinstance(box, QMessageBox)
    assert "shares its machine with F <1>" in box.informativeText()
    button = next(one for one in box.findChildren(QPushButton) if one.text() == "Accept")
    button.click()
    client = opened.client
    await until(lambda: bool(client.requests), "the request")
    assert client.requests == [AcceptSharedMachine(recorder=RecorderId("TA-REC-01"), shares=("F <1>",))]


def test_a_gap_tells_its_error_and_its_parts() -> None:
    gap = CameraGap(camera=CameraId("c"), last_before_ms=1_000, first_after_ms=12_000, error_ms=300)
    assert camera_gap_text(gap) == "11.00 s ± 0.30 s"
    line = Timeline(detected_ms=11_000, decided_ms=11_013, saved_ms=11_400)
    assert gap_parts_texts(gap, line) == ("detection 10.0 s", "decision 13 ms", "saving settings 0.39 s", "first frame 0.60 s")
    assert gap_parts_texts(CameraGap(camera=CameraId("c")), line) == ()
