"""The demo panel: breaks simulated servers in every way, and mends them."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from sysmanager.api import FAULT_SENTENCES, Fault, PracticeControls, PracticeServer
from sysmanager.domain.ids import RecorderId
from sysmanager.ui.icons import Glyph
from sysmanager.ui.state.log import capitalised
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.views.context import Context
from sysmanager.ui.views.parts import heading, icon_button, keep_icon, muted, rule

POLL_MS = 1000

_LABELS: dict[Fault, str] = {
    Fault.CONNECTION: "Pull the network cable",
    Fault.POWER: "Switch off",
    Fault.SHUTDOWN: "Shut down, announced",
    Fault.CAMERAS: "Cut off from its cameras",
    Fault.ALL_DISKS: "Break all disks",
    Fault.ONE_DISK: "Break one disk",
    Fault.SERVICE: "Break recording service",
    Fault.REFUSE: "Refuse settings",
    Fault.SELF_TEST: "Fail its self-test",
    Fault.VANISH: "Vanish when asked",
}


_STATES: dict[Fault, str] = {
    Fault.CONNECTION: "network cable pulled",
    Fault.POWER: "switched off",
    Fault.SHUTDOWN: "shut down",
    Fault.CAMERAS: "cut off from its cameras",
    Fault.ALL_DISKS: "all disks broken",
    Fault.ONE_DISK: "one disk broken",
    Fault.SERVICE: "recording service broken",
    Fault.REFUSE: "refuses settings",
    Fault.SELF_TEST: "fails its self-test",
    Fault.VANISH: "vanishes when asked",
}


def _state_words(faults: frozenset[Fault]) -> str:
    return ", ".join(words for fault, words in _STATES.items() if fault in faults)


class PracticePanel(QScrollArea):
    """One server with a switch for each fault, follows the tree; below it all that are broken now."""

    def __init__(self, context: Context, controls: PracticeControls) -> None:
        super().__init__()
        self._context = context
        self._controls = controls
        self._servers: tuple[PracticeServer, ...] = ()
        self._selected: RecorderId | None = None
        self._switches: dict[Fault, QPushButton] = {}
        self._broken: tuple[tuple[RecorderId, str], ...] = ()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(12, 8, 12, 12)
        layout.setSpacing(6)
        note = muted("This site is simulated. Break a server and watch what happens.")
        note.setWordWrap(True)
        layout.addWidget(note)
        self._choice = QComboBox()
        self._choice.setAccessibleName("Server to break")
        self._choice.activated.connect(self._choose)
        layout.addWidget(self._choice)
        for fault, text in _LABELS.items():
            layout.addWidget(self._switch(fault, text))
        self._mend = QPushButton("&Mend this server")
        self._mend.setToolTip("Ends all faults of this server and switches it on again.")
        keep_icon(context, self._mend, Glyph.MEND, Tone.GOOD)
        self._mend.clicked.connect(lambda: self._mend_server(self._chosen()))
        layout.addWidget(self._mend)
        layout.addSpacing(6)
        layout.addWidget(rule())
        layout.addWidget(heading("Broken now", 1.0))
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        layout.addLayout(self._list)
        self._all = QPushButton("Mend a&ll")
        self._all.setToolTip("Ends all faults of all servers.")
        keep_icon(context, self._all, Glyph.MEND, Tone.GOOD)
        self._all.clicked.connect(self._mend_all)
        layout.addWidget(self._all)
        layout.addStretch(1)
        self.setWidget(page)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def _switch(self, fault: Fault, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setCheckable(True)
        button.setStyleSheet("text-align: left")
        button.setToolTip(FAULT_SENTENCES[fault])
        button.setAccessibleDescription(FAULT_SENTENCES[fault])
        keep_icon(self._context, button, Glyph.FAULT, Tone.BAD)
        button.clicked.connect(lambda checked: self._set(fault, checked))
        self._switches[fault] = button
        return button

    def render_state(self, state: UiState) -> None:
        """The server selected in the tree is the one to break."""
        if state.selected is not None and state.selected != self._selected:
            self._selected = state.selected
            place = self._choice.findData(state.selected)
            if place >= 0:
                self._choice.setCurrentIndex(place)
                self._show_chosen()

    def refresh(self) -> None:
        """Read the levers again; the simulation may have moved them."""
        servers = self._controls.servers()
        if servers == self._servers:
            return
        if [(server.id, server.name) for server in servers] != [(server.id, server.name) for server in self._servers]:
            self._offer(servers)
        self._servers = servers
        self._show_chosen()
        self._show_broken()

    def _offer(self, servers: tuple[PracticeServer, ...]) -> None:
        chosen = self._chosen() or self._selected
        with QSignalBlocker(self._choice):
            self._choice.clear()
            for server in servers:
                self._choice.addItem(f"{server.name}  (failover)" if server.failover else server.name, server.id)
            self._choice.setCurrentIndex(max(0, self._choice.findData(chosen)))

    def _chosen(self) -> RecorderId | None:
        data = self._choice.currentData()
        return RecorderId(data) if data is not None else None

    def _choose(self) -> None:
        self._show_chosen()

    def _show_chosen(self) -> None:
        chosen = self._chosen()
        faults = next((server.faults for server in self._servers if server.id == chosen), frozenset())
        for fault, button in self._switches.items():
            button.setEnabled(chosen is not None)
            button.setChecked(fault in faults)
        self._mend.setEnabled(bool(faults))

    def _show_broken(self) -> None:
        broken = tuple((server.id, f"{server.name}: {_state_words(server.faults)}") for server in self._servers if server.faults)
        self._all.setEnabled(bool(broken))
        if broken == self._broken and self._list.count():
            return
        self._broken = broken
        while (item := self._list.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for recorder, text in broken:
            self._list.addWidget(self._broken_line(recorder, text))
        if not broken:
            self._list.addWidget(muted("Nothing."))

    def _broken_line(self, recorder: RecorderId, text: str) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        label = muted(capitalised(text))
        label.setWordWrap(True)
        row.addWidget(label, 1)
        mend = icon_button(self._context, Glyph.MEND, f"Mend {recorder}")
        mend.clicked.connect(lambda: self._mend_server(recorder))
        row.addWidget(mend)
        return box

    def _set(self, fault: Fault, present: bool) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self._controls.set_fault(chosen, fault, present)
            self.refresh()

    def _mend_server(self, recorder: RecorderId | None) -> None:
        if recorder is not None:
            # The button that was pressed goes, or is disabled: without this the focus would leave the panel.
            self._choice.setFocus()
            self._controls.mend(recorder)
            self.refresh()

    def _mend_all(self) -> None:
        self._choice.setFocus()
        for server in self._servers:
            if server.faults:
                self._controls.mend(server.id)
        self.refresh()
