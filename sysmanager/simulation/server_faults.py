"""Faults of one server that take more than a switch: it hangs, flaps, lies, loses its disks one by one, comes back as it once was.

Each function lets one begin and gives what ends it, or None if it is over at once. amount: as the kind takes it, see each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sysmanager.domain.documents import DocumentKind, DocumentSet
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch
from sysmanager.protocol.jobs import MaterialHours
from sysmanager.protocol.recorders import Beat, Mode, Obeyed, OrderAnswer
from sysmanager.recorder import machine as m
from sysmanager.simulation.mending import release_soon
from sysmanager.simulation.recorder import SimulatedRecorder
from sysmanager.simulation.site import hashed

if TYPE_CHECKING:
    from sysmanager.simulation.world import World

Mend = Callable[[], None]
FLAP_LEAST_MS = 300
RELEASED_FROM = 6
NOWHERE = DocumentHash("0" * 64)
"""The hash of a document that nobody has."""


def hang(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """Its processes are stopped, and go on later."""
    recorder.hang()
    return recorder.go_on


def stop(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """The service ends in order and starts again; amount: so many milliseconds its process still answers that it is down."""
    recorder.stop_service(amount)
    return None


def flap(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """Cut off, back, cut off, back; amount: so many milliseconds each time, and up to as many more."""
    link, going = world.links[recorder.id], [True]

    def turn(cut: bool) -> None:
        if going:
            link.up_cut = link.down_cut = cut
            world.after(FLAP_LEAST_MS + world.between((amount, 2 * amount)), turn, not cut)

    def mend() -> None:
        going.clear()
        link.heal()

    turn(True)
    return mend


def disks_one_by_one(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """One disk after the other cannot be written; amount: so many milliseconds between two."""
    labels = recorder.disks
    going = [True]

    def lose(number: int) -> None:
        if not going:
            return
        recorder.break_disks(labels[:number])
        if number < len(labels):
            world.after(amount, lose, number + 1)

    def mend() -> None:
        going.clear()
        recorder.break_disks(())

    lose(1)
    return mend


def lie(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """It reports another state than the truth. amount, modulo 5: mode, newer epoch, older one, documents, answers."""
    trouble = recorder.trouble
    trouble.lied = True
    trouble.ahead |= amount % 5 == 1
    if amount % 5 == 4:
        trouble.lie_answer = _lying_answer
    else:
        trouble.lie = (_lying_mode, _lying_newer, _lying_older, _lying_documents)[amount % 5]
    return trouble.tell_the_truth


def _lying_mode(beat: Beat) -> Beat:
    return msgspec.structs.replace(beat, mode=Mode.STANDBY if beat.mode is Mode.RECORDING else Mode.RECORDING)


def _lying_newer(beat: Beat) -> Beat:
    return msgspec.structs.replace(beat, epoch=Epoch(beat.epoch + 7))


def _lying_older(beat: Beat) -> Beat:
    return msgspec.structs.replace(beat, epoch=Epoch(0))


def _lying_documents(beat: Beat) -> Beat:
    return beat if beat.documents is None else msgspec.structs.replace(beat, documents=_others(beat.documents))


def _lying_answer(answer: OrderAnswer) -> OrderAnswer:
    if isinstance(answer, MaterialHours) and answer.hours:
        return msgspec.structs.replace(answer, hours=(*answer.hours, answer.hours[0]))
    if not isinstance(answer, Obeyed) or answer.documents is None:
        return answer
    return msgspec.structs.replace(answer, documents=_others(answer.documents))


def _others(documents: DocumentSet) -> DocumentSet:
    return msgspec.structs.replace(documents, settings=NOWHERE)


def old_state(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """A backup of the machine brings back what it had saved so many times ago, with the epoch of that time."""
    world.state_lost.add(recorder.id)
    world.checkers.state_lost(recorder.id)
    if recorder.earlier:
        recorder.begin_anew(recorder.earlier[-min(max(1, amount), len(recorder.earlier))])
    return None


def state_lost(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """Killed, and started with what configuration and footage say; not while only this server has the documents by which it records."""
    saved = recorder.persisted
    if saved.documents is not None and saved.documents.settings not in world.coordinator.cache:
        return None
    world.state_lost.add(recorder.id)
    world.checkers.state_lost(recorder.id)
    first = m.first_persisted(recorder.id, saved.instance, saved.own, standby=saved.own is None)
    recorder.begin_anew(msgspec.structs.replace(first, epoch=recorder.material.highest_epoch), doubtful=True)
    return None


def unreached(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """One camera that it records, or may come to record, cannot be reached from it; amount: which."""
    group = next(server.group for server in world.plan.servers if server.id == recorder.id)
    own = [server for server in world.plan.servers if server.settings is not None and server.id == recorder.id]
    plans = own or [server for server in world.plan.servers if server.settings is not None and server.group == group]
    cameras: list[CameraId] = [camera.id for server in plans if server.settings is not None for camera in server.settings.cameras]
    if not cameras:
        return None
    lost = (cameras[amount % len(cameras)], recorder.id)
    world.cameras.unreached.add(lost)
    recorder.cameras_changed()

    def mend() -> None:
        world.cameras.unreached.discard(lost)
        recorder.cameras_changed()

    return mend


def documents_gone(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """Its documents are lost from its disk, and its service crashes; only while the coordinator has a copy of them."""
    held = (recorder.persisted.documents, recorder.persisted.own)
    wanted = {documents.hash_of(kind) for documents in held if documents is not None for kind in DocumentKind}
    if wanted <= world.coordinator.cache.keys():
        recorder.store.clear()
        recorder.crash()
    return None


def edit_documents(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """The settings by which it records, its own or those of a recorder that it acts for, are edited on the spot; its service restarts."""
    present = recorder.persisted.documents
    content = recorder.store.get(present.settings) if present is not None else None
    if present is None or content is None:
        return None
    settings = world.decode_settings(content)
    name, body = hashed(msgspec.structs.replace(settings, retention_days=settings.retention_days + 1))
    edited = msgspec.structs.replace(present, revision=present.revision + 1, settings=name)
    recorder.store[name] = body
    own = edited if recorder.persisted.home == recorder.id else recorder.persisted.own
    recorder.begin_anew(msgspec.structs.replace(recorder.persisted, documents=edited, own=own))
    return None


def poison(world: World, recorder: SimulatedRecorder, amount: int) -> Mend | None:
    """The stream of one of its cameras crashes whoever opens it, and whoever has it open now.

    amount: which of them; from `RELEASED_FROM` on who mends it also has it released.
    """
    plan = next(server for server in world.plan.servers if server.id == recorder.id)
    if plan.settings is None or not plan.settings.cameras:
        return None
    camera = plan.settings.cameras[amount % len(plan.settings.cameras)].id
    world.cameras.poison.add(camera)
    world.cameras.ever_poisonous.add(camera)
    for server in world.recorders.values():
        if camera in server.capture.recorded():
            server.crash()

    def mend() -> None:
        world.cameras.poison.discard(camera)
        if amount >= RELEASED_FROM:
            release_soon(world, camera)

    return mend
