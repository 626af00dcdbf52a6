"""The nouns: rules about one of them (SPEC 1, 2, 3, 11, 12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.camera import Camera, CameraKind, FailoverPriority, opening_order
from sysmanager.domain.documents import CameraSettings, DocumentKind, DocumentSet, SettingsDocument, summary_of
from sysmanager.domain.failover import CameraGap, Failback, Failover, LogState, Phase, Reason, Severity, Trigger
from sysmanager.domain.ids import Epoch, is_identifier, shown
from sysmanager.domain.instant import Instant
from sysmanager.domain.recorder import Acting, Broken, Recorder, Recording, Reserved, Standby, edit_of, timeout_text
from sysmanager.domain.rights import COORDINATOR, Right, RoleName, missing_right


def camera(identity: str, **changes: object) -> Camera:
    return Camera(id=identity, name=identity, **changes)


def entry(phase: Phase, **changes: object) -> Failover:
    return Failover(
        id="F1",
        number=1,
        recorder="A",
        home="A",
        group="g",
        trigger=Trigger.MANUAL,
        actor=COORDINATOR,
        phase=phase,
        started_ms=0,
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "moves"),
    [
        ({}, True),
        ({"kind": CameraKind.ANALOGUE}, False),
        ({"priority": FailoverPriority.NEVER}, False),
        ({"priority": FailoverPriority.LOW}, True),
    ],
)
def test_which_cameras_move(changes: dict[str, object], moves: bool) -> None:
    assert camera("c", **changes).moves is moves


def test_cameras_are_opened_by_priority_and_then_by_id() -> None:
    cameras = (camera("b"), camera("z", priority=FailoverPriority.HIGH), camera("a"), camera("c", priority=FailoverPriority.LOW))
    assert [found.id for found in opening_order(cameras)] == ["z", "a", "b", "c"]


def test_documents_are_the_same_whatever_their_revision() -> None:
    one = DocumentSet(revision=1, settings="s", masks="m", schedules="w")
    assert one.same_content(DocumentSet(revision=9, settings="s", masks="m", schedules="w"))
    assert not one.same_content(DocumentSet(revision=1, settings="s", masks="m", schedules="x"))
    assert [one.hash_of(kind) for kind in DocumentKind] == ["s", "m", "w"]


def test_the_summary_of_settings_has_no_address_and_no_secret() -> None:
    settings = SettingsDocument(
        name="A", disks=("D:",), cameras=(CameraSettings(id="c", name="Gate", url="rtsp://x", user="u", sessions=2),)
    )
    summary = summary_of(settings)
    assert summary.cameras == (Camera(id="c", name="Gate", sessions=2),)
    assert (summary.disks, summary.retention_days, summary.plugins) == (("D:",), 14, ())


@pytest.mark.parametrize(
    ("text", "good"),
    [("A", True), ("ta-REC_05", True), ("", False), ("-a", False), ("a b", False), ("a.b", False), ("x" * 65, False), ("é", False)],
)
def test_what_can_be_an_identifier(text: str, good: bool) -> None:
    assert is_identifier(text) is good


@given(st.text(max_size=200))
def test_what_was_sent_is_fit_for_a_sentence(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 65


def test_a_moment_later() -> None:
    assert Instant(mono_ms=1, wall_ms=2).after(10) == Instant(mono_ms=11, wall_ms=12)


@pytest.mark.parametrize(
    ("assignment", "home", "records"),
    [
        (Recording(epoch=Epoch(1)), "A", True),
        (Acting(epoch=Epoch(1), for_recorder="B", failover="F1"), "B", True),
        (Standby(epoch=Epoch(1)), None, False),
        (Reserved(epoch=Epoch(1), for_recorder="B", failover="F1"), None, False),
        (Broken(epoch=Epoch(1), failover="F1"), None, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whose_cameras_a_server_records(assignment: object, home: str | None, records: bool) -> None:
    row = Recorder(id="A", name="A", assignment=assignment)
    assert (row.home, row.records) == (home, records)
    assert edit_of(row).name == "A"


@pytest.mark.parametrize(("seconds", "text"), [(10, "10 s"), (60, "1 min"), (1800, "30 min")])
def test_how_a_timeout_reads(seconds: int, text: str) -> None:
    assert timeout_text(seconds) == text


def test_a_missing_right_is_told_with_who_has_it() -> None:
    assert missing_right(RoleName.OPERATOR, Right.FAILOVER) is None
    assert missing_right(RoleName.MONITORING, Right.FAILOVER) == (
        "The role Monitoring may not start, hold or abort a failover or a failback; ask someone with the role Administrator or Operator."
    )
    assert missing_right(None, Right.MONITOR) == (
        "A user without a role may not see the system; ask someone with the role Administrator or Operator or Monitoring."
    )


# ---------------------------------------------------------------- the log


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_state_in_the_log(phase: Phase) -> None:
    assert entry(phase).log_state in LogState
    assert not (phase.ended and (phase.before_commit or phase.occupies_group))


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        (LogState.FAILOVER_RUNNING, Severity.INFORMATION),
        (LogState.FAILBACK_READY, Severity.INFORMATION),
        (LogState.SKIPPED, Severity.WARNING),
        (LogState.WAITING, Severity.WARNING),
        (LogState.CANCELLED, Severity.WARNING),
        (LogState.FAILOVER_FAILED, Severity.ERROR),
        (LogState.FAILBACK_FAILED, Severity.ERROR),
    ],
)
def test_the_severity_of_a_state(state: LogState, severity: Severity) -> None:
    assert state.severity is severity


def test_a_failback_that_failed_is_told_until_the_next_one() -> None:
    failed = Failback(actor=COORDINATOR, started_ms=0, epoch=Epoch(1), reason=Reason.SAVING_FAILED)
    assert entry(Phase.READY, failback=failed).log_state is LogState.FAILBACK_FAILED
    assert entry(Phase.FAILBACK_STARTED, failback=failed).log_state is LogState.FAILBACK_RUNNING


@pytest.mark.parametrize(("before_ms", "after_ms", "gap_ms"), [(0, 5, None), (5, 0, None), (1_000, 1_250, 250), (1_250, 1_000, 0)])
def test_the_gap_of_a_camera(before_ms: int, after_ms: int, gap_ms: int | None) -> None:
    assert CameraGap(camera="c", last_before_ms=before_ms, first_after_ms=after_ms).gap_ms == gap_ms


def test_the_worst_gap_of_an_entry() -> None:
    gaps = (
        CameraGap(camera="a", last_before_ms=1, first_after_ms=9),
        CameraGap(camera="b", last_before_ms=1),
        CameraGap(camera="c", last_before_ms=1, first_after_ms=4),
    )
    assert entry(Phase.READY, gaps=gaps).worst_gap_ms == 8
    assert entry(Phase.READY).worst_gap_ms is None
    assert entry(Phase.READY).attempt == 0
