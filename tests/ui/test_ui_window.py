"""The main window as a person uses it: mouse, keyboard, tool tips, roles, layout, end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QMessageBox

from sysmanager.api import (
    CoordinatorState,
    EditRecorder,
    Fault,
    HoldFailover,
    PreviewFailback,
    PreviewFailover,
    Refused,
    StartFailback,
    StartFailover,
)
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.operations import log_pages
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import LinkChanged, NoticeShown, PlaceSelected
from sysmanager.ui.state.model import Link, Place, Tone
from sysmanager.ui.theme import Theme
from sysmanager.ui.views.parts import ActionButton
from sysmanager.ui.views.preview_dialog import PreviewDialog
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.fakes import FakeClient
from tests.ui.harness import Opened, turn, until

LEFT = Qt.MouseButton.LeftButton
MONITORING = Actor(name="monitoring", role=RoleName.MONITORING)


def click(button: QAbstractButton | None) -> None:
    assert button is not None
    assert button.isVisible()
    QTest.mouseClick(button, LEFT)


def select(opened: Opened, name: str) -> None:
    opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid(name)))


async def preview(opened: Opened) -> PreviewDialog:
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, PreviewDialog)
    await until(lambda: dialog.ready, "the preview")
    return dialog


def sent(opened: Opened, kind: type) -> list[object]:
    return [request for request in opened.client.requests if isinstance(request, kind)]


async def test_a_failover_is_started_only_after_its_preview_was_confirmed(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    click(opened.window.settings_tab.start)
    dialog = await preview(opened)
    assert PreviewFailover(recorder=site.rid("TA-REC-03")) in opened.client.questions
    assert opened.client.requests == []
    click(dialog.go)
    await until(lambda: bool(opened.client.requests), "the request")
    assert opened.client.requests == [StartFailover(recorder=site.rid("TA-REC-03"))]
    assert opened.window.dialogs.opened is None


async def test_a_failover_that_is_not_confirmed_is_not_started(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    click(opened.window.settings_tab.start)
    dialog = await preview(opened)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    await turn()
    assert opened.window.dialogs.opened is None
    assert opened.client.requests == []


async def test_return_in_the_confirmation_does_not_start_anything(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    click(opened.window.settings_tab.start)
    dialog = await preview(opened)
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    await turn()
    assert opened.client.requests == []


@pytest.mark.parametrize("stopped", [True, False])
async def test_what_the_preview_forbids_cannot_be_confirmed(open_site: OpenSite, stopped: bool) -> None:
    opened = await open_site(site.harbour())
    opened.client.answer = (
        msgspec.structs.replace(site.FAILOVER_PREVIEW, allowed=False, checks=()) if stopped else Refused(sentence="It is unknown.")
    )
    click(opened.window.settings_tab.start)
    dialog = await preview(opened)
    assert dialog.go is not None
    assert not dialog.go.isEnabled()
    assert dialog.go.toolTip() == ("The coordinator would refuse it." if stopped else "It is unknown.")


async def test_a_preview_offers_nothing_to_start(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.window.actions_[Action.PREVIEW].trigger()
    dialog = await preview(opened)
    assert dialog.go is None


async def test_failback_from_the_broken_server_and_from_the_log(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    key = FailoverId("F00033")
    select(opened, "TA-REC-05")
    opened.window.actions_[Action.FAILBACK].trigger()
    click((await preview(opened)).go)
    await until(lambda: len(sent(opened, StartFailback)) == 1 and not opened.store.state.running, "the answer")
    opened.window.log.view.selectRow(1)
    assert opened.store.state.selected_failover == key
    opened.window.actions_[Action.FAILBACK_ENTRY].trigger()
    click((await preview(opened)).go)
    await until(lambda: len(sent(opened, StartFailback)) == 2, "the request")
    assert set(sent(opened, StartFailback)) == {StartFailback(failover=key)}
    assert PreviewFailback(failover=key) in opened.client.questions


async def test_monitoring_sees_disabled_buttons_with_the_reason(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), client=FakeClient(site.harbour(), MONITORING))
    start = opened.window.settings_tab.start
    assert start.isVisible()
    assert not start.isEnabled()
    assert (
        start.toolTip()
        == "The role Monitoring may not start, hold or abort a failover or a failback; ask someone with the role Administrator or Operator."
    )
    assert start.accessibleDescription() == start.toolTip()
    action = opened.window.actions_[Action.START_FAILOVER]
    assert (action.isEnabled(), action.toolTip()) == (False, start.toolTip())
    QTest.mouseClick(start, LEFT)
    await turn()
    assert opened.window.dialogs.opened is None
    form = opened.window.settings_tab._form.editors
    assert not form.name.isEnabled()
    assert "may not change system data" in form.name.toolTip()


async def test_what_a_countdown_rules_out_says_why_below_the_buttons_too(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    select(opened, "TA-REC-03")
    tab = opened.window.settings_tab
    switch = next(button for button in tab.findChildren(ActionButton) if button.text() == opened.window.actions_[Action.SWITCH].text())
    assert switch.isVisible()
    assert not switch.isEnabled()
    assert switch.toolTip().startswith("TA-REC-03 is not connected; a planned switch relieves a server that records.")
    assert switch.toolTip() in tab._reason.text()
    assert tab._reason.isVisible()
    select(opened, "TA-REC-01")
    assert not tab._reason.isVisible()


async def test_an_operator_may_fail_back_and_not_edit(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), client=FakeClient(site.harbour(), Actor(name="o", role=RoleName.OPERATOR)))
    select(opened, "TA-REC-05")
    actions = opened.window.actions_
    assert actions[Action.FAILBACK].isEnabled()
    assert not actions[Action.ADD_SERVER].isEnabled()
    assert not actions[Action.SAVE].isEnabled()


async def test_switching_the_role_in_the_demo(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), demo=True)
    assert opened.switcher is not None
    choice = opened.window.role_choice
    choice.setCurrentText("Monitoring")
    choice.activated.emit(choice.currentIndex())
    await until(lambda: opened.store.state.actor.role is RoleName.MONITORING, "the role")
    assert not opened.window.settings_tab.start.isEnabled()
    assert opened.client.closed
    opened.switcher.error = "The coordinator allows no more sessions; close one."
    choice.setCurrentText("Operator")
    choice.activated.emit(choice.currentIndex())
    await until(lambda: bool(opened.store.state.notices), "the refusal")
    assert choice.currentText() == "Monitoring"


async def test_settings_are_typed_saved_and_shown(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    select(opened, "TA-REC-01")
    name = opened.window.settings_tab._form.editors.name
    name.setFocus()
    name.selectAll()
    QTest.keyClicks(name, "Gate house")
    assert opened.store.state.draft is not None
    assert opened.window.settings_tab._draft_note.text() == "Not saved yet."
    opened.window.actions_[Action.SAVE].trigger()
    await until(lambda: opened.store.state.recorders[site.rid("TA-REC-01")].name == "Gate house", "the change")
    await until(lambda: opened.store.state.draft is None, "the answer")
    (request,) = sent(opened, EditRecorder)
    assert isinstance(request, EditRecorder)
    assert (request.revision, request.fields.name) == (4, "Gate house")
    assert opened.window.settings_tab._title.text() == "Gate house"


async def test_an_edit_that_crosses_another_says_so_and_is_not_sent(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    select(opened, "TA-REC-01")
    form = opened.window.settings_tab._form.editors
    QTest.keyClicks(form.name, "x")
    row = opened.store.state.recorders[site.rid("TA-REC-01")]
    opened.client.tell(recorders=(msgspec.structs.replace(row, revision=5, address="10.9.9.9"),))
    await until(lambda: opened.store.state.conflict is not None, "the conflict")
    save = opened.window.actions_[Action.SAVE]
    assert not save.isEnabled()
    assert "Somebody else changed these settings" in save.toolTip()
    assert "Somebody else changed these settings" in opened.window.settings_tab._draft_note.text()
    assert form.name.text() == "TA-REC-01x"
    opened.window.actions_[Action.REVERT].trigger()
    assert (form.name.text(), form.address.text()) == ("TA-REC-01", "10.9.9.9")
    assert sent(opened, EditRecorder) == []


async def test_typing_keeps_the_cursor_while_telemetry_arrives(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    select(opened, "TA-REC-01")
    name = opened.window.settings_tab._form.editors.name
    name.setCursorPosition(2)
    QTest.keyClicks(name, "x")
    row = opened.store.state.recorders[site.rid("TA-REC-01")]
    opened.client.tell(recorders=(msgspec.structs.replace(row, silence_ms=500),))
    await until(lambda: opened.store.state.recorders[row.id].silence_ms == 500, "the heartbeat")
    assert (name.text(), name.cursorPosition()) == ("TAx-REC-01", 3)


async def test_every_field_becomes_part_of_the_draft(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    select(opened, "TA-REC-01")
    form = opened.window.settings_tab._form.editors
    form.enabled.click()
    for combo, place in ((form.role, 1), (form.group, 2), (form.timeout, 0)):
        combo.setCurrentIndex(place)
        combo.activated.emit(place)
    fields = opened.store.state.fields
    assert fields is not None
    assert (fields.failover_enabled, fields.role.value, fields.group, fields.detection_timeout_s) == (False, "failover", site.B, 10)


async def test_hold_and_release_share_one_place(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    actions = opened.window.actions_
    assert (actions[Action.HOLD].isVisible(), actions[Action.RELEASE].isVisible()) == (True, False)
    actions[Action.HOLD].trigger()
    await until(lambda: actions[Action.RELEASE].isVisible(), "the hold")
    assert sent(opened, HoldFailover) == [HoldFailover(recorder=site.rid("TA-REC-03"))]
    assert not actions[Action.HOLD].isVisible()
    await until(lambda: not opened.store.state.running, "the answer")
    actions[Action.RELEASE].trigger()
    await until(lambda: actions[Action.HOLD].isVisible(), "the release")


async def test_a_refusal_is_shown_until_it_is_closed(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.client.reply = site.REFUSED
    opened.window.actions_[Action.HOLD].trigger()
    await until(lambda: opened.window.banners.isVisible(), "the banner")
    (bar,) = opened.window.banners._notices.values()
    assert bar.label.text() == site.REFUSED.sentence
    click(bar.findChild(QAbstractButton))
    await turn()
    assert not opened.window.banners.isVisible()


async def test_a_slow_command_shows_progress(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.client.gate = asyncio.Event()
    opened.window.context.operations._slow_s = 0.001
    opened.window.actions_[Action.HOLD].trigger()
    slow = asyncio.Event()
    opened.store.subscribe(lambda state: slow.set() if any(one.slow for one in state.running) else None)
    await asyncio.wait_for(slow.wait(), 5)
    assert opened.window._status._bar.isVisible()
    assert not opened.window.actions_[Action.HOLD].isEnabled()
    opened.client.gate.set()
    await until(lambda: not opened.window._status._bar.isVisible(), "the end of the progress")


async def test_the_first_start_explains_what_to_do(open_site: OpenSite) -> None:
    opened = await open_site(site.empty())
    window = opened.window
    assert window.pages.currentWidget() is window._first
    texts = [button.accessibleName() for button in window._first.findChildren(QAbstractButton)]
    assert "Add TA-REC-01" in texts
    assert "Add TA-FO-01" in texts
    assert "Add server…" in texts
    click(next(button for button in window._first.findChildren(QAbstractButton) if button.accessibleName() == "Add TA-FO-01"))
    assert window.dialogs.opened is not None
    assert window.dialogs.opened.windowTitle() == "Add server"


async def test_the_first_start_says_what_the_configuration_of_a_recorder_must_name(theme: Theme, tmp_path: Path) -> None:
    nobody = msgspec.structs.replace(site.empty(), system=msgspec.structs.replace(site.empty().system, unknown=()))
    opened = Opened(nobody, tmp_path / "s.ini", theme=theme, joining='It needs the line bus = "/data/bus.json".')
    window = await opened.show()
    texts = [label.text() for label in window._first.findChildren(QLabel)]
    assert 'None yet. It needs the line bus = "/data/bus.json".' in texts
    await opened.close()


async def test_before_the_coordinator_is_heard_the_window_says_that_it_waits(theme: Theme, tmp_path: Path) -> None:
    opened = Opened(site.harbour(), tmp_path / "s.ini", theme=theme)
    opened.window.show()
    assert opened.window.pages.currentWidget() is opened.window._waiting
    assert "Connecting" in opened.window._status._coordinator.text()
    await opened.close()


async def test_the_tree_follows_and_leads_the_selection(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    tree = opened.window.tree
    assert tree.currentIndex().data() == "TA-REC-03"
    tree.setFocus()
    QTest.keyClick(tree, Qt.Key.Key_Down)
    assert opened.store.state.selected == site.rid("TA-REC-04")
    assert opened.window.tabs.tabText(1) == "Cameras (16)"
    QTest.keyClick(tree, Qt.Key.Key_Home)
    assert opened.store.state.place is Place.SITE
    assert opened.window.pages.currentWidget() is opened.window._overview
    click(opened.window._overview._lines[site.rid("TB-REC-04")]._button)
    assert tree.currentIndex().data() == "TB-REC-04"
    opened.store.dispatch(PlaceSelected(Place.SITE))
    assert tree.currentIndex().data() == "Harbour site"


async def test_a_countdown_is_live_in_tree_and_heading(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    row = opened.store.state.recorders[site.rid("TA-REC-03")]
    opened.client.tell(recorders=(msgspec.structs.replace(row, countdown_ms=9_000, silence_ms=51_000),))
    chip = opened.window.settings_tab._chip
    await until(lambda: chip.text() == "silent for 51 s of 1 min · fails over in 0:09", "the countdown")
    assert "0:09" in opened.window.tree.currentIndex().data(Qt.ItemDataRole.ToolTipRole)


async def test_the_log_is_filtered_sorted_and_opened_by_keyboard(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pages, "PAUSE_S", 0.0)
    opened = await open_site(site.harbour())
    log = opened.window.log
    QTest.keyClicks(log.filter, "failed")
    assert 0 < log.view.model().rowCount() < 34
    await until(lambda: log._count.text().endswith("entries found"), "the pages of what was searched")
    log.filter.clear()
    assert log.view.model().rowCount() == 34
    log.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert log._model.lines[0].number == 1
    log.view.setFocus()
    QTest.keyClick(log.view, Qt.Key.Key_Return)
    await turn()
    assert opened.window.dialogs.opened is not None
    QTest.keyClicks(log.filter, "no such thing")
    await until(lambda: log.view._empty == "No entry matches the filter.", "the answer")


async def test_the_link_and_the_findings_are_shown_above(open_site: OpenSite) -> None:
    opened = await open_site(site.reconciling())
    banners = opened.window.banners
    assert "TA-FO-02 acts for TA-REC-02" in banners._findings.label.text()
    opened.window.actions_[Action.CONFIRM_RECONCILE].trigger()
    box = opened.window.dialogs.opened
    assert isinstance(box, QMessageBox)
    box.reject()
    opened.store.dispatch(LinkChanged(Link.LOST, "It went away."))
    assert banners._link.isVisible()
    assert "It went away." in banners._link.label.text()
    muted = opened.window.context.theme.colour(Tone.MUTED).name()
    assert muted in opened.window._status._ready.text(), "how many are ready is not known now"
    assert not opened.window.actions_[Action.HOLD].isEnabled()


async def test_good_news_stands_in_the_status_bar(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.store.dispatch(NoticeShown(Tone.GOOD, "Saved."))
    assert opened.window._status._news.text() == "Saved."
    assert not opened.window.banners.isVisible()
    assert "Watching 13 servers" in opened.window._status._coordinator.text()
    assert "7 of 13 servers ready" in opened.window._status._ready.text()
    assert opened.window._status._practice.isVisible()


async def test_the_demo_panel_breaks_and_mends(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), demo=True)
    panel, controls = opened.window.practice, opened.controls
    assert panel is not None
    assert controls is not None
    select(opened, "TA-REC-04")
    switch = panel._switches[Fault.CONNECTION]
    assert switch.toolTip().startswith("Pull its network cable")
    switch.click()
    assert next(server for server in controls.servers() if server.id == "TA-REC-04").faults == {Fault.CONNECTION}
    controls.set_fault(site.rid("TA-REC-04"), Fault.ONE_DISK, True)
    panel.refresh()
    assert panel._switches[Fault.ONE_DISK].isChecked()
    panel._mend.click()
    assert not switch.isChecked()
    controls.set_fault(site.rid("TB-REC-01"), Fault.POWER, True)
    panel.refresh()
    panel._all.click()
    assert not any(server.faults for server in controls.servers())


async def test_the_demo_panel_keeps_the_focus_when_its_buttons_go(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), demo=True)
    panel = opened.window.practice
    assert panel is not None
    select(opened, "TA-REC-04")
    panel._switches[Fault.POWER].click()
    panel._switches[Fault.ONE_DISK].click()
    assert [words for _, words in panel._broken] == ["TA-REC-04: switched off, one disk broken"]
    for button in (panel._mend, panel._all):
        button.setFocus()
        button.click()
        await turn()
        assert not button.isEnabled()
        assert opened.window.focusWidget() is panel._choice
        panel._switches[Fault.POWER].click()


async def test_the_cameras_of_a_replaced_server_are_where_its_log_entry_says(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    select(opened, "TA-REC-05")
    assert opened.window.cameras_tab._note.text() == "TA-FO-01 has 24 of these 24 cameras until a failback; this server waits."


async def test_findings_without_a_reconcile_hold_nothing(open_site: OpenSite) -> None:
    snapshot = site.reconciling()
    opened = await open_site(snapshot)
    assert opened.window.banners._findings.label.text().startswith("Automatic failover is held until this is confirmed. What the servers")
    quiet = msgspec.structs.replace(snapshot.system, state=CoordinatorState.WATCHING)
    opened = await open_site(msgspec.structs.replace(snapshot, system=quiet))
    text = opened.window.banners._findings.label.text()
    assert text.startswith("What the servers say differs from system data.")
    assert "held" not in text
    waiting = msgspec.structs.replace(quiet, findings=(), waiting_for=(site.rid("TA-REC-05"),))
    opened = await open_site(msgspec.structs.replace(snapshot, system=waiting))
    assert opened.window.banners._findings.label.text() == "Not heard yet, and reconciled when they are: TA-REC-05."


async def test_without_levers_there_is_no_demo_panel(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    assert opened.window.practice_dock is None
    assert not opened.window.role_choice.isVisible()
