"""What differs between two versions of a recorder's documents; and that no secret is among it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.camera import CameraKind, FailoverPriority, RecordingMode
from sysmanager.domain.comparison import ChangeKind, Contents, compare, sentences, without_secrets
from sysmanager.domain.documents import CameraSettings, MasksDocument, MotionMask, SchedulesDocument, SealedSecret, SettingsDocument

GATE = CameraSettings(
    id="gate",  # type: ignore[arg-type]  # an id is text
    name="Gate",
    url="rtsp://10.0.0.7/main",
    user="viewer",
    password=SealedSecret(hmac="h1", sealed="s1"),
)
RAMP = CameraSettings(id="ramp", name="Ramp")  # type: ignore[arg-type]  # an id is text


def contents(*cameras: CameraSettings, masks: Any = None, schedules: Any = None, **general: Any) -> Contents:
    return Contents(
        settings=SettingsDocument(**{"name": "R1", "disks": ("D:",), "cameras": cameras, **general}),
        masks=MasksDocument(masks=masks or {}),
        schedules=SchedulesDocument(schedules=schedules or {}),
    )


def told(before: Contents, after: Contents) -> tuple[str, ...]:
    return sentences(compare(before, after))


def gate(**changes: Any) -> CameraSettings:
    return msgspec.structs.replace(GATE, **changes)


def test_the_same_is_no_difference() -> None:
    assert compare(contents(GATE, RAMP), contents(GATE, RAMP)) == ()


def test_cameras_that_came_and_went() -> None:
    found = compare(contents(GATE), contents(RAMP))
    assert [(change.kind, change.camera) for change in found] == [(ChangeKind.ADDED, "ramp"), (ChangeKind.REMOVED, "gate")]
    assert sentences(found) == ("Ramp: added", "Gate: removed")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "Main gate"}, "Main gate: name Gate → Main gate"),
        ({"name": ""}, "gate: name Gate → nothing"),
        ({"url": "rtsp://10.0.0.8/main"}, "Gate: stream address rtsp://10.0.0.7/main → rtsp://10.0.0.8/main"),
        ({"url": ""}, "Gate: stream address rtsp://10.0.0.7/main → nothing"),
        ({"user": "root"}, "Gate: user name changed"),
        ({"password": SealedSecret(hmac="h2", sealed="s2")}, "Gate: password changed"),
        ({"password": None}, "Gate: password changed"),
        ({"kind": CameraKind.ANALOGUE}, "Gate: kind ip → analogue"),
        ({"priority": FailoverPriority.HIGH}, "Gate: failover priority medium → high"),
        ({"sessions": 2}, "Gate: sessions allowed 1 → 2"),
        ({"vca": True}, "Gate: video content analysis off → on"),
        ({"bitrate_kbps": 3000}, "Gate: expected bit rate 2000 kbit/s → 3000 kbit/s"),
        ({"mode": RecordingMode.MOTION}, "Gate: recording mode continuous → motion"),
    ],
)
def test_each_field_of_a_camera(changes: dict[str, Any], sentence: str) -> None:
    assert told(contents(GATE), contents(gate(**changes))) == (sentence,)


def test_sealing_a_secret_anew_is_no_difference() -> None:
    assert told(contents(GATE), contents(gate(password=SealedSecret(hmac="h1", sealed="other")))) == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "R2"}, "Recorder: name R1 → R2"),
        ({"retention_days": 30}, "Recorder: retention 14 days → 30 days"),
        ({"disks": ("D:", "E:")}, "Recorder: material disks D: → D:, E:"),
        ({"disks": ()}, "Recorder: material disks D: → nothing"),
        ({"plugins": ("counter",)}, "Recorder: added plug-ins nothing → counter"),
    ],
)
def test_each_general_field(changes: dict[str, Any], sentence: str) -> None:
    assert told(contents(), contents(**changes)) == (sentence,)


WORK = "o" * 32 + "c" * 32 + "o" * 32


@pytest.mark.parametrize(
    ("before", "after", "told_"),
    [
        (("c" * 96,) * 7, ("c" * 96,) * 7, ()),
        (("c" * 96,) * 7, ("m" * 96,) * 7, ("Gate: schedule Mon-Sun continuous → motion",)),
        ((), ("c" * 96,) * 7, ("Gate: schedule Mon-Sun nothing → continuous",)),
        (
            (WORK,) * 7,
            (WORK, "o" * 96, WORK, "o" * 96, WORK, WORK, WORK),
            ("Gate: schedule Tue, Thu off 00:00-08:00, continuous 08:00-16:00, off 16:00-24:00 → off",),
        ),
        (("c" * 96,) * 7, ("c" * 96,) * 6 + ("x" * 96,), ("Gate: schedule Sun continuous → x",)),
        (("c",) * 8, ("c",) * 7 + ("oc",), ("Gate: schedule day 8 continuous → off 00:00-12:00, continuous 12:00-24:00",)),
    ],
)
def test_schedules_are_told_in_hours_of_days(before: tuple[str, ...], after: tuple[str, ...], told_: tuple[str, ...]) -> None:
    assert told(contents(GATE, schedules={"gate": before}), contents(GATE, schedules={"gate": after})) == told_


@pytest.mark.parametrize(
    ("before", "after", "told_"),
    [
        (None, MotionMask(), ()),
        (None, MotionMask(blocked=(1, 2)), ("Gate: motion mask 0 of 144 cells blocked → 2 of 144 cells blocked",)),
        (MotionMask(blocked=(1, 2)), MotionMask(blocked=(2, 1)), ()),
        (
            MotionMask(blocked=(1, 2)),
            MotionMask(blocked=(1, 3)),
            ("Gate: motion mask 2 of 144 cells blocked → 2 of 144 cells blocked, others than before",),
        ),
        (MotionMask(), MotionMask(sensitivity=70), ("Gate: sensitivity 50 → 70",)),
    ],
)
def test_masks_are_counted(before: MotionMask | None, after: MotionMask | None, told_: tuple[str, ...]) -> None:
    old = contents(GATE, masks={"gate": before} if before is not None else {})
    assert told(old, contents(GATE, masks={"gate": after})) == told_


def test_schedules_and_masks_of_a_camera_that_came_are_told_with_it() -> None:
    after = contents(GATE, RAMP, masks={"ramp": MotionMask(blocked=(1,))}, schedules={"ramp": ("c" * 96,) * 7})
    assert told(contents(GATE), after) == ("Ramp: added",)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://10.0.0.7/main", "rtsp://10.0.0.7/main"),
        ("rtsp://root:pass@10.0.0.7/main", "rtsp://…@10.0.0.7/main"),
        ("rtsp://root:pa/ss@10.0.0.7/main", "rtsp://…@10.0.0.7/main"),
        ("http://10.0.0.7/video?user=a&pwd=secret", "http://10.0.0.7/video?…"),
        ("http://10.0.0.7/video#secret", "http://10.0.0.7/video?…"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


def test_an_address_that_differs_only_in_what_is_not_shown_was_changed() -> None:
    before, after = gate(url="rtsp://a:one@10.0.0.7/main"), gate(url="rtsp://a:two@10.0.0.7/main")
    assert told(contents(before), contents(after)) == ("Gate: stream address changed",)


SECRET = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=20).map(lambda text: f"q{text}z")


@given(SECRET, SECRET, SECRET, SECRET)
def test_no_secret_is_ever_shown(password: str, other: str, user: str, in_url: str) -> None:
    before = gate(password=SealedSecret(hmac=password, sealed=other), user=user, url=f"rtsp://{user}:{in_url}@10.0.0.7/main?token={in_url}")
    after = gate(password=None, user="", url="rtsp://10.0.0.8/main")
    for found in (
        *compare(contents(before), contents(after)),
        *compare(contents(after), contents(before)),
        *compare(contents(), contents(before)),
    ):
        shown = f"{found.sentence} {found.before} {found.after}"
        assert not any(secret in shown for secret in (password, other, user, in_url)), shown
