"""The window's actions as Qt actions: text, picture, shortcut, and whether they are shown and enabled."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence

from sysmanager.ui.icons import ACTION_GLYPHS, Icons
from sysmanager.ui.state.conditions import Action, Condition, condition
from sysmanager.ui.state.model import UiState
from sysmanager.ui.theme import Theme

_TEXTS: dict[Action, tuple[str, str, str]] = {
    Action.START_FAILOVER: (
        "&Start failover from selected VMS server to the failover server",
        "Shows what would happen first; nothing is done until you confirm.",
        "Ctrl+Shift+F",
    ),
    Action.PREVIEW: ("&Preview…", "Shows what would happen in a failover of this server now. Changes nothing.", "Ctrl+P"),
    Action.FAILBACK: ("Fail&back…", "Gives the cameras back to the server they belong to. Shows what would happen first.", "Ctrl+B"),
    Action.ABORT: ("&Abort", "Ends the running failover or failback; neither starts again by itself before you let it.", ""),
    Action.SWITCH: (
        "Planned s&witch…",
        "Relieves this server without a gap: the failover server records first, then it stops. Shows what would happen first.",
        "",
    ),
    Action.DRILL: ("&Drill", "The failover server tries to take over, while this server goes on undisturbed.", ""),
    Action.COPY_ENTRY: ("&Copy material", "Copies the footage of the selected entry to the server its cameras belong to.", ""),
    Action.PAUSE_JOB: ("&Pause", "Lets the selected material copy rest until it is resumed.", ""),
    Action.RESUME_JOB: ("Re&sume", "Lets the selected material copy go on.", ""),
    Action.CANCEL_JOB: ("&Cancel", "Ends the selected job. What was copied stays.", ""),
    Action.HOLD: ("&Hold", "Stops automatic failover of this server until it is released.", "Ctrl+H"),
    Action.RELEASE: ("Re&lease", "Lets automatic failover of this server go on.", "Ctrl+L"),
    Action.HOLD_FAILBACK: ("Ho&ld failback", "Stops automatic failback of this server until you let it run again.", ""),
    Action.ACKNOWLEDGE: ("Ac&knowledge", "You have seen why automatic failback is held; it runs again.", "Ctrl+K"),
    Action.MAINTENANCE: (
        "&Maintenance…",
        "Nothing fails over by itself there until it ends: this server, its group, or the whole system.",
        "Ctrl+M",
    ),
    Action.END_MAINTENANCE: ("E&nd maintenance", "Ends the maintenance that covers this server before its time.", ""),
    Action.EDIT: ("&Edit settings", "General settings of the server.", "F2"),
    Action.SAVE: ("&Save", "Saves the general settings.", "Ctrl+S"),
    Action.REVERT: ("Re&vert", "Drops what you changed and shows the settings as they are.", "Ctrl+Shift+Z"),
    Action.ADOPT: ("&Take in as failover server…", "The server that acts for it keeps its cameras; this one stands by from then on.", ""),
    Action.REMOVE_SERVER: ("&Remove server…", "Takes the server out of system data. Its footage stays where it is.", ""),
    Action.ADD_SERVER: ("&Add server…", "Takes a VMS server into system data.", "Ctrl+N"),
    Action.EDIT_GROUPS: ("&Groups…", "Failover groups: who may replace whom, and in which order.", "Ctrl+G"),
    Action.CONFIRM_RECONCILE: ("&Confirm findings", "Accepts what the servers say of themselves; automatic failover goes on.", ""),
    Action.SYSTEM_SETTINGS: ("S&ystem settings…", "How careful the coordinator is before it acts by itself.", ""),
    Action.ACKNOWLEDGE_ALARM: ("I have &seen it", "The coordinator started again and again; you have looked at why.", ""),
    Action.FAILBACK_ENTRY: ("Fail&back…", "Gives the cameras of the selected entry back. Shows what would happen first.", ""),
    Action.ABORT_ENTRY: ("A&bort", "Ends the failover or failback of the selected entry, if it is not committed yet.", ""),
    Action.DETAILS: ("&Details", "Steps, candidates, cameras and gaps of the selected entry.", "Ctrl+D"),
    Action.RELEASE_CAMERA: (
        "Release &from quarantine",
        "Opens the selected camera again. If its stream crashes the recording service once more, it is quarantined for longer.",
        "",
    ),
    Action.BACK_UP: ("Save system &backup…", "Saves system data, log and settings of all servers into one file.", ""),
    Action.BREAK: ("Break and mend", "Breaks simulated servers.", ""),
}


class Actions(QObject):
    """One `QAction` for each `Action`; menus and buttons show these and nothing else."""

    def __init__(self, theme: Theme, icons: Icons, parent: QObject) -> None:
        super().__init__(parent)
        self._icons = icons
        self._actions: dict[Action, QAction] = {}
        self._shown: dict[Action, Condition] = {}
        for action, (text, _, shortcut) in _TEXTS.items():
            made = QAction(text, self)
            if shortcut:
                made.setShortcut(QKeySequence(shortcut))
            self._actions[action] = made
        self._repaint()
        theme.changed.connect(self._repaint)

    def __getitem__(self, action: Action) -> QAction:
        return self._actions[action]

    def render(self, state: UiState) -> None:
        """Show, hide, enable and explain as the conditions say."""
        for action, made in self._actions.items():
            now = condition(action, state)
            if self._shown.get(action) == now:
                continue
            self._shown[action] = now
            made.setVisible(now.visible)
            made.setEnabled(now.enabled)
            shortcut = made.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            explanation = f"{_TEXTS[action][1]}  ({shortcut})" if shortcut else _TEXTS[action][1]
            made.setToolTip(now.reason or explanation)
            made.setStatusTip(now.reason)

    def _repaint(self) -> None:
        for action, made in self._actions.items():
            made.setIcon(self._icons.icon(ACTION_GLYPHS[action]))
