"""What stands in the middle when no server is selected: waiting, first start, overview."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from sysmanager.api import RecorderRow, UnknownServer
from sysmanager.domain.ids import RecorderId
from sysmanager.ui.state.conditions import Action, Condition, condition
from sysmanager.ui.state.events import PlaceSelected
from sysmanager.ui.state.look import chip_text, chip_tone, needs_attention, server_look
from sysmanager.ui.state.model import Place, UiState
from sysmanager.ui.state.texts import counted, natural_key
from sysmanager.ui.state.tree import attention_note
from sysmanager.ui.views.actions import Actions
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import ActionButton, Chip, IconFollower, heading, muted, rule, wrapped


class Page(QScrollArea):
    """A column of text that scrolls, at most as wide as reads well."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        page = QWidget()
        outer = QHBoxLayout(page)
        outer.setContentsMargins(24, 20, 24, 20)
        column = QWidget()
        column.setMaximumWidth(820)
        self.column = QVBoxLayout(column)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(12)
        outer.addWidget(column, 20)
        outer.addStretch(1)
        self.setWidget(page)


class WaitingPage(Page):
    """Before the coordinator was heard for the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.column.addWidget(heading("Waiting for the coordinator", 1.5))
        self._text = wrapped()
        self.column.addWidget(self._text)
        self.column.addStretch(1)

    def render_state(self, state: UiState) -> None:
        self._text.setText(state.link_sentence or "System Manager is connecting. The servers are shown as soon as the coordinator answers.")


class AnnouncedServers(QWidget):
    """Servers that announce themselves and are not in system data, each with a button to add it.

    joining: how a server finds this coordinator, said while there is none.

    add: the person wants this server.
    """

    add = Signal(str)

    def __init__(self, joining: str = "") -> None:
        super().__init__()
        self._joining = joining or "Start the VMS server service on a machine and give it the address of this coordinator."
        self._shown: tuple[UnknownServer, ...] | None = None
        self._condition: Condition | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)

    def render_state(self, state: UiState) -> None:
        unknown = state.system.unknown if state.system is not None else ()
        adding = condition(Action.ADD_SERVER, state)
        if (unknown, adding) == (self._shown, self._condition):
            return
        self._shown, self._condition = unknown, adding
        _clear(self._layout)
        for server in unknown:
            self._layout.addWidget(self._line(server, adding))
        if not unknown:
            none = wrapped(f"None yet. {self._joining}")
            none.setProperty("muted", True)
            self._layout.addWidget(none)

    def _line(self, server: UnknownServer, adding: Condition) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel(f"<b>{server.id}</b>"))
        row.addWidget(muted(announced_text(server)))
        row.addStretch(1)
        button = QPushButton("Add…")
        button.setAccessibleName(f"Add {server.id}")
        button.setAutoDefault(False)
        button.setEnabled(adding.enabled)
        button.setToolTip(adding.reason or f"Takes {server.id} into system data.")
        button.clicked.connect(lambda: self.add.emit(server.id))
        row.addWidget(button)
        return box


def announced_text(server: UnknownServer) -> str:
    """``version 9.8.2 · 24 cameras``."""
    duty = "on standby" if server.standby else counted(server.cameras, "camera")
    return f"version {server.version or 'unknown'} · {duty}"


def _clear(layout: QVBoxLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.deleteLater()


class FirstStartPage(Page):
    """No server is in system data: what to do, in order."""

    def __init__(self, actions: Actions, add: Callable[[str], None], joining: str = "") -> None:
        super().__init__()
        self.column.addWidget(heading("Welcome to System Manager", 1.7))
        self.column.addWidget(wrapped("No VMS server is in system data yet, so nothing is protected. Three steps change that:"))
        self.column.addWidget(wrapped("<b>1.  Make a failover group.</b>  Servers of one group replace one another.", rich=True))
        self.column.addWidget(_leading(ActionButton(actions[Action.EDIT_GROUPS])))
        self.column.addWidget(
            wrapped(
                "<b>2.  Add the servers that record</b> with the role Standard, <b>and at least one</b> with the role Failover. "
                "A failover server records nothing until it takes a broken server's place.",
                rich=True,
            )
        )
        self.column.addWidget(_leading(ActionButton(actions[Action.ADD_SERVER], primary=True)))
        self.column.addWidget(
            wrapped("<b>3.  Wait until each shows “ready”.</b>  From then on a server that falls silent is replaced by itself.", rich=True)
        )
        self.column.addWidget(rule())
        self.column.addWidget(heading("Servers that announce themselves"))
        self._announced = AnnouncedServers(joining)
        self._announced.add.connect(add)
        self.column.addWidget(self._announced)
        self.column.addStretch(1)

    def render_state(self, state: UiState) -> None:
        self._announced.render_state(state)


def _leading(widget: QWidget) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(20, 0, 0, 0)
    row.addWidget(widget)
    row.addStretch(1)
    return box


class OverviewPage(Page):
    """The site as a whole: how many are well, and which servers need a person."""

    def __init__(self, context: Context, add: Callable[[str], None]) -> None:
        super().__init__()
        self._context = context
        self._lines: dict[RecorderId, _ServerLine] = {}
        self._title, self._sentence, self._none = heading("", 1.7), wrapped(), muted("No server needs attention.")
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        self.column.addWidget(self._title)
        self.column.addWidget(self._sentence)
        self.column.addWidget(rule())
        self.column.addWidget(heading("Servers that need attention"))
        self.column.addWidget(self._none)
        self.column.addLayout(self._list)
        self._announced_title = heading("Servers that announce themselves")
        self._announced = AnnouncedServers()
        self._announced.add.connect(add)
        self.column.addWidget(self._announced_title)
        self.column.addWidget(self._announced)
        self.column.addStretch(1)

    def render_state(self, state: UiState) -> None:
        if state.system is None:
            return
        self._title.setText(state.system.site or "Site")
        self._sentence.setText(f"{state.system.sentence}. {attention_note(state.recorders.values())[0].capitalize()}.".replace("..", "."))
        rows = sorted((row for row in state.recorders.values() if needs_attention(row)), key=lambda row: natural_key(row.name))
        self._none.setVisible(not rows)
        wanted = {row.id for row in rows}
        for recorder in [recorder for recorder in self._lines if recorder not in wanted]:
            line = self._lines.pop(recorder)
            self._list.removeWidget(line)
            line.deleteLater()
        for place, row in enumerate(rows):
            if row.id not in self._lines:
                self._lines[row.id] = _ServerLine(self._context, row)
                self._list.insertWidget(place, self._lines[row.id])
            self._lines[row.id].show_row(row)
        self._announced.render_state(state)
        for widget in (self._announced_title, self._announced):
            widget.setVisible(bool(state.system.unknown))


class _ServerLine(QWidget):
    """A server as a button, with its state beside it."""

    def __init__(self, context: Context, row: RecorderRow) -> None:
        super().__init__()
        self._context = context
        self._row = row
        self._button = QPushButton()
        self._button.setProperty("flat", True)
        self._button.setAutoDefault(False)
        self._button.setMinimumWidth(160)
        self._button.setStyleSheet("text-align: left")
        self._chip = Chip(context.theme)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        layout.addWidget(self._chip, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addStretch(1)
        self._button.clicked.connect(lambda: context.store.dispatch(PlaceSelected(Place.SERVER, row.id)))
        self._icon = IconFollower(context, self._button, self._make_icon)

    def show_row(self, row: RecorderRow) -> None:
        repaint = server_look(row) != server_look(self._row)
        self._row = row
        if repaint:
            self._button.setIcon(self._make_icon())
        self._button.setText(row.name)
        self._button.setAccessibleName(f"{row.name}: {row.condition}")
        self._chip.show_state(chip_text(row), chip_tone(row))

    def _make_icon(self) -> QIcon:
        look = server_look(self._row)
        return self._context.icons.symbol(look.symbol, look.tone)
