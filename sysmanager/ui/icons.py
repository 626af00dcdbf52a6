"""Pictures from the icon font, in the colours of the theme."""

from __future__ import annotations

from enum import StrEnum

import qtawesome
from PySide6.QtCore import QObject
from PySide6.QtGui import QColor, QIcon

from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.look import Symbol
from sysmanager.ui.state.model import Tone
from sysmanager.ui.theme import Theme


class Glyph(StrEnum):
    """Names in the icon font."""

    SITE = "mdi6.server-network"
    GROUP = "mdi6.folder-network-outline"
    UNGROUPED = "mdi6.folder-network-outline"
    FAILOVER_BRANCH = "mdi6.folder-clock-outline"
    BROKEN_BRANCH = "mdi6.folder-alert-outline"
    RECORDING = "mdi6.record-circle"
    STANDBY = "mdi6.pause-circle-outline"
    ACTING = "mdi6.swap-horizontal-circle"
    RESERVED = "mdi6.progress-clock"
    BROKEN = "mdi6.close-circle"
    SILENT = "mdi6.lan-disconnect"
    NOT_SEEN = "mdi6.help-circle-outline"
    DISK_TROUBLE = "mdi6.harddisk-remove"
    SERVICE_TROUBLE = "mdi6.cog-off-outline"
    CAMERA_TROUBLE = "mdi6.video-off-outline"
    START_FAILOVER = "mdi6.swap-horizontal-bold"
    PREVIEW = "mdi6.eye-outline"
    FAILBACK = "mdi6.backup-restore"
    ABORT = "mdi6.close-octagon-outline"
    SWITCH = "mdi6.account-switch-outline"
    DRILL = "mdi6.clipboard-check-outline"
    COPY = "mdi6.content-copy"
    PAUSE = "mdi6.pause"
    RESUME = "mdi6.play"
    HOLD = "mdi6.hand-back-left-outline"
    RELEASE = "mdi6.hand-back-left-off-outline"
    SAVE = "mdi6.content-save-outline"
    REVERT = "mdi6.undo"
    REMOVE = "mdi6.delete-outline"
    ADD_SERVER = "mdi6.server-plus"
    GROUPS = "mdi6.folder-cog-outline"
    CONFIRM = "mdi6.check-circle"
    DETAILS = "mdi6.text-box-search-outline"
    ALARMS = "mdi6.bell-outline"
    ALARMS_RINGING = "mdi6.bell-ring-outline"
    USER = "mdi6.account-circle-outline"
    CLOSE = "mdi6.close"
    GOOD = "mdi6.check-circle"
    WARNING = "mdi6.alert"
    BAD = "mdi6.alert-circle"
    SEARCH = "mdi6.magnify"
    ADD = "mdi6.plus"
    EDIT = "mdi6.pencil-outline"
    UP = "mdi6.arrow-up"
    DOWN = "mdi6.arrow-down"
    FAULT = "mdi6.flash-outline"
    MEND = "mdi6.wrench-outline"
    MAINTENANCE = "mdi6.wrench-clock"
    SETTINGS = "mdi6.cog-outline"


_SYMBOLS: dict[Symbol, Glyph] = {symbol: Glyph[symbol.name] for symbol in Symbol}

ACTION_GLYPHS: dict[Action, Glyph] = {
    Action.START_FAILOVER: Glyph.START_FAILOVER,
    Action.PREVIEW: Glyph.PREVIEW,
    Action.FAILBACK: Glyph.FAILBACK,
    Action.FAILBACK_ENTRY: Glyph.FAILBACK,
    Action.ABORT: Glyph.ABORT,
    Action.ABORT_ENTRY: Glyph.ABORT,
    Action.SWITCH: Glyph.SWITCH,
    Action.DRILL: Glyph.DRILL,
    Action.COPY_ENTRY: Glyph.COPY,
    Action.PAUSE_JOB: Glyph.PAUSE,
    Action.RESUME_JOB: Glyph.RESUME,
    Action.CANCEL_JOB: Glyph.ABORT,
    Action.HOLD: Glyph.HOLD,
    Action.RELEASE: Glyph.RELEASE,
    Action.HOLD_FAILBACK: Glyph.HOLD,
    Action.ACKNOWLEDGE: Glyph.CONFIRM,
    Action.MAINTENANCE: Glyph.MAINTENANCE,
    Action.END_MAINTENANCE: Glyph.MEND,
    Action.EDIT: Glyph.EDIT,
    Action.SAVE: Glyph.SAVE,
    Action.REVERT: Glyph.REVERT,
    Action.REMOVE_SERVER: Glyph.REMOVE,
    Action.ADOPT: Glyph.FAILOVER_BRANCH,
    Action.ADD_SERVER: Glyph.ADD_SERVER,
    Action.EDIT_GROUPS: Glyph.GROUPS,
    Action.CONFIRM_RECONCILE: Glyph.CONFIRM,
    Action.SYSTEM_SETTINGS: Glyph.SETTINGS,
    Action.RELEASE_CAMERA: Glyph.CONFIRM,
    Action.ACKNOWLEDGE_ALARM: Glyph.CONFIRM,
    Action.DETAILS: Glyph.DETAILS,
    Action.BACK_UP: Glyph.SAVE,
    Action.BREAK: Glyph.FAULT,
}

LEVEL_GLYPHS: dict[Tone, Glyph] = {Tone.GOOD: Glyph.GOOD, Tone.WARNING: Glyph.WARNING, Tone.BAD: Glyph.BAD}


class Icons(QObject):
    """Makes each icon once for each look."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._theme = theme
        self._made: dict[tuple[Glyph, str], QIcon] = {}

    def icon(self, glyph: Glyph, tone: Tone = Tone.INK) -> QIcon:
        """The glyph in a tone; disabled it is faint."""
        return self.coloured(glyph, self._theme.colour(tone))

    def symbol(self, symbol: Symbol, tone: Tone) -> QIcon:
        return self.icon(_SYMBOLS[symbol], tone)

    def coloured(self, glyph: Glyph, colour: QColor) -> QIcon:
        faint = self._theme.colours.faint
        key = (glyph, f"{colour.name()}{faint}")
        if key not in self._made:
            self._made[key] = qtawesome.icon(glyph.value, color=colour, color_disabled=QColor(faint))
        return self._made[key]
