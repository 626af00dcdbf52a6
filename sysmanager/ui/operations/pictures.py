"""The picture of the chosen camera: asked for when it is chosen, and again when a person wants a new one."""

from __future__ import annotations

from collections.abc import Callable

from sysmanager.api import CameraId, Client, ClientError, Picture, ShowPicture
from sysmanager.domain.ids import RecorderId
from sysmanager.ui.state.events import CameraSelected, PictureArrived
from sysmanager.ui.state.pictures import ShownPicture
from sysmanager.ui.state.store import Store

NO_ANSWER = "The coordinator gave no picture; ask again."


async def show_picture(client: Client, store: Store, recorder: RecorderId, camera: CameraId | None, now_wall_ms: Callable[[], int]) -> None:
    """Choose the camera (None: none), and ask for its picture. What goes wrong is said in its place."""
    store.dispatch(CameraSelected(recorder, camera))
    if camera is None:
        return
    picture: Picture | None = None
    try:
        answer = await client.ask(ShowPicture(recorder=recorder, camera=camera))
    except ClientError as error:
        sentence = str(error)
    else:
        picture = answer if isinstance(answer, Picture) else None
        sentence = "" if picture is not None else getattr(answer, "sentence", NO_ANSWER)
    store.dispatch(
        PictureArrived(ShownPicture(recorder=recorder, camera=camera, picture=picture, sentence=sentence, arrived_ms=now_wall_ms()))
    )
