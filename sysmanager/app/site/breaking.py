"""Breaking a recorder of a real site in each way of SPEC 4, and mending it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import psutil

from sysmanager import api
from sysmanager.app.site.report import Victim, Way
from sysmanager.app.site.running import RunningSite
from sysmanager.domain.ids import RecorderId

AWAY = ".away"

SAID = {
    Way.KILL: "is killed: Watchdog and recording service",
    Way.STOP: "stands still: Watchdog and recording service",
    Way.CONNECTION: "is cut off: its cable to the bus is pulled",
    Way.DISKS: "has lost all its material disks",
    Way.SERVICE: "has a recording service that ended and cannot be started",
    Way.CAMERAS: "reaches none of its cameras any more",
    Way.MANUAL: "is failed over by hand",
    Way.SWITCH: "is relieved by a planned switch",
}


class Breaking:
    """What is done to one recorder. `breaks` returns as soon as it is done, `gone` when what was killed is gone."""

    def __init__(self, site: RunningSite, recorder: RecorderId, way: Way) -> None:
        self._site = site
        self._recorder = recorder
        self._way = way
        self._place = site.layout.recorder(recorder)
        self._processes: list[psutil.Process] = []

    async def breaks(self) -> None:
        """Raises CommandError when the coordinator refuses what a person asks for; OSError."""
        match self._way:
            case Way.KILL:
                self._processes = self._site.kill_recorder(self._recorder)
            case Way.STOP:
                self._processes = self._site.processes_of(self._recorder)
                _each(self._processes, psutil.Process.suspend)
            case Way.CONNECTION:
                self._site.cables[self._recorder].pull()
            case Way.DISKS:
                for disk in self._place.disks.values():
                    disk.rename(_away(disk))
            case Way.SERVICE:
                configuration = self._place.configuration
                configuration.rename(_away(configuration))
                service = self._site.service_of(self._recorder)
                self._processes = [service] if service is not None else []
                _each(self._processes, psutil.Process.kill)
            case Way.CAMERAS:
                await self._site.tell_cameras(f"cut {self._agent}")
            case Way.MANUAL:
                await self._site.request(api.StartFailover(recorder=self._recorder, maintenance=False))
            case Way.SWITCH:
                await self._site.request(api.SwitchOver(recorder=self._recorder))
            case _:
                assert_never(self._way)

    @property
    def _agent(self) -> str:
        """The word in its name by which cameras tell it from other recorders."""
        return f"({self._recorder})"

    async def gone(self) -> None:
        if self._way is Way.KILL:
            await self._site.gone(self._recorder, self._processes)

    async def mend(self) -> None:
        match self._way:
            case Way.KILL:
                await self._site.start_recorder(self._place)
            case Way.STOP:
                _each(self._processes, psutil.Process.resume)
            case Way.CONNECTION:
                self._site.cables[self._recorder].mend()
            case Way.DISKS:
                for disk in self._place.disks.values():
                    _away(disk).rename(disk)
            case Way.SERVICE:
                _away(self._place.configuration).rename(self._place.configuration)
            case Way.CAMERAS:
                await self._site.tell_cameras(f"mend {self._agent}")
            case Way.MANUAL | Way.SWITCH:
                return
            case _:
                assert_never(self._way)

    def undo(self) -> None:
        """However the rehearsal ends: leave nothing that stands still or lies elsewhere. Harmless after `mend`."""
        if self._way is Way.STOP:
            _each(self._processes, psutil.Process.resume)
        for path in (*self._place.disks.values(), self._place.configuration):
            if not path.exists():
                with contextlib.suppress(OSError):
                    _away(path).rename(path)


async def kill_and_start(site: RunningSite, victim: Victim, server: RecorderId, held: Path) -> None:
    """The coordinator stands still at its step: kill the victim, let go, and start it again."""
    match victim:
        case Victim.COORDINATOR:
            await site.restart_coordinator()
            await asyncio.to_thread(held.unlink, missing_ok=True)
        case Victim.SERVER:
            killed = site.kill_recorder(server)
            await site.gone(server, killed)
            await asyncio.to_thread(held.unlink, missing_ok=True)
            await site.start_recorder(site.layout.recorder(server))
        case _:
            assert_never(victim)


def _away(path: Path) -> Path:
    return path.with_name(path.name + AWAY)


def _each(processes: list[psutil.Process], call: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            call(process)
