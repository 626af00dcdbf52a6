"""A coordinator, or a bus, that is stopped for longer than a timeout: nobody is blamed for it (SPEC 4). Real processes, loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from sysmanager import api
from sysmanager.domain.failover import Trigger
from tests.helpers.command_line import WITHIN_S, LiveSite, Machine, relatives, stop

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

STOPPED_S = 14.0
"""Longer than the timeout of 10 s, and than what the bus waits for a client that says nothing."""

WATCHED_S = 4.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveSite]:
    machine = Machine(tmp_path_factory.mktemp("home"))
    made = LiveSite(machine, tmp_path_factory.mktemp("site"))
    await made.open()
    yield made
    await made.close()
    await stop(made.process)
    await machine.end()


async def stopped(process: psutil.Process) -> None:
    """As a machine that sleeps, or swaps, or is held in a debugger: its clock goes on, it does nothing."""
    process.suspend()
    try:
        await asyncio.sleep(STOPPED_S)
    finally:
        process.resume()


async def everybody_heard(site: LiveSite) -> bool:
    """False also while the coordinator cannot answer yet. Nothing was replaced meanwhile."""
    try:
        found = await site.client.snapshot()
    except api.ClientError:
        return False
    assert found.failovers == ()
    return all(row.connection == "connected" for row in found.recorders)


async def nobody_was_blamed(site: LiveSite) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await everybody_heard(site):  # noqa: ASYNC110  # other processes have no events
            await asyncio.sleep(0.1)
    await asyncio.sleep(WATCHED_S)
    found = await site.client.snapshot()
    assert found.failovers == ()
    assert all(row.connection == "connected" for row in found.recorders)


def bus_server(folder: Path) -> psutil.Process:
    return next(process for process in relatives(folder) if "nats-server" in process.name())


async def test_a_stopped_coordinator_blames_nobody_when_it_goes_on(site: LiveSite) -> None:
    await stopped(psutil.Process(site.process.pid))
    await nobody_was_blamed(site)


async def test_a_stuck_bus_blames_nobody(site: LiveSite) -> None:
    await stopped(bus_server(site.data))
    await nobody_was_blamed(site)


async def test_afterwards_a_recorder_that_is_really_silent_is_replaced(site: LiveSite) -> None:
    site.recorders["A"].up = False
    found = await site.snapshot_until(lambda rows: type(rows["F"].assignment).__name__ == "Acting")
    assert [(entry.recorder, entry.trigger) for entry in found.failovers] == [("A", Trigger.CONNECTION)]
    assert isinstance(found, api.Snapshot)
