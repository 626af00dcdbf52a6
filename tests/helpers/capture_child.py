"""A process that records one camera, says each frame that it has written, and waits to be killed: URL DISK."""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.capture import Capture, CaptureEvent, FrameEvent
from sysmanager.recorder.disks import DiskSet
from sysmanager.recorder.session import CameraPlan


def tell(event: CaptureEvent) -> None:
    if isinstance(event, FrameEvent):
        sys.stdout.write(f"frame {event.frames} {event.frame_ms}\n")
        sys.stdout.flush()


def main() -> None:
    disks = DiskSet([Path(sys.argv[2])])
    disks.start()
    capture = Capture("rec-1", disks, tell, chance=random.Random(1))
    capture.start([CameraPlan(id=CameraId("cam-001"), name="Door", url=sys.argv[1])], 3)
    threading.Event().wait()


if __name__ == "__main__":
    main()
