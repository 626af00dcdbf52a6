"""The demo: a simulated site in a thread of its own, a window on it, three roles to try, and a panel to break servers."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from sysmanager.api import Client, Done, Request, RoleName
from sysmanager.app.desktop import user_settings
from sysmanager.app.engine_thread import PracticeSite
from sysmanager.app.errors import CommandError
from sysmanager.app.windows import open_window, until_closed
from sysmanager.engine.clients import LocalClient
from sysmanager.simulation.demo_site import demo_plan
from sysmanager.simulation.live import SimulatedSite
from sysmanager.simulation.surroundings import Pace

SITE_NAME = "Harbour site"


class RoleSwitcher:
    """Opens a session in any of the three roles: only the demo may do that without a password (SPEC 12)."""

    def __init__(self, practice: PracticeSite) -> None:
        self._practice = practice

    @property
    def roles(self) -> tuple[RoleName, ...]:
        return tuple(RoleName)

    async def switch(self, role: RoleName) -> Client:
        return self._practice.client(role)


def start_practice(*, servers: int, seed: int, pace: Pace | None = None) -> PracticeSite:
    """The demo site, serving, with its system data entered through the public requests."""
    plan = demo_plan(standard=servers, seed=seed)
    practice = PracticeSite(SimulatedSite(plan, seed=seed, pace=pace), name=SITE_NAME)
    practice.start()
    entered: Future[None] = practice.call(lambda client: enter(client, plan.requests()))
    entered.result(30)
    return practice


async def enter(client: LocalClient, requests: tuple[Request, ...]) -> None:
    """Ask for all of these, one after the other. Raises CommandError for one that is refused."""
    for request in requests:
        reply = await client.request(request)
        if not isinstance(reply, Done):
            raise CommandError(f"The demo site could not be set up: {reply.sentence}")


async def demo_scene(*, servers: int, seed: int, report_painted: bool = False) -> int:
    """The demo until its window is closed."""
    practice = await asyncio.to_thread(start_practice, servers=servers, seed=seed)
    try:
        client = practice.client(RoleName.ADMINISTRATOR)
        window, _ = open_window(client, settings=user_settings(), switcher=RoleSwitcher(practice), controls=practice.site)
        if report_painted:
            from sysmanager.app.painted import report_first_paint

            report_first_paint(window)
        await until_closed(window)
    finally:
        await asyncio.to_thread(practice.end)
    return 0
