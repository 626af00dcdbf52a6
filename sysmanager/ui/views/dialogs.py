"""Opens the dialogs and sends the commands that follow from them. Dialogs are opened, never run: nothing waits here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from html import escape
from typing import Any, Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QInputDialog, QMessageBox, QWidget

from sysmanager.api import RIGHT_FOR, EditSystem, JobKind, Preview, RecorderRow
from sysmanager.domain.failover import Failover
from sysmanager.domain.group import Group
from sysmanager.domain.ids import FailoverId, JobId, RecorderId
from sysmanager.domain.recorder import Acting, Broken, Reserved
from sysmanager.domain.rights import missing_right
from sysmanager.ui.icons import Glyph
from sysmanager.ui.state.conditions import crash_loop_alarm
from sysmanager.ui.state.events import DraftDropped
from sysmanager.ui.state.log import leave_dark_text, name_of
from sysmanager.ui.state.model import UiState
from sysmanager.ui.state.readiness import shared_machine
from sysmanager.ui.state.texts import natural_key
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.add_server import AddServerDialog
from sysmanager.ui.views.backup_dialog import BackupDialog
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.details_dialog import DetailsDialog
from sysmanager.ui.views.groups_dialog import GroupsDialog
from sysmanager.ui.views.maintenance_dialog import MaintenanceDialog
from sysmanager.ui.views.preview_dialog import PreviewDialog
from sysmanager.ui.views.system_dialog import SystemDialog


class _Following(Protocol):
    def render_state(self, state: UiState) -> None: ...


class Dialogs(QObject):
    """What the actions of a window do. `opened` is the newest dialog that is still open."""

    def __init__(self, context: Context, actions: Actions, window: QWidget) -> None:
        super().__init__(window)
        self._context = context
        self._actions = actions
        self._window = window
        self._following: dict[int, tuple[QDialog, _Following]] = {}
        self._open: list[QDialog] = []
        self._details: dict[FailoverId, DetailsDialog] = {}

    @property
    def opened(self) -> QDialog | None:
        return self._open[-1] if self._open else None

    def render_state(self, state: UiState) -> None:
        for _, following in tuple(self._following.values()):
            following.render_state(state)

    def _show(self, dialog: QDialog, *, modal: bool = True) -> None:
        self._open.append(dialog)
        dialog.finished.connect(lambda _: self._forget(dialog))
        if modal:
            dialog.open()
        else:
            dialog.show()

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        self._context.tasks.start(work)

    def _for_server(self, operation: Callable[[RecorderId], Coroutine[Any, Any, object]]) -> None:
        """Do it with the selected server, if there is one."""
        row = self._context.store.state.row
        if row is not None:
            self._start(operation(row.id))

    def _for_job(self, operation: Callable[[JobId], Coroutine[Any, Any, object]]) -> None:
        """Do it with the selected job, if there is one."""
        job = self._context.store.state.job
        if job is not None:
            self._start(operation(job.id))

    def _forget(self, dialog: QDialog) -> None:
        self._following.pop(id(dialog), None)
        self._details = {key: one for key, one in self._details.items() if one is not dialog}
        if dialog in self._open:
            self._open.remove(dialog)

    def _preview(
        self,
        *,
        title: str,
        sentence: str,
        ask: Callable[[], Coroutine[Any, Any, Preview | str]],
        confirm: str | None,
        glyph: Glyph,
        then: Callable[[], Coroutine[Any, Any, object]],
    ) -> PreviewDialog:
        """What would happen, with a button to let it happen. then: the command of that button. The caller shows it."""
        dialog = PreviewDialog(self._context, title=title, sentence=sentence, ask=ask, confirm=confirm, glyph=glyph, parent=self._window)
        dialog.confirmed.connect(lambda: self._start(then()))
        return dialog

    # ------------------------------------------------------------ failover and failback

    def start_failover(self, *, confirm: bool) -> None:
        """The preview of a failover of the selected server; with `confirm` it can be started from there."""
        row = self._context.store.state.row
        if row is None:
            return
        operations, recorder = self._context.operations, row.id
        dialog = self._preview(
            title=f"Start failover of {row.name}" if confirm else f"Preview of a failover of {row.name}",
            sentence=(
                f"The cameras of {row.name} move to a failover server, and {row.name} counts as broken until a failback. "
                "This is what would happen now."
                if confirm
                else "This is what would happen if the failover were started now. Nothing is changed."
            ),
            ask=lambda: operations.preview_failover(recorder),
            confirm="Start failover" if confirm else None,
            glyph=Glyph.START_FAILOVER,
            then=lambda: operations.start_failover(recorder, maintenance=dialog.offered),
        )
        if dialog.go is not None:
            dialog.offer("Put this server into maintenance, so that nothing fails back to it by itself")
        self._show(dialog)

    def switch_over(self) -> None:
        """The preview of a planned switch of the selected server, which can be started from there."""
        row = self._context.store.state.row
        if row is None:
            return
        operations, recorder = self._context.operations, row.id
        dialog = self._preview(
            title=f"Planned switch of {row.name}",
            sentence=f"A failover server records the cameras of {row.name} first, then {row.name} stops, until a failback.",
            ask=lambda: operations.preview_switch(recorder),
            confirm="Start planned switch",
            glyph=Glyph.SWITCH,
            then=lambda: operations.switch_over(recorder),
        )
        self._show(dialog)

    def start_drill(self) -> None:
        self._for_server(self._context.operations.start_drill)

    def copy_of_entry(self) -> None:
        entry = self._context.store.state.entry
        if entry is not None:
            self._start(self._context.operations.start_copy(entry.id))

    def pause_job(self) -> None:
        self._for_job(self._context.operations.pause_job)

    def resume_job(self) -> None:
        self._for_job(self._context.operations.resume_job)

    def cancel_job(self) -> None:
        job = self._context.store.state.job
        if job is None:
            return
        self._ask(
            f"End {job.id}?",
            "What was copied stays where it is; the rest is not copied."
            if job.kind is JobKind.COPY
            else "The drill ends without a result.",
            "End job",
            lambda: self._start(self._context.operations.cancel_job(job.id)),
        )

    def failback_of_server(self) -> None:
        failover = self._failover_of_server()
        if failover is not None:
            self._failback(failover)

    def failback_of_entry(self) -> None:
        entry = self._context.store.state.entry
        if entry is not None:
            self._failback(entry)

    def _failback(self, failover: Failover) -> None:
        state = self._context.store.state
        operations, key = self._context.operations, failover.id
        home = name_of(failover.home, state)
        acting = name_of(failover.server, state) if failover.server is not None else "the failover server"
        dialog = self._preview(
            title=f"Failback to {home}",
            sentence=f"{home} takes its cameras back, and {acting} stands by again. {home} records first, then {acting} stops.",
            ask=lambda: operations.preview_failback(key),
            confirm="Start failback",
            glyph=Glyph.FAILBACK,
            then=lambda: operations.start_failback(key, leave_dark=dialog.chosen),
        )
        if failover.failback is not None and failover.failback.dark:
            dialog.offer(leave_dark_text(failover.failback.dark, home, state), ticked=False)
        self._show(dialog)

    def abort_of_server(self) -> None:
        failover = self._failover_of_server()
        if failover is not None:
            self._abort(failover)

    def abort_of_entry(self) -> None:
        entry = self._context.store.state.entry
        if entry is not None:
            self._abort(entry)

    def _abort(self, failover: Failover) -> None:
        if failover.phase.failing_back:
            self._abort_failback(failover)
            return
        name = name_of(failover.recorder, self._context.store.state)
        self._ask(
            f"Abort the failover of {name}?",
            f"Nobody records the cameras of {name} while it is broken. Automatic failover of it is held until it was well once, "
            "or until the hold is released.",
            "Abort failover",
            lambda: self._start(self._context.operations.abort_failover(failover.id)),
        )

    def _abort_failback(self, failover: Failover) -> None:
        state = self._context.store.state
        home = name_of(failover.home, state)
        acting = name_of(failover.server, state) if failover.server is not None else "the failover server"
        self._ask(
            f"Abort the failback of {home}?",
            f"{acting} goes on to record the cameras of {home}. It does not fail back by itself before you let it.",
            "Abort failback",
            lambda: self._start(self._context.operations.abort_failover(failover.id)),
        )

    def _failover_of_server(self) -> Failover | None:
        state = self._context.store.state
        row = state.row
        if row is None:
            return None
        if row.failover is not None and row.failover in state.failovers:
            return state.failovers[row.failover]
        match row.assignment:
            case Acting(failover=key) | Broken(failover=key) | Reserved(failover=key):
                return state.failovers.get(key)
            case _:
                return None

    def hold(self) -> None:
        self._for_server(self._context.operations.hold)

    def release(self) -> None:
        self._for_server(self._context.operations.release)

    def hold_failback(self) -> None:
        self._for_server(self._context.operations.hold_failback)

    def acknowledge(self) -> None:
        self._for_server(self._context.operations.acknowledge)

    # ------------------------------------------------------------ caution

    def maintenance(self) -> None:
        """Put the selected server, its group or the system into maintenance."""
        state = self._context.store.state
        row = state.row
        if row is None:
            return
        operations, tasks = self._context.operations, self._context.tasks
        dialog = MaintenanceDialog(self._context, row, state, self._window)
        dialog.wanted.connect(lambda target, reason, until: tasks.start(operations.start_maintenance(target, reason, until)))
        self._show(dialog)

    def end_maintenance(self) -> None:
        row = self._context.store.state.row
        if row is not None and row.maintenance is not None:
            self._start(self._context.operations.end_maintenance(row.maintenance.target))

    def release_camera(self) -> None:
        """Let the camera that is chosen in the list of the selected server out of quarantine."""
        chosen = self._context.store.state.picture
        if chosen is not None:
            self._start(self._context.operations.release_camera(chosen.recorder, chosen.camera))

    def system_settings(self) -> None:
        state = self._context.store.state
        system = state.system
        if system is None:
            return
        revision, why_not = system.settings_revision, missing_right(state.actor.role, RIGHT_FOR[EditSystem]) or ""
        dialog = SystemDialog(self._context, system.settings, why_not, self._window)
        operations, tasks = self._context.operations, self._context.tasks
        dialog.wanted.connect(lambda settings: tasks.start(operations.edit_system(revision, settings)))
        self._show(dialog)

    def acknowledge_alarm(self) -> None:
        alarm = crash_loop_alarm(self._context.store.state)
        if alarm is not None:
            self._start(self._context.operations.acknowledge_alarm(alarm.key))

    def details(self) -> None:
        """The selected entry of the failover log in a window of its own."""
        entry = self._context.store.state.entry
        if entry is None:
            return
        known = self._details.get(entry.id)
        if known is not None:
            known.raise_()
            known.activateWindow()
            return
        dialog = DetailsDialog(self._context, self._actions, entry.id, self._window)
        self._details[entry.id] = dialog
        self._follow(dialog)
        self._show(dialog, modal=False)

    def _follow(self, dialog: AddServerDialog | GroupsDialog | DetailsDialog) -> None:
        self._following[id(dialog)] = (dialog, dialog)
        dialog.render_state(self._context.store.state)

    # ------------------------------------------------------------ system data

    def save(self) -> None:
        draft = self._context.store.state.draft
        if draft is not None:
            self._start(self._context.operations.edit(draft.recorder, draft.revision, draft.fields))

    def revert(self) -> None:
        recorder = self._context.store.state.selected
        if recorder is not None:
            self._context.store.dispatch(DraftDropped(recorder))

    def accept_machine(self, row: RecorderRow) -> None:
        """Ask whether a server may share its machine with others, by name."""
        shares = row.readiness.shares if row.readiness is not None else ()
        text = f"{shared_machine(row)} Accept it only if there is no other machine."

        def accept() -> None:
            self._start(self._context.operations.accept_machine(row.id, shares))

        self._ask(f"Accept that {row.name} shares its machine?", text, "Accept", accept)

    def add_server(self, chosen: str = "") -> None:
        dialog = AddServerDialog(self._context, self._actions, chosen, self._window)
        self._follow(dialog)
        self._show(dialog)

    def edit_groups(self) -> None:
        dialog = GroupsDialog(self._context, self.opened or self._window)
        self._follow(dialog)
        self._show(dialog)

    def adopt(self) -> None:
        """Choose the group that the replaced server protects from then on; where there is only one it needs no choice."""
        state = self._context.store.state
        row = state.row
        if row is None:
            return
        recorder, groups = row.id, sorted(state.groups.values(), key=lambda group: natural_key(group.name))
        if len(groups) == 1:
            self._adopt_into(recorder, groups[0])
            return
        by_name = {group.name: group for group in groups}
        chooser = QInputDialog(self._window)
        chooser.setWindowTitle(f"Take in {row.name}")
        chooser.setLabelText(f"Failover group that {row.name} protects from then on:")
        chooser.setComboBoxItems(list(by_name))
        chooser.setTextValue(next((group.name for group in groups if group.id == row.group), ""))
        chooser.textValueSelected.connect(lambda name: self._adopt_into(recorder, by_name[name]))
        self._show(chooser)

    def _adopt_into(self, recorder: RecorderId, group: Group) -> None:
        operations = self._context.operations
        name = name_of(recorder, self._context.store.state)
        dialog = self._preview(
            title=f"Take {name} in as a failover server of {group.name}",
            sentence=f"The server that acts for {name} keeps its cameras for good. {name} stands by from then on.",
            ask=lambda: operations.preview_adoption(recorder, group.id),
            confirm="Take in",
            glyph=Glyph.FAILOVER_BRANCH,
            then=lambda: operations.adopt(recorder, group.id),
        )
        self._show(dialog)

    def back_up(self) -> None:
        self._show(BackupDialog(self._context, self._window))

    def remove_server(self) -> None:
        row = self._context.store.state.row
        if row is None:
            return
        recorder = row.id
        self._ask(
            f"Remove {row.name} from system data?",
            f"{_keeper(row, self._context.store.state)}{row.name} is no longer watched or protected. What it recorded stays on its disks.",
            "Remove server",
            lambda: self._start(self._context.operations.remove_server(recorder)),
        )

    def confirm_reconcile(self) -> None:
        system = self._context.store.state.system
        if system is None:
            return
        findings = system.findings
        self._ask(
            "Confirm the findings?",
            "What the servers say of themselves becomes system data, and automatic failover goes on.\n\n"
            + "\n".join(f"•  {finding.sentence}" for finding in findings),
            "Confirm findings",
            lambda: self._start(self._context.operations.confirm_reconcile(findings)),
        )

    def ask_to_close(self, question: str, leave: Callable[[], None]) -> None:
        self._ask("Close System Manager?", question, "Close", leave)

    def _ask(self, title: str, text: str, accept: str, then: Callable[[], object]) -> None:
        box = QMessageBox(QMessageBox.Icon.NoIcon, "System Manager", f"<b>{escape(title)}</b>", parent=self._window)
        box.setInformativeText(text)
        box.setStyleSheet("QLabel#qt_msgbox_label, QLabel#qt_msgbox_informativelabel { min-width: 400px; }")
        go = box.addButton(accept, QMessageBox.ButtonRole.AcceptRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        cancel.setIcon(QIcon())  # the style's own picture is of another set
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        # Queued by Qt until the box is closed, so that what follows may open the next one.
        box.finished.connect(lambda _: then() if box.clickedButton() is go else None)
        box.finished.connect(box.deleteLater)
        self._show(box)


def _keeper(row: RecorderRow, state: UiState) -> str:
    """Who keeps the cameras of a replaced server that is removed."""
    failover = state.failovers.get(row.assignment.failover) if isinstance(row.assignment, Broken) else None
    if failover is None or failover.home != row.id or failover.server is None:
        return ""
    return f"{name_of(failover.server, state)} keeps its cameras for good. "
