"""Scenes of the painted interface that show dialogs and lists beside the servers: settings, maintenance, backup, jobs, audit log."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from PySide6.QtWidgets import QDockWidget, QWidget

from sysmanager.api import AuditLine, AuditOutcome, CameraState, JobKind, JobPhase, JobRow, Refused, Snapshot
from sysmanager.domain.ids import FailoverId, JobId
from sysmanager.domain.maintenance import Maintenance, Scope, Target
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.events import JobSelected, PlaceSelected
from sysmanager.ui.state.model import Place
from sysmanager.ui.views.backup_dialog import BackupDialog
from sysmanager.ui.views.maintenance_dialog import MaintenanceDialog
from tests.ui import site
from tests.ui.harness import Opened

Scene = Callable[[Opened], QWidget | None]

_MINUTE_MS = 60_000


def _job(number: int, kind: JobKind, phase: JobPhase, sentence: str, **more: object) -> JobRow:
    row = JobRow(
        id=JobId(f"J{number:05d}"),
        number=number,
        kind=kind,
        recorder=site.rid("TA-REC-05"),
        server=site.rid("TA-FO-01"),
        failover=FailoverId("F00033"),
        phase=phase,
        sentence=sentence,
        actor=Actor(name="admin", role=RoleName.ADMINISTRATOR),
        started_ms=site.NOW_MS - number * 7 * _MINUTE_MS,
    )
    return msgspec.structs.replace(row, **more)


JOBS = (
    _job(6, JobKind.COPY, JobPhase.COPYING, "Hour 14 of 31 of Gate 03 north.", percent=43, rate_kbps=412_000, left_ms=95 * _MINUTE_MS),
    _job(5, JobKind.COPY, JobPhase.COPYING, "Paused by admin.", percent=12, paused=True),
    _job(4, JobKind.DRILL, JobPhase.DRILLING, "7 of 24 cameras gave their first frame.", percent=29, failover=None),
    _job(3, JobKind.COPY, JobPhase.READY, "All 744 hours were copied and verified.", percent=100),
    _job(2, JobKind.DRILL, JobPhase.FAILED, "Crane 3 exit and Gate 07 south gave TA-FO-01 no frame within 10 s.", failover=None),
    _job(1, JobKind.COPY, JobPhase.CANCELLED, "Cancelled by operator; 31 of 744 hours were copied.", percent=4),
)


def with_jobs() -> Snapshot:
    return msgspec.structs.replace(site.harbour(), jobs=JOBS)


def in_maintenance() -> Snapshot:
    harbour = site.harbour()
    maintenance = Maintenance(
        target=Target(scope=Scope.RECORDER, id=site.rid("TA-REC-01")),
        reason="New disks in both shelves, then a firmware update of the controller",
        until_wall_ms=site.NOW_MS + 90 * _MINUTE_MS,
        actor=Actor(name="admin", role=RoleName.ADMINISTRATOR),
        since_wall_ms=site.NOW_MS - 30 * _MINUTE_MS,
    )
    rows = tuple(msgspec.structs.replace(row, maintenance=maintenance) if row.id == "TA-REC-01" else row for row in harbour.recorders)
    return msgspec.structs.replace(harbour, recorders=rows)


AUDITED = (
    ("anna", RoleName.OPERATOR, "start-failback", "TA-REC-05", AuditOutcome.DONE, "The failback of TA-REC-05 started, see F00033.", 1),
    ("bob", RoleName.MONITORING, "start-failover", "TB-REC-01", AuditOutcome.REFUSED, site.REFUSED.sentence, 3),
    ("admin", RoleName.ADMINISTRATOR, "accept-shared-machine", "TB-REC-04", AuditOutcome.DONE, "TB-REC-04 may share its machine.", 1),
    (
        "the duty officer of the night shift",
        RoleName.ADMINISTRATOR,
        "edit-system",
        "",
        AuditOutcome.REFUSED,
        "The system settings were changed by admin meanwhile (revision 7, you saw 6); look at them again, and repeat your change.",
        1,
    ),
)


def _fill_audit(opened: Opened) -> None:
    for number in range(40, 0, -1):
        actor, role, request, about, outcome, sentence, times = AUDITED[number % len(AUDITED)]
        opened.client.audit.append(
            AuditLine(
                number=number,
                at_ms=site.NOW_MS - (40 - number) * 17 * _MINUTE_MS,
                actor=actor,
                role=role,
                request=request,
                about=about,
                outcome=outcome,
                sentence=sentence,
                times=times,
            )
        )


def _raise(dock: QDockWidget) -> None:
    dock.show()
    dock.raise_()


def _audit(opened: Opened) -> None:
    _fill_audit(opened)
    _raise(opened.window.audit_dock)


def _jobs(opened: Opened) -> None:
    _raise(opened.window.job_dock)
    opened.store.dispatch(JobSelected(JOBS[0].id if opened.store.state.jobs else None))


def _dialog(name: str, action: Action) -> Scene:
    def scene(opened: Opened) -> QWidget | None:
        opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid(name)))
        opened.window.actions_[action].trigger()
        return opened.window.dialogs.opened

    return scene


def _maintenance_filled(opened: Opened) -> QWidget | None:
    dialog = _dialog("TA-REC-01", Action.MAINTENANCE)(opened)
    assert isinstance(dialog, MaintenanceDialog)
    dialog.reason.setText("New disks in both shelves, then a firmware update of the controller, then a restart")
    return dialog


def _backup_wrong(opened: Opened) -> QWidget | None:
    dialog = _dialog("TA-REC-01", Action.BACK_UP)(opened)
    assert isinstance(dialog, BackupDialog)
    dialog.passphrase.setText("short")
    dialog.passphrase.textEdited.emit("short")
    return dialog


QUARANTINED = (
    "Gate 03 north is quarantined for 10 min: the recording service crashed twice while it opened or decoded the stream of this camera. "
    "Check the camera's firmware and its stream settings; it is tried again after that time, when its address or password is changed, or "
    "when you release it: in this list, or with 'sysmanager recorder release gate-3' on the server."
)


def in_quarantine() -> Snapshot:
    harbour = site.harbour()
    rows = {row.id: row for row in harbour.recorders}
    row = rows[site.rid("TA-REC-01")]
    held = msgspec.structs.replace(row.cameras[2], state=CameraState.QUARANTINED, sentence=QUARANTINED)
    rows[row.id] = msgspec.structs.replace(row, cameras=(*row.cameras[:2], held, *row.cameras[3:]))
    return msgspec.structs.replace(harbour, recorders=tuple(rows.values()))


def _chosen(opened: Opened) -> None:
    opened.client.answer = Refused(sentence="Gate 03 north is not recorded now.")
    opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid("TA-REC-01")))
    opened.window.tabs.setCurrentIndex(1)
    opened.window.cameras_tab.view.selectRow(2)


MORE: dict[str, tuple[Callable[[], Snapshot], dict[str, object], Scene]] = {
    "system": (site.harbour, {}, _dialog("TA-REC-01", Action.SYSTEM_SETTINGS)),
    "system-operator": (site.harbour, {"role": RoleName.OPERATOR}, _dialog("TA-REC-01", Action.SYSTEM_SETTINGS)),
    "maintenance": (site.harbour, {}, _dialog("TA-REC-01", Action.MAINTENANCE)),
    "maintenance-filled": (site.harbour, {}, _maintenance_filled),
    "maintenance-running": (in_maintenance, {}, _dialog("TA-REC-01", Action.MAINTENANCE)),
    "maintenance-row": (in_maintenance, {}, lambda opened: opened.store.dispatch(PlaceSelected(Place.SERVER, site.rid("TA-REC-01")))),
    "backup": (site.harbour, {}, _dialog("TA-REC-01", Action.BACK_UP)),
    "backup-wrong": (site.harbour, {}, _backup_wrong),
    "audit": (site.harbour, {}, _audit),
    "audit-empty": (site.harbour, {}, lambda opened: _raise(opened.window.audit_dock)),
    "quarantine": (in_quarantine, {}, _chosen),
    "quarantine-monitoring": (in_quarantine, {"role": RoleName.MONITORING}, _chosen),
    "jobs": (with_jobs, {}, _jobs),
    "jobs-empty": (site.harbour, {}, _jobs),
}
"""By the name of the picture: the site, options, and what is opened in it."""
