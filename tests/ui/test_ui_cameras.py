"""What the window says of cameras that are not recorded at the moment, and should not be."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.api import CameraState, Health, RecorderRow
from sysmanager.domain.rights import COORDINATOR
from sysmanager.ui.state.look import Symbol, camera_look, server_look
from sysmanager.ui.state.model import UiState
from sysmanager.ui.views.equipment_tabs import recorded_text
from tests.ui import site

OFF, WAITING, RECORDING, STALLED = CameraState.OFF, CameraState.WAITING, CameraState.RECORDING, CameraState.STALLED


def row(*states: CameraState, health: Health = Health.GOOD) -> RecorderRow:
    made = site.server("TA-REC-01", site.A, number=len(states), health=health)
    cameras = tuple(msgspec.structs.replace(camera, state=state) for camera, state in zip(made.cameras, states, strict=True))
    return msgspec.structs.replace(made, cameras=cameras, cameras_recording=states.count(RECORDING))


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ((RECORDING, RECORDING), "2 of 2 cameras recording."),
        ((RECORDING, OFF, OFF), "1 of 3 cameras recording, 2 off by schedule."),
        ((WAITING, OFF), "0 of 2 cameras recording, 1 waiting for motion, 1 off by schedule."),
        ((RECORDING, STALLED), "1 of 2 cameras recording."),
    ],
)
def test_how_many_cameras_are_recorded_and_why_others_are_not(states: tuple[CameraState, ...], text: str) -> None:
    assert recorded_text(row(*states), UiState(actor=COORDINATOR)) == text


def test_the_state_of_a_camera_in_words() -> None:
    words = [camera_look(camera)[0] for camera in row(OFF, WAITING).cameras]
    assert words == ["off by its schedule", "waiting for motion"]


def test_cameras_that_should_not_record_are_no_trouble_in_the_tree() -> None:
    """Whatever else is the matter with the server."""
    assert server_look(row(OFF, WAITING, RECORDING, health=Health.WARNING)).symbol is Symbol.RECORDING
    assert server_look(row(OFF, STALLED, health=Health.WARNING)).symbol is Symbol.CAMERA_TROUBLE
