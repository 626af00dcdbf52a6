"""What servers say is wrong with them and lasts: since when it stands as an alarm, and that it ends by itself."""

from __future__ import annotations

from msgspec.structs import replace

from sysmanager.coordinator.beats import differs
from sysmanager.coordinator.complaints import Complaint, Complaints
from sysmanager.domain.ids import CameraId, Epoch, InstanceId, RecorderId
from sysmanager.protocol.recorders import Beat, CameraBeat, CameraState, Mode
from sysmanager.protocol.selftest import SelfTestReport

A = RecorderId("A")


def beat(**cameras: CameraState) -> Beat:
    return Beat(
        recorder=A,
        instance=InstanceId("one"),
        boot=1,
        sequence=1,
        wall_ms=5,
        version="1.0.0",
        mode=Mode.RECORDING,
        epoch=Epoch(1),
        home=A,
        documents=None,
        cameras=tuple(CameraBeat(CameraId(camera), state) for camera, state in cameras.items()),
    )


def test_cameras_in_quarantine_stand_since_the_first_of_them() -> None:
    complaints = Complaints()
    complaints.take(beat(a=CameraState.RECORDING, b=CameraState.UNREACHABLE), 100)
    assert complaints.quarantined == {}
    complaints.take(beat(a=CameraState.QUARANTINED, b=CameraState.RECORDING), 200)
    complaints.take(beat(a=CameraState.QUARANTINED, b=CameraState.RECORDING), 250)
    complaints.take(beat(a=CameraState.QUARANTINED, b=CameraState.QUARANTINED), 300)
    assert (complaints.quarantined[A].words, complaints.quarantined[A].since_wall_ms) == (("a", "b"), 200)
    complaints.take(beat(a=CameraState.RECORDING, b=CameraState.RECORDING), 400)
    assert complaints.quarantined == {}


def test_a_removed_server_has_no_complaints() -> None:
    complaints = Complaints()
    complaints.take(beat(a=CameraState.QUARANTINED), 200)
    complaints.forget(A)
    complaints.forget(A)
    assert complaints.quarantined == {}


def test_a_failed_self_test_stands_since_it_failed_first_in_whatever_words() -> None:
    complaints = Complaints()
    failed = replace(beat(), self_test=SelfTestReport(wall_ms=1, problems=("The disk rots.",)))
    complaints.take(failed, 100)
    complaints.take(failed, 150)
    complaints.take(replace(failed, self_test=SelfTestReport(wall_ms=2, problems=("The key is gone.",))), 200)
    assert complaints.failed[A] == Complaint(words=("The key is gone.",), since_wall_ms=100)
    complaints.take(replace(failed, self_test=SelfTestReport(wall_ms=3)), 300)
    assert complaints.failed == {}


def test_another_word_on_a_camera_or_another_result_of_the_self_test_is_news_and_its_time_is_none() -> None:
    dark = beat(a=CameraState.UNREACHABLE)
    said = replace(dark, cameras=(replace(dark.cameras[0], sentence="Gate does not answer."),))
    assert not differs(dark, dark)
    assert differs(dark, said)
    passed = replace(dark, self_test=SelfTestReport(wall_ms=1))
    assert differs(dark, passed)
    assert not differs(passed, replace(dark, self_test=SelfTestReport(wall_ms=2)))
    assert differs(passed, replace(dark, self_test=SelfTestReport(wall_ms=2, problems=("The disk rots.",))))
