"""Paints the interface in many situations: `QT_QPA_PLATFORM=offscreen python -m tests.ui.paint OUT_DIR [NAME…]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtWidgets import QApplication, QWidget

from sysmanager.api import Check, Level, Refused, Snapshot
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import FailoverSelected, FieldsEdited, LinkChanged, NoticeShown, PlaceSelected
from sysmanager.ui.state.model import Link, Place, Tone
from sysmanager.ui.theme import Theme
from sysmanager.ui.views.preview_dialog import PreviewDialog
from tests.ui import site
from tests.ui.fakes import FakeClient
from tests.ui.harness import Opened, ThemeChoice, turn, until
from tests.ui.paint_scenes import MORE, Scene


def _select(name: str) -> Scene:
    def scene(opened: Opened) -> None:
        opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid(name)))

    return scene


def _tab(name: str, tab: int) -> Scene:
    def scene(opened: Opened) -> None:
        _select(name)(opened)
        opened.window.tabs.setCurrentIndex(tab)

    return scene


def _trigger(name: str, action: Action) -> Scene:
    def scene(opened: Opened) -> QWidget | None:
        _select(name)(opened)
        opened.window.actions_[action].trigger()
        return opened.window.dialogs.opened

    return scene


def _details(entry: int) -> Scene:
    def scene(opened: Opened) -> QWidget | None:
        opened.store.dispatch(FailoverSelected(FailoverId(f"F{entry:05}")))
        opened.window.actions_[Action.DETAILS].trigger()
        return opened.window.dialogs.opened

    return scene


def _troubled(opened: Opened) -> None:
    opened.store.dispatch(LinkChanged(Link.LOST, "The coordinator does not answer; it is asked again."))
    opened.store.dispatch(NoticeShown(Tone.BAD, site.REFUSED.sentence))


def _edited(opened: Opened) -> None:
    row = opened.store.state.recorders[site.rid("TA-REC-01")]
    _select("TA-REC-01")(opened)
    opened.store.dispatch(FieldsEdited(row.id, msgspec.structs.replace(row.edit, name="TA-REC-02")))


def _site(opened: Opened) -> None:
    opened.store.dispatch(PlaceSelected(Place.SITE))


def _refused(opened: Opened) -> QWidget | None:
    opened.client.answer = Refused(sentence="TA-REC-01 is unknown to the coordinator; look at the tree again.")
    return _trigger("TA-REC-01", Action.START_FAILOVER)(opened)


def _stopped(opened: Opened) -> QWidget | None:
    checks = (Check(level=Level.STOP, sentence=site.REFUSED.sentence), Check(level=Level.GOOD, sentence="Settings are in the cache."))
    opened.client.answer = msgspec.structs.replace(site.FAILOVER_PREVIEW, allowed=False, checks=checks, target=None)
    return _trigger("TA-REC-01", Action.START_FAILOVER)(opened)


def _alarms(opened: Opened) -> None:
    opened.window._show_alarms()


def _break(opened: Opened) -> None:
    from sysmanager.api import Fault

    assert opened.controls is not None
    assert opened.window.practice is not None
    opened.controls.set_fault(site.rid("TA-REC-03"), Fault.CONNECTION, True)
    opened.controls.set_fault(site.rid("TA-REC-04"), Fault.ONE_DISK, True)
    opened.window.practice.refresh()


SCENES: dict[str, tuple[Callable[[], Snapshot], dict[str, object], Scene]] = {
    "silent": (site.harbour, {}, _select("TA-REC-03")),
    "broken": (site.harbour, {}, _select("TA-REC-05")),
    "acting": (site.harbour, {}, _select("TA-FO-01")),
    "standby": (site.harbour, {}, _select("TA-FO-02")),
    "cameras": (site.harbour, {}, _tab("TB-REC-01", 1)),
    "storage": (site.harbour, {}, _tab("TA-REC-04", 2)),
    "overview": (site.harbour, {}, _site),
    "demo": (site.harbour, {"demo": True}, _break),
    "monitoring": (site.harbour, {"role": RoleName.MONITORING}, _select("TA-REC-01")),
    "operator": (site.harbour, {"role": RoleName.OPERATOR}, _select("TA-REC-05")),
    "empty": (site.empty, {}, lambda opened: None),
    "crowded": (site.crowded, {}, lambda opened: None),
    "reconcile": (site.reconciling, {}, lambda opened: None),
    "troubled": (site.harbour, {}, _troubled),
    "edited": (site.harbour, {}, _edited),
    "alarms": (site.harbour, {}, _alarms),
    "confirm": (site.harbour, {}, _trigger("TA-REC-03", Action.START_FAILOVER)),
    "confirm-refused": (site.harbour, {}, _refused),
    "confirm-stopped": (site.harbour, {}, _stopped),
    "failback": (site.harbour, {}, _trigger("TA-REC-05", Action.FAILBACK)),
    "details": (site.harbour, {}, _details(33)),
    "details-running": (site.harbour, {}, _details(34)),
    "details-failed": (site.harbour, {}, _details(27)),
    "details-returned": (site.harbour, {}, _details(31)),
    "add": (site.empty, {}, _trigger("", Action.ADD_SERVER)),
    "groups": (site.harbour, {}, _trigger("", Action.EDIT_GROUPS)),
    "remove": (site.harbour, {}, _trigger("TA-REC-01", Action.REMOVE_SERVER)),
    **MORE,
}


async def paint(out: Path, wanted: set[str], sizes: tuple[tuple[int, int], ...]) -> None:
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme = Theme(app, ThemeChoice.LIGHT)
    for name, (make, options, scene) in SCENES.items():
        if wanted and name not in wanted:
            continue
        for width, height in sizes:
            theme.choose(ThemeChoice.LIGHT)
            snapshot = make()
            role = options.get("role", RoleName.ADMINISTRATOR)
            assert isinstance(role, RoleName)
            client = FakeClient(snapshot, Actor(name="admin" if role is RoleName.ADMINISTRATOR else role.value.lower(), role=role))
            with tempfile.TemporaryDirectory() as folder:
                opened = Opened(snapshot, Path(folder) / "s.ini", client=client, demo=bool(options.get("demo")), theme=theme)
                await opened.show(width, height)
                shown = scene(opened) or opened.window
                if isinstance(shown, PreviewDialog):
                    await until(partial(getattr, shown, "ready"))
                for choice in (ThemeChoice.LIGHT, ThemeChoice.DARK):
                    theme.choose(choice)
                    for _ in range(20):
                        await turn()
                    shown.grab().save(str(out / f"{name}-{width}-{choice.value}.png"))
                await opened.close()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    chosen = [argument for argument in sys.argv[2:] if "x" not in argument]
    dimensions = [argument.split("x") for argument in sys.argv[2:] if "x" in argument]
    asyncio.run(paint(where, set(chosen), tuple((int(w), int(h)) for w, h in dimensions) or ((1440, 900),)))
