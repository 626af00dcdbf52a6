"""What a recording service knows of itself: the part that outlives it, and the part that a start builds anew."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.documents import DocumentSet, SettingsSummary
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, InstanceId, RecorderId
from sysmanager.protocol.hardware import Hardware
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import CameraBeat, DiskBeat, Mode, Record, StandDown

ASK_LIMIT_MS = 5000
"""How long a recorder waits for leave to open its cameras, and how long the beacon may be away before it asks again (SPEC 13.1)."""

ASK_AGAIN_MS = 1000
LOAD_AGAIN_MS = 5000
SILENCE_SAID_MS = 60_000
"""A recorder that hears no coordinator for this long says so (SPEC 4)."""

TICKETS_LIMIT = 16
"""How many repetitions of one order wait for its answer; the oldest beyond that stays without one, and is sent again."""


class Situation(StrEnum):
    """Where the machine stands; the `from` and `to` of its table. All but DOWN are a `Mode` that others see."""

    DOWN = "down"
    ASKING = "asking"
    RECORDING = "recording"
    STANDBY = "standby"

    @property
    def mode(self) -> Mode:
        """ValueError for DOWN: a service that is down sends no heartbeat."""
        found = _MODES.get(self)
        if found is None:
            raise ValueError(f"a service that is {self.value} shows no mode")
        return found


_MODES: dict[Situation, Mode] = {situation: Mode(situation.value) for situation in Situation if situation is not Situation.DOWN}


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What of a recorder comes from its configuration file and its machine and stays the same while it runs; units as in `Beat`.

    preroll_memory_mb, preroll_limit_s: what it can keep of cameras that others record; 0: nothing.
    """

    recorder: RecorderId
    camera_limit: int = 64
    bitrate_limit_kbps: int = 400_000
    vca_channels: int = 0
    plugins: tuple[str, ...] = ()
    hardware: Hardware = Hardware()
    machine: str = ""
    preroll_memory_mb: int = 0
    preroll_limit_s: int = 0
    practice: bool = False


class Persisted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be found again after a kill at any instant. Only what is durable stands in `MachineState.persisted`.

    epoch: the highest under which an order was obeyed, or footage was found. ordered: whether the task below was ordered under it; if
    not (as configured, or the state file was lost), the next order under the same epoch counts as a new one.
    mode: the task, RECORDING or STANDBY. home, documents: whose cameras, by which documents; None on standby.
    own: the recorder's own documents, kept while it acts for others or stands by.
    """

    recorder: RecorderId
    instance: InstanceId
    boot: int = 0
    epoch: Epoch = Epoch(0)
    ordered: bool = False
    mode: Mode = Mode.STANDBY
    home: RecorderId | None = None
    documents: DocumentSet | None = None
    own: DocumentSet | None = None
    without: tuple[CameraId, ...] = ()


def first_persisted(recorder: RecorderId, instance: InstanceId, own: DocumentSet | None, *, standby: bool) -> Persisted:
    """Of a recorder that never had an order: a failover server stands by, others record their own cameras as configured."""
    if standby:
        return Persisted(recorder=recorder, instance=instance, own=own)
    return Persisted(recorder=recorder, instance=instance, mode=Mode.RECORDING, home=recorder, documents=own, own=own)


def next_boot(persisted: Persisted) -> Persisted:
    """To be made durable before `Started`."""
    return msgspec.structs.replace(persisted, boot=persisted.boot + 1)


class Stage(StrEnum):
    FETCHING = "fetching"
    SAVING = "saving"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The order that is being carried out. tickets: who waits for the answer; none if it came as the answer to an ask.

    after, settings: what holds once it is saved; None while its documents are fetched.
    """

    order: Record | StandDown
    tickets: tuple[int, ...]
    stage: Stage
    documents: DocumentSet | None = None
    after: Persisted | None = None
    settings: SettingsSummary | None = None


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """An order that came while another was being saved; it is looked at when that is done."""

    order: Record | StandDown
    tickets: tuple[int, ...]


class MachineState(msgspec.Struct, frozen=True, kw_only=True):
    """All that the next step rests on.

    settings: of `persisted.documents`; None until they are loaded. leave: it may open its cameras as soon as they are.
    asking_ms: when the present asking began; next_ask_ms: when to send the question (again), None if none is open.
    beacon_ms: when the coordinator was last heard, at first the start. All of these on the monotonic clock.
    seen_epoch: the highest of any order that came since the start, obeyed or not: an older one that was held up is not obeyed after it.
    preroll: which cameras it keeps the last seconds of while it is on standby. Not durable: after a start it is told again.
    """

    identity: Identity
    persisted: Persisted
    situation: Situation = Situation.DOWN
    settings: SettingsSummary | None = None
    pending: Pending | None = None
    queued: Queued | None = None
    leave: bool = False
    asking_ms: int = 0
    next_ask_ms: int | None = None
    next_load_ms: int | None = None
    beacon_ms: int = 0
    silence_said: bool = False
    disks: tuple[DiskBeat, ...] = ()
    cameras: tuple[CameraBeat, ...] = ()
    refuse_by_hand: bool = False
    seen_epoch: Epoch = Epoch(0)
    preroll: KeepPreroll | None = None
    down_sentence: str = "It was not started yet."


def highest_epoch(state: MachineState) -> Epoch:
    """Below this no order is accepted."""
    return max(state.persisted.epoch, state.seen_epoch)


def held_documents(state: MachineState) -> frozenset[DocumentHash]:
    """Hashes of the documents that must stay in the recorder's store; all others may be forgotten."""
    pending = state.pending.documents if state.pending is not None else None
    parts = state.preroll.parts if state.preroll is not None else ()
    sets = (state.persisted.documents, state.persisted.own, pending, *(part.documents for part in parts))
    return frozenset(
        each for documents in sets if documents is not None for each in (documents.settings, documents.masks, documents.schedules)
    )


def shown_documents(persisted: Persisted) -> DocumentSet | None:
    """The documents that it records by; on standby its own, which it holds ready."""
    return persisted.documents if persisted.mode is Mode.RECORDING else persisted.own
