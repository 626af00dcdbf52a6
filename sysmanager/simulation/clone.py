"""A second server of the same id (SPEC 2), and the rule about it when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.heard import RIVAL_MS
from sysmanager.domain.failover import Trigger
from sysmanager.domain.ids import Epoch, InstanceId
from sysmanager.domain.rights import COORDINATOR
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, Beat, DiskBeat, Leaving, Mode
from sysmanager.simulation import seldom
from sysmanager.simulation.recorder import SimulatedRecorder

if TYPE_CHECKING:
    from sysmanager.simulation.checkers import Step
    from sysmanager.simulation.world import World

LEAVES_EVERY_MS = 3_000
SHUTDOWN_MS = 8_000
"""So long the copy speaks on after it announced its shutdown."""

MOVES_NOTHING = "a copy that goes moves nothing"


def clone(world: World, recorder: SimulatedRecorder, amount: int) -> Callable[[], None]:
    """A copy of its machine announces itself, as it was when it was new; orders still reach the original only.

    amount: after so many times 3 s it is shut down in order, and its Watchdog announces that; 0: it stays until it is mended.
    """
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

    def leave() -> None:
        if present:
            wall_ms = world.instant().wall_ms
            world.network.canary(_announced, world, Leaving(recorder=copy.recorder, instance=copy.instance, wall_ms=wall_ms))
            world.after(SHUTDOWN_MS, mend)

    def mend() -> None:
        if present:
            present.clear()
            recorder.trouble.copied = False

    recorder.trouble.copied = True
    speak()
    if amount:
        world.after(amount * LEAVES_EVERY_MS, leave)
    return mend


def _announced(world: World, leaving: Leaving) -> None:
    if world.coordinator.listening and leaving.recorder in world.shadow.recorders:
        seldom.note(world, seldom.COPY_LEAVES)
    world.tell(f"the copy of {leaving.recorder} announces its shutdown")
    world.coordinator.announced(leaving)


def moves_nothing(step: Step) -> str | None:
    """Only a server's own announcement moves its cameras, where system data knows it, and it was just heard."""
    fact = step.fact
    if not isinstance(fact, f.FailoverStarted) or fact.opening.trigger is not Trigger.PLANNED or step.record.actor != COORDINATOR:
        return None
    world, row = step.world, step.state.recorders.get(fact.opening.recorder)
    recorder = world.recorders[fact.opening.recorder]
    if recorder.trouble.announced or row is None or row.instance != recorder.persisted.instance:
        return None
    silence_ms = world.hearing.own_silence_ms(recorder.id, world.agenda.now_ms)
    return f"{recorder.id} is switched over, and announced no shutdown itself." if silence_ms < RIVAL_MS else None
