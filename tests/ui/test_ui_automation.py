"""What a server does by itself, as a form: material copy and drills, of a server and of a group; and cameras that are left dark."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.api import EditRecorder, FailoverId, SaveGroup, Snapshot, StartFailback
from sysmanager.domain.failover import Failback, Reason
from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.domain.jobs import DrillSchedule, MaterialCopySettings
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import PlaceSelected
from sysmanager.ui.state.forms import problem_with, problem_with_group
from sysmanager.ui.state.model import Place
from sysmanager.ui.views.general_form import GeneralFields
from sysmanager.ui.views.groups_dialog import GroupsDialog
from sysmanager.ui.views.preview_dialog import PreviewDialog
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.fakes import FakeClient
from tests.ui.harness import Opened, turn, until

SERVER = site.rid("TA-REC-01")
COPY = MaterialCopySettings(automatic=True, limit_kbps=50_500, hours="Mon-Fri 22:00-05:00")
DRILL = DrillSchedule(every_days=30, hours="02:00-04:00")


def harbour_with(**changes: object) -> Snapshot:
    """The harbour, with a server that has settings of its own."""
    harbour = site.harbour()
    rows = tuple(msgspec.structs.replace(row, **changes) if row.id == SERVER else row for row in harbour.recorders)
    return msgspec.structs.replace(harbour, recorders=rows)


async def form_of(open_site: OpenSite, snapshot: Snapshot, role: RoleName = RoleName.ADMINISTRATOR) -> tuple[Opened, GeneralFields]:
    opened = await open_site(snapshot, client=FakeClient(snapshot, Actor(name="anna", role=role)))
    opened.store.dispatch(PlaceSelected(Place.SERVER, SERVER))
    await turn()
    return opened, opened.window.settings_tab._form.editors


async def saved(opened: Opened) -> EditRecorder:
    opened.window.actions_[Action.SAVE].trigger()
    await until(lambda: any(isinstance(one, EditRecorder) for one in opened.client.requests), "the request")
    (request,) = [one for one in opened.client.requests if isinstance(one, EditRecorder)]
    return request


async def test_a_changed_name_leaves_the_other_settings_as_they_are(open_site: OpenSite) -> None:
    opened, edit = await form_of(open_site, harbour_with(material_copy=COPY, drill=DRILL))
    edit.name.setText("Gate 1")
    edit.name.textEdited.emit("Gate 1")
    fields = (await saved(opened)).fields
    assert (fields.name, fields.material_copy, fields.drill) == ("Gate 1", COPY, DRILL)


async def test_copy_and_drills_are_shown_and_changed(open_site: OpenSite) -> None:
    opened, edit = await form_of(open_site, harbour_with(material_copy=COPY, drill=DRILL))
    assert (edit.copy.automatic.isChecked(), edit.copy.limit.value(), edit.copy.hours.text()) == (True, 50_500, COPY.hours)
    assert (edit.drill.days.text(), edit.drill.hours.text()) == ("Every 30 days", DRILL.hours)
    edit.copy.automatic.click()
    edit.copy.limit.setValue(0)
    edit.drill.days.setValue(0)
    assert (edit.copy.limit.text(), edit.drill.days.text()) == ("No limit", "As its group says")
    for line in (edit.copy.hours, edit.drill.hours):
        line.clear()
        line.textEdited.emit("")
    fields = (await saved(opened)).fields
    assert (fields.material_copy, fields.drill) == (MaterialCopySettings(), DrillSchedule())


@pytest.mark.parametrize("role", RoleName, ids=lambda role: role.value)
async def test_only_who_may_change_settings_may_change_these_and_the_others_read_why(open_site: OpenSite, role: RoleName) -> None:
    _, edit = await form_of(open_site, harbour_with(material_copy=COPY, drill=DRILL), role)
    for editor in (*edit.copy.editors, *edit.drill.editors):
        assert editor.isEnabled() is (role is RoleName.ADMINISTRATOR)
        assert ("may not change system data" in editor.toolTip()) is (role is not RoleName.ADMINISTRATOR)
        assert editor.accessibleName()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"material_copy": MaterialCopySettings(hours="22-5")}, "Copy hours is wrong: "),
        ({"drill": DrillSchedule(hours="Xyz 01:00-02:00")}, "Drill hours is wrong: "),
    ],
    ids=["copy", "drill"],
)
async def test_hours_that_are_none_are_named_before_they_are_sent(open_site: OpenSite, changes: dict[str, object], sentence: str) -> None:
    opened, edit = await form_of(open_site, site.harbour())
    fields = msgspec.structs.replace(edit.fields(), **changes)
    problem = problem_with(fields, opened.store.state, own=SERVER)
    assert problem is not None
    assert problem.startswith(sentence)


async def test_a_group_has_drills_for_those_that_have_none_of_their_own(open_site: OpenSite) -> None:
    opened, _ = await form_of(open_site, site.harbour())
    opened.window.actions_[Action.EDIT_GROUPS].trigger()
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, GroupsDialog)
    assert dialog.drill.days.text() == "Never by itself"
    dialog.drill.days.setValue(14)
    dialog.drill.hours.setText("25:00-26:00")
    dialog.drill.hours.textEdited.emit("")
    assert not dialog.save.isEnabled()
    assert dialog.save.toolTip().startswith("Drill hours is wrong: ")
    assert problem_with_group(dialog._group(), opened.store.state) == dialog.save.toolTip()
    dialog.drill.hours.setText(DRILL.hours)
    dialog.drill.hours.textEdited.emit("")
    dialog.save.click()
    await until(lambda: any(isinstance(one, SaveGroup) for one in opened.client.requests), "the request")
    (request,) = [one for one in opened.client.requests if isinstance(one, SaveGroup)]
    assert request.group.drill == DrillSchedule(every_days=14, hours=DRILL.hours)


# ---------------------------------------------------------------- cameras that a failback leaves dark


def undone(snapshot: Snapshot, dark: tuple[str, ...]) -> Snapshot:
    back = Failback(
        actor=Actor(name="anna"),
        started_ms=1,
        epoch=Epoch(9),
        reason=Reason.WRONG_STATE_OF_SERVER,
        note="Cameras gave the recorder no frame.",
        dark=tuple(CameraId(camera) for camera in dark),
    )
    entries = tuple(
        msgspec.structs.replace(entry, failback=back) if entry.id == FailoverId("F00033") else entry for entry in snapshot.failovers
    )
    return msgspec.structs.replace(snapshot, failovers=entries)


@pytest.mark.parametrize("accepted", [False, True])
async def test_after_one_that_was_undone_a_person_may_accept_that_a_few_stay_dark(open_site: OpenSite, accepted: bool) -> None:
    opened, _ = await form_of(open_site, undone(site.harbour(), ("TA-REC-05-C00", "x", "y", "z")))
    opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid("TA-REC-05")))
    opened.window.actions_[Action.FAILBACK].trigger()
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, PreviewDialog)
    await until(lambda: dialog.ready, "the preview")
    assert dialog.go is not None
    assert not dialog._choice.isHidden()
    assert not dialog.chosen, "nobody leaves cameras dark by mistake"
    assert dialog._choice.text().startswith("Go on even if cameras stay dark on TA-REC-05, one in ten at most (last time: ")
    assert dialog._choice.text().endswith(", x, y and others)")
    dialog._choice.setChecked(accepted)
    dialog.go.click()
    wanted = StartFailback(failover=FailoverId("F00033"), leave_dark=accepted)
    await until(lambda: wanted in opened.client.requests, "the request")
