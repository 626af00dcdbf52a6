"""Cameras and storage of the selected server."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sysmanager.api import CameraState, RecorderRow
from sysmanager.domain.ids import CameraId, RecorderId
from sysmanager.domain.recorder import Broken
from sysmanager.ui.models.columns import CAMERA_COLUMNS, DISK_COLUMNS, DiskLine
from sysmanager.ui.models.table import KEY_ROLE, LineTableModel
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.log import name_of
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.texts import counted, size_text
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.camera_picture import CameraPicture
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import muted, sortable, table, widths


class CamerasTab(QWidget):
    """The cameras that the server records, or recorded when it was last heard."""

    def __init__(self, context: Context, actions: Actions) -> None:
        super().__init__()
        self._context = context
        self._recorder: RecorderId | None = None
        self._chosen: CameraId | None = None
        self._model = LineTableModel(CAMERA_COLUMNS, key=lambda camera: camera.id, parent=self)
        self.view = table(context, self._model, "Cameras", stretch=1, empty="No cameras.")
        sortable(self.view)
        widths(self.view, (210, 130, 80, 120, 100, 100, 80, 60))
        self.view.addAction(actions[Action.RELEASE_CAMERA])
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._note = muted()
        self.picture = CameraPicture(context, actions, self._ask)
        beside = QWidget()
        layout = QHBoxLayout(beside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.picture)
        _fill(self, self._note, beside)
        self.view.selectionModel().selectionChanged.connect(self._selected)

    def render_state(self, state: UiState) -> None:
        row = state.row
        if row is None:
            return
        if row.id != self._recorder:
            # What was chosen in the list of another server means nothing here.
            self._recorder = row.id
            self.view.clearSelection()
        self._model.show(row.cameras)
        self._note.setText(recorded_text(row, state))
        self.picture.render_state(row, state)

    def _selected(self) -> None:
        rows = self.view.selectionModel().selectedRows()
        chosen = CameraId(rows[0].data(KEY_ROLE)) if rows else None
        if chosen != self._chosen:
            self._chosen = chosen
            self._ask()

    def _ask(self) -> None:
        if self._recorder is not None:
            context = self._context
            context.tasks.start(context.operations.show_picture(self._recorder, self._chosen, context.now_wall_ms))


def recorded_text(row: RecorderRow, state: UiState) -> str:
    """How many of the cameras are recorded, and by whom while another server has them."""
    cameras = counted(len(row.cameras), "camera")
    if not row.cameras:
        return "This server has no cameras of its own now."
    entry = state.failovers.get(row.assignment.failover) if isinstance(row.assignment, Broken) else None
    if entry is None or entry.server is None:
        return f"{', '.join([f'{row.cameras_recording} of {cameras} recording', *_not_recorded_by_right(row)])}."
    return f"{name_of(entry.server, state)} has {len(entry.moved)} of these {cameras} until a failback; this server waits."


def _not_recorded_by_right(row: RecorderRow) -> list[str]:
    words = ((CameraState.WAITING, "waiting for motion"), (CameraState.OFF, "off by schedule"))
    counts = [(sum(camera.state is state for camera in row.cameras), said) for state, said in words]
    return [f"{number} {said}" for number, said in counts if number]


class StorageTab(QWidget):
    """The material disks of the server."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._model = LineTableModel(DISK_COLUMNS, key=lambda line: line.disk.path, parent=self)
        self.view = table(context, self._model, "Material disks", stretch=1, row_height=34, empty="No material disks.")
        sortable(self.view)
        widths(self.view, (200, 0, 90, 90, 180))
        self._note = muted()
        _fill(self, self._note, self.view)

    def render_state(self, state: UiState) -> None:
        row = state.row
        if row is None:
            return
        self._model.show(tuple(DiskLine(disk=disk) for disk in row.disks))
        writable = [disk for disk in row.disks if disk.writable]
        if not row.disks:
            self._note.setText("No material disks are known of this server yet.")
            return
        free = size_text(sum(disk.free_mb for disk in writable))
        self._note.setText(
            f"{len(writable)} of {counted(len(row.disks), 'material disk')} can be written, {free} free. "
            f"Footage is kept for {counted(row.retention_days, 'day')}."
        )


def _fill(tab: QWidget, note: QWidget, view: QWidget) -> None:
    layout = QVBoxLayout(tab)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    note.setContentsMargins(20, 10, 20, 10)
    layout.addWidget(note)
    layout.addWidget(view, 1)
