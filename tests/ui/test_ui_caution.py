"""Maintenance, system settings, the mass-loss brake and the crash loop, as people see and order them."""

from __future__ import annotations

from datetime import UTC

import msgspec
import pytest
from PySide6.QtCore import QDateTime, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from sysmanager.api import (
    AcknowledgeAlarm,
    Alarm,
    BrakeRow,
    EditSystem,
    EndMaintenance,
    Maintenance,
    Scope,
    Snapshot,
    StartFailover,
    StartMaintenance,
    SystemSettings,
    Target,
)
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.caution import brake_text, maintenance_text
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import SnapshotArrived
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.reducer import reduce
from sysmanager.ui.views.maintenance_dialog import MaintenanceDialog
from sysmanager.ui.views.preview_dialog import PreviewDialog
from sysmanager.ui.views.system_dialog import SystemDialog
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.fakes import FakeClient
from tests.ui.harness import Opened, until
from tests.ui.site import NOW_MS

SERVER = site.rid("TA-REC-03")
HOUR_MS = 3_600_000


def found(target: Target, reason: str = "new disks") -> Maintenance:
    return Maintenance(target=target, reason=reason, until_wall_ms=NOW_MS + HOUR_MS, since_wall_ms=NOW_MS, actor=site.ADMIN)


def harbour_with(maintenance: Maintenance | None = None, **system: object) -> Snapshot:
    snapshot = site.harbour()
    rows = tuple(msgspec.structs.replace(row, maintenance=maintenance) if row.id == SERVER else row for row in snapshot.recorders)
    return msgspec.structs.replace(snapshot, recorders=rows, system=msgspec.structs.replace(snapshot.system, **system))


def click(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def maintaining(opened: Opened) -> MaintenanceDialog:
    opened.window.actions_[Action.MAINTENANCE].trigger()
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, MaintenanceDialog)
    return dialog


# ---------------------------------------------------------------- maintenance


async def test_a_server_is_put_into_maintenance_with_a_reason_and_an_end(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = maintaining(opened)
    assert not dialog.go.isEnabled()
    dialog.reason.setText("new disks")
    assert dialog.go.isEnabled()
    dialog.span.setCurrentIndex(1)
    assert dialog.until.dateTime().toMSecsSinceEpoch() == NOW_MS + 4 * HOUR_MS
    dialog.until.setDateTime(QDateTime.fromMSecsSinceEpoch(NOW_MS - 1))
    assert not dialog.go.isEnabled()
    dialog.until.setDateTime(QDateTime.fromMSecsSinceEpoch(NOW_MS + HOUR_MS))
    click(dialog.go)
    wanted = StartMaintenance(target=Target(scope=Scope.RECORDER, id=SERVER), reason="new disks", until_wall_ms=NOW_MS + HOUR_MS)
    await until(lambda: wanted in opened.client.requests, "the request")


async def test_how_long_never_contradicts_the_end(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = maintaining(opened)
    assert dialog.span.currentText() == "1 hour"
    dialog.until.setDateTime(QDateTime.fromMSecsSinceEpoch(NOW_MS + 90 * 60_000))
    assert dialog.span.currentText() == "Until the time below"
    assert dialog.until.dateTime().toMSecsSinceEpoch() == NOW_MS + 90 * 60_000
    dialog.span.setCurrentIndex(2)
    assert (dialog.span.currentText(), dialog.until.dateTime().toMSecsSinceEpoch()) == ("8 hours", NOW_MS + 8 * HOUR_MS)
    dialog.span.setCurrentIndex(dialog.span.count() - 1)
    assert dialog.until.dateTime().toMSecsSinceEpoch() == NOW_MS + 8 * HOUR_MS, "choosing to type it changes nothing"


async def test_its_group_or_the_whole_system_can_be_chosen(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    dialog = maintaining(opened)
    targets = [dialog.target.itemData(place) for place in range(dialog.target.count())]
    assert [target.scope for target in targets] == [Scope.RECORDER, Scope.GROUP, Scope.SYSTEM]


async def test_what_is_in_maintenance_is_shown_and_ended_before_its_time(open_site: OpenSite) -> None:
    group = Target(scope=Scope.GROUP, id=site.A)
    opened = await open_site(harbour_with(found(group)))
    assert "is in maintenance until" in opened.window.settings_tab._maintenance.text()
    dialog = maintaining(opened)
    assert (dialog.reason.text(), dialog.target.currentData()) == ("new disks", group)
    assert (dialog.go.text(), dialog.span.currentText()) == ("Change maintenance", "1 hour")
    dialog.reject()
    opened.window.actions_[Action.END_MAINTENANCE].trigger()
    await until(lambda: EndMaintenance(target=group) in opened.client.requests, "the request")


@pytest.mark.parametrize(
    ("target", "begins"),
    [
        (Target(scope=Scope.RECORDER, id=SERVER), "TA-REC-03 is in maintenance until Today "),
        (Target(scope=Scope.GROUP, id=site.A), "The group Terminal A is in maintenance"),
        (Target(scope=Scope.GROUP, id="gone"), "The group gone is in maintenance"),
        (Target(scope=Scope.SYSTEM), "The whole system is in maintenance"),
    ],
)
def test_the_words_say_what_until_when_why_and_by_whom(target: Target, begins: str) -> None:
    state = reduce(UiState(actor=site.ADMIN), SnapshotArrived(harbour_with(found(target))))
    text = maintenance_text(state.recorders[SERVER], state, NOW_MS, UTC)
    assert text.startswith(begins)
    assert f"new disks ({site.ADMIN.name})" in text
    other = next(row for row in state.recorders.values() if row.id != SERVER)
    assert maintenance_text(other, state, NOW_MS, UTC) == ""


async def test_a_failover_by_hand_asks_whether_the_server_goes_into_maintenance(open_site: OpenSite) -> None:
    opened = await open_site(site.harbour())
    click(opened.window.settings_tab.start)
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, PreviewDialog)
    await until(lambda: dialog.ready, "the preview")
    assert not dialog._choice.isHidden()
    assert dialog.offered
    dialog._choice.setChecked(False)
    assert dialog.go is not None
    click(dialog.go)
    await until(lambda: StartFailover(recorder=SERVER, maintenance=False) in opened.client.requests, "the request")


# ---------------------------------------------------------------- system settings


def setting(opened: Opened) -> SystemDialog:
    opened.window.actions_[Action.SYSTEM_SETTINGS].trigger()
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, SystemDialog)
    return dialog


async def test_system_settings_are_changed_as_of_their_revision(open_site: OpenSite) -> None:
    opened = await open_site(harbour_with(settings_revision=7))
    dialog = setting(opened)
    assert dialog.settings() == SystemSettings()
    assert (dialog.share.text(), dialog.least.text()) == ("30 % of the recorders", "3 recorders")
    dialog.goes_on.setChecked(False)
    assert not dialog.limit.isEnabled()
    dialog.opinion.setChecked(True)
    dialog.announced.setCurrentIndex(dialog.announced.findData(600))
    click(dialog.save)
    wanted = EditSystem(revision=7, settings=SystemSettings(brake_limit_s=None, opinion_holds=True, announced_timeout_s=600))
    await until(lambda: wanted in opened.client.requests, "the request")


async def test_others_may_look_at_them(open_site: OpenSite) -> None:
    client = FakeClient(site.harbour(), actor=Actor(name="olga", role=RoleName.OPERATOR))
    opened = await open_site(site.harbour(), client=client)
    dialog = setting(opened)
    assert not dialog.save.isEnabled()
    assert "may not change system data" in dialog.save.toolTip()


# ---------------------------------------------------------------- brake and crash loop


async def test_the_brake_and_a_crash_loop_are_bars_above_the_pages(open_site: OpenSite) -> None:
    brake = BrakeRow(since_wall_ms=NOW_MS, lost=6, watched=10, waiting=4, goes_on_in_ms=41_200)
    alarm = Alarm(key="crash loop", sentence="The coordinator started three times.", since_wall_ms=NOW_MS)
    opened = await open_site(harbour_with(brake=brake, alarms=(alarm,)))
    banners = opened.window.banners
    assert banners._brake.label.text() == (
        "6 of 10 recorders fell silent together. 4 failovers wait until a failover server confirms it. It goes on in 42 seconds."
    )
    assert not banners._brake.isHidden()
    assert banners._crashes.label.text() == alarm.sentence
    opened.window.actions_[Action.ACKNOWLEDGE_ALARM].trigger()
    await until(lambda: AcknowledgeAlarm(key="crash loop") in opened.client.requests, "the request")


def test_a_brake_that_never_goes_on_says_what_to_do() -> None:
    brake = BrakeRow(since_wall_ms=NOW_MS, lost=3, watched=3, waiting=1)
    state = reduce(UiState(actor=site.ADMIN), SnapshotArrived(harbour_with(brake=brake)))
    assert brake_text(state).endswith(
        "1 failover waits until a failover server confirms it. "
        "It does not go on by itself: look at the network, or start failovers by hand."
    )
    assert brake_text(UiState(actor=site.ADMIN)) == ""
