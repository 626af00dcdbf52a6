"""Seeing motion in a camera's encoded frames: what is decoded of them, and what is made of the picture (SPEC 16).

Imported where the first frame is looked at: numpy comes with it.
"""

from __future__ import annotations

from typing import Final

import av
import numpy as np
from av.video.reformatter import Interpolation

from sysmanager.domain.documents import MotionMask
from sysmanager.recorder.motion import WIDTH, Grey, MotionModel
from sysmanager.recorder.motion_eye import CannotSee, Look
from sysmanager.recorder.segments import StreamKind, has_parameter_sets

HEIGHT_LIMIT: Final = 4 * WIDTH


class Sight:
    """Of one camera. every_frame: all frames are decoded, so that any of them can be looked at; else key frames only, each by itself."""

    def __init__(self, mask: MotionMask, *, every_frame: bool) -> None:
        self._every_frame = every_frame
        self._mask = mask
        self._model = MotionModel(mask)
        self._kind: StreamKind | None = None
        self._decoder: av.VideoCodecContext | None = None

    def forget(self) -> None:
        """What is usual is learnt anew."""
        self._model = MotionModel(self._mask)

    def see(self, look: Look) -> bool:
        """Whether something moves in this picture. Raises CannotSee."""
        picture = self._picture(look)
        if picture is None or not look.judge:
            return False
        return self._model.look(picture).motion

    def _picture(self, look: Look) -> Grey | None:
        decoder = self._decoder_of(look)
        frame = look.frame
        data = frame.data
        if frame.key and look.kind.extradata and not has_parameter_sets(look.kind.codec, data):
            data = look.kind.extradata + data
        packet = av.Packet(data)
        packet.pts = packet.dts = frame.pts_us
        try:
            pictures = decoder.decode(packet)
            if not self._every_frame:
                pictures += decoder.decode(None)
                decoder.flush_buffers()
            if not pictures:
                if look.judge:
                    raise CannotSee("no picture came out of it")
                return None
            return small_grey(pictures[-1]) if look.judge else None
        except (av.FFmpegError, ValueError, MemoryError) as error:
            self._decoder = None
            raise CannotSee(getattr(error, "strerror", None) or type(error).__name__) from None

    def _decoder_of(self, look: Look) -> av.VideoCodecContext:
        if self._decoder is None or self._kind is not look.kind:
            try:
                decoder = av.VideoCodecContext.create(look.kind.codec, "r")
                decoder.thread_count = 1
                decoder.options = {"flags": "low_delay", "skip_loop_filter": "all"}
            except (av.FFmpegError, ValueError) as error:
                raise CannotSee(f"there is no decoder for {look.kind.codec}") from error
            assert isinstance(decoder, av.VideoCodecContext), "a codec of pictures"
            self._decoder, self._kind = decoder, look.kind
        return self._decoder


def small_grey(picture: av.VideoFrame) -> Grey:
    """A picture, `WIDTH` wide in its own proportions, grey. Raises av.FFmpegError, ValueError."""
    height = max(2, min(HEIGHT_LIMIT, round(WIDTH * picture.height / max(1, picture.width))))
    small = picture.reformat(width=WIDTH, height=height, format="gray", interpolation=Interpolation.AREA)
    return np.asarray(small.to_ndarray(), np.uint8)
