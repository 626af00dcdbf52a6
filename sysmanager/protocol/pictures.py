"""A picture of a camera for people: the last key frame that a recorder has in memory. Nobody opens the camera for it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.protocol.values import Count, Text, WallMs

WIDTH = 640
JPEG_LIMIT_BYTES = 256 * 1024


class AskPicture(msgspec.Struct, frozen=True, kw_only=True, tag="ask-picture"):
    """Question of the coordinator to a recorder. width: of the picture at most, in pixels."""

    camera: CameraId
    width: Annotated[int, msgspec.Meta(ge=64, le=1920)] = WIDTH


class Picture(msgspec.Struct, frozen=True, kw_only=True, tag="picture"):
    """Answer, to the coordinator and to clients. taken_wall_ms: by the recorder's clock; age_ms: of the picture, when it was given.

    recorder: who gave it; the holder of the camera, whoever was asked about.
    """

    recorder: RecorderId
    camera: CameraId
    taken_wall_ms: WallMs
    age_ms: Count
    width: Count
    height: Count
    jpeg: Annotated[bytes, msgspec.Meta(max_length=JPEG_LIMIT_BYTES)]


class NoPicture(msgspec.Struct, frozen=True, kw_only=True, tag="no-picture"):
    """Answer of a recorder: there is none, and why."""

    sentence: Text


PictureAnswer = Picture | NoPicture
