"""A second server of the same id (SPEC 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sysmanager.domain.ids import Epoch, InstanceId
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, Beat, DiskBeat, Mode
from sysmanager.simulation.recorder import SimulatedRecorder

if TYPE_CHECKING:
    from sysmanager.simulation.world import World


def clone(world: World, recorder: SimulatedRecorder) -> Callable[[], None]:
    """A copy of its machine announces itself, as it was when it was new; orders still reach the original only."""
    present = [True]
    copy = Beat(
        recorder=recorder.id,
        instance=InstanceId(f"{recorder.id}-copy"),
        boot=1,
        sequence=1,
        wall_ms=0,
        version=recorder.version,
        mode=Mode.RECORDING,
        epoch=Epoch(0),
        home=recorder.id,
        documents=None,
        disks=(DiskBeat("D:", True, 1_000_000, 2_000_000),),
    )

    def speak() -> None:
        if present:
            world.after(BEAT_INTERVAL_MS, speak)
            world.network.canary(world.coordinator.heard, msgspec.structs.replace(copy, wall_ms=world.instant().wall_ms))

    def mend() -> None:
        present.clear()
        recorder.trouble.copied = False

    recorder.trouble.copied = True
    speak()
    return mend
