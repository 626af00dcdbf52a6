"""The main window as it looks and ends: widths, themes, the layout that is kept, names for screen readers, closing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QAccessible, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLineEdit,
    QMenu,
    QMessageBox,
    QStyle,
    QStyleOptionFrame,
    QTableView,
    QTreeView,
)

from sysmanager.domain.hours import EXAMPLE
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import PlaceSelected
from sysmanager.ui.state.model import Place
from sysmanager.ui.theme import DARK, LIGHT, Theme, ThemeChoice
from sysmanager.ui.views.parts import ActionButton
from sysmanager.ui.window import chosen_theme
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.harness import Opened, turn, until

LEFT = Qt.MouseButton.LeftButton


def click(button: QAbstractButton | None) -> None:
    assert button is not None
    assert button.isVisible()
    QTest.mouseClick(button, LEFT)


def select(opened: Opened, name: str) -> None:
    opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid(name)))


async def test_the_failover_log_fills_its_width(open_site: OpenSite) -> None:
    harbour = site.harbour()
    for entries, scrolls in ((harbour.failovers[:2], False), (harbour.failovers, True)):
        opened = await open_site(msgspec.structs.replace(harbour, failovers=entries))
        view = opened.window.log.view
        assert view.verticalScrollBar().isVisible() is scrolls
        assert view.horizontalHeader().length() == view.viewport().width()
        for width in (1600, 1200, 1500):
            opened.window.resize(width, 900)
            await turn()
            assert view.horizontalHeader().length() == view.viewport().width(), width


async def test_the_tree_has_its_width_again_when_the_window_has(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), demo=True)
    window = opened.window

    async def widths(*sizes: int) -> list[int]:
        seen = []
        for width in sizes:
            window.resize(width, 900)
            await turn()
            seen.append(window.tree_dock.width())
        return seen

    first = window.tree_dock.width()
    narrow, again = await widths(900, 1440)
    assert narrow < first
    assert again == first
    window.resizeDocks([window.tree_dock], [300], Qt.Orientation.Horizontal)
    await turn()
    assert await widths(1500, 900, 1440) == [300, narrow, 300], "as a person drags it"


async def test_the_failover_log_fills_its_width_from_the_beginning(theme: Theme, tmp_path: Path) -> None:
    harbour = site.harbour()
    opened = Opened(msgspec.structs.replace(harbour, failovers=harbour.failovers[:1]), tmp_path / "s.ini", demo=True, theme=theme)
    opened.window.resize(1600, 1000)
    opened.window.show()
    opened.window.start()
    await until(lambda: opened.store.state.loaded and opened.store.settled, "the first snapshot")
    await turn()
    view = opened.window.log.view
    assert view.horizontalHeader().length() == view.viewport().width()
    assert not view.isColumnHidden(8)
    await opened.close()


async def test_closing_asks_first_and_stays_open_until_confirmed(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), guard=lambda: "4 servers lose their protection.")
    closed: list[bool] = []
    opened.window.closed.connect(lambda: closed.append(True))
    opened.window.close()
    box = opened.window.dialogs.opened
    assert isinstance(box, QMessageBox)
    assert box.informativeText() == "4 servers lose their protection."
    assert opened.window.isVisible()
    QTest.keyClick(box, Qt.Key.Key_Escape)
    await turn()
    assert opened.window.isVisible()
    assert closed == []
    opened.window.close()
    box = opened.window.dialogs.opened
    assert isinstance(box, QMessageBox)
    go = next(button for button in box.buttons() if button.text() == "Close")
    click(go)
    await until(lambda: bool(closed), "the end")
    assert not opened.window.isVisible()


async def test_closing_without_a_cost_asks_nothing(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), guard=lambda: None)
    closed: list[bool] = []
    opened.window.closed.connect(lambda: closed.append(True))
    opened.window.close()
    assert closed == [True]


async def test_the_layout_and_the_theme_are_kept(open_site: OpenSite, tmp_path: Path, theme: Theme) -> None:
    opened = await open_site(site.harbour())
    opened.window.alarm_dock.show()
    opened.window.choose_theme(ThemeChoice.DARK)
    opened.window.close()
    settings = QSettings(str(tmp_path / "layout.ini"), QSettings.Format.IniFormat)
    assert chosen_theme(settings) is ThemeChoice.DARK
    again = Opened(site.harbour(), tmp_path / "layout.ini", theme=theme)
    assert not again.window.alarm_dock.isHidden()
    await again.close()
    theme.choose(ThemeChoice.LIGHT)
    settings.setValue("theme", "purple")
    assert chosen_theme(settings) is ThemeChoice.SYSTEM


async def test_the_theme_changes_while_the_window_is_open(open_site: OpenSite, theme: Theme) -> None:
    opened = await open_site(site.harbour())
    opened.window.choose_theme(ThemeChoice.DARK)
    assert theme.colours is DARK
    assert theme.dark
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    assert app.palette().window().color().name() == DARK.panel
    opened.window.choose_theme(ThemeChoice.SYSTEM)
    opened.window.choose_theme(ThemeChoice.LIGHT)
    assert theme.colours is LIGHT


async def test_everything_has_a_name_for_screen_readers(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), demo=True)
    for button in opened.window.findChildren(QAbstractButton):
        by_qt = isinstance(button.parent(), QLineEdit) or button.objectName().startswith("qt_")
        if button.isVisible() and not by_qt:
            interface = QAccessible.queryAccessibleInterface(button)
            assert interface.text(QAccessible.Text.Name), button
    for kind in (QTableView, QTreeView):
        for view in opened.window.findChildren(kind):
            assert view.accessibleName(), view


async def test_every_action_has_a_place_for_the_keyboard(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    menu_bar = opened.window.menuBar()
    in_menus = {action for menu in menu_bar.findChildren(QMenu) for action in menu.actions()}
    elsewhere = {Action.EDIT, Action.CONFIRM_RECONCILE, Action.ACKNOWLEDGE_ALARM, Action.BREAK}
    for action in Action:
        assert action in elsewhere or opened.window.actions_[action] in in_menus, action
    shortcuts = [opened.window.actions_[action].shortcut().toString() for action in Action]
    used = [shortcut for shortcut in shortcuts if shortcut]
    assert len(used) == len(set(used))
    assert all("&" in button.text() for button in opened.window.findChildren(ActionButton))


async def test_narrow_windows_give_the_room_to_what_matters(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.window.resize(1024, 700)
    await turn()
    assert opened.window.width() == 1024
    assert opened.window.log.view.isColumnHidden(8)
    assert opened.window.log.view.columnWidth(4) > 250
    opened.window.resize(1500, 900)
    await turn()
    assert not opened.window.log.view.isColumnHidden(8)


async def test_closing_with_unsaved_settings_asks(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), guard=lambda: "4 servers lose their protection.")
    select(opened, "TA-REC-01")
    QTest.keyClicks(opened.window.settings_tab._form.editors.name, "x")
    opened.window.close()
    box = opened.window.dialogs.opened
    assert isinstance(box, QMessageBox)
    assert box.informativeText() == "4 servers lose their protection. Settings that were not saved are lost: TA-REC-01."


async def test_the_wheel_scrolls_the_page_and_changes_no_setting(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    timeout = opened.window.settings_tab._form.editors.timeout
    before = timeout.currentIndex()
    for focused in (False, True):
        if focused:
            timeout.setFocus()
        middle = QPointF(timeout.rect().center())
        turned = QWheelEvent(
            middle,
            timeout.mapToGlobal(middle),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(timeout, turned)
        assert (timeout.currentIndex() != before) is focused


@pytest.mark.parametrize("demo", [False, True])
@pytest.mark.parametrize("width", [1024, 1200, 1440])
async def test_no_setting_and_no_button_is_cut_off_at_the_right(open_site: OpenSite, width: int, demo: bool) -> None:
    opened = await open_site(site.harbour(), demo=demo)
    tab = opened.window.settings_tab
    for server in ("TA-REC-03", "TA-REC-05", "TB-REC-02", "TB-REC-04", "TA-FO-01"):
        opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid(server)))
        opened.window.resize(width, 900)
        for _ in range(3):
            await turn()
        assert tab.widget().width() <= tab.viewport().width(), server
        for button in tab.findChildren(ActionButton):
            if button.isVisible():
                right = button.mapTo(tab.widget(), button.rect().topRight()).x()
                assert right < tab.widget().width(), (server, button.text())
                assert button.width() >= button.sizeHint().width(), (server, button.text())


async def test_an_example_of_hours_can_be_read_to_its_end(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), demo=True)
    form = opened.window.settings_tab._form
    for width in (1024, 1200, 1440, 1600, 1920):
        opened.window.resize(width, 900)
        for _ in range(3):
            await turn()
        for line in (form.editors.drill.hours, form.editors.copy.hours, form.editors.failback_hours):
            option = QStyleOptionFrame()
            line.initStyleOption(option)
            inside = line.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, line).width() - 4
            assert line.fontMetrics().horizontalAdvance(line.placeholderText()) <= inside, width
            assert EXAMPLE in line.toolTip()


async def test_the_great_button_is_in_sight_without_scrolling(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid("TA-REC-03")))
    opened.window.resize(1440, 900)
    for _ in range(3):
        await turn()
    tab = opened.window.settings_tab
    bottom = tab.start.mapTo(tab.viewport(), tab.start.rect().bottomLeft()).y()
    assert bottom <= tab.viewport().height()
