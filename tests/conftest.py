"""How the tests are shared among the workers of `pytest -n`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import WorkStealingScheduling


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WorkStealingScheduling:
    """A worker that has nothing left takes over from the others: the tests with processes, which mostly wait, stand side by side in one
    folder, and by default all of them would fall to one worker."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)
