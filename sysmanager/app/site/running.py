"""A site at work: its parts started in order, its servers taken into system data, and all of it ended however the block ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from msgspec.structs import replace

from sysmanager import api
from sysmanager.app.errors import CommandError
from sysmanager.app.site.cable import Cable
from sysmanager.app.site.files import SESSIONS, SiteFile, camera_ids, give_bus_access
from sysmanager.app.site.layout import CAMERA_USER, GROUP, SITE_NAME, RecorderPlace, SiteLayout, shares
from sysmanager.app.site.processes import END_S, Part, end_all, kill_all, strays
from sysmanager.app.site.watch import Watch
from sysmanager.bus.credentials import load_credentials
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.recorder.service_process import running_service
from sysmanager.simulation.cameras.control import send_command

ANNOUNCED_S = 30.0


class RunningSite:
    """`client`: a session as Administrator; `watch`: what it sees. cables: of those recorders whose connection can be cut."""

    def __init__(
        self,
        layout: SiteLayout,
        site: SiteFile,
        credentials_file: Path,
        client: api.Client,
        watch: Watch,
        cameras: Part,
        coordinator: Part,
    ) -> None:
        self.layout = layout
        self._camera_control = site.camera_port + 1
        self._cameras = cameras
        self._coordinator = coordinator
        self._restarting = False
        self._restarted = asyncio.Event()
        self.cables: dict[RecorderId, Cable] = {}
        self.credentials_file = credentials_file
        self.client = client
        self.watch = watch
        self.shares: dict[RecorderId, tuple[CameraId, ...]] = shares(camera_ids(site))
        self.watchdogs: dict[RecorderId, Part] = {}

    async def while_alive(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this for as long as cameras and coordinator live. CommandError when one of them ends."""
        task = asyncio.create_task(work)
        endings = [asyncio.create_task(self._cameras.ended()), asyncio.create_task(self._coordinator_ended())]
        try:
            done, _ = await asyncio.wait({task, *endings}, return_when=asyncio.FIRST_COMPLETED)
            if task not in done:
                raise CommandError(next(ending.result() for ending in endings if ending in done))
        finally:
            for each in (task, *endings):
                each.cancel()
            await asyncio.gather(task, *endings, return_exceptions=True)
        task.result()

    async def _coordinator_ended(self) -> str:
        """Wait until it ends without being meant to."""
        while True:
            self._restarted.clear()
            why = await self._coordinator.ended()
            if not self._restarting:
                return why
            await self._restarted.wait()

    async def restart_coordinator(self) -> None:
        """Kill it, as when its machine loses power, and start it again. CommandError when it does not come."""
        self._restarting = True
        try:
            family = self._coordinator.family()
            kill_all(family)
            await self._coordinator.gone()
            await asyncio.to_thread(end_all, family[1:])
            self._coordinator = await Part.start("coordinator", coordinator_arguments(self.layout), self.layout.logs)
            await self._coordinator.ready()
        finally:
            self._restarting = False
            self._restarted.set()

    def coordinator_processes(self) -> list[psutil.Process]:
        """The coordinator itself first, then the guard of its bus and the bus."""
        return self._coordinator.family()

    async def end_coordinator(self) -> None:
        await self._coordinator.end()

    async def start_recorder(self, place: RecorderPlace) -> None:
        """Start its Watchdog, which starts the recording service. CommandError."""
        part = await Part.start(place.id, ("recorder", "--config", str(place.configuration)), self.layout.logs)
        part.drain()
        self.watchdogs[place.id] = part

    def service_of(self, recorder: RecorderId) -> psutil.Process | None:
        """The process of its recording service, if it runs."""
        return running_service(self.layout.recorder(recorder).data)

    def kill_recorder(self, recorder: RecorderId) -> list[psutil.Process]:
        """As when its machine loses power: first the Watchdog, which would restart it, then the recording service.

        Returns at once with the processes that were killed; `gone` waits for them.
        """
        killed = self.processes_of(recorder)
        kill_all(killed)
        return killed

    def processes_of(self, recorder: RecorderId) -> list[psutil.Process]:
        """Its Watchdog first, then its recording service and whatever else they started."""
        service = self.service_of(recorder)
        family = self.watchdogs[recorder].family()
        return family if service is None or service in family else [*family, service]

    async def gone(self, recorder: RecorderId, killed: list[psutil.Process]) -> None:
        watchdog = self.watchdogs[recorder]
        await watchdog.gone()
        await asyncio.to_thread(end_all, [process for process in killed if process.pid != watchdog.pid])

    async def end_recorders(self) -> None:
        await asyncio.gather(*(part.end() for part in self.watchdogs.values()))
        await asyncio.to_thread(_end_strays, self.layout)

    async def take_in_servers(self, *, preroll: bool) -> None:
        """Add the group and the recorders that system data does not have. CommandError when the coordinator refuses."""
        known = await self.client.snapshot()
        found = next((group for group in known.groups if group.id == GROUP.id), None)
        wanted = replace(found or GROUP, preroll=FailoverPriority.LOW if preroll else None)
        if found != wanted:
            await self.request(api.SaveGroup(group=wanted))
        present = {row.id for row in known.recorders}
        for place in self.layout.recorders:
            if place.id in present:
                continue
            await self.watch.until(partial(self._announced, place.id), ANNOUNCED_S, f"{place.id} did not announce itself")
            await self.request(api.AddRecorder(id=place.id, fields=place.edit))

    def _announced(self, recorder: RecorderId) -> bool:
        system = self.watch.system
        return recorder in self.watch.recorders or (system is not None and any(each.id == recorder for each in system.unknown))

    async def tell_cameras(self, command: str) -> None:
        """A command for the control port of the synthetic cameras. CommandError when they do not obey."""
        try:
            answer = await send_command("127.0.0.1", self._camera_control, command)
        except (OSError, TimeoutError) as error:
            answer = str(error) or "they do not answer"
        if answer != "ok":
            raise CommandError(f"The cameras did not obey “{command}”: {answer}.")

    async def request(self, request: api.Request) -> api.Done:
        """CommandError with the coordinator's sentence when it refuses."""
        reply = await self.client.request(request)
        if isinstance(reply, api.Refused):
            raise CommandError(f"The coordinator refused: {reply.sentence}")
        return reply


@asynccontextmanager
async def running_site(
    layout: SiteLayout, site: SiteFile, *, preroll: bool = False, wired: RecorderId | None = None, hold_at: str | None = None
) -> AsyncIterator[RunningSite]:
    """Start everything; at the end of the block, or if something fails halfway, end everything. CommandError, ClientError, BusError.

    preroll: the failover server holds the last seconds of all cameras. wired: a recorder that gets a cable of its own to the bus.
    hold_at: the coordinator stands still at a step of the first failover (`step_hold`).
    """
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(_end_strays, layout)
        cameras = await Part.start("cameras", _cameras_arguments(layout, site), layout.logs)
        stack.push_async_callback(cameras.end)
        coordinator = await Part.start("coordinator", coordinator_arguments(layout, hold_at), layout.logs)
        stack.push_async_callback(coordinator.end)
        try:
            await cameras.ready()
        except CommandError as error:
            ports = f"{site.camera_port} and {site.camera_port + 1}"
            raise CommandError(
                f"The cameras of {layout.root} can't listen on their ports {ports}; end the program that uses them, or name another "
                f"folder ({error})"
            ) from error
        ready = await coordinator.ready()
        credentials_file = Path(ready["credentials"])
        cables = await _cables(stack, credentials_file, wired)
        await asyncio.to_thread(give_bus_access, layout, credentials_file, {recorder: cable.port for recorder, cable in cables.items()})
        client = await api.connect(credentials_file, name="site")
        stack.push_async_callback(client.close)
        watch = await stack.enter_async_context(Watch(client))
        running = RunningSite(layout, site, credentials_file, client, watch, cameras, coordinator)
        running.cables = cables
        stack.push_async_callback(running.end_recorders)
        # Before the recorders: it would relieve each of them that says that it ends, as long as the failover server is there.
        stack.push_async_callback(running.end_coordinator)
        for place in layout.recorders:
            await running.start_recorder(place)
        await running.take_in_servers(preroll=preroll)
        yield running


async def _cables(stack: AsyncExitStack, credentials_file: Path, wired: RecorderId | None) -> dict[RecorderId, Cable]:
    if wired is None:
        return {}
    cable = Cable((await asyncio.to_thread(load_credentials, credentials_file)).port)
    await cable.open()
    stack.push_async_callback(cable.close)
    return {wired: cable}


def _cameras_arguments(layout: SiteLayout, site: SiteFile) -> tuple[str, ...]:
    return (
        "cameras",
        *("--count", str(site.cameras)),
        *("--port", str(site.camera_port)),
        *("--sessions", str(SESSIONS)),
        *("--authentication", "digest", "--user", CAMERA_USER, "--password-file", str(layout.camera_password)),
        *("--cache", str(layout.cameras)),
        "--json",
    )


def coordinator_arguments(layout: SiteLayout, hold_at: str | None = None) -> tuple[str, ...]:
    return (
        "coordinator",
        *("--data", str(layout.coordinator)),
        *("--site", SITE_NAME),
        *("--site-key", str(layout.site_key)),
        *("--log", str(layout.logs / "coordinator.log")),
        *("--parent", str(os.getpid())),
        "--practice",
        *(("--hold-at", hold_at) if hold_at is not None else ()),
    )


def _end_strays(layout: SiteLayout) -> None:
    left = strays(place.configuration for place in layout.recorders)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    end_all(left, within_s=END_S)
