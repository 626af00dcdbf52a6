"""Running a site from the command line: what it says, when it ends, and with which exit status."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sysmanager import api
from sysmanager.app.ending import end_on_signals
from sysmanager.app.errors import CommandError
from sysmanager.app.site.files import SiteFile, set_up
from sysmanager.app.site.layout import FAILOVER, STANDARD, SiteLayout
from sysmanager.app.site.rehearsal import KILLED, RECORDING_S, Story, check_footage, rehearse, report_of
from sysmanager.app.site.report import KillAt, Way, table
from sysmanager.app.site.running import RunningSite, running_site
from sysmanager.domain.ids import FailoverId
from sysmanager.durable import write_durably
from sysmanager.journal.lock import DataFolderLock

T = TypeVar("T")

INTERRUPTED = 130
HELD = "held-at-step"


class _Interrupted(Exception):
    """The process was asked to end."""


class _WentWrong(Exception):
    """A step of the rehearsal did not come about. The text is one sentence."""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What is rehearsed. preroll: with pre-roll of all cameras. also: who is killed in the middle of the failover."""

    preroll: bool = False
    way: Way = Way.KILL
    also: KillAt | None = None


def run_site(folder: Path, cameras: int | None, *, preroll: bool = False) -> int:
    """Run a site until this process is asked to end. Exit status: 0. Raises `app.errors`."""
    layout = SiteLayout(folder.resolve())
    with DataFolderLock(layout.root):
        return asyncio.run(_run_until_asked(layout, set_up(layout, cameras, rehearsal=False), preroll))


def run_rehearsal(folder: Path, cameras: int | None, file: Path, rehearsal: Rehearsal) -> int:
    """Exit status: 0 it went right; 1 it found something wrong; 130 interrupted. Raises `app.errors`."""
    layout, file = SiteLayout(folder.resolve()), file.absolute()
    if not file.parent.is_dir():
        raise CommandError(f"There is no folder {file.parent} for the report; name another file.")
    with DataFolderLock(layout.root):
        return asyncio.run(_rehearse(layout, set_up(layout, cameras, rehearsal=True), file, rehearsal))


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Let it run until it is done or this process is asked to end; then it closes what it has open. Raises _Interrupted."""
    asked = end_on_signals()
    task = asyncio.create_task(work)
    ending = asyncio.create_task(asked.wait())
    await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not task.done():
        _say("Ending …")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise _Interrupted
    return task.result()


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", flush=True)


# ---------------------------------------------------------------- to look at


async def _run_until_asked(layout: SiteLayout, site: SiteFile, preroll: bool) -> int:
    try:
        await _interruptible(_follow(layout, site, preroll))
    except _Interrupted:
        _say("The site has ended.")
    return 0


async def _follow(layout: SiteLayout, site: SiteFile, preroll: bool) -> None:
    _say(f"The site in {layout.root} starts with {site.cameras} cameras.")
    async with running_site(layout, site, preroll=preroll) as running:
        running.watch.listen(_teller())
        await running.while_alive(_look_on(running))


async def _look_on(running: RunningSite) -> None:
    await running.watch.until(lambda: _recorded(running), RECORDING_S, "Not all cameras were recorded")
    print("\n".join(_what_next(running)), flush=True)
    await asyncio.Event().wait()


def _recorded(site: RunningSite) -> bool:
    rows = site.watch.recorders
    return sum(row.cameras_recording for row in rows.values()) >= sum(len(cameras) for cameras in site.shares.values())


def _teller() -> Callable[[api.Snapshot | api.Changes], None]:
    """Says each state of a log entry once."""
    told: dict[FailoverId, str] = {}

    def tell(update: api.Snapshot | api.Changes) -> None:
        for entry in update.failovers:
            sentence = f"{entry.id} {entry.recorder} -> {entry.server or '?'}: {entry.log_state}"
            if told.get(entry.id) != sentence and not isinstance(update, api.Snapshot):
                _say(sentence)
            told[entry.id] = sentence

    return tell


def _what_next(site: RunningSite) -> list[str]:
    layout, program = site.layout, _program()
    lines = [
        "",
        "The site runs. To look at it:",
        f"  {program} connect {site.credentials_file}",
        "",
        "To break a recorder, end its Watchdog first, then its recording service, by process id:",
    ]
    for recorder in (*STANDARD, FAILOVER):
        service = site.service_of(recorder)
        service_pid = service.pid if service is not None else "?"
        lines.append(f"  {recorder}: Watchdog {site.watchdogs[recorder].pid}, recording service {service_pid}")
    return [
        *lines,
        "To bring one back:",
        f"  {program} recorder --config {layout.recorder(STANDARD[0]).configuration}",
        "To give its tasks back after a failover:",
        f"  {program} failback {STANDARD[0]} --wait --coordinator {site.credentials_file}",
        "Footage:",
        *(f"  {disk}" for recorder in (*STANDARD, FAILOVER) for disk in layout.recorder(recorder).disks.values()),
        "",
        "Ctrl-C ends the site. Its folder stays, and the next run continues there.",
        "",
    ]


def _program() -> str:
    """How this program was started, so that what is printed works in the same terminal, with or without an activated environment."""
    started = Path(sys.argv[0])
    if started.stem == "sysmanager" and started.is_file():
        return shlex.quote(str(started)) if os.sep in sys.argv[0] else started.name
    return f"{shlex.quote(sys.executable)} -m sysmanager"


# ---------------------------------------------------------------- to rehearse


async def _rehearse(layout: SiteLayout, site: SiteFile, file: Path, rehearsal: Rehearsal) -> int:
    try:
        return await _interruptible(_rehearsal(layout, site, file, rehearsal))
    except _Interrupted:
        return INTERRUPTED
    except _WentWrong as error:
        # It ran, and the answer is no: the folder and the logs stay for whoever looks for the cause.
        print(f"sysmanager: {error}", file=sys.stderr)
        return 1


async def _rehearsal(layout: SiteLayout, site: SiteFile, file: Path, rehearsal: Rehearsal) -> int:
    began = time.monotonic()
    also, held = rehearsal.also, layout.root / HELD
    held.unlink(missing_ok=True)
    story = Story(preroll=rehearsal.preroll, way=rehearsal.way, also=also, held=held)
    _say(f"The site in {layout.root} starts with {site.cameras} cameras.")
    wired = KILLED if rehearsal.way is Way.CONNECTION else None
    hold_at = f"{also.step}:{held}" if also is not None else None
    async with running_site(layout, site, preroll=rehearsal.preroll, wired=wired, hold_at=hold_at) as running:
        try:
            await running.while_alive(rehearse(running, story, _say))
        except CommandError as error:
            raise _WentWrong(str(error)) from error
    _say("Everything has stopped. The footage is judged.")
    report = await asyncio.to_thread(report_of, running, story)
    try:
        await asyncio.to_thread(write_durably, file, msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    except OSError as error:
        raise CommandError(f"The report can't be written to {file} ({error.strerror or error}).") from error
    print("\n".join(["", *table(report), ""]), flush=True)
    status = await check_footage(layout.root, file)
    verdict = "all is right" if status == 0 else "something is wrong, see above"
    print(f"\nRehearsal of {time.monotonic() - began:.0f} s: {verdict}. Report: {file}. Footage: {layout.root}.", flush=True)
    return 0 if status == 0 else 1
