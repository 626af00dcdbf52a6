"""What a simulated recorder lives in: a virtual clock and network, or an event loop and a bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.ids import DocumentHash, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.protocol.probes import PeerAnswer
from sysmanager.protocol.recorders import Ask, FromRecorder, Leaving, Standing
from sysmanager.recorder import machine as m
from sysmanager.simulation.footage import CameraField, Material


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long things take on a simulated recorder, least and most, in milliseconds.

    start: of the recording service. fetch: of documents that the recorder has already. save: to make its state durable.
    first_frame: from opening a camera to its first frame. retry: between attempts to open a camera. report: until new states are said.
    restart: between two attempts to start the service.
    """

    start_ms: tuple[int, int] = (300, 1500)
    fetch_ms: tuple[int, int] = (5, 60)
    save_ms: tuple[int, int] = (5, 40)
    first_frame_ms: tuple[int, int] = (300, 1200)
    retry_ms: int = 1000
    report_ms: int = 50
    restart_ms: int = 1500


Fetched = Callable[[Mapping[DocumentHash, bytes] | None], None]
"""The contents of all three documents by hash; None if they could not be had in time."""


class Served(Protocol):
    """What another server sees of a source."""

    @property
    def material(self) -> Material: ...
    @property
    def persisted(self) -> m.Persisted: ...
    @property
    def serves_damaged(self) -> bool: ...


class Surroundings(Protocol):
    """Given to a simulated recorder. Callbacks come later, never from inside the call, and on the same thread."""

    @property
    def cameras(self) -> CameraField: ...

    def now(self, recorder: RecorderId) -> Instant:
        """Both clocks of that machine."""
        ...

    def after(self, delay_ms: int, act: Callable[..., object], *args: Any) -> None: ...

    def between(self, span_ms: tuple[int, int]) -> int:
        """A random duration in this span."""
        ...

    def quiet(self, recorder: RecorderId) -> bool:
        """Whether heartbeats that say nothing new may be left out: nothing is lost or late on the way, and nobody watches each of them."""
        ...

    def say(self, recorder: RecorderId, message: FromRecorder, *, quiet: bool = False) -> None:
        """Send a heartbeat. quiet: it comes in its turn and says nothing new, while `quiet` holds."""
        ...

    def ask(self, recorder: RecorderId, ask: Ask, answered: Callable[[Standing | None], None]) -> None:
        """Ask the coordinator; None if nobody answers in time."""
        ...

    def ask_peer(self, recorder: RecorderId, peer: RecorderId, answered: Callable[[PeerAnswer | None], None]) -> None:
        """Ask another server whether it is there and records; None if it does not answer in time."""
        ...

    def announce(self, recorder: RecorderId, leaving: Leaving) -> None:
        """Tell the coordinator that the recorder is about to be shut down."""
        ...

    def fetch(self, recorder: RecorderId, documents: DocumentSet, fetched: Fetched) -> None:
        """Fetch documents from the coordinator."""
        ...

    def served_by(self, recorder: RecorderId) -> Served | None:
        """The footage of another server, as far as it can be reached."""
        ...

    def watch(self, recorder: RecorderId, seen: m.Input | m.Effect, state: m.MachineState) -> None:
        """Told of every input before the machine takes it and of every effect before it is carried out."""
        ...
