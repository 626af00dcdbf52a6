"""Material copy on a simulated recorder: what it serves as a source, and what it fetches, verifies and keeps as a target."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.domain.jobs import HOUR_MS, CopyProblem, MaterialHour
from sysmanager.protocol.jobs import (
    HOURS_LIMIT,
    Accepted,
    CopyMaterial,
    CopyReport,
    ForgetJob,
    HourReport,
    HourState,
    JobAnswer,
    JobOrder,
    ListHours,
    MarkCopied,
    MaterialHours,
    PauseCopy,
)
from sysmanager.simulation.footage import FRAME_MS, Material
from sysmanager.simulation.said import material_address
from sysmanager.simulation.surroundings import Surroundings

STEP_MS = 1_000
PIECE_MS = 20_000
FRAME_BYTES = 4_000
RATE_BYTES = 10_000_000
"""What a simulated target fetches in a second when nothing slows it down."""

TRIES = 3
"""So often a piece that came with another checksum is fetched again."""

Key = tuple[CameraId, Epoch, int]
"""One hour of one camera under one epoch."""


def hours_of(material: Material, camera: CameraId, epoch: Epoch) -> tuple[MaterialHour, ...]:
    """The footage of a camera under an epoch, hour by hour."""
    parts: dict[int, list[tuple[int, int]]] = {}
    for begin, end in material.pairs(camera, epoch):
        for hour in range(begin // HOUR_MS, end // HOUR_MS + 1):
            parts.setdefault(hour, []).append((max(begin, hour * HOUR_MS), min(end, (hour + 1) * HOUR_MS - 1)))
    return tuple(_hour(camera, epoch, hour, spans) for hour, spans in sorted(parts.items()))


def _hour(camera: CameraId, epoch: Epoch, hour: int, spans: list[tuple[int, int]]) -> MaterialHour:
    frames = sum((end - begin) // FRAME_MS + 1 for begin, end in spans)
    length_ms = sum(end - begin for begin, end in spans)
    digest = hashlib.sha256(f"{camera} {epoch} {spans}".encode()).hexdigest()
    return MaterialHour(hour, spans[0][0], spans[-1][1], frames, length_ms // PIECE_MS + 1, frames * FRAME_BYTES, digest)


class Copies:
    """What lies on the disks of a recorder beside its own recordings: pieces that it fetched, each good or damaged. Survives all ends.

    rotten: hours that the disks do not give back as they were written. twice: pieces that were written although they were there.
    released: hours that it was told, as a source, may go first.
    """

    def __init__(self) -> None:
        self.pieces: dict[Key, set[int]] = {}
        self.digests: dict[Key, str] = {}
        self.twice: list[Key] = []
        self.released: set[Key] = set()
        self.rotten: set[Key] = set()

    def write(self, key: Key, piece: int, digest: str) -> None:
        known = self.pieces.setdefault(key, set())
        if piece in known:
            self.twice.append(key)
        known.add(piece)
        self.digests[key] = digest

    def complete(self, key: Key, hour: MaterialHour) -> bool:
        """Whether all pieces of the hour were written once."""
        return len(self.pieces.get(key, ())) >= hour.pieces and self.digests.get(key) == hour.digest

    def renew(self, key: Key, hour: MaterialHour) -> None:
        """The source has recorded on since the hour was fetched: its last piece has grown, and is fetched anew."""
        if self.digests.get(key, hour.digest) == hour.digest:
            return
        last = min(max(self.pieces[key], default=0), hour.pieces - 1)
        self.pieces[key] = {piece for piece in self.pieces[key] if piece < last}
        self.digests[key] = hour.digest

    def drop(self, key: Key) -> None:
        """What cannot be read as it was written is no footage."""
        for known in (self.pieces, self.digests):
            known.pop(key, None)
        self.rotten.discard(key)

    def holds(self, key: Key, hour: MaterialHour) -> bool:
        """Whether all of the hour is there, as the source has it."""
        return self.complete(key, hour) and key not in self.rotten


class Transfer:
    """The job of a target, and the answers of a source. What is in `Copies` is durable, the rest is lost with the process.

    rate_bytes: a second. disk_full, lies: faults; with the latter the disks give back other bytes than were written.
    changed: called when a report says something new.
    """

    def __init__(
        self,
        recorder: RecorderId,
        surroundings: Surroundings,
        material: Material,
        copies: Copies,
        writable: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._recorder = recorder
        self._around = surroundings
        self._material = material
        self._copies = copies
        self._writable = writable
        self._changed = changed
        self.rate_bytes = RATE_BYTES
        self.disk_full = False
        self.lies = False
        self._life = 0
        self._stepping = False
        self._forget_all()

    def _forget_all(self) -> None:
        self._order: CopyMaterial | None = None
        self._paused = False
        self._hours: dict[int, HourReport] = {}
        self._problem: CopyProblem | None = None
        self._written_bytes = 0
        self._rate_kbps = 0
        self._carry_bytes = 0
        self._tries = 0

    def stop(self) -> None:
        """The process ends: what is on the disks stays."""
        self._life += 1
        self._stepping = False
        self._forget_all()

    # ------------------------------------------------------------ orders

    def take(self, order: JobOrder) -> JobAnswer:
        match order:
            case ListHours():
                return self._list(order)
            case MarkCopied():
                self._copies.released.update((order.camera, order.epoch, hour) for hour in order.hours)
            case CopyMaterial():
                self._begin(order)
            case PauseCopy(job=job) if self._order is not None and self._order.job == job:
                self._paused, self._rate_kbps, self._problem = True, 0, None
            case ForgetJob(job=job) if self._order is not None and self._order.job == job:
                self._forget_all()
            case _:
                pass
        self._changed()
        return Accepted(job=order.job)

    def _list(self, order: ListHours) -> MaterialHours:
        hours = [hour for hour in hours_of(self._material, order.camera, order.epoch) if hour.hour > order.after_hour]
        more = len(hours) > HOURS_LIMIT
        return MaterialHours(epoch=order.epoch, camera=order.camera, hours=tuple(hours[:HOURS_LIMIT]), more=more)

    def _begin(self, order: CopyMaterial) -> None:
        same = self._order is not None and (self._order.job, self._order.camera) == (order.job, order.camera)
        done = self._hours if same else {}
        if not same:
            self._forget_all()
        self._order, self._paused = order, False
        self._hours = {hour.hour: done.get(hour.hour, HourReport(hour.hour, HourState.WAITING)) for hour in order.hours}
        if not self._stepping:
            self._stepping = True
            self._around.after(STEP_MS, self._step, self._life)

    @property
    def report(self) -> CopyReport | None:
        """What a heartbeat says of it."""
        order = self._order
        if order is None:
            return None
        return CopyReport(
            job=order.job,
            camera=order.camera,
            limit_kbps=order.limit_kbps,
            paused=self._paused,
            hours=tuple(self._hours[hour.hour] for hour in order.hours),
            written_bytes=self._written_bytes,
            rate_kbps=self._rate_kbps,
            problem=self._problem,
        )

    # ------------------------------------------------------------ copying

    def _step(self, life: int) -> None:
        if life != self._life:
            return
        order = self._order
        hour = self._next() if order is not None and not self._paused else None
        if order is None or hour is None:
            self._stepping, self._rate_kbps = False, 0
            return
        self._around.after(STEP_MS, self._step, life)
        before = (self._problem, self._hours[hour.hour])
        self._go_on(order, hour)
        if (self._problem, self._hours[hour.hour]) != before:
            self._changed()

    def _next(self) -> MaterialHour | None:
        assert self._order is not None, "asked with an order"
        open_states = (HourState.WAITING, HourState.COPYING)
        return next((hour for hour in self._order.hours if self._hours[hour.hour].state in open_states), None)

    def _go_on(self, order: CopyMaterial, hour: MaterialHour) -> None:
        key = (order.camera, order.epoch, hour.hour)
        if self._copies.complete(key, hour):
            self._finish(hour, HourReport(hour.hour, HourState.COPIED, self._read_back(key, hour)))
            return
        source = self._around.served_by(order.source)
        self._rate_kbps = 0
        if self.disk_full or not self._writable():
            self._problem = CopyProblem.DISK_FULL
        elif source is None or order.address != material_address(order.source, source.persisted.boot):
            self._problem = CopyProblem.SOURCE_LOST
        elif hour not in hours_of(source.material, order.camera, order.epoch):
            self._finish(hour, HourReport(hour.hour, HourState.FAILED, "", CopyProblem.GONE))
        elif source.serves_damaged:
            self._tries += 1
            if self._tries >= TRIES:
                self._finish(hour, HourReport(hour.hour, HourState.FAILED, "", CopyProblem.MISMATCH))
        else:
            self._fetch(order, hour, key)

    def _fetch(self, order: CopyMaterial, hour: MaterialHour, key: Key) -> None:
        self._problem = None
        self._hours[hour.hour] = HourReport(hour.hour, HourState.COPYING)
        budget = min(self.rate_bytes, order.limit_kbps * 125) if order.limit_kbps else self.rate_bytes
        self._rate_kbps = budget // 125
        self._carry_bytes += budget
        piece_bytes = max(1, hour.size_bytes // hour.pieces)
        self._copies.renew(key, hour)
        there = self._there(key)
        for piece in range(hour.pieces):
            if piece in there:
                continue
            if self._carry_bytes < piece_bytes:
                return
            self._carry_bytes -= piece_bytes
            self._written_bytes += piece_bytes
            self._copies.write(key, piece, hour.digest)

    def _there(self, key: Key) -> frozenset[int]:
        """Pieces that are on the disks already."""
        return frozenset(self._copies.pieces.get(key, ()))

    def _read_back(self, key: Key, hour: MaterialHour) -> str:
        """The digest of what the own disks give back; what is rotten is thrown away, so that the next job may fetch it."""
        if self.lies:
            self._copies.rotten.add(key)
        if self._copies.holds(key, hour):
            return hour.digest
        self._copies.drop(key)
        return hour.digest[::-1]

    def _finish(self, hour: MaterialHour, report: HourReport) -> None:
        self._hours[hour.hour] = report
        self._problem, self._tries, self._carry_bytes = None, 0, 0
