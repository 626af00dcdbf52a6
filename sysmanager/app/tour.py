"""`sysmanager demo --tour DIR`: the story of one failover in numbered pictures, light and dark, without a display."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QSettings
from PySide6.QtGui import QImage

from sysmanager.api import Connection, Fault, Phase, RoleName
from sysmanager.app.desktop import run_headless
from sysmanager.app.engine_thread import PracticeSite
from sysmanager.app.errors import CommandError
from sysmanager.app.practice import RoleSwitcher, start_practice
from sysmanager.app.windows import open_window
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import RecorderId
from sysmanager.simulation.surroundings import Pace
from sysmanager.ui import pictures
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.model import UiState
from sysmanager.ui.theme import ThemeChoice
from sysmanager.ui.views.main_window import MainWindow
from sysmanager.ui.views.preview_dialog import PreviewDialog

WIDTH, HEIGHT = 1600, 1000
UNHURRIED = Pace(start_ms=(600, 1500), fetch_ms=(600, 800), save_ms=(1500, 2000), first_frame_ms=(700, 1500))
"""The failover server takes its time, so that the pictures catch it at work."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the tour, and what a person sees on it."""

    file: str
    theme: str
    title: str
    shows: str


def run_tour(folder: Path, *, servers: int, seed: int) -> int:
    """Write the pictures and `tour.json`. Raises CommandError if the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"The folder {folder} cannot be made ({error.strerror or error}); name another one.") from error
    try:
        return run_headless(lambda _: _scene(folder, servers=servers, seed=seed))
    except OSError as error:
        raise CommandError(str(error)) from error


async def _scene(folder: Path, *, servers: int, seed: int) -> int:
    practice = await asyncio.to_thread(start_practice, servers=servers, seed=seed, pace=UNHURRIED)
    try:
        settings = QSettings(str(folder / ".layout.ini"), QSettings.Format.IniFormat)
        settings.setValue("theme", ThemeChoice.LIGHT.value)
        window, _ = open_window(
            practice.client(RoleName.ADMINISTRATOR), settings=settings, switcher=RoleSwitcher(practice), controls=practice.site
        )
        window.resize(WIDTH, HEIGHT)
        window.show()
        window.start()
        tour = Tour(window, practice, folder)
        await tour.tell()
        window.hide()
        await window.end()
        (folder / ".layout.ini").unlink(missing_ok=True)
    finally:
        await asyncio.to_thread(practice.end)
    print(f"{len(tour.pictures)} pictures and tour.json are in {folder}.")
    return 0


class Tour:
    """The story, told on one window. pictures: what was written so far."""

    def __init__(self, window: MainWindow, practice: PracticeSite, folder: Path) -> None:
        self._window = window
        self._practice = practice
        self._folder = folder
        self._number = 0
        self.pictures: list[Picture] = []

    async def tell(self) -> None:
        """Healthy site, countdown, failover, log details, failback, roles."""
        state = await self._until(_all_well)
        recorder = self._hero(state)
        await pictures.select_server(self._window, recorder)
        await self._wait_for_forecast()
        await self._picture(
            "A healthy site", "All servers are ready. The line below the settings says where a recorder would land if it failed now."
        )
        self._practice.site.set_fault(recorder, Fault.POWER, True)
        await self._until(lambda now: now.recorders[recorder].connection is Connection.SILENT and _counts_below(now, recorder, 6000))
        await self._picture("Countdown", "A recorder is silent. Tree and settings show how long, and when failover starts; it can be held.")
        await self._until(lambda now: _entry(now, recorder) is not None)
        entry = _entry(self._state, recorder)
        assert entry is not None, "waited for"
        await pictures.select_entry(self._window, entry.id)
        await self._until(lambda now: _phase(now, recorder) in (Phase.FETCHED, Phase.SAVED))
        await self._picture("Failover in progress", "The failover server gets the settings; the log shows the step that is running.")
        await self._until(lambda now: _phase(now, recorder) is Phase.READY and _measured(now, recorder))
        await self._picture("Failover ready", "The failover server acts for the recorder, which is now among the broken ones.")
        await pictures.open_details(self._window, entry.id)
        await self._picture(
            "Log details", "The eight steps with their durations, the candidates with reasons, cameras, gaps and the to-do list."
        )
        await pictures.close_dialogs(self._window)
        await self._give_back(recorder)
        await self._window.session.switch(RoleName.MONITORING)
        await self._until(lambda now: now.actor.role is RoleName.MONITORING and bool(now.recorders))
        await pictures.select_server(self._window, recorder)
        await self._wait_for_forecast()
        await self._picture(
            "The role Monitoring", "Everything is visible; the buttons that the role does not allow are disabled and say why."
        )
        self._write_index()

    async def _give_back(self, recorder: RecorderId) -> None:
        self._practice.site.mend(recorder)
        await pictures.select_server(self._window, recorder)
        await self._until(lambda now: now.recorders[recorder].stable_ms > 2000)
        await self._picture(
            "The recorder is back", "It is connected and stable again, waits among the broken servers, and can be failed back to."
        )
        dialog = await pictures.trigger(self._window, Action.FAILBACK)
        assert isinstance(dialog, PreviewDialog), "a failback is confirmed in a preview"
        await self._picture(
            "Failback, to be confirmed", "The same decision, computed and not yet taken: every check, and the cameras that change hands."
        )
        await pictures.confirm(dialog)
        await self._until(lambda now: (phase := _phase(now, recorder)) is not None and phase.failing_back)
        await self._picture(
            "Failback in progress", "The recorder takes its settings back and opens its cameras while the failover server still records."
        )
        await self._until(lambda now: _phase(now, recorder) is Phase.RETURNED)
        await self._until(_all_well)
        await self._wait_for_forecast()
        await self._picture("Failback ready", "The recorder records its own cameras again; the failover server is on standby.")

    # ------------------------------------------------------------ looking

    @property
    def _state(self) -> UiState:
        return self._window.context.store.state

    def _hero(self, state: UiState) -> RecorderId:
        """The third recorder of the first group that can be failed over, so that the story does not begin at the edge of the tree."""
        rows = sorted((row for row in state.recorders.values() if row.role == "standard"), key=lambda row: row.name)
        first = [row for row in rows if row.group == rows[0].group]
        return first[min(2, len(first) - 1)].id

    async def _until(self, true: Callable[[UiState], bool]) -> UiState:
        return await pictures.wait_until(self._window, true, timeout_s=60)

    async def _wait_for_forecast(self) -> None:
        await self._until(lambda now: (told := now.forecast) is not None and told.recorder == now.selected and told.preview is not None)

    async def _picture(self, title: str, shows: str) -> None:
        """The situation in both themes, as near in time as painting allows."""
        self._number += 1
        grabbed: list[tuple[ThemeChoice, QImage]] = []
        for theme in (ThemeChoice.LIGHT, ThemeChoice.DARK):
            await pictures.choose_theme(self._window, theme)
            grabbed.append((theme, pictures.grab_with_dialog(self._window)))
        await pictures.choose_theme(self._window, ThemeChoice.LIGHT)
        slug = "-".join("".join(character if character.isalnum() else " " for character in title.lower()).split())
        for theme, image in grabbed:
            file = f"{self._number:02d}-{slug}-{theme.value}.png"
            pictures.save(image, self._folder / file)
            self.pictures.append(Picture(file=file, theme=theme.value, title=title, shows=shows))

    def _write_index(self) -> None:
        log = sorted(self._state.failovers.values(), key=lambda entry: -entry.number)
        index = {
            "site": self._state.system.site if self._state.system is not None else "",
            "size": [WIDTH, HEIGHT],
            "pictures": msgspec.to_builtins(self.pictures),
            "failover_log": [{**msgspec.to_builtins(entry), "state": entry.log_state.value} for entry in log],
        }
        (self._folder / "tour.json").write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _all_well(state: UiState) -> bool:
    """Every server records or stands by. Not "ready" in every respect: the site has an analogue camera, which never moves."""
    rows = state.recorders.values()
    return bool(rows) and all(row.health == "good" for row in rows)


def _entry(state: UiState, recorder: RecorderId) -> Failover | None:
    found = [entry for entry in state.failovers.values() if entry.recorder == recorder]
    return max(found, key=lambda entry: entry.number) if found else None


def _phase(state: UiState, recorder: RecorderId) -> Phase | None:
    entry = _entry(state, recorder)
    return entry.phase if entry is not None else None


def _measured(state: UiState, recorder: RecorderId) -> bool:
    entry = _entry(state, recorder)
    return entry is not None and entry.worst_gap_ms is not None


def _counts_below(state: UiState, recorder: RecorderId, limit_ms: int) -> bool:
    countdown_ms = state.recorders[recorder].countdown_ms
    return countdown_ms is not None and countdown_ms < limit_ms
