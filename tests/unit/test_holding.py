"""From an order to keep pre-roll to the cameras that are held: by the settings of their recorder, within the memory there is (SPEC 6)."""

from __future__ import annotations

import pytest

from sysmanager.documents.sealing import SiteKey, seal
from sysmanager.domain import documents as d
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.documents import CameraSettings, DocumentSet, SettingsDocument
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, RecorderId
from sysmanager.protocol.preroll import KeepPreroll, PrerollBeat, PrerollPart
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.camera_plans import camera_plan, open_plan
from sysmanager.recorder.capture import HeldStatus
from sysmanager.recorder.holding import SILENT_S, Silence, cameras_to_hold, preroll_beats
from sysmanager.recorder.machine import CapturePlan

KEY = SiteKey(bytes(range(32)))


def documents(name: str) -> DocumentSet:
    return DocumentSet(revision=1, settings=DocumentHash(name), masks=DocumentHash("m"), schedules=DocumentHash("s"))


def camera(name: str, *, kbps: int = 4_000, password: str = "") -> CameraSettings:
    sealed = seal(password, KEY) if password else None
    return CameraSettings(
        id=CameraId(name),
        name=name,
        url=f"rtsp://192.0.2.1/{name}",
        user="viewer",
        password=d.SealedSecret(hmac=sealed.hmac, sealed=sealed.sealed) if sealed is not None else None,
        priority=FailoverPriority.HIGH,
        sessions=2,
        bitrate_kbps=kbps,
    )


SETTINGS = {
    "one": SettingsDocument(name="one", cameras=(camera("gate", password="open sesame"), camera("yard"))),
    "two": SettingsDocument(name="two", cameras=(camera("door"),)),
}


async def settings_of(wanted: DocumentSet) -> SettingsDocument | None:
    return SETTINGS.get(wanted.settings)


def order(*parts: tuple[str, tuple[str, ...], int]) -> KeepPreroll:
    made = tuple(
        PrerollPart(home=RecorderId(name), documents=documents(name), cameras=tuple(CameraId(each) for each in cameras), seconds=seconds)
        for name, cameras, seconds in parts
    )
    return KeepPreroll(epoch=Epoch(3), plan="p", parts=made)


async def test_each_camera_is_held_as_it_will_be_recorded_and_as_long_as_ordered() -> None:
    holding = await cameras_to_hold(order(("one", ("gate",), 17), ("two", ("door",), 67)), settings_of, KEY, 1 << 30)
    assert holding.complete
    (gate, gate_ring), (door, door_ring) = holding.cameras
    assert (gate.id, gate.password, gate_ring.keep_ms) == ("gate", "open sesame", 17_000)
    assert (door.id, door_ring.keep_ms) == ("door", 67_000)
    assert door_ring.limit_bytes == 4_000 * 125 * 67 * 2
    settings = SETTINGS["one"]
    taken = CapturePlan(
        epoch=Epoch(4),
        home=RecorderId("one"),
        documents=documents("one"),
        cameras=(settings.cameras[0].camera(),),
        left=(),
        disks=(),
        retention_days=14,
    )
    assert open_plan(taken, settings, KEY).cameras == (gate,)


async def test_short_memory_is_shared_in_proportion() -> None:
    holding = await cameras_to_hold(order(("one", ("gate", "yard"), 60)), settings_of, KEY, 10 << 20)
    assert sum(ring.limit_bytes for _, ring in holding.cameras) == pytest.approx(10 << 20, abs=10)


async def test_what_cannot_be_had_is_left_out_and_asked_for_again() -> None:
    holding = await cameras_to_hold(order(("gone", ("x",), 10), ("two", ("door",), 10)), settings_of, KEY, 1 << 30)
    assert [plan.id for plan, _ in holding.cameras] == ["door"]
    assert not holding.complete


async def test_a_camera_whose_password_cannot_be_opened_is_left_out() -> None:
    holding = await cameras_to_hold(order(("one", ("gate", "yard"), 10)), settings_of, SiteKey(bytes(32)), 1 << 30)
    assert [plan.id for plan, _ in holding.cameras] == ["yard"]
    assert holding.complete


async def test_an_order_to_keep_none_holds_none() -> None:
    holding = await cameras_to_hold(KeepPreroll(epoch=Epoch(3), plan=""), settings_of, None, 1 << 30)
    assert (holding.cameras, holding.complete) == ((), True)


def test_a_heartbeat_says_how_far_back_each_camera_reaches() -> None:
    held = HeldStatus(camera=CameraId("gate"), state=CameraState.RECORDING, sentence="", reaches_ms=4_200)
    assert preroll_beats([held]) == (PrerollBeat(CameraId("gate"), 4_200),)


def test_a_plan_never_shows_its_password() -> None:
    assert "sesame" not in repr(camera_plan(SETTINGS["one"].cameras[0], KEY))


def test_while_the_coordinator_is_silent_and_a_moment_after_what_is_held_is_kept() -> None:
    silence = Silence()
    assert not silence.lasts(100.0), "it was never heard"
    silence.heard(100.0)
    assert not silence.lasts(100.0 + SILENT_S - 0.1)
    assert silence.lasts(100.0 + SILENT_S)
    assert silence.lasts(500.0)
    silence.heard(510.0)
    kept = {}
    for now_s in range(511, 545):
        silence.heard(float(now_s))
        kept[now_s] = silence.lasts(float(now_s))
    assert kept[539]
    assert not kept[540]
