"""The levers of the demo: what they do to a simulated server on a bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.local import LocalBus
from sysmanager.bus.port import Message
from sysmanager.protocol.practice import FAULT_SENTENCES, Fault
from sysmanager.protocol.recorders import Farewell, Leaving
from sysmanager.recorder.machine import Situation
from sysmanager.simulation.demo_site import demo_plan
from sysmanager.simulation.live import SimulatedSite
from sysmanager.simulation.surroundings import Pace

FAST = Pace(start_ms=(1, 2), fetch_ms=(1, 2), save_ms=(1, 2), first_frame_ms=(1, 2), retry_ms=5, report_ms=1)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - the simulated server lives on the real clock
            await asyncio.sleep(0.005)


def test_every_lever_says_what_it_does() -> None:
    assert set(FAULT_SENTENCES) == set(Fault)


async def test_a_server_is_cut_off_from_its_cameras_and_reaches_them_again() -> None:
    site = SimulatedSite(demo_plan(standard=1, seed=1), seed=1, pace=FAST)
    await site.start(LocalBus())
    try:
        one = next(server.id for server in site.servers() if not server.failover)
        recorder = site._servers[one].recorder
        await until(lambda: len(recorder.capture.recorded()) > 0)
        site.set_fault(one, Fault.CAMERAS, True)
        await until(lambda: not recorder.capture.recorded())
        assert next(server.faults for server in site.servers() if server.id == one) == {Fault.CAMERAS}
        site.mend(one)
        await until(lambda: len(recorder.capture.recorded()) > 0)
    finally:
        await site.stop()


async def test_a_shutdown_is_announced_and_the_server_records_on_for_as_long_as_it_is_asked_to() -> None:
    bus = LocalBus()
    site = SimulatedSite(demo_plan(standard=1, seed=1), seed=1, pace=FAST)
    coordinator = bus.endpoint()
    said: list[Leaving] = []
    released = asyncio.Event()

    async def farewell(message: Message) -> bytes:
        said.append(wire.decode(Leaving, message.body))
        await released.wait()
        return wire.encode(Farewell(wait_ms=1))

    await coordinator.serve(subjects.LEAVING, farewell)
    await site.start(bus)
    try:
        one = next(server.id for server in site.servers() if not server.failover)
        recorder = site._servers[one].recorder
        await until(lambda: recorder.state.situation is Situation.STANDBY or len(recorder.capture.recorded()) > 0)
        site.set_fault(one, Fault.SHUTDOWN, True)
        await until(lambda: len(said) == 1)
        assert said[0].recorder == one
        assert recorder.powered, "it waits for the answer"
        released.set()
        await until(lambda: not recorder.powered)
        site.set_fault(one, Fault.POWER, True)
        site.set_fault(one, Fault.POWER, False)
        await until(lambda: next(server.faults for server in site.servers() if server.id == one) == {Fault.SHUTDOWN})
        assert not recorder.powered, "the switch is on, and nobody started it"
        site.set_fault(one, Fault.SHUTDOWN, False)
        await until(lambda: recorder.powered)
    finally:
        await site.stop()
        await coordinator.close()


async def test_a_shutdown_that_nobody_hears_happens_all_the_same_and_one_that_is_mended_does_not() -> None:
    site = SimulatedSite(demo_plan(standard=2, seed=1), seed=1, pace=FAST)
    await site.start(LocalBus())
    try:
        first, second = (server.id for server in site.servers() if not server.failover)
        recorder = site._servers[first].recorder
        await until(lambda: recorder.powered)
        site.set_fault(first, Fault.SHUTDOWN, True)
        await until(lambda: not recorder.powered)
        site.set_fault(second, Fault.SHUTDOWN, True)
        site.mend(second)
        await until(lambda: next(server.faults for server in site.servers() if server.id == second) == frozenset())
        await until(lambda: not site._servers[second].recorder.trouble.leaving)
        assert site._servers[second].recorder.powered
    finally:
        await site.stop()
