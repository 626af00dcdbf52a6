"""The target of a material copy: fetches hours of footage, verifies them, keeps them as its own (protocol/MATERIAL.md).

It resumes at the byte after the death of either side, writes nothing twice, and lets recording go first.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
import structlog

from sysmanager.bus.ending import end_task
from sysmanager.domain.ids import JobId
from sysmanager.domain.jobs import CopyProblem, MaterialHour
from sysmanager.protocol.jobs import CopyMaterial, CopyReport, HourReport, HourState
from sysmanager.recorder.transfer.certificates import host_name
from sysmanager.recorder.transfer.hours import BLOCK_BYTES, Shelf, StoredPiece, digest_of, sha256_of
from sysmanager.recorder.transfer.staging import Staging, dated_name, is_piece_of, sync, write_out

log = structlog.get_logger(__name__)

T = TypeVar("T")

TRIES: Final = 3
"""So often a piece that came with another checksum is fetched again."""

WAITS_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses before a source that is not reached, or a disk that is full, is tried again; the last one is repeated."""

SILENT_S: Final = 10.0
YIELD_S: Final = 0.2
RATE_S: Final = 5.0
PIECES_LIMIT: Final = 10_000
WHY_LIMIT: Final = 40


class ListedPiece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece as the source lists it. why: it was kept; empty where that is not known."""

    name: str
    sha256: str
    size_bytes: int
    frames: int
    first_ms: int
    last_ms: int
    why: str = ""


class _List(msgspec.Struct, frozen=True, kw_only=True):
    pieces: tuple[ListedPiece, ...]


class _Failed(Exception):
    """An hour cannot be copied."""

    def __init__(self, problem: CopyProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class _Wait(Exception):
    """Something is in the way that may go away. pause_s: as the source asked for; None: as it comes."""

    def __init__(self, problem: CopyProblem | None, pause_s: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.pause_s = pause_s


class MaterialTarget:
    """Copies for one job at a time. On one loop; disks are read and written in threads.

    disks: those that can be written now, best first. busy: whether recording needs disk or network more. changed: a state changed.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        disks: Callable[[], Sequence[Path]],
        shelf: Shelf,
        context: ssl.SSLContext,
        *,
        minimum_free_bytes: int,
        busy: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._folders = tuple(folders)
        self._disks = disks
        self._shelf = shelf
        self._context = context
        self._minimum_free_bytes = minimum_free_bytes
        self._busy = busy
        self._changed = changed
        self._order: CopyMaterial | None = None
        self._paused = False
        self._task: asyncio.Task[None] | None = None
        self._hours: dict[int, HourReport] = {}
        self._problem: CopyProblem | None = None
        self._written = 0
        self._rates: deque[tuple[float, int]] = deque()
        # One thread, so that a file is closed after what was being written to it, also when the copying is cancelled meanwhile.
        self._files = ThreadPoolExecutor(max_workers=1, thread_name_prefix="material copy")

    async def _io(self, call: Callable[..., T], *args: Any, **more: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._files, partial(call, *args, **more))

    # ------------------------------------------------------------ orders

    async def copy(self, order: CopyMaterial) -> None:
        """Go over to this order. The same one again, with a new token, goes on without a break."""
        known = self._order
        if known is not None and not self._paused and msgspec.structs.replace(known, token=order.token) == order:
            self._order = order
            return
        await self._stop()
        if known is None or known.job != order.job:
            self._written = 0
            await self._io(Staging(self._folders, order.job).remove_others)
        same = known is not None and (known.job, known.camera, known.epoch) == (order.job, order.camera, order.epoch)
        done = {hour: report for hour, report in self._hours.items() if same and report.state is HourState.COPIED}
        self._order, self._paused, self._problem = order, False, None
        self._hours = {hour.hour: done.get(hour.hour, HourReport(hour.hour, HourState.WAITING)) for hour in order.hours}
        self._task = asyncio.create_task(self._run())
        self._changed()

    async def pause(self, job: JobId) -> None:
        if self._order is not None and self._order.job == job:
            await self._stop()
            self._paused, self._problem = True, None
            self._changed()

    async def forget(self, job: JobId) -> None:
        """End it and remove what is unfinished; verified footage stays."""
        if self._order is not None and self._order.job == job:
            await self._stop()
            self._order = None
            self._hours.clear()
        await self._io(Staging(self._folders, job).remove)
        self._changed()

    async def close(self) -> None:
        """What was fetched stays for the next start."""
        await self._stop()
        self._files.shutdown(wait=False)

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await end_task(task)

    def report(self) -> CopyReport | None:
        order = self._order
        if order is None:
            return None
        return CopyReport(
            job=order.job,
            camera=order.camera,
            limit_kbps=order.limit_kbps,
            paused=self._paused,
            hours=tuple(self._hours[hour.hour] for hour in order.hours),
            written_bytes=self._written,
            rate_kbps=self._rate_kbps(),
            problem=self._problem,
        )

    def _rate_kbps(self) -> int:
        now = time.monotonic()
        while self._rates and now - self._rates[0][0] > RATE_S:
            self._rates.popleft()
        return round(sum(size for _, size in self._rates) * 8 / 1000 / RATE_S)

    # ------------------------------------------------------------ work

    async def _run(self) -> None:
        assert self._order is not None, "started with an order"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENT_S, sock_read=SILENT_S)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=2)) as session:
            for hour in self._order.hours:
                if self._hours[hour.hour].state is not HourState.COPIED:
                    await self._hour(session, hour)

    async def _hour(self, session: aiohttp.ClientSession, hour: MaterialHour) -> None:
        tries = 0
        self._set(HourReport(hour.hour, HourState.COPYING))
        while True:
            try:
                digest = await self._copy_hour(session, hour)
            except _Failed as failed:
                self._set(HourReport(hour.hour, HourState.FAILED, "", failed.problem))
                return
            except _Wait as wait:
                self._wait_for(wait.problem)
                await asyncio.sleep(wait.pause_s if wait.pause_s is not None else WAITS_S[min(tries, len(WAITS_S) - 1)])
                tries += 1
            except OSError as error:
                log.warning("material not copied", why=error.strerror or str(error))
                self._wait_for(CopyProblem.DISK_FULL)
                await asyncio.sleep(WAITS_S[min(tries, len(WAITS_S) - 1)])
                tries += 1
            else:
                self._wait_for(None)
                self._set(HourReport(hour.hour, HourState.COPIED, digest))
                return

    def _set(self, report: HourReport) -> None:
        self._hours[report.hour] = report
        self._changed()

    def _wait_for(self, problem: CopyProblem | None) -> None:
        if self._problem is not problem:
            self._problem = problem
            self._changed()

    async def _copy_hour(self, session: aiohttp.ClientSession, hour: MaterialHour) -> str:
        """The digest of what lies in the material now. Raises _Failed, _Wait, OSError."""
        order = self._order
        assert order is not None, "it runs by an order"
        there = await self._io(self._shelf.pieces, order.camera, order.epoch, hour.hour)
        if digest_of(piece.sha256 for piece in there) == hour.digest:
            return await self._read_back(there, hour)
        listed = await self._list(session, hour)
        staging = Staging(self._folders, order.job)
        ready = {piece.path.name: piece for piece in there}
        staged: list[StoredPiece] = []
        for piece in listed:
            known = ready.get(piece.name)
            if known is not None and known.sha256 == piece.sha256:
                continue
            path = await self._fetch(session, hour, piece, staging)
            staged.append(_stored(path, piece))
        # What is on the disk counts, and not what came over the line; of what was fetched it was read back already.
        checksums = {piece.path.name: piece.sha256 for piece in staged}
        for kept in there:
            checksums[kept.path.name] = await self._io(sha256_of, kept.path)
        if digest_of(checksums[piece.name] for piece in listed) != hour.digest:
            for kept in staged:
                await self._io(kept.path.unlink, missing_ok=True)
            raise _Failed(CopyProblem.MISMATCH)
        for kept in staged:
            await self._io(staging.publish, kept)
        return hour.digest

    async def _read_back(self, there: Sequence[StoredPiece], hour: MaterialHour) -> str:
        checksums = [await self._io(sha256_of, piece.path) for piece in there]
        if digest_of(checksums) != hour.digest:
            raise _Failed(CopyProblem.MISMATCH)
        return hour.digest

    # ------------------------------------------------------------ the source

    def _request(self, session: aiohttp.ClientSession, hour: MaterialHour, name: str = "", start: int = 0) -> Any:
        order = self._order
        assert order is not None, "it runs by an order"
        url = f"{order.address}/material/1/{order.home}/{order.epoch}/{order.camera}/{hour.hour}" + (f"/{name}" if name else "")
        headers = {"Authorization": f"Bearer {order.token}", "Range": f"bytes={start}-"}
        return session.get(url, headers=headers, ssl=self._context, server_hostname=host_name(order.source), allow_redirects=False)

    @staticmethod
    def _judge(status: int, headers: Any) -> None:
        if status in (200, 206):
            return
        if status == 404:
            raise _Failed(CopyProblem.GONE)
        retry = headers.get("Retry-After", "")
        # 401: the token has run out, or the coordinator's key is another; the next order brings a new one.
        raise _Wait(None if status == 503 else CopyProblem.SOURCE_LOST, float(retry) if retry.isdigit() else None)

    async def _list(self, session: aiohttp.ClientSession, hour: MaterialHour) -> tuple[ListedPiece, ...]:
        try:
            async with self._request(session, hour) as response:
                self._judge(response.status, response.headers)
                found = msgspec.json.decode(await response.read(), type=_List).pieces
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.info("source not reached", why=str(error) or type(error).__name__)
            raise _Wait(CopyProblem.SOURCE_LOST) from error
        order = self._order
        assert order is not None, "it runs by an order"
        if len(found) > PIECES_LIMIT or not all(is_piece_of(piece.name, order.camera, order.epoch) for piece in found):
            raise _Failed(CopyProblem.MISMATCH)
        if digest_of(piece.sha256 for piece in found) != hour.digest:
            raise _Failed(CopyProblem.MISMATCH)
        return found

    async def _fetch(self, session: aiohttp.ClientSession, hour: MaterialHour, piece: ListedPiece, staging: Staging) -> Path:
        """The whole piece in the staging, verified. Raises _Failed, _Wait, OSError."""
        for _ in range(TRIES):
            whole = await self._io(staging.complete, piece.name)
            if whole is None:
                part = await self._room_for(piece, staging)
                await self._fill(session, hour, piece, part)
                if await self._io(sha256_of, part) != piece.sha256:
                    log.warning("a piece came with another checksum and is fetched again", piece=piece.name)
                    await self._io(part.unlink, missing_ok=True)
                    continue
                return await self._io(staging.finish, part)
            if await self._io(sha256_of, whole) == piece.sha256:
                return whole
            await self._io(whole.unlink, missing_ok=True)
        raise _Failed(CopyProblem.MISMATCH)

    async def _room_for(self, piece: ListedPiece, staging: Staging) -> Path:
        """Where it is fetched to. Never the last space that new footage needs."""
        for disk in self._disks():
            part = await self._io(staging.part, piece.name, disk)
            free = (await self._io(shutil.disk_usage, part.parent)).free
            if free - piece.size_bytes >= self._minimum_free_bytes:
                return part
        raise _Wait(CopyProblem.DISK_FULL)

    async def _fill(self, session: aiohttp.ClientSession, hour: MaterialHour, piece: ListedPiece, part: Path) -> None:
        """Add what is missing of a piece. What arrives before the connection breaks stays."""
        file = await self._io(part.open, "ab")
        try:
            start = file.tell()
            if start > piece.size_bytes:
                await self._io(file.truncate, 0)
                start = 0
            if start == piece.size_bytes:
                return
            async with self._request(session, hour, piece.name, start) as response:
                self._judge(response.status, response.headers)
                async for block in response.content.iter_chunked(BLOCK_BYTES):
                    await self._io(write_out, file, block)
                    self._written += len(block)
                    self._rates.append((time.monotonic(), len(block)))
                    self._wait_for(None)
                    await self._let_others_go_first(len(block))
            await self._io(sync, file)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Wait(CopyProblem.SOURCE_LOST) from error
        finally:
            await self._io(file.close)
        if (await self._io(part.stat)).st_size < piece.size_bytes:
            raise _Wait(CopyProblem.SOURCE_LOST)

    async def _let_others_go_first(self, size: int) -> None:
        while self._busy():  # noqa: ASYNC110 - what recording needs changes with every packet, and tells nobody
            await asyncio.sleep(YIELD_S)
        limit = self._order.limit_kbps if self._order is not None else 0
        if limit:
            await asyncio.sleep(size * 8 / 1000 / limit)


def _stored(path: Path, piece: ListedPiece) -> StoredPiece:
    return StoredPiece(
        path=path,
        name=dated_name(piece.name, piece.first_ms),
        sha256=piece.sha256,
        size_bytes=piece.size_bytes,
        frames=piece.frames,
        first_ms=piece.first_ms,
        last_ms=piece.last_ms,
        why=piece.why[:WHY_LIMIT],
    )
