"""A home for commands and a live site, one for all tests of a file."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.helpers.command_line import LiveSite, Machine, stop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("home"))
    yield made
    await made.end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveSite]:
    made = LiveSite(machine, tmp_path_factory.mktemp("site"))
    await made.open()
    yield made
    await made.close()
    await stop(made.process)


# ---------------------------------------------------------------- arguments
