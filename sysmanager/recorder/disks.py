"""The material disks of a recorder: one writer thread each, watched, so that a bad disk disturbs nobody else (SPEC 16).

A disk that hangs, fails, fills or vanishes is lost within 2 s: its thread is abandoned, the owners of its open files are told and take
their bytes elsewhere, and the disk is tried again every few seconds until it is well.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import msgspec
import structlog

from sysmanager.recorder.diskwriter import DiskFile, DiskJobs, FileOwner
from sysmanager.recorder.filesystem import FileSystem, LocalFileSystem, Space

log = structlog.get_logger()

NO_SPACE = Space(free_bytes=0, total_bytes=0)


def late_problem(path: Path, busy_s: float, behind_s: float, limit_s: float, *, last: bool) -> str:
    """What is wrong with a disk, by how long the present call goes on and how long the oldest bytes wait; empty if nothing is.

    Bytes may have begun to wait a moment before the call that hangs: the disk is to blame for what the most of that time went to.
    The last disk is kept however slow it is: it still takes something, and losing it would take nothing.
    """
    if busy_s > limit_s or (behind_s > limit_s and busy_s > limit_s / 2 and not last):
        return f"The material disk {path} does not answer. Check the disk, its cable or the network share."
    if behind_s > limit_s and not last:
        return f"The material disk {path} is too slow for what is recorded on it. Use a faster one, or more."
    return ""


class DiskSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the material disks. Together, hang limit and tick stay under the 2 s of SPEC 16.

    hang_limit_s: a call that takes so long is a hanging disk; bytes that waited so long go elsewhere, if there is an elsewhere.
    gather_s: while frames come, a disk takes what has come in so long at once; so much a killed process may lose.
    reserve_bytes: less free space than this is *full*. queue_limit_bytes: what may wait for one disk, but for a burst of `burst_s`.
    stuck_threads: abandoned writers of one disk that may exist at once.
    """

    hang_limit_s: float = 1.5
    tick_s: float = 0.2
    health_every_s: float = 1.0
    write_test_every_s: float = 5.0
    sync_every_s: float = 5.0
    retry_every_s: float = 3.0
    reserve_bytes: int = 64 << 20
    queue_limit_bytes: int = 128 << 20
    burst_s: float = 0.5
    gather_s: float = 0.04
    stuck_threads: int = 2


def settings_for(minimum_free_bytes: int) -> DiskSettings:
    """Limits for disks on which retention keeps so much free: full is well below that, or a disk is lost before its oldest footage goes."""
    usual = DiskSettings()
    return msgspec.structs.replace(usual, reserve_bytes=min(usual.reserve_bytes, minimum_free_bytes // 2))


class DiskState(msgspec.Struct, frozen=True, kw_only=True):
    """What a recorder reports of one material disk. `path` as the settings name it; `problem` is a sentence, empty when writable."""

    path: str
    writable: bool
    free_bytes: int
    total_bytes: int
    problem: str = ""


class MaterialDisk:
    """One material disk: its present writer, if any, and what is known of it. Belongs to its `DiskSet`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writable = False
        self.tested = False
        self.space = NO_SPACE
        self.problem = f"The material disk {path} has not been tested yet."
        self.jobs: DiskJobs | None = None
        self.abandoned: list[DiskJobs] = []
        self.retry_at = 0.0
        self.health_at = 0.0

    def state(self) -> DiskState:
        return DiskState(
            path=str(self.path),
            writable=self.writable,
            free_bytes=self.space.free_bytes,
            total_bytes=self.space.total_bytes,
            problem="" if self.writable else self.problem,
        )


class DiskSet:
    """All material disks of a recorder.

    `start` returns at once; `wait_tested` waits for the first word of every disk. `on_change` is called, from a thread, whenever a disk
    is lost or comes back. Every method may be called from any thread; none waits for a disk, but `stop`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        filesystem: FileSystem | None = None,
        settings: DiskSettings | None = None,
        on_change: Callable[[tuple[DiskState, ...]], None] | None = None,
    ) -> None:
        self._filesystem = filesystem or LocalFileSystem()
        self._settings = settings or DiskSettings()
        self._listeners: list[Callable[[tuple[DiskState, ...]], None]] = [on_change] if on_change else []
        self._disks = [MaterialDisk(path) for path in dict.fromkeys(paths)]
        self._lock = threading.Lock()
        self._tested = threading.Condition(self._lock)
        self._ending = threading.Event()
        self._clock_s = 0.0
        self._watch = threading.Thread(target=self._run, name="disks", daemon=True)

    def start(self) -> None:
        for disk in self._disks:
            self._try(disk)
        self._watch.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Write what is queued, sync and close all files, end the threads. A disk that hangs is left behind after the timeout."""
        until = time.monotonic() + timeout_s
        self._ending.set()
        if self._watch.is_alive():
            self._watch.join(max(0.0, until - time.monotonic()))
        with self._lock:
            open_jobs = [disk.jobs for disk in self._disks if disk.jobs is not None]
        for jobs in open_jobs:
            jobs.finish()
        for jobs in open_jobs:
            jobs.join(max(0.0, until - time.monotonic()))

    def listen(self, listener: Callable[[tuple[DiskState, ...]], None]) -> None:
        """Be told, from a thread, when a disk is lost or comes back."""
        with self._lock:
            self._listeners.append(listener)

    def states(self) -> tuple[DiskState, ...]:
        with self._lock:
            return tuple(disk.state() for disk in self._disks)

    def paths(self) -> tuple[Path, ...]:
        return tuple(disk.path for disk in self._disks)

    def behind_s(self) -> float:
        """How long the oldest bytes have waited for their disk; 0 when nothing waits."""
        with self._lock:
            open_jobs = [disk.jobs for disk in self._disks if disk.jobs is not None]
        return max((jobs.behind_s() for jobs in open_jobs), default=0.0)

    def wait_tested(self, timeout_s: float) -> bool:
        """Wait until every disk passed or failed its first test. False when the time was over before."""
        with self._lock:
            return self._tested.wait_for(lambda: all(disk.tested for disk in self._disks), timeout_s)

    def open(self, relative: PurePosixPath, spread_by: str, owner: FileOwner) -> DiskFile | None:
        """Begin a new file on a writable disk, None when there is none.

        Cameras are spread in proportion to free space, and each stays where it is while that changes little (rendezvous hashing of
        `spread_by`). Where the name is taken, `-1`, `-2`, … is put behind it.
        """
        with self._lock:
            writable = [disk for disk in self._disks if disk.writable and disk.jobs is not None]
            if not writable:
                return None
            disk = max(writable, key=lambda candidate: _score(candidate, spread_by))
            assert disk.jobs is not None
            return disk.jobs.open(disk.path / relative, owner)

    def hold(self) -> None:
        """Much will be written now: each disk is woken at the end of it (`hand_over`), not by each write."""
        for disk in self._disks:
            if (jobs := disk.jobs) is not None:
                jobs.hold()

    def hand_over(self) -> None:
        for disk in self._disks:
            if (jobs := disk.jobs) is not None:
                jobs.hand_over()

    # -- the watch

    def _run(self) -> None:
        before = time.monotonic()
        while not self._ending.wait(self._settings.tick_s):
            now = time.monotonic()
            # Only time in which this thread ran counts: after a pause of the machine nobody is to blame.
            self._clock_s += min(now - before, 3 * self._settings.tick_s)
            before = now
            for disk in self._disks:
                self._look(disk)

    def _look(self, disk: MaterialDisk) -> None:
        jobs = disk.jobs
        if jobs is None:
            disk.abandoned = [old for old in disk.abandoned if old.alive()]
            if self._clock_s >= disk.retry_at and len(disk.abandoned) < self._settings.stuck_threads:
                self._try(disk)
            return
        problem = late_problem(disk.path, jobs.busy_s(), jobs.behind_s(), self._settings.hang_limit_s, last=not self._has_other(disk))
        if problem:
            self._lose(disk, jobs, problem)
        elif self._clock_s >= disk.health_at:
            disk.health_at = self._clock_s + self._settings.health_every_s
            jobs.check_health()

    def _has_other(self, disk: MaterialDisk) -> bool:
        with self._lock:
            return any(other.writable for other in self._disks if other is not disk)

    def _try(self, disk: MaterialDisk) -> None:
        settings = self._settings
        with self._lock:
            jobs = DiskJobs(
                disk.path,
                self._filesystem,
                clock=lambda: self._clock_s,
                queue_limit_bytes=settings.queue_limit_bytes,
                burst_s=settings.burst_s,
                gather_s=settings.gather_s,
                sync_every_s=settings.sync_every_s,
                write_test_every_s=settings.write_test_every_s,
                healthy=lambda jobs, space: self._healthy(disk, jobs, space),
                failed=lambda jobs, problem: self._lose(disk, jobs, problem),
            )
            disk.jobs = jobs
            disk.health_at = self._clock_s + settings.health_every_s
        jobs.start()
        jobs.check_health()

    def _healthy(self, disk: MaterialDisk, jobs: DiskJobs, space: Space) -> None:
        if space.free_bytes < self._settings.reserve_bytes:
            disk.space = space
            self._lose(disk, jobs, f"The material disk {disk.path} is full. Free some space on it.")
            return
        with self._lock:
            if disk.jobs is not jobs:
                return
            disk.space = space
            disk.tested = True
            self._tested.notify_all()
            if disk.writable:
                return
            disk.writable = True
        log.info("material disk is writable", disk=str(disk.path))
        self._tell()

    def _lose(self, disk: MaterialDisk, jobs: DiskJobs, problem: str) -> None:
        with self._lock:
            if disk.jobs is not jobs:
                return
            disk.jobs = None
            disk.abandoned.append(jobs)
            was_writable, disk.writable = disk.writable, False
            changed = was_writable or not disk.tested or disk.problem != problem
            disk.problem = problem
            disk.tested = True
            disk.retry_at = self._clock_s + self._settings.retry_every_s
            self._tested.notify_all()
        if changed:
            log.warning("material disk is lost", disk=str(disk.path), problem=problem)
        # First the state, then the owners: they open their files anew and must not get this disk again.
        jobs.abandon(problem)
        if changed:
            self._tell()

    def _tell(self) -> None:
        states = self.states()
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(states)
            except Exception as error:  # the thread is that of a disk, or of the watch over all
                log.error("news of the material disks could not be told", exc_info=error)


def _score(disk: MaterialDisk, spread_by: str) -> float:
    """Weighted rendezvous hashing: each camera's order of disks, with the free space as weight."""
    digest = hashlib.blake2b(f"{spread_by}\0{disk.path}".encode(), digest_size=8).digest()
    share = (int.from_bytes(digest, "big") + 1) / (2**64 + 2)
    return -max(1, disk.space.free_bytes) / math.log(share)
