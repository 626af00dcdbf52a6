"""Drawn pictures of simulated cameras: a scene in the camera's own colours, with its name and the time in it."""

from __future__ import annotations

import unicodedata
import zlib
from datetime import datetime
from typing import Final

import av
import numpy as np
import numpy.typing as npt

from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.pictures import AskPicture, NoPicture, Picture, PictureAnswer
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.pictures import to_jpeg
from sysmanager.simulation.recorder import SimulatedRecorder

WIDTH, HEIGHT = 640, 360
KEY_FRAME_MS: Final = 1_000
"""Simulated cameras give a key frame every second."""

_GLYPHS: Final = {
    glyph: tuple(int(row, 16) for row in rows.split())
    for glyph, rows in {
        "A": "e 11 11 1f 11 11 11", "B": "1e 11 11 1e 11 11 1e", "C": "e 11 10 10 10 11 e", "D": "1e 11 11 11 11 11 1e",
        "E": "1f 10 10 1e 10 10 1f", "F": "1f 10 10 1e 10 10 10", "G": "e 11 10 17 11 11 f", "H": "11 11 11 1f 11 11 11",
        "I": "e 4 4 4 4 4 e", "J": "7 2 2 2 2 12 c", "K": "11 12 14 18 14 12 11", "L": "10 10 10 10 10 10 1f",
        "M": "11 1b 15 15 11 11 11", "N": "11 11 19 15 13 11 11", "O": "e 11 11 11 11 11 e", "P": "1e 11 11 1e 10 10 10",
        "Q": "e 11 11 11 15 12 d", "R": "1e 11 11 1e 14 12 11", "S": "f 10 10 e 1 1 1e", "T": "1f 4 4 4 4 4 4",
        "U": "11 11 11 11 11 11 e", "V": "11 11 11 11 11 a 4", "W": "11 11 11 15 15 15 a", "X": "11 11 a 4 a 11 11",
        "Y": "11 11 11 a 4 4 4", "Z": "1f 1 2 4 8 10 1f", "0": "e 11 13 15 19 11 e", "1": "4 c 4 4 4 4 e",
        "2": "e 11 1 2 4 8 1f", "3": "1f 2 4 2 1 11 e", "4": "2 6 a 12 1f 2 2", "5": "1f 10 1e 1 1 11 e",
        "6": "6 8 10 1e 11 11 e", "7": "1f 1 2 4 8 8 8", "8": "e 11 11 e 11 11 e", "9": "e 11 11 f 1 2 c",
        "-": "0 0 0 1f 0 0 0", ":": "0 c c 0 c c 0", ".": "0 0 0 0 0 c c", "/": "0 1 2 4 8 10 0", " ": "0 0 0 0 0 0 0",
    }.items()
}  # fmt: skip
"""Five by seven dots for each letter, a row a number."""

_UNKNOWN: Final = (31, 17, 17, 17, 17, 17, 31)

Pixels = npt.NDArray[np.uint8]


def picture_of(server: SimulatedRecorder, question: AskPicture, wall_ms: int) -> PictureAnswer:
    """What a simulated server answers now. Blocks for some milliseconds."""
    settings = server.state.settings
    name = next((camera.name for camera in settings.cameras if camera.id == question.camera), None) if settings is not None else None
    states = {camera.camera: camera.state for camera in server.state.cameras}
    state = states.get(question.camera)
    if name is None or state is None:
        return NoPicture(sentence=f"{server.id} does not record this camera now.")
    if state is not CameraState.RECORDING:
        return NoPicture(sentence=f"{name} is {state.value}; there is no picture of it.")
    taken_ms = wall_ms // KEY_FRAME_MS * KEY_FRAME_MS
    jpeg, width, height = drawn(name, taken_ms, question.width)
    return Picture(
        recorder=RecorderId(server.id),
        camera=question.camera,
        taken_wall_ms=taken_ms,
        age_ms=wall_ms - taken_ms,
        width=width,
        height=height,
        jpeg=jpeg,
    )


def drawn(name: str, taken_wall_ms: int, width: int) -> tuple[bytes, int, int]:
    """JPEG with its size: sky, ground, a house, and somebody who walks by; the name and the local time below."""
    seed = zlib.crc32(name.encode())
    pixels: Pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    horizon = 150 + seed % 60
    sky = np.array((90 + seed % 70, 130 + seed // 7 % 60, 170 + seed // 11 % 60), np.float64)
    fade = np.linspace(0.65, 1.15, horizon)[:, None, None]
    pixels[:horizon] = np.clip(sky * fade, 0, 255).astype(np.uint8)
    pixels[horizon:] = (70 + seed // 13 % 50, 85 + seed // 17 % 50, 70 + seed // 19 % 40)
    left, wide = 60 + seed // 23 % 260, 120 + seed // 29 % 110
    pixels[horizon - 70 : horizon + 40, left : left + wide] = (120 + seed // 31 % 90, 100 + seed // 37 % 60, 90)
    for window in range(left + 16, left + wide - 24, 40):
        pixels[horizon - 45 : horizon - 20, window : window + 22] = (235, 220, 150)
    walker = taken_wall_ms // KEY_FRAME_MS * 17 % (WIDTH - 20)
    pixels[horizon + 30 : horizon + 85, walker : walker + 16] = (40, 40, 55)
    pixels[horizon + 16 : horizon + 30, walker + 2 : walker + 14] = (205, 165, 140)
    moment = datetime.fromtimestamp(taken_wall_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    pixels[HEIGHT - 62 :] = (20, 20, 24)
    _write(pixels, name, 16, HEIGHT - 54, 3)
    _write(pixels, f"{moment}  SIMULATED", 16, HEIGHT - 24, 2)
    return to_jpeg(av.VideoFrame.from_ndarray(pixels, format="rgb24"), width)


def _write(pixels: Pixels, text: str, left: int, top: int, dot: int) -> None:
    """Letters without their accents; what does not fit is cut off."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text.upper()) if not unicodedata.combining(letter))
    for letter in plain:
        if left + 5 * dot > WIDTH:
            return
        for row, bits in enumerate(_GLYPHS.get(letter, _UNKNOWN)):
            for column in range(5):
                if bits & (16 >> column):
                    at_x, at_y = left + column * dot, top + row * dot
                    pixels[at_y : at_y + dot, at_x : at_x + dot] = (235, 235, 235)
        left += 6 * dot
