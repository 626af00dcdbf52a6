"""The main window: arranges the views, opens the dialogs, keeps its layout (SPEC 17)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from PySide6.QtCore import QByteArray, QEvent, QObject, QSettings, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QCloseEvent, QIcon, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QDockWidget,
    QFileDialog,
    QLabel,
    QMainWindow,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from sysmanager.api import PracticeControls
from sysmanager.domain.rights import RoleName
from sysmanager.ui.icons import Glyph
from sysmanager.ui.operations import Forecaster, LogPager, Session, export_log
from sysmanager.ui.state.conditions import Action
from sysmanager.ui.state.log import name_of
from sysmanager.ui.state.model import Place, Tone, UiState
from sysmanager.ui.theme import ThemeChoice
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.alarms import AlarmList
from sysmanager.ui.views.audit_log import AuditList
from sysmanager.ui.views.banners import Banners
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.dialogs import Dialogs
from sysmanager.ui.views.equipment_tabs import CamerasTab, StorageTab
from sysmanager.ui.views.failover_log import FailoverLog
from sysmanager.ui.views.jobs import JobList
from sysmanager.ui.views.pages import FirstStartPage, OverviewPage, WaitingPage
from sysmanager.ui.views.parts import IconFollower
from sysmanager.ui.views.practice import PracticePanel
from sysmanager.ui.views.server_tree import MENU, ServerTree
from sysmanager.ui.views.settings_tab import SettingsTab
from sysmanager.ui.views.status import StatusLine

CloseGuard = Callable[[], str | None]
"""Says what closing the window would cost, in one sentence to ask, or None if nothing."""

LAYOUT_VERSION = 2
"""Grows when docks or tool bars change, so that a layout kept by an older program is not forced onto them."""


class MainWindow(QMainWindow):
    """The window of System Manager.

    closed: the window is gone for good; the program may end the session (`end`) and itself.
    """

    closed = Signal()

    def __init__(
        self,
        context: Context,
        session: Session,
        *,
        settings: QSettings,
        controls: PracticeControls | None,
        guard: CloseGuard | None,
        joining: str = "",
    ) -> None:
        super().__init__()
        self.context = context
        self.session = session
        self._settings = settings
        self._guard = guard
        self._leaving = False
        self.setWindowTitle("System Manager")
        self.setDockNestingEnabled(True)
        self.setTabPosition(Qt.DockWidgetArea.BottomDockWidgetArea, QTabWidget.TabPosition.North)
        self.actions_ = Actions(context.theme, context.icons, self)
        self.dialogs = Dialogs(context, self.actions_, self)
        self.tree = ServerTree(context, self.actions_)
        self.settings_tab = SettingsTab(context, self.actions_, self.dialogs.accept_machine)
        self.cameras_tab, self.storage_tab = CamerasTab(context, self.actions_), StorageTab(context)
        self.log, self.alarms, self.audit = FailoverLog(context, self.actions_), AlarmList(context), AuditList(context)
        self.jobs = JobList(context, self.actions_)
        self.practice = PracticePanel(context, controls) if controls is not None else None
        self.banners = Banners(context, self.actions_)
        self._status = StatusLine(context)
        self.setStatusBar(self._status)
        self._make_centre(joining)
        self._make_docks()
        self._make_tool_bar()
        self._make_menus()
        self._connect()
        self.forecaster = Forecaster(context.operations, context.store, self._forecast_seen)
        self.pager = LogPager(lambda: session.client, context.store, context.now_wall_ms, self.audit.isVisible)
        self.log.wanted.connect(self.pager.more_entries)
        self.audit.wanted.connect(self.pager.more_lines)
        self.tabs.currentChanged.connect(lambda _: self.forecaster.wake())
        self._restore_layout()
        self.tree.setFocus()
        self._unsubscribe = context.store.subscribe(self._render)
        context.theme.changed.connect(self._repaint)

    def start(self) -> None:
        """Begin to follow the coordinator. Needs a running asyncio loop."""
        self.session.start()
        self.context.tasks.start(self.forecaster.run())
        self.context.tasks.start(self.pager.run())

    async def end(self) -> None:
        """End everything that was started here, and the session."""
        self._unsubscribe()
        await self.context.tasks.end()
        await self.session.close()

    # ------------------------------------------------------------ arrangement

    def _make_centre(self, joining: str) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.settings_tab, "Recorder settings")
        self.tabs.addTab(self.cameras_tab, "Cameras")
        self.tabs.addTab(self.storage_tab, "Storage")
        self._waiting = WaitingPage()
        self._first = FirstStartPage(self.actions_, self.dialogs.add_server, joining)
        self._overview = OverviewPage(self.context, self.dialogs.add_server)
        self.pages = QStackedWidget()
        for page in (self._waiting, self._first, self._overview, self.tabs):
            self.pages.addWidget(page)
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banners)
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(centre)

    def _make_docks(self) -> None:
        self.tree_dock = self._dock("Servers", "servers", self.tree, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.tree_dock.setTitleBarWidget(QWidget())
        self.tree_dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        self.tree_dock.setMinimumWidth(230)
        self._tree_px, self._settled_px = self.tree_dock.minimumWidth(), 0
        self.tree_dock.installEventFilter(self)
        self.log_dock = self._dock("Failover log", "failover-log", self.log, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.job_dock = self._dock("Jobs", "jobs", self.jobs, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.alarm_dock = self._dock("Alarms", "alarms", self.alarms, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.audit_dock = self._dock("Audit log", "audit-log", self.audit, Qt.DockWidgetArea.BottomDockWidgetArea)
        for dock in (self.job_dock, self.alarm_dock, self.audit_dock):
            self.tabifyDockWidget(self.log_dock, dock)
            dock.hide()
        for dock in (self.log_dock, self.job_dock, self.alarm_dock, self.audit_dock):
            dock.visibilityChanged.connect(self._name_docks_once)
            dock.topLevelChanged.connect(self._name_docks_once)
            dock.dockLocationChanged.connect(self._name_docks_once)
        self.practice_dock: QDockWidget | None = None
        if self.practice is not None:
            self.practice_dock = self._dock("Demo: break and mend", "practice", self.practice, Qt.DockWidgetArea.RightDockWidgetArea)
            self.practice_dock.setMinimumWidth(232)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.BottomDockWidgetArea)

    def _dock(self, title: str, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _name_docks_once(self) -> None:
        """A dock that shares its place with another is named by its tab; its own title would say it twice."""
        for dock in (self.log_dock, self.job_dock, self.alarm_dock, self.audit_dock):
            shared = not dock.isFloating() and any(not other.isHidden() for other in self.tabifiedDockWidgets(dock))
            bare = cast(QWidget | None, dock.titleBarWidget())
            if shared and bare is None:
                dock.setTitleBarWidget(QWidget())
            elif not shared and bare is not None:
                dock.setTitleBarWidget(None)  # type: ignore[arg-type]  # None brings Qt's own back
                bare.deleteLater()

    def _make_tool_bar(self) -> None:
        bar = QToolBar("Tools")
        bar.setObjectName("tools")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.setIconSize(QSize(18, 18))
        self.addToolBar(bar)
        bar.addActions([self.actions_[Action.ADD_SERVER], self.actions_[Action.EDIT_GROUPS]])
        self._alarms_action = QAction("Alarms", self)
        self._alarms_action.setToolTip("Shows the list of alarms, or closes it.")
        self._alarms_action.triggered.connect(self._show_alarms)
        IconFollower(self.context, self._alarms_action, self._alarms_icon)
        bar.addAction(self._alarms_action)
        for action in bar.actions():
            bar.widgetForAction(action).setFocusPolicy(Qt.FocusPolicy.TabFocus)
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(space)
        self._who = QLabel()
        self._who.setProperty("muted", True)
        self._who.setContentsMargins(6, 0, 8, 0)
        bar.addWidget(self._who)
        self.role_choice = QComboBox()
        self.role_choice.setAccessibleName("Role of this session")
        self.role_choice.setToolTip("Demo: work with the rights of another role.")
        self.role_choice.activated.connect(self._switch_role)
        self._role_action = bar.addWidget(self.role_choice)
        self._tool_bar = bar

    def _make_menus(self) -> None:
        file = self.menuBar().addMenu("&File")
        file.addAction(self.actions_[Action.SYSTEM_SETTINGS])
        file.addAction(self.actions_[Action.BACK_UP])
        file.addSeparator()
        quit_action = file.addAction("&Quit", self.close)
        quit_action.setShortcut(QKeySequence(QKeySequence.StandardKey.Quit))
        server = self.menuBar().addMenu("&Server")
        server.addActions([self.actions_[Action.ADD_SERVER], self.actions_[Action.EDIT_GROUPS]])
        server.addSeparator()
        server.addActions([self.actions_[action] for action in MENU])
        server.addSeparator()
        server.addActions([self.actions_[Action.SAVE], self.actions_[Action.REVERT]])
        log = self.menuBar().addMenu("&Log")
        entry = (Action.DETAILS, Action.FAILBACK_ENTRY, Action.ABORT_ENTRY, Action.COPY_ENTRY)
        log.addActions([self.actions_[action] for action in entry])
        log.addSeparator()
        log.addActions([self.actions_[action] for action in (Action.PAUSE_JOB, Action.RESUME_JOB, Action.CANCEL_JOB)])
        log.addSeparator()
        self.export_action = log.addAction("E&xport to CSV…", self._export)
        self.export_action.setToolTip("Writes every entry that the filter leaves into a table for other programs.")
        view = self.menuBar().addMenu("&View")
        view.addActions([dock.toggleViewAction() for dock in (self.log_dock, self.job_dock, self.alarm_dock, self.audit_dock)])
        if self.practice_dock is not None:
            view.addAction(self.practice_dock.toggleViewAction())
        view.addSeparator()
        theme = view.addMenu("&Theme")
        self._theme_group = QActionGroup(self)
        for choice, text in ((ThemeChoice.SYSTEM, "As the &system"), (ThemeChoice.LIGHT, "&Light"), (ThemeChoice.DARK, "&Dark")):
            action = theme.addAction(text)
            action.setCheckable(True)
            action.setData(choice.value)
            action.setChecked(choice is self.context.theme.choice)
            self._theme_group.addAction(action)
        self._theme_group.triggered.connect(lambda action: self.choose_theme(ThemeChoice(action.data())))
        for menu in (file, server, log):
            menu.setToolTipsVisible(True)

    def _connect(self) -> None:
        trigger = self.actions_
        trigger[Action.ADD_SERVER].triggered.connect(lambda: self.dialogs.add_server(""))
        trigger[Action.EDIT_GROUPS].triggered.connect(self.dialogs.edit_groups)
        trigger[Action.BACK_UP].triggered.connect(self.dialogs.back_up)
        trigger[Action.START_FAILOVER].triggered.connect(lambda: self.dialogs.start_failover(confirm=True))
        trigger[Action.PREVIEW].triggered.connect(lambda: self.dialogs.start_failover(confirm=False))
        trigger[Action.FAILBACK].triggered.connect(self.dialogs.failback_of_server)
        trigger[Action.FAILBACK_ENTRY].triggered.connect(self.dialogs.failback_of_entry)
        trigger[Action.ABORT].triggered.connect(self.dialogs.abort_of_server)
        trigger[Action.ABORT_ENTRY].triggered.connect(self.dialogs.abort_of_entry)
        trigger[Action.HOLD].triggered.connect(self.dialogs.hold)
        trigger[Action.RELEASE].triggered.connect(self.dialogs.release)
        trigger[Action.HOLD_FAILBACK].triggered.connect(self.dialogs.hold_failback)
        trigger[Action.RELEASE_CAMERA].triggered.connect(self.dialogs.release_camera)
        trigger[Action.ACKNOWLEDGE].triggered.connect(self.dialogs.acknowledge)
        trigger[Action.MAINTENANCE].triggered.connect(self.dialogs.maintenance)
        trigger[Action.END_MAINTENANCE].triggered.connect(self.dialogs.end_maintenance)
        trigger[Action.SYSTEM_SETTINGS].triggered.connect(self.dialogs.system_settings)
        trigger[Action.ACKNOWLEDGE_ALARM].triggered.connect(self.dialogs.acknowledge_alarm)
        trigger[Action.SAVE].triggered.connect(self.dialogs.save)
        trigger[Action.REVERT].triggered.connect(self.dialogs.revert)
        trigger[Action.ADOPT].triggered.connect(self.dialogs.adopt)
        trigger[Action.REMOVE_SERVER].triggered.connect(self.dialogs.remove_server)
        trigger[Action.CONFIRM_RECONCILE].triggered.connect(self.dialogs.confirm_reconcile)
        trigger[Action.DETAILS].triggered.connect(self.dialogs.details)
        trigger[Action.SWITCH].triggered.connect(self.dialogs.switch_over)
        trigger[Action.DRILL].triggered.connect(self.dialogs.start_drill)
        trigger[Action.COPY_ENTRY].triggered.connect(self.dialogs.copy_of_entry)
        trigger[Action.PAUSE_JOB].triggered.connect(self.dialogs.pause_job)
        trigger[Action.RESUME_JOB].triggered.connect(self.dialogs.resume_job)
        trigger[Action.CANCEL_JOB].triggered.connect(self.dialogs.cancel_job)
        trigger[Action.EDIT].triggered.connect(self._focus_settings)
        self.addAction(trigger[Action.EDIT])
        self.log.opened.connect(self.dialogs.details)
        for keys, focus in (
            ("Ctrl+1", self.tree.setFocus),
            ("Ctrl+2", self._focus_settings),
            ("Ctrl+3", self.log.view.setFocus),
            (QKeySequence(QKeySequence.StandardKey.Find), self.log.filter.setFocus),
            ("F5", self.forecaster_wake),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(focus)

    def forecaster_wake(self) -> None:
        """Ask for the forecast of the selected server again."""
        self.forecaster.wake()

    # ------------------------------------------------------------ state

    def _repaint(self) -> None:
        self._render(self.context.store.state)

    def _render(self, state: UiState) -> None:
        self.actions_.render(state)
        self.tree.render_state(state)
        self.banners.render_state(state)
        self.log.render_state(state)
        self.alarms.render_state(state)
        self.jobs.render_state(state)
        self.audit.render_state(state)
        self._status.render_state(state)
        self._render_centre(state)
        self._render_tools(state)
        if self.practice is not None:
            self.practice.render_state(state)
        self.dialogs.render_state(state)

    def _render_centre(self, state: UiState) -> None:
        if not state.loaded:
            page: QWidget = self._waiting
            self._waiting.render_state(state)
        elif not state.recorders:
            page = self._first
            self._first.render_state(state)
        elif state.place is not Place.SERVER or state.row is None:
            page = self._overview
            self._overview.render_state(state)
        else:
            page = self.tabs
            for tab in (self.settings_tab, self.cameras_tab, self.storage_tab):
                tab.render_state(state)
            for tab_place, title in ((1, f"Cameras ({len(state.row.cameras)})"), (2, f"Storage ({len(state.row.disks)})")):
                if self.tabs.tabText(tab_place) != title:
                    self.tabs.setTabText(tab_place, title)
        self.pages.setCurrentWidget(page)

    def _render_tools(self, state: UiState) -> None:
        running = sum(1 for job in state.jobs.values() if not job.phase.ended)
        jobs = f"Jobs ({running})" if running else "Jobs"
        if self.job_dock.windowTitle() != jobs:
            self.job_dock.setWindowTitle(jobs)
        alarms = len(state.system.alarms) if state.system is not None else 0
        title = f"Alarms ({alarms})" if alarms else "Alarms"
        if self._alarms_action.text() != title:
            self._alarms_action.setText(title)
            self._alarms_action.setIcon(self._alarms_icon())
            self.alarm_dock.setWindowTitle(title)
        new = len(state.system.unknown) if state.system is not None else 0
        self.actions_[Action.ADD_SERVER].setIconText(f"Add server ({new} new)" if new else "Add server")
        role = state.actor.role.value if state.actor.role is not None else "no role"
        self._who.setText(f"{state.actor.name} ·" if state.offered else f"{state.actor.name} · {role}")
        self._role_action.setVisible(bool(state.offered))
        if state.offered:
            offered = [name.value for name in state.offered]
            if [self.role_choice.itemText(place) for place in range(self.role_choice.count())] != offered:
                self.role_choice.clear()
                self.role_choice.addItems(offered)
            self.role_choice.setCurrentText(role)
        site = state.system.site if state.system is not None else ""
        self.setWindowTitle(f"{site} – System Manager" if site else "System Manager")

    def _alarms_icon(self) -> QIcon:
        ringing = self._alarms_action.text() != "Alarms"
        return self.context.icons.icon(*((Glyph.ALARMS_RINGING, Tone.WARNING) if ringing else (Glyph.ALARMS, Tone.INK)))

    def _switch_role(self) -> None:
        self.context.tasks.start(self.session.switch(RoleName(self.role_choice.currentText())))

    def _show_alarms(self) -> None:
        if self.alarms.isVisible():
            self.alarm_dock.hide()
            return
        self.alarm_dock.show()
        self.alarm_dock.raise_()
        self.alarms.view.setFocus()

    def _export(self) -> None:
        """Ask for a file, and write the failover log into it."""
        dialog = QFileDialog(self, "Export the failover log", "failover-log.csv", "Tables (*.csv)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.export_to)
        dialog.open()

    def export_to(self, file: str) -> None:
        """Write every entry that the filter leaves into this file."""
        client, store = self.session.client, self.context.store
        self.context.tasks.start(export_log(client, store, Path(file), self.context.now_wall_ms()))

    def _focus_settings(self) -> None:
        self.tabs.setCurrentWidget(self.settings_tab)
        self.settings_tab.focus_first()

    def _forecast_seen(self) -> bool:
        return self.isVisible() and not self.isMinimized() and self.settings_tab.isVisible()

    def choose_theme(self, choice: ThemeChoice) -> None:
        """Change the look at once and keep the choice."""
        self.context.theme.choose(choice)
        self._settings.setValue("theme", choice.value)
        for action in self._theme_group.actions():
            action.setChecked(action.data() == choice.value)

    # ------------------------------------------------------------ layout and end

    def _restore_layout(self) -> None:
        self.resize(1440, 900)
        geometry, layout = self._settings.value("geometry"), self._settings.value("layout")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        if not (isinstance(layout, QByteArray) and self.restoreState(layout, LAYOUT_VERSION)):
            self.arrange()
        columns = self._settings.value("log-columns")
        if isinstance(columns, QByteArray):
            self.log.restore_columns(columns)

    def arrange(self) -> None:
        """Docks in their first sizes, for the size that the window has now."""
        self.resizeDocks([self.log_dock], [int(self.height() * 0.33)], Qt.Orientation.Vertical)
        self._tree_px = 370 if self.width() >= 1300 else 290
        self.resizeDocks([self.tree_dock], [self._tree_px], Qt.Orientation.Horizontal)
        if self.practice_dock is not None:
            self.resizeDocks([self.practice_dock], [240], Qt.Orientation.Horizontal)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A window that was narrow for a while gives the tree its room back."""
        super().resizeEvent(event)
        self._settled_px = self.width()
        wanted = min(self._tree_px, self.width() // 3)
        if event.size().width() > event.oldSize().width() and self.tree_dock.width() < wanted:
            self.resizeDocks([self.tree_dock], [wanted], Qt.Orientation.Horizontal)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A tree that changes its width while the window does not was dragged: that is the width to come back to."""
        if event.type() == QEvent.Type.Resize and self.isVisible() and self.width() == self._settled_px:
            self._tree_px = self.tree_dock.width()
        return super().eventFilter(watched, event)

    def save_layout(self) -> None:
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("layout", self.saveState(LAYOUT_VERSION))
        self._settings.setValue("log-columns", self.log.keep_columns())
        self._settings.sync()

    def closeEvent(self, event: QCloseEvent) -> None:
        question = "" if self._leaving else " ".join(self._costs_of_leaving())
        if question:
            event.ignore()
            self.dialogs.ask_to_close(question, self._leave)
            return
        self._leaving = True
        self.save_layout()
        event.accept()
        self.closed.emit()

    def _costs_of_leaving(self) -> list[str]:
        """What is lost when the window closes, one sentence each."""
        state = self.context.store.state
        cost = self._guard() if self._guard is not None else None
        sentences = [cost] if cost else []
        if state.drafts:
            names = ", ".join(sorted(name_of(recorder, state) for recorder in state.drafts))
            sentences.append(f"Settings that were not saved are lost: {names}.")
        return sentences

    def _leave(self) -> None:
        self._leaving = True
        self.close()
