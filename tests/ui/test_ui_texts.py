"""Texts, looks, tree and log: what people read."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import msgspec
import pytest

from sysmanager.api import CameraState, Check, Connection, Health, HoldCause, HoldRow, Level, Readiness, Ready, ServiceState
from sysmanager.domain.failover import CameraGap, LogState, Phase, Reason
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, Epoch, FailoverId, GroupId
from sysmanager.domain.recorder import Broken, Role
from sysmanager.ui.state import forms, texts
from sysmanager.ui.state.events import ForecastArrived, LogFiltered, SnapshotArrived
from sysmanager.ui.state.log import LogBuilder, progress, state_text, state_tone
from sysmanager.ui.state.look import Symbol, camera_look, chip_text, chip_tone, disk_look, server_look
from sysmanager.ui.state.model import Forecast, Tone, UiState
from sysmanager.ui.state.reducer import reduce
from sysmanager.ui.state.situation import situation
from sysmanager.ui.state.tree import TreeBuilder, TreeNode, attention_note, ready_text, standby_note
from tests.ui import site
from tests.ui.situations import AWAY, acting, broken, entry, recording, reserved, standby, state


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(0, "0:00"), (1, "0:01"), (13_800, "0:14"), (60_000, "1:00"), (192_000, "3:12"), (3_600_000, "1:00:00"), (-5, "0:00")],
)
def test_countdown(span_ms: int, text: str) -> None:
    assert texts.countdown_text(span_ms) == text


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(3, "3 ms"), (99, "99 ms"), (420, "0.42 s"), (12_340, "12.3 s"), (245_000, "4 min 05 s"), (7_800_000, "2 h 10 min"), (-1, "0 ms")],
)
def test_duration(span_ms: int, text: str) -> None:
    assert texts.duration_text(span_ms) == text


def test_moments() -> None:
    now = site.NOW_MS
    assert texts.when_text(now, now, UTC) == "Today 14:02:30"
    assert texts.when_text(now - 15 * 3_600_000, now, UTC) == "Yesterday 23:02:30"
    assert texts.when_text(now - 10 * site.DAY_MS, now, UTC) == "12 Nov 14:02:30"
    assert texts.when_text(now - 366 * site.DAY_MS, now, UTC) == "21 Nov 2025 14:02:30"
    assert texts.when_text(0, now, UTC) == "—"
    assert texts.when_text(now, now, timezone(timedelta(hours=12))) == "Today 02:02:30"
    assert texts.clock_text(now + 7, UTC) == "14:02:30.007"
    assert texts.exact_text(now + 7, UTC) == "2026-11-22 14:02:30.007"
    assert texts.exact_text(0, UTC) == texts.clock_text(0, UTC) == "—"


def test_gaps_sizes_and_counts() -> None:
    assert [texts.gap_text(gap) for gap in (None, 0, 1140, 61_000)] == ["—", "0.0 s", "1.1 s", "1 min 01 s"]
    camera = CameraId("c")
    assert texts.camera_gap_text(CameraGap(camera=camera)) == "no frame yet"
    assert texts.camera_gap_text(CameraGap(camera=camera, first_after_ms=5)) == "last frame unknown"
    assert texts.camera_gap_text(CameraGap(camera=camera, last_before_ms=1000, first_after_ms=2250)) == "1.25 s"
    assert [texts.size_text(size) for size in (820, 12_400, 3_600_000)] == ["820 MB", "12.4 GB", "3.6 TB"]
    assert [texts.rate_text(rate) for rate in (800, 2000, 400_000)] == ["800 kbit/s", "2.0 Mbit/s", "400 Mbit/s"]
    assert [texts.counted(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]
    assert sorted(["REC-10", "rec-2", "REC-1"], key=texts.natural_key) == ["REC-1", "rec-2", "REC-10"]


@pytest.mark.parametrize(
    ("row", "symbol", "tone", "note", "note_tone"),
    [
        (recording(), Symbol.RECORDING, Tone.GOOD, "ready", Tone.MUTED),
        (
            recording(connection=Connection.SILENT, health=Health.BAD, condition="silent", countdown_ms=13_800),
            Symbol.SILENT,
            Tone.BAD,
            "silent · fails over in 0:14",
            Tone.BAD,
        ),
        (
            recording(connection=Connection.NOT_SEEN, health=Health.UNKNOWN, condition="not seen yet"),
            Symbol.NOT_SEEN,
            Tone.MUTED,
            "not seen yet",
            Tone.MUTED,
        ),
        (
            recording(lost_disks=1, health=Health.WARNING, condition="1 disk lost"),
            Symbol.DISK_TROUBLE,
            Tone.WARNING,
            "1 disk lost",
            Tone.WARNING,
        ),
        (recording(service=ServiceState.FAILED, health=Health.BAD), Symbol.SERVICE_TROUBLE, Tone.BAD, "ready", Tone.BAD),
        (
            recording(state=CameraState.STALLED, health=Health.WARNING, condition="24 cameras send nothing"),
            Symbol.CAMERA_TROUBLE,
            Tone.WARNING,
            "24 cameras send nothing",
            Tone.WARNING,
        ),
        (
            recording(hold=HoldRow(cause=HoldCause.ABORT, actor=site.ADMIN, since_wall_ms=1), health=Health.WARNING),
            Symbol.RECORDING,
            Tone.WARNING,
            "ready · failover held",
            Tone.BAD,
        ),
        (standby(condition="standby"), Symbol.STANDBY, Tone.MUTED, "standby", Tone.MUTED),
        (acting(condition="acting for R"), Symbol.ACTING, Tone.ACCENT, "acting for R", Tone.ACCENT),
        (reserved(), Symbol.RESERVED, Tone.ACCENT, "ready", Tone.ACCENT),
        (broken(condition="connected again", stable_ms=192_400), Symbol.BROKEN, Tone.BAD, "connected again · stable 3:12", Tone.MUTED),
    ],
)
def test_look_of_a_server(row: object, symbol: Symbol, tone: Tone, note: str, note_tone: Tone) -> None:
    look = server_look(row)  # type: ignore[arg-type]  # rows of the table above
    assert (look.symbol, look.tone, look.note, look.note_tone) == (symbol, tone, note, note_tone)


def test_chip_tells_silence_and_countdown() -> None:
    silent = recording(connection=Connection.SILENT, health=Health.BAD, condition="silent", silence_ms=46_200, countdown_ms=13_800)
    assert chip_text(silent) == "silent for 46 s of 1 min · fails over in 0:14"
    assert chip_tone(silent) is Tone.BAD
    disks = recording(health=Health.BAD, condition="all disks lost", countdown_ms=4000, countdown_cause="material disks lost")
    assert chip_text(disks) == "all disks lost · material disks lost · fails over in 0:04"
    held = recording(hold=HoldRow(cause=HoldCause.ABORT, actor=site.ADMIN, since_wall_ms=1))
    assert chip_text(held) == "ready · failover held after an abort"
    assert chip_tone(held) is Tone.BAD
    assert [chip_tone(row) for row in (broken(), broken(**AWAY), acting(), standby())] == [Tone.WARNING, Tone.BAD, Tone.ACCENT, Tone.GOOD]


def test_cameras_and_disks_in_words() -> None:
    states = {camera_look(msgspec.structs.replace(site.cameras("R", 1)[0], state=one)) for one in (None, *CameraState)}
    assert len(states) == len(CameraState) + 1
    assert disk_look(site.disks(1)[0]) == ("no answer for 2 s", Tone.BAD)
    assert disk_look(site.disks()[0]) == ("writable", Tone.GOOD)
    assert disk_look(msgspec.structs.replace(site.disks()[0], problem="nearly full")) == ("nearly full", Tone.WARNING)


def harbour() -> UiState:
    return reduce(UiState(actor=site.ADMIN), SnapshotArrived(site.harbour()))


def outline(node: TreeNode) -> list[str]:
    return [child.text for child in node.children]


def test_the_tree_has_the_branches_of_the_site() -> None:
    (root,) = TreeBuilder().build(harbour())
    assert (root.text, root.note) == ("Harbour site", "6 of 13 need attention")
    assert outline(root) == ["Group  Terminal A", "Group  Terminal B", "Failover VMS servers", "Broken VMS servers"]
    a, b, failover, gone = root.children
    assert outline(a) == ["TA-REC-01", "TA-REC-02", "TA-REC-03", "TA-REC-04", "TA-FO-01"]
    assert a.note == "1 standby left"
    assert outline(b) == ["TB-REC-01", "TB-REC-02", "TB-REC-03", "TB-REC-04"]
    assert outline(failover) == ["TA-FO-02", "TB-FO-01", "TB-FO-02"]
    assert outline(gone) == ["TA-REC-05"]


def test_an_acting_server_stands_in_the_group_of_the_server_it_acts_for() -> None:
    moved = msgspec.structs.replace(acting(), group=site.B)
    now = state(broken(), moved)
    (root,) = TreeBuilder().build(now)
    assert outline(root.children[0]) == ["F"]


def test_servers_without_a_group_and_an_empty_tree() -> None:
    now = state(site.server("R", GroupId("gone")))
    (root,) = TreeBuilder().build(now)
    assert "VMS servers without a group" in outline(root)
    assert TreeBuilder().build(UiState(actor=site.ADMIN)) == ()


def test_unchanged_rows_keep_their_nodes() -> None:
    builder, now = TreeBuilder(), harbour()
    first, second = builder.build(now)[0], builder.build(now)[0]
    assert first.children[0].children[0] is second.children[0].children[0]


def test_notes_of_site_and_group() -> None:
    one, two = standby(), site.server("F2", site.A, role=Role.FAILOVER)
    assert standby_note(site.A, (one, two)) == ("2 standby", Tone.MUTED)
    assert standby_note(site.A, (one, msgspec.structs.replace(two, connection=Connection.LOST))) == ("1 standby left", Tone.WARNING)
    assert standby_note(site.A, (acting(),)) == ("no standby left", Tone.BAD)
    assert standby_note(site.A, (recording(),)) == ("no failover server", Tone.WARNING)
    assert attention_note(()) == ("no servers yet", Tone.MUTED)
    assert attention_note((recording(),)) == ("ready", Tone.GOOD)
    assert attention_note((recording(), standby())) == ("all 2 ready", Tone.GOOD)
    assert attention_note((recording(health=Health.WARNING), standby())) == ("1 of 2 needs attention", Tone.WARNING)


def test_who_needs_attention_is_not_ready_and_nobody_else() -> None:
    limited = msgspec.structs.replace(recording(), readiness=Readiness(level=Ready.LIMITED, reasons=()))
    red = msgspec.structs.replace(standby(), readiness=Readiness(level=Ready.NOT_READY, reasons=()))
    rows = (recording(), limited, red)
    assert attention_note(rows) == ("2 of 3 need attention", Tone.BAD)
    assert ready_text(rows) == "1 of 3 servers ready"
    assert ready_text((recording(),)) == "1 of 1 server ready"
    (root,) = TreeBuilder().build(harbour())
    assert (root.note, ready_text(harbour().recorders.values())) == ("6 of 13 need attention", "7 of 13 servers ready")


def test_the_log_is_newest_first_and_filtered_by_every_word() -> None:
    builder, now = LogBuilder(UTC), harbour()
    lines = builder.build(now, site.NOW_MS)
    assert [line.number for line in lines] == list(range(34, 0, -1))
    assert lines[0].state == "Failover in progress · step 4 of 8: Save the settings to the failover server"
    assert lines[0].progress == pytest.approx(3 / 8)
    assert lines[1].state == "Failover ready · to do: 2 items"
    assert (lines[1].cameras, lines[1].gap, lines[1].started) == ("24 / 25", "1 min 01 s", "Today 14:02:11")
    filtered = builder.build(reduce(now, LogFiltered("tb-rec-02 DISKS")), site.NOW_MS)
    assert filtered
    assert all(line.server == "TB-REC-02" and line.trigger == "Material disks lost" for line in filtered)
    assert builder.build(reduce(now, LogFiltered("no such thing")), site.NOW_MS) == ()


def test_lines_are_kept_until_something_of_them_changes() -> None:
    builder, now = LogBuilder(UTC), harbour()
    first = builder.build(now, site.NOW_MS)
    assert builder.build(now, site.NOW_MS + 1) is first
    assert builder.build(now, site.NOW_MS + site.DAY_MS)[0].started.startswith("Yesterday")
    renamed = msgspec.structs.replace(now.recorders[site.rid("TA-REC-05")], name="Old gate")
    later = msgspec.structs.replace(now, recorders={**now.recorders, renamed.id: renamed})
    assert builder.build(later, site.NOW_MS)[1].server == "Old gate"


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_state_a_colour_and_maybe_progress(phase: Phase) -> None:
    one = entry(phase)
    assert state_text(one).startswith(one.log_state.value)
    running = one.log_state in (LogState.FAILOVER_RUNNING, LogState.FAILBACK_RUNNING)
    assert (progress(one) is not None) is running
    assert (state_tone(one) is Tone.ACCENT) is running


def test_notes_stand_with_the_state() -> None:
    assert state_text(entry(Phase.CANCELLED, note="the recorder is back")) == "Cancelled: the recorder is back"
    assert state_text(entry(Phase.FAILED, note="two were lost")) == "Failover failed: two were lost"


def shown(now: UiState) -> str:
    told = situation(now, site.NOW_MS, UTC)
    assert told is not None
    return f"{told.heading} [{told.tone.value}] {told.text} {told.detail}".strip()


def test_the_situation_of_a_server() -> None:
    assert situation(UiState(actor=site.ADMIN), site.NOW_MS) is None
    now = state(recording(), standby())
    assert shown(now) == "If it fails now [muted] asking the coordinator…"
    preview = site.FAILOVER_PREVIEW
    told = shown(reduce(now, ForecastArrived(Forecast(recorder=site.rid("R"), preview=preview))))
    assert told.startswith("If it fails now [warning] lands on TA-FO-02: 24 of 25 cameras. 1 camera stays behind. Fits: 24 of 24")
    stopped = msgspec.structs.replace(preview, allowed=False, target=None, checks=())
    assert "nobody takes over" in shown(reduce(now, ForecastArrived(Forecast(recorder=site.rid("R"), preview=stopped))))
    for sentence, inside in (("The group is empty.", "the group is empty."), ("TA-FO-01 is off.", "TA-FO-01 is off.")):
        none = msgspec.structs.replace(stopped, checks=(Check(level=Level.STOP, sentence=sentence),))
        said = shown(reduce(now, ForecastArrived(Forecast(recorder=site.rid("R"), preview=none))))
        assert f"nobody takes over: {inside}" in said
    refused = reduce(now, ForecastArrived(Forecast(recorder=site.rid("R"), preview=None, sentence="No answer.")))
    assert shown(refused) == "If it fails now [bad] No answer."
    assert "switched off" in shown(state(recording(failover_enabled=False)))
    assert shown(state(recording(), standby(), selected="F")) == "On standby [good] for 1 server of the group Terminal A."
    assert "no failover group" in shown(state(site.server("F", None, role=Role.FAILOVER), selected="F"))
    assert shown(state(recording(), reserved(), selected="F")) == "Reserved [accent] It is taking over from R."
    assert shown(state(broken(), acting(), log=(entry(Phase.READY),))) == "Broken [accent] F records 24 cameras of it since today 14:02:11."
    assert "not in the failover log" in shown(state(recording(assignment=Broken(epoch=Epoch(1), failover=FailoverId("x")))))


def test_what_is_wrong_with_the_fields_of_a_server() -> None:
    now = state(recording(), standby())
    good = recording().edit
    own = site.rid("R")

    def problem(**fields: object) -> str | None:
        return forms.problem_with(msgspec.structs.replace(good, **fields), now, own)

    assert problem() is None
    for fields, field in (
        ({"name": " "}, "Name"),
        ({"name": "x" * 65}, "Name"),
        ({"name": "f"}, "Name"),
        ({"address": "10.0 .1"}, "Address"),
        ({"group": GroupId("none")}, "Failover group"),
        ({"role": Role.FAILOVER, "group": None}, "Failover group"),
        ({"detection_timeout_s": 7}, "Disconnected for"),
    ):
        told = problem(**fields)
        assert told is not None
        assert told.startswith(field)


def test_what_is_wrong_with_an_id_and_a_group() -> None:
    now = harbour()
    assert forms.problem_with_id("NEW-1", now) is None
    for text in ("", "two words", "TA-REC-01"):
        assert forms.problem_with_id(text, now)
    group = Group(id=GroupId("c"), name="Terminal C")
    assert forms.problem_with_group(group, now) is None
    for bad in ({"name": ""}, {"name": "x" * 65}, {"name": "terminal a"}, {"description": "x" * 501}):
        assert forms.problem_with_group(msgspec.structs.replace(group, **bad), now)
    assert forms.removal_problem(site.A, now)
    assert forms.removal_problem(GroupId("c"), now) is None
    assert forms.new_group_id("Terminal A / Öst", now) == "Terminal-A-st"
    assert forms.new_group_id("terminal-a", now) == "terminal-a-2"
    assert forms.new_group_id("…", now) == "group"


def test_a_server_whose_failover_is_under_way_says_that_instead_of_a_forecast() -> None:
    row = recording(failover=FailoverId("F00001"), **AWAY)
    now = state(row, reserved(), log=(entry(Phase.FETCHED, steps=site.steps(3)),))
    assert shown(now).startswith("Failover [accent] F is taking over its cameras. Failover in progress · step 4 of 8: Save the settings")
    waiting = msgspec.structs.replace(entry(Phase.WAITING, reason=Reason.NO_FAILOVER_SERVER), server=None)
    told = shown(state(row, standby(**AWAY), log=(waiting,)))
    assert told.startswith("Failover [warning] waiting for a failover server. No failover server of the group is free")
    assert shown(state(row, standby(), log=(entry(Phase.CANCELLED),))).startswith("If it fails now")
