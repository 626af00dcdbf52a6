"""Adding servers, groups, details, removal, and the situations for pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from sysmanager.api import AbortFailover, AddRecorder, ConfirmReconcile, Refused, RemoveGroup, RemoveRecorder, SaveGroup
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.group import Group
from sysmanager.domain.ids import FailoverId, GroupId
from sysmanager.domain.recorder import Role
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui import pictures
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import FailoverSelected, PlaceSelected
from sysmanager.ui.state.model import Place
from sysmanager.ui.theme import ThemeChoice
from sysmanager.ui.views.add_server import AddServerDialog
from sysmanager.ui.views.details_dialog import DetailsDialog, gap_parts
from sysmanager.ui.views.groups_dialog import GroupsDialog
from sysmanager.ui.views.preview_dialog import PreviewDialog
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.fakes import FakeClient
from tests.ui.harness import Opened, turn, until

KEY = FailoverId("F00033")


def adding(opened: Opened, chosen: str = "") -> AddServerDialog:
    opened.window.dialogs.add_server(chosen)
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, AddServerDialog)
    return dialog


def grouping(opened: Opened) -> GroupsDialog:
    opened.window.actions_[Action.EDIT_GROUPS].trigger()
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, GroupsDialog)
    return dialog


def press(opened: Opened, text: str) -> None:
    box = opened.window.dialogs.opened
    assert isinstance(box, QMessageBox)
    next(button for button in box.buttons() if button.text() == text).click()


async def test_an_announced_server_is_added_with_its_role_and_the_only_group(open_site: OpenSite) -> None:
    one_group = msgspec.structs.replace(site.empty(), groups=(Group(id=site.A, name="Terminal A"),))
    opened = await open_site(one_group)
    dialog = adding(opened)
    assert not dialog.add.isEnabled()
    dialog.list.setCurrentRow(1)
    assert (dialog.id.text(), dialog.edit.name.text()) == ("TA-FO-01", "TA-FO-01")
    assert dialog.edit.fields().role is Role.FAILOVER
    assert dialog.add.isEnabled()
    dialog.add.click()
    await until(lambda: bool(opened.client.requests), "the request")
    (request,) = opened.client.requests
    assert isinstance(request, AddRecorder)
    assert (request.id, request.fields.role, request.fields.group) == ("TA-FO-01", Role.FAILOVER, site.A)
    await until(lambda: opened.window.dialogs.opened is None, "the end of the dialog")


async def test_a_typed_id_is_checked_as_it_is_typed(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = adding(opened)
    QTest.keyClicks(dialog.id, "TA-REC-01")
    assert "in system data already" in dialog._problem.text()
    dialog.id.clear()
    QTest.keyClicks(dialog.id, "no good")
    assert dialog._problem.text().startswith("Id is not possible")
    dialog.id.clear()
    QTest.keyClicks(dialog.id, "TC-1")
    assert dialog.edit.name.text() == "TC-1"
    dialog.edit.name.clear()
    QTest.keyClicks(dialog.edit.name, "Office")
    dialog.id.clear()
    QTest.keyClicks(dialog.id, "TC-2")
    assert dialog.edit.name.text() == "Office"
    assert dialog.add.isEnabled()


async def test_a_refused_server_leaves_the_dialog_open_with_the_reason(open_site: OpenSite) -> None:
    opened = await open_site(site.empty())
    dialog = adding(opened, "TA-REC-01")
    opened.client.reply = Refused(sentence="TA-REC-01 runs on the machine of the coordinator; add another.")
    dialog.add.click()
    await until(lambda: "machine of the coordinator" in dialog._problem.text(), "the refusal")
    assert opened.window.dialogs.opened is dialog
    assert dialog.add.isEnabled()


async def test_a_group_is_renamed_and_its_order_changed(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = grouping(opened)
    assert not dialog.save.isEnabled()
    QTest.keyClicks(dialog.name, " East")
    dialog.order.setCurrentRow(1)
    dialog.up.click()
    dialog.partial.click()
    dialog.preroll.setCurrentIndex(2)
    dialog.preroll.activated.emit(2)
    dialog.save.click()
    await until(lambda: bool(opened.client.requests), "the request")
    (request,) = opened.client.requests
    assert isinstance(request, SaveGroup)
    assert request.group.name == "Terminal A East"
    assert request.group.preference == (site.rid("TA-FO-02"), site.rid("TA-FO-01"))
    assert request.group.partial
    assert request.group.preroll is FailoverPriority.MEDIUM
    opened.client.tell(groups=(request.group,))
    await until(lambda: dialog.list.item(0).text() == "Terminal A East", "the new name")
    await until(lambda: not dialog.save.isEnabled(), "the answer")
    assert dialog.name.text() == "Terminal A East"


async def test_a_new_group_gets_an_id_of_its_name(open_site: OpenSite) -> None:
    opened = await open_site(site.empty())
    dialog = grouping(opened)
    QTest.keyClicks(dialog.name, "Terminal A")
    dialog.save.click()
    await until(lambda: bool(opened.client.requests), "the request")
    group = Group(id=GroupId("Terminal-A"), name="Terminal A")
    assert opened.client.requests == [SaveGroup(group=group)]
    opened.client.tell(groups=(group,))
    await until(lambda: dialog.list.count() == 1, "the group in the list")
    assert dialog.name.text() == "Terminal A"
    await until(dialog.remove.isEnabled, "the answer")
    dialog.remove.click()
    await until(lambda: len(opened.client.requests) == 2, "the removal")
    assert opened.client.requests[1] == RemoveGroup(group=group.id)


async def test_a_group_with_members_cannot_be_removed_and_a_taken_name_not_saved(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = grouping(opened)
    assert not dialog.remove.isEnabled()
    assert "still in the group" in dialog.remove.toolTip()
    dialog.list.setCurrentRow(1)
    assert dialog.name.text() == "Terminal B"
    dialog.name.clear()
    QTest.keyClicks(dialog.name, "terminal a")
    assert "is taken by another group" in dialog._problem.text()
    dialog.new.click()
    assert dialog.name.text() == ""


async def test_what_is_edited_in_a_group_stays_while_others_change(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = grouping(opened)
    QTest.keyClicks(dialog.name, "x")
    row = opened.store.state.recorders[site.rid("TA-REC-01")]
    opened.client.tell(recorders=(msgspec.structs.replace(row, silence_ms=1),))
    await until(lambda: opened.store.state.recorders[row.id].silence_ms == 1, "the heartbeat")
    assert dialog.name.text() == "Terminal Ax"


async def test_lists_of_a_first_group_say_why_they_are_empty(open_site: OpenSite) -> None:
    opened = await open_site(msgspec.structs.replace(site.empty(), groups=()))
    dialog = grouping(opened)
    assert dialog.list.count() == dialog.order.count() == 0
    assert dialog.list.accessibleDescription().startswith("No group yet.")
    assert dialog.order.accessibleDescription().startswith("No failover server is in this group yet.")
    dialog.grab()


async def test_monitoring_may_look_at_groups_only(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour(), client=FakeClient(site.harbour(), Actor(name="m", role=RoleName.MONITORING)))
    opened.window.dialogs.edit_groups()
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, GroupsDialog)
    assert not dialog.name.isEnabled()
    assert not dialog.new.isEnabled()
    assert "may not change system data" in dialog._problem.text()


async def test_a_server_is_removed_only_when_confirmed(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid("TA-REC-01")))
    opened.window.actions_[Action.REMOVE_SERVER].trigger()
    press(opened, "Cancel")
    await turn()
    assert opened.client.requests == []
    opened.window.actions_[Action.REMOVE_SERVER].trigger()
    press(opened, "Remove server")
    await until(lambda: bool(opened.client.requests), "the request")
    assert opened.client.requests == [RemoveRecorder(recorder=site.rid("TA-REC-01"))]


async def test_an_abort_is_confirmed(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.window.actions_[Action.ABORT_ENTRY].trigger()
    press(opened, "Abort failover")
    await until(lambda: bool(opened.client.requests) and not opened.store.state.running, "the answer")
    opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid("TB-REC-04")))
    opened.window.actions_[Action.ABORT].trigger()
    press(opened, "Abort failover")
    await until(lambda: len(opened.client.requests) == 2, "the request")
    assert opened.client.requests == [AbortFailover(failover=FailoverId("F00034"))] * 2


async def test_findings_are_confirmed_as_they_were_shown(open_site: OpenSite) -> None:
    opened = await open_site(site.reconciling())
    opened.window.actions_[Action.CONFIRM_RECONCILE].trigger()
    press(opened, "Confirm findings")
    await until(lambda: bool(opened.client.requests), "the request")
    assert opened.client.requests == [ConfirmReconcile(findings=site.reconciling().system.findings)]


def running(phase: Phase) -> Failover:
    return msgspec.structs.replace(site.ready_failover(33, "TA-REC-05", "TA-FO-01"), phase=phase, steps=site.steps(4))


async def test_details_follow_their_entry(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = await pictures.open_details(opened.window, KEY)
    assert dialog.windowTitle() == "Failover 33: TA-REC-05 → TA-FO-01"
    assert dialog._steps.rowCount() == 8
    assert dialog._candidates.rowCount() == 3
    assert dialog._cameras.rowCount() == 25
    assert any("Number plates" in box.accessibleName() for box in dialog.remarks.boxes)
    assert "Worst gap" in dialog._gap.text()
    assert dialog._tabs.count() == 1
    back = site.past_failover(31).failback
    returned = msgspec.structs.replace(opened.store.state.failovers[KEY], phase=Phase.FAILBACK_TAKEN, failback=back)
    opened.client.tell(failovers=(returned,))
    await until(lambda: dialog._tabs.count() == 2, "the failback")
    assert dialog._chip.text() == "Failback in progress"
    assert dialog._back_steps.rowCount() == 11
    opened.client.tell(failovers=(msgspec.structs.replace(returned, failback=None),))
    await until(lambda: dialog._tabs.count() == 1, "the end of the failback")


async def test_details_of_a_failure_say_what_to_do(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = await pictures.open_details(opened.window, FailoverId("F00027"))
    assert dialog._reason.label.text().startswith("Two failover servers were lost. The failover servers that were tried did not answer")
    opened.window.actions_[Action.DETAILS].trigger()
    assert opened.window.dialogs.opened is dialog


def test_the_parts_of_a_gap() -> None:
    told = gap_parts(site.ready_failover(33, "TA-REC-05", "TA-FO-01"))
    assert "Worst gap 1 min 01 s" in told
    assert "detection 1 min 00 s · decision 13 ms · saving settings 0.42 s · first frame 1.00 s" in told
    assert gap_parts(site.failover(1, "TA-REC-01", Phase.WAITING)) == ""


async def test_pictures_of_situations(open_site: OpenSite, tmp_path: Path) -> None:
    opened = await open_site(site.harbour())
    window = opened.window
    await pictures.select_server(window, site.rid("TA-REC-05"), pictures.TAB_CAMERAS)
    await pictures.choose_theme(window, ThemeChoice.DARK)
    picture = pictures.grab(window)
    assert picture.width() == window.width()
    assert pictures.save(picture, tmp_path / "one.png").stat().st_size > 10_000
    await pictures.choose_theme(window, ThemeChoice.LIGHT)
    with pytest.raises(OSError, match="cannot be written"):
        pictures.save(picture, tmp_path / "nowhere" / "one.png")
    await pictures.select_server(window, site.rid("TA-REC-03"))
    dialog = await pictures.trigger(window, Action.START_FAILOVER)
    assert isinstance(dialog, PreviewDialog)
    assert pictures.grab_with_dialog(window).size() == window.size()
    await pictures.confirm(dialog)
    await until(lambda: bool(opened.client.requests), "the request")
    details = await pictures.open_details(window, KEY)
    assert isinstance(details, DetailsDialog)
    await pictures.close_dialogs(window)
    assert window.dialogs.opened is None
    await pictures.filter_log(window, "x")
    await pictures.show_site(window)
    with pytest.raises(ValueError, match="No server is selected"):
        await pictures.trigger(window, Action.HOLD)
    with pytest.raises(TimeoutError):
        await pictures.wait_until(window, lambda _: False, timeout_s=0.02)


async def test_details_are_not_modal_and_escape_closes_them(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.store.dispatch(FailoverSelected(KEY))
    opened.window.actions_[Action.DETAILS].trigger()
    dialog = opened.window.dialogs.opened
    assert dialog is not None
    assert not dialog.isModal()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    await turn()
    assert opened.window.dialogs.opened is None


async def test_a_dialog_closed_before_its_answer_leaves_no_trace(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    opened.client.ask_gate = asyncio.Event()
    opened.window.actions_[Action.START_FAILOVER].trigger()
    await until(lambda: bool(opened.client.questions), "the question")
    await pictures.close_dialogs(opened.window)
    opened.client.ask_gate.set()
    await turn()
    assert opened.client.requests == []


async def test_a_command_goes_on_when_its_dialog_is_closed_before_the_answer(open_site: OpenSite) -> None:
    opened = await open_site(site.empty())
    opened.client.gate = asyncio.Event()
    dialog = adding(opened, "TA-REC-01")
    dialog.add.click()
    await until(lambda: bool(opened.client.requests), "the request")
    dialog.reject()
    await turn()
    opened.client.gate.set()
    await until(lambda: bool(opened.store.state.notices), "the answer")
    assert opened.store.state.notices[-1].sentence == "Done as asked."
