"""The picture of the chosen camera: asked for when it is chosen, shown with its time and age, and why there is none."""

from __future__ import annotations

from datetime import UTC

import av
import msgspec
import numpy as np
import pytest

from sysmanager.api import CameraId, CameraState, Picture, Refused, ReleaseCamera, ShowPicture
from sysmanager.recorder.pictures import to_jpeg
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import CameraSelected, PictureArrived, PlaceSelected, SnapshotArrived
from sysmanager.ui.state.model import Place, UiState
from sysmanager.ui.state.pictures import ShownPicture, caption
from sysmanager.ui.state.reducer import reduce
from sysmanager.ui.views.parts import ActionButton
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.harness import turn, until

ONE, TWO = site.rid("TA-REC-01"), site.rid("TA-REC-02")
TAKEN_MS = site.NOW_MS - 2_000


def picture(camera: str, age_ms: int = 2_000) -> Picture:
    jpeg, width, height = to_jpeg(av.VideoFrame.from_ndarray(np.full((90, 160, 3), 90, np.uint8), format="rgb24"), 640)
    return Picture(recorder=ONE, camera=CameraId(camera), taken_wall_ms=TAKEN_MS, age_ms=age_ms, width=width, height=height, jpeg=jpeg)


def start() -> UiState:
    state = reduce(UiState(actor=site.ADMIN), SnapshotArrived(site.harbour()))
    return reduce(state, PlaceSelected(Place.SERVER, ONE))


def test_a_picture_is_shown_for_the_camera_that_is_chosen_and_for_no_other() -> None:
    state = reduce(start(), CameraSelected(ONE, CameraId("a")))
    assert state.picture == ShownPicture(recorder=ONE, camera=CameraId("a"))
    came = ShownPicture(recorder=ONE, camera=CameraId("a"), picture=picture("a"), arrived_ms=5)
    state = reduce(state, PictureArrived(came))
    assert state.picture == came
    assert reduce(state, CameraSelected(ONE, CameraId("a"))) is state, "the last one stays until the new one is there"
    late = ShownPicture(recorder=ONE, camera=CameraId("b"), picture=picture("b"), arrived_ms=6)
    assert reduce(state, PictureArrived(late)) is state
    assert reduce(state, CameraSelected(ONE, None)).picture is None
    assert reduce(state, PlaceSelected(Place.SERVER, TWO)).picture is None
    none = reduce(state, CameraSelected(ONE, None))
    assert reduce(none, CameraSelected(ONE, None)) is none
    assert reduce(none, PictureArrived(came)) is none


@pytest.mark.parametrize(
    ("age_ms", "later_ms", "words"),
    [
        (400, 0, "0 s old"),
        (2_000, 3_000, "5 s old"),
        (2_000, 30_000, "32 s old: ask for a new one"),
        (200_000, 0, "3 min old: ask for a new one"),
        (2_000, -5_000, "2 s old"),
    ],
)
def test_the_caption_tells_time_and_age(age_ms: int, later_ms: int, words: str) -> None:
    shown = ShownPicture(recorder=ONE, camera=CameraId("a"), picture=picture("a", age_ms), arrived_ms=1_000)
    taken, _, age = caption(shown, 1_000 + later_ms, UTC).partition(", ")
    assert age == words
    assert len(taken) == len("10:00:00")


def test_the_caption_tells_why_there_is_none_and_that_it_is_awaited() -> None:
    waiting = ShownPicture(recorder=ONE, camera=CameraId("a"))
    assert caption(waiting, 5, UTC) == "Asking for a picture."
    assert caption(msgspec.structs.replace(waiting, sentence="Gate is dark.", arrived_ms=3), 5, UTC) == "No picture: Gate is dark."


async def test_choosing_a_camera_shows_its_picture_beside_the_list(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.store.dispatch(PlaceSelected(Place.SERVER, ONE))
    tab = opened.window.cameras_tab
    await until(lambda: opened.store.state.selected == ONE and tab._model.lines != ())
    await turn()
    camera = tab._model.lines[0]
    assert not tab.picture.isVisibleTo(tab)
    opened.client.answer = picture(camera.id)
    tab.view.selectRow(0)
    await until(lambda: opened.store.state.picture is not None and opened.store.state.picture.picture is not None, "the picture")
    await turn()
    assert ShowPicture(recorder=ONE, camera=camera.id) in opened.client.questions
    assert tab.picture.isVisibleTo(tab)
    assert tab.picture.name.text() == camera.name
    assert tab.picture.image.pixmap().width() > 0
    assert tab.picture.caption.text().endswith(", 2 s old")
    assert tab.picture.image.accessibleName().startswith(f"Picture of {camera.name}: ")

    opened.client.answer = Refused(sentence="Gate is dark.")
    asked = opened.client.questions.count(ShowPicture(recorder=ONE, camera=camera.id))
    tab.picture.renew.click()
    await until(lambda: tab.picture.caption.text() == "No picture: Gate is dark.", "the reason")
    assert opened.client.questions.count(ShowPicture(recorder=ONE, camera=camera.id)) == asked + 1
    assert not tab.picture.image.isVisibleTo(tab.picture)

    opened.store.dispatch(PlaceSelected(Place.SERVER, TWO))
    await until(lambda: not tab.picture.isVisibleTo(tab), "the panel goes with the server")
    assert not tab.view.selectionModel().hasSelection()


async def test_a_camera_in_quarantine_can_be_released_beside_its_picture(open_site: OpenSite) -> None:
    harbour = site.harbour()
    rows = {row.id: row for row in harbour.recorders}
    held = msgspec.structs.replace(rows[ONE].cameras[1], state=CameraState.QUARANTINED, sentence="It crashed the recording service twice.")
    row = msgspec.structs.replace(rows[ONE], cameras=(rows[ONE].cameras[0], held, *rows[ONE].cameras[2:]))
    opened = await open_site(msgspec.structs.replace(harbour, recorders=tuple((rows | {ONE: row}).values())))
    opened.client.answer = Refused(sentence="It is not recorded.")
    opened.store.dispatch(PlaceSelected(Place.SERVER, ONE))
    tab, action = opened.window.cameras_tab, opened.window.actions_[Action.RELEASE_CAMERA]
    await until(lambda: opened.store.state.selected == ONE and tab._model.lines != ())
    (button,) = tab.picture.findChildren(ActionButton)
    tab.view.selectRow(0)
    await until(lambda: opened.store.state.picture is not None)
    assert not action.isVisible()
    assert not button.isVisibleTo(tab.picture)
    assert not tab.picture.trouble.isVisibleTo(tab.picture)
    tab.view.selectRow(1)
    await until(action.isVisible, "the action")
    assert button.isVisibleTo(tab.picture)
    assert tab.picture.trouble.isVisibleTo(tab.picture)
    assert tab.picture.trouble.text() == held.sentence
    assert action in tab.view.actions()
    button.click()
    wanted = ReleaseCamera(recorder=ONE, camera=held.id)
    await until(lambda: wanted in opened.client.requests, "the request")


async def test_a_coordinator_that_does_not_answer_is_said_in_the_panel(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.store.dispatch(PlaceSelected(Place.SERVER, ONE))
    tab = opened.window.cameras_tab
    await until(lambda: opened.store.state.selected == ONE and tab._model.lines != ())
    await turn()
    opened.client.error = "The coordinator does not answer."
    tab.view.selectRow(1)
    await until(lambda: tab.picture.caption.text() == "No picture: The coordinator does not answer.", "the reason")
