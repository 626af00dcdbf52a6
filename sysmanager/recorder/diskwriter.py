"""The one thread that touches a material disk, and the queue in front of it."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import structlog

from sysmanager.recorder.filesystem import FileSystem, Space

log = structlog.get_logger(__name__)

NAME_TRIES = 100
LOOK_S = 0.2
"""So often it is looked which files are due to be synced."""

IDLE_S = 0.25


class FileOwner(Protocol):
    """Who writes a file. Called from the disk's thread; `lost` from any thread, at most once, and nothing after it.

    Numbers of bytes count from the start of the file.
    """

    def accepted(self, file_bytes: int) -> None:
        """The system took the bytes: they survive the death of this process."""

    def synced(self, file_bytes: int) -> None:
        """The bytes are on the disk: they survive the loss of power."""

    def closed(self, path: Path, file_bytes: int) -> None:
        """The file is complete, synced and closed under this path."""

    def lost(self, problem: str) -> None:
        """The disk is gone; what was not synced may be gone too."""


class DiskFile:
    """A new file on one disk, as its owner sees it. Calls return at once; after a loss they do nothing."""

    def __init__(self, jobs: DiskJobs, path: Path, owner: FileOwner) -> None:
        self.path = path
        self.owner = owner
        self.file: BinaryIO | None = None
        self.written_bytes = 0
        self.synced_bytes = 0
        self.sync_due_s = 0.0
        self._jobs = jobs

    def write(self, data: bytes) -> None:
        """Queue bytes for the end of the file."""
        self._jobs.put(_Job(self._jobs.write, self, data))

    def close(self) -> None:
        """Queue the sync and close of the file."""
        self._jobs.put(_Job(self._jobs.close, self))

    def append_beside(self, name: str, data: bytes) -> None:
        """Queue an addition to another file in the same folder: the index."""
        self._jobs.put(_Job(self._jobs.append, self, data, name))


class _Job:
    __slots__ = ("data", "file", "name", "queued_s", "run")

    def __init__(self, run: Callable[[_Job], None], file: DiskFile | None = None, data: bytes = b"", name: str = "") -> None:
        self.run = run
        self.file = file
        self.data = data
        self.name = name
        self.queued_s = 0.0


class DiskJobs:
    """Queue and thread of one disk, for one stretch of its life: after a failure a new one is made.

    `healthy` and `failed` are called from the thread, or `failed` from whoever fills the queue. `clock`: seconds in which the watch ran.
    """

    def __init__(
        self,
        disk: Path,
        filesystem: FileSystem,
        *,
        clock: Callable[[], float],
        queue_limit_bytes: int,
        burst_s: float,
        gather_s: float,
        sync_every_s: float,
        write_test_every_s: float,
        healthy: Callable[[DiskJobs, Space], None],
        failed: Callable[[DiskJobs, str], None],
    ) -> None:
        self._disk = disk
        self._filesystem = filesystem
        self._clock = clock
        self._queue_limit_bytes = queue_limit_bytes
        self._burst_s = burst_s
        self._gather_s = gather_s
        self._sync_every_s = sync_every_s
        self._write_test_every_s = write_test_every_s
        self._healthy = healthy
        self._failed = failed
        self._lock = threading.Lock()
        self._bell = threading.Lock()  # taken by the thread that waits; to release it wakes it
        self._bell.acquire()
        self._resting = False
        self._queue: deque[_Job] = deque()
        self._given_bytes = 0
        self._taken_bytes = 0  # by the thread alone
        self._files: dict[DiskFile, None] = {}
        self._due: deque[DiskFile] = deque()
        self._looked_s = 0.0
        self._busy_since_s: float | None = None
        self._abandoned = False
        self._overfull = False
        self._finishing = False
        self._fed = False
        self._gathering = False
        self._held = False
        self._brought = False
        self._health_queued = False
        self._test_due_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"disk {disk}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def finish(self) -> None:
        """Work off the queue, sync and close all files, end."""
        with self._lock:
            self._finishing = True
            self._ring()

    def busy_s(self) -> float:
        """How long the call that is being made has been going on."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else self._clock() - since_s

    def behind_s(self) -> float:
        """How long the oldest job has been waiting in the queue."""
        with self._lock:
            return self._behind_s()

    def _behind_s(self) -> float:
        try:
            return self._clock() - self._queue[0].queued_s
        except IndexError:  # the thread took the last one
            return 0.0

    def open(self, path: Path, owner: FileOwner) -> DiskFile:
        file = DiskFile(self, path, owner)
        with self._lock:
            self._files[file] = None
        self.put(_Job(self.create, file), at_once=True)
        return file

    def hold(self) -> None:
        """Much is queued now; the thread is woken when it is complete (`hand_over`)."""
        self._held = True

    def hand_over(self) -> None:
        self._held = False
        with self._lock:
            self._brought, self._gathering = True, False
            if self._queue:
                self._ring()

    def _ring(self) -> None:
        """With the lock held: wake the thread, if it rests."""
        if self._resting:
            self._resting = False
            self._bell.release()

    def check_health(self) -> None:
        with self._lock:
            if self._health_queued:
                return
            self._health_queued = True
        self.put(_Job(self._check))

    def put(self, job: _Job, *, at_once: bool = False) -> None:
        size = len(job.data)
        with self._lock:
            if self._abandoned or self._overfull:
                return
            # A burst is welcome: the frames of a lost disk come all at once, and are in memory anyway.
            waiting = self._given_bytes - self._taken_bytes
            overfull = waiting + size > self._queue_limit_bytes and self._behind_s() > self._burst_s
            self._overfull = overfull
            if not overfull:
                job.queued_s = self._clock()
                self._queue.append(job)
                self._given_bytes += size
                if at_once or not (self._gathering or self._held):
                    self._ring()
        if overfull:
            # Told from a thread of its own: the caller may hold the lock of the very owner that has to hear it.
            problem = f"The material disk {self._disk} is too slow for what is recorded on it. Use a faster one, or more."
            threading.Thread(target=self._failed, args=(self, problem), name="disk overfull", daemon=True).start()

    def abandon(self, problem: str) -> None:
        """Drop the queue, tell the owners of all open files, let the thread end when it can."""
        with self._lock:
            if self._abandoned:
                return
            self._abandoned = True
            self._queue.clear()
            files = list(self._files)
            self._ring()
        for file in files:
            try:
                file.owner.lost(problem)
            except Exception as error:  # of one camera only: the others take their frames elsewhere
                log.error("the owner of a file could not take it elsewhere", file=str(file.path), exc_info=error)

    # -- in the thread

    def _run(self) -> None:
        try:
            while True:
                self._work_off()
                if not self._wait():
                    break
        except OSError as error:
            self._failed(self, explain(self._disk, error))
        finally:
            self._close_all()

    def _work_off(self) -> None:
        """All that is queued, and what is due to be synced in between."""
        while not self._abandoned:
            self._busy_since_s = now_s = self._clock()
            if self._due or now_s >= self._looked_s + LOOK_S:
                self._sync_one(now_s)
                self._busy_since_s = self._clock()
            try:
                job = self._queue.popleft()
            except IndexError:
                if not self._due:
                    break
            else:
                self._taken_bytes += len(job.data)
                self._fed = True
                job.run(job)
        self._busy_since_s = None

    def _wait(self) -> bool:
        """For work, or until something could be due; False at the end."""
        with self._lock:
            if self._abandoned or (self._finishing and not self._queue):
                return False
            if self._queue:
                return True
            # While frames come, they are gathered for a moment: waking for each of them costs more than writing it. Who brings many at
            # once has gathered them, and wakes this thread again.
            self._gathering, self._fed, self._brought = self._fed and not self._brought, False, False
            self._resting = True
        rung = self._bell.acquire(timeout=self._gather_s if self._gathering else IDLE_S)
        with self._lock:
            if not rung and not self._resting:
                self._bell.acquire()  # it was rung just now
            self._resting = self._gathering = False
        return True

    def _sync_one(self, now_s: float) -> None:
        """One file whose sync is due. All files are looked through only every now and then: this runs for each packet."""
        if not self._due:
            self._looked_s = now_s
            with self._lock:
                self._due.extend(file for file in self._files if file.written_bytes > file.synced_bytes and now_s >= file.sync_due_s)
        if self._due:
            self._sync(self._due.popleft())

    def create(self, job: _Job) -> None:
        assert job.file is not None
        path = job.file.path
        for number in range(NAME_TRIES):
            candidate = path.with_name(f"{path.stem}-{number}{path.suffix}") if number else path
            try:
                job.file.file = self._filesystem.create(candidate)
            except FileExistsError:
                continue
            job.file.path = candidate
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))

    def write(self, job: _Job) -> None:
        file = job.file
        assert file is not None
        assert file.file is not None
        self._filesystem.write(file.file, job.data)
        if file.written_bytes == file.synced_bytes:
            file.sync_due_s = self._clock() + self._sync_every_s
        file.written_bytes += len(job.data)
        if not self._abandoned:
            file.owner.accepted(file.written_bytes)

    def close(self, job: _Job) -> None:
        file = job.file
        assert file is not None
        assert file.file is not None
        self._filesystem.sync(file.file)
        self._filesystem.close(file.file)
        with self._lock:
            self._files.pop(file, None)
            abandoned = self._abandoned
        if not abandoned:
            file.owner.closed(file.path, file.written_bytes)

    def append(self, job: _Job) -> None:
        assert job.file is not None
        self._filesystem.append(job.file.path.with_name(job.name), job.data)

    def _check(self, _job: _Job) -> None:
        with self._lock:
            self._health_queued = False
        space = self._filesystem.space(self._disk)
        if self._clock() >= self._test_due_s:
            self._filesystem.try_out(self._disk, f".write-test-{os.getpid()}")
            self._test_due_s = self._clock() + self._write_test_every_s
        self._healthy(self, space)

    def _sync(self, file: DiskFile) -> None:
        if file.file is None or file not in self._files:
            return
        size = file.written_bytes
        self._filesystem.sync(file.file)
        file.synced_bytes = size
        file.sync_due_s = self._clock() + self._sync_every_s
        if not self._abandoned:
            file.owner.synced(size)

    def _close_all(self) -> None:
        for file in list(self._files):
            if file.file is not None:
                with contextlib.suppress(OSError):  # the disk is lost anyway, and the owner knows
                    if not self._abandoned:
                        self._filesystem.sync(file.file)
                    self._filesystem.close(file.file)


def explain(disk: Path, error: OSError) -> str:
    """One sentence for people about a disk's error, with what to do."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"The material disk {disk} is full. Free some space on it."
        case errno.ENOENT | errno.ENOTDIR | errno.ENODEV | errno.ENXIO:
            return f"The material disk {disk} is not there. Connect it, or correct its path in the recorder's settings."
        case errno.EACCES | errno.EPERM:
            return f"The material disk {disk} may not be written by this service. Give the service's account the right to write there."
        case errno.EROFS:
            return f"The material disk {disk} is read-only. Check the disk for damage and mount it writable."
        case _:
            return f"The material disk {disk} fails: {error.strerror or type(error).__name__}. Check the disk."
