"""Colours, fonts and style sheet, light and dark; can change while the program runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib import resources

import msgspec
from PySide6.QtCore import QByteArray, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QStyleFactory

from sysmanager.ui.state.model import Tone


class ThemeChoice(StrEnum):
    """What a person chooses in View > Theme."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Colours(msgspec.Struct, frozen=True, kw_only=True):
    """paper: tables and fields; panel: around them; tint: selection, pale so that state colours stay readable on it.

    control: the edge of what can be ticked or typed into. Contrasts hold WCAG AA; a test says which.
    """

    ink: str
    muted: str
    faint: str
    paper: str
    panel: str
    stripe: str
    line: str
    edge: str
    control: str
    tint: str
    hover: str
    accent: str
    on_accent: str
    good: str
    warning: str
    bad: str
    chip_good: str
    chip_warning: str
    chip_bad: str
    chip_accent: str
    chip_muted: str


LIGHT = Colours(
    ink="#1c2126",
    muted="#5c6670",
    faint="#8b949d",
    paper="#ffffff",
    panel="#f5f6f8",
    stripe="#f8f9fb",
    line="#d9dde2",
    edge="#b9c0c8",
    control="#7f8891",
    tint="#dce9fb",
    hover="#e9edf2",
    accent="#1463c8",
    on_accent="#ffffff",
    good="#187540",
    warning="#8d5800",
    bad="#bd2a22",
    chip_good="#1c7c44",
    chip_warning="#9a6100",
    chip_bad="#c62f27",
    chip_accent="#1463c8",
    chip_muted="#5c6670",
)
DARK = Colours(
    ink="#e6e8eb",
    muted="#9aa3ad",
    faint="#6f7882",
    paper="#16191d",
    panel="#1e2227",
    stripe="#1a1e22",
    line="#323840",
    edge="#48505a",
    control="#6f7882",
    tint="#20324c",
    hover="#2a3037",
    accent="#4c9aff",
    on_accent="#0c1a2c",
    good="#3fb96b",
    warning="#e0a63a",
    bad="#f4766c",
    chip_good="#1f7d46",
    chip_warning="#946200",
    chip_bad="#c23a32",
    chip_accent="#1f62b8",
    chip_muted="#4a535d",
)


def _path(name: str) -> str:
    """Where a resource lies, as a style sheet names files."""
    with resources.as_file(resources.files("sysmanager.ui").joinpath("resources", name)) as path:
        return path.as_posix()


def resource(name: str) -> bytes:
    """A file of the interface's own, by its path below ``resources``."""
    return resources.files("sysmanager.ui").joinpath("resources", *name.split("/")).read_bytes()


class Theme(QObject):
    """The look of one application.

    changed: emitted after the colours changed; who paints by hand paints anew.
    """

    changed = Signal()

    def __init__(self, app: QApplication, choice: ThemeChoice = ThemeChoice.SYSTEM) -> None:
        super().__init__(app)
        self._app = app
        self._choice = choice
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setFont(_interface_font())
        app.setWindowIcon(app_icon())
        self._tell_system()
        self._colours = self._wanted()
        self._apply()
        app.styleHints().colorSchemeChanged.connect(self._follow_system)

    @property
    def choice(self) -> ThemeChoice:
        return self._choice

    @property
    def dark(self) -> bool:
        return self._colours is DARK

    @property
    def colours(self) -> Colours:
        return self._colours

    def choose(self, choice: ThemeChoice) -> None:
        """Change the look at once."""
        self._choice = choice
        self._tell_system()
        self._refresh()

    def colour(self, tone: Tone) -> QColor:
        return QColor(getattr(self._colours, tone.value))

    def chip_colour(self, tone: Tone) -> QColor:
        """Background for white text in this tone."""
        return QColor(self._colours.chip_muted if tone is Tone.INK else getattr(self._colours, f"chip_{tone.value}"))

    def _wanted(self) -> Colours:
        match self._choice:
            case ThemeChoice.LIGHT:
                return LIGHT
            case ThemeChoice.DARK:
                return DARK
            case ThemeChoice.SYSTEM:
                return DARK if self._app.styleHints().colorScheme() is Qt.ColorScheme.Dark else LIGHT

    def _tell_system(self) -> None:
        """What the system draws (title bars, its own dialogs) shall look the same."""
        scheme = {ThemeChoice.LIGHT: Qt.ColorScheme.Light, ThemeChoice.DARK: Qt.ColorScheme.Dark}.get(self._choice)
        if scheme is None:
            self._app.styleHints().unsetColorScheme()
        else:
            self._app.styleHints().setColorScheme(scheme)

    def _follow_system(self) -> None:
        if self._choice is ThemeChoice.SYSTEM:
            self._refresh()

    def _refresh(self) -> None:
        wanted = self._wanted()
        if wanted is not self._colours:
            self._colours = wanted
            self._apply()
            self.changed.emit()

    def _apply(self) -> None:
        self._app.setPalette(_palette(self._colours))
        self._app.setStyleSheet(_style_sheet(self._colours))


def app_icon() -> QIcon:
    pixmap = QPixmap()
    pixmap.loadFromData(QByteArray(resource("icon.png")), "PNG")
    return QIcon(pixmap)


def _interface_font() -> QFont:
    """The system's own on Windows and macOS; elsewhere the one that comes along, as a machine may have none at all."""
    if sys.platform in ("win32", "darwin"):
        return QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if "Inter" not in QFontDatabase.families():
        for weight in ("Regular", "SemiBold", "Bold"):
            QFontDatabase.addApplicationFontFromData(QByteArray(resource(f"fonts/Inter-{weight}.ttf")))
    font = QFont("Inter")
    font.setPointSizeF(9.5)
    return font


def tabular(font: QFont) -> QFont:
    """The font with digits of one width, so that numbers that count do not dance."""
    fixed = QFont(font)
    fixed.setFeature(QFont.Tag("tnum"), 1)
    return fixed


def scaled(font: QFont, factor: float, *, weight: QFont.Weight | None = None) -> QFont:
    """The font larger or smaller by a factor."""
    other = QFont(font)
    other.setPointSizeF(font.pointSizeF() * factor)
    if weight is not None:
        other.setWeight(weight)
    return other


def _palette(c: Colours) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for name, colour in (
        (role.Window, c.panel),
        (role.Base, c.paper),
        (role.AlternateBase, c.stripe),
        (role.Text, c.ink),
        (role.WindowText, c.ink),
        (role.Button, c.panel),
        (role.ButtonText, c.ink),
        (role.BrightText, c.bad),
        (role.Highlight, c.tint),
        (role.HighlightedText, c.ink),
        (role.PlaceholderText, c.muted),
        (role.ToolTipBase, c.paper),
        (role.ToolTipText, c.ink),
        (role.Link, c.accent),
        (role.LinkVisited, c.accent),
        (role.Accent, c.accent),
        (role.Mid, c.line),
        (role.Midlight, c.line),
        (role.Dark, c.edge),
        (role.Light, c.paper),
        (role.Shadow, c.edge),
    ):
        palette.setColor(name, QColor(colour))
    for name in (role.Text, role.WindowText, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(c.faint))
    return palette


def _style_sheet(c: Colours) -> str:
    look = "dark" if c is DARK else "light"
    chevron, rise, check = _path(f"chevron-{look}.svg"), _path(f"chevron-up-{look}.svg"), _path(f"check-{look}.svg")
    return f"""
    QToolTip {{ color: {c.ink}; background: {c.paper}; border: 1px solid {c.edge}; padding: 4px 6px; }}
    QMenuBar {{ background: {c.panel}; padding: 1px 6px; }}
    QMenuBar::item {{ padding: 3px 8px; border-radius: 4px; background: transparent; }}
    QMenuBar::item:selected {{ background: {c.hover}; }}
    QMenu {{ background: {c.paper}; border: 1px solid {c.line}; padding: 4px; }}
    QMenu::item {{ padding: 5px 22px 5px 8px; border-radius: 4px; }}
    QMenu::item:selected {{ background: {c.tint}; color: {c.ink}; }}
    QMenu::item:disabled {{ color: {c.faint}; }}
    QMenu::separator {{ height: 1px; background: {c.line}; margin: 4px 6px; }}
    QMenu::icon {{ padding-left: 6px; }}
    QToolBar {{ background: {c.panel}; border: none; border-bottom: 1px solid {c.line}; spacing: 2px; padding: 2px 6px; }}
    QToolBar QToolButton {{ padding: 4px 8px; border-radius: 4px; border: 1px solid transparent; }}
    QToolBar QToolButton:hover {{ background: {c.hover}; }}
    QToolBar QToolButton:focus {{ border-color: {c.accent}; }}
    QToolBar QToolButton:disabled {{ color: {c.faint}; }}
    QStatusBar {{ background: {c.panel}; border-top: 1px solid {c.line}; }}
    QStatusBar::item {{ border: none; }}
    QDockWidget {{ color: {c.ink}; }}
    QDockWidget::title {{ background: {c.panel}; padding: 6px 10px; border-top: 1px solid {c.line}; text-align: left; }}
    QMainWindow::separator {{ background: {c.line}; width: 1px; height: 1px; }}
    QMainWindow::separator:hover {{ background: {c.accent}; }}
    QTabWidget::pane {{ border: none; border-top: 1px solid {c.line}; }}
    QTabBar::tab {{ padding: 7px 14px; color: {c.muted}; border: none; border-bottom: 2px solid transparent; background: transparent; }}
    QTabBar::tab:selected {{ color: {c.ink}; border-bottom: 2px solid {c.accent}; }}
    QTabBar::tab:hover:!selected {{ color: {c.ink}; background: {c.hover}; }}
    QTabBar::tab:focus {{ color: {c.accent}; }}
    QTreeView {{ background: {c.panel}; border: none; outline: none; }}
    QTableView {{ background: {c.paper}; alternate-background-color: {c.stripe}; border: none; outline: none; gridline-color: {c.line}; }}
    QTreeView::item:selected, QTableView::item:selected {{ background: {c.tint}; color: {c.ink}; }}
    QTreeView::item:hover:!selected {{ background: {c.hover}; }}
    QHeaderView {{ background: {c.panel}; border: none; }}
    QHeaderView::section {{ background: {c.panel}; color: {c.muted}; border: none; border-bottom: 1px solid {c.line}; padding: 6px 8px; }}
    QHeaderView::section:hover {{ color: {c.ink}; }}
    QLineEdit, QComboBox, QPlainTextEdit, QAbstractSpinBox {{ background: {c.paper}; color: {c.ink}; border: 1px solid {c.control};
        border-radius: 4px; padding: 4px 8px; min-height: 18px; selection-background-color: {c.accent}; selection-color: {c.on_accent};
        placeholder-text-color: {c.muted}; }}
    QAbstractSpinBox {{ padding: 3px 24px 3px 0; }}
    QAbstractSpinBox QLineEdit {{ border: none; padding: 0; min-height: 0; background: transparent; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ subcontrol-origin: border; width: 22px; border: none;
        background: transparent; }}
    QAbstractSpinBox::up-button {{ subcontrol-position: top right; }}
    QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; }}
    QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover {{ background: {c.hover}; }}
    QDateTimeEdit {{ padding: 4px 24px 4px 6px; }}
    QDateTimeEdit::drop-down {{ subcontrol-origin: border; subcontrol-position: center right; border: none; width: 24px; }}
    QDateTimeEdit::down-arrow {{ image: url({chevron}); width: 12px; height: 12px; }}
    QAbstractSpinBox::up-arrow {{ image: url({rise}); width: 10px; height: 10px; }}
    QAbstractSpinBox::down-arrow {{ image: url({chevron}); width: 10px; height: 10px; }}
    QLineEdit:focus, QComboBox:focus, QPlainTextEdit:focus, QAbstractSpinBox:focus {{ border-color: {c.accent}; }}
    QLineEdit:disabled, QComboBox:disabled, QLineEdit:read-only, QAbstractSpinBox:disabled {{ background: {c.panel}; color: {c.muted};
        border-color: {c.line}; }}
    QComboBox::drop-down {{ border: none; width: 24px; }}
    QComboBox::down-arrow {{ image: url({chevron}); width: 12px; height: 12px; }}
    QCheckBox {{ spacing: 8px; }}
    QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {c.control}; border-radius: 3px; background: {c.paper}; }}
    QCheckBox::indicator:checked {{ background: {c.accent}; border-color: {c.accent}; image: url({check}); }}
    QCheckBox::indicator:focus {{ border-color: {c.ink}; }}
    QCheckBox::indicator:disabled {{ background: {c.panel}; border-color: {c.line}; }}
    QCheckBox::indicator:checked:disabled {{ background: {c.faint}; border-color: {c.faint}; image: url({check}); }}
    QListWidget {{ background: {c.paper}; border: 1px solid {c.edge}; border-radius: 4px; padding: 3px; outline: none; }}
    QListWidget::item {{ padding: 4px 6px; border-radius: 3px; color: {c.ink}; }}
    QListWidget::item:selected {{ background: {c.tint}; color: {c.ink}; }}
    QListWidget::item:disabled {{ color: {c.muted}; }}
    QListWidget:focus {{ border-color: {c.accent}; }}
    QComboBox QAbstractItemView {{ background: {c.paper}; border: 1px solid {c.line}; selection-background-color: {c.tint};
        selection-color: {c.ink}; outline: none; }}
    QPushButton {{ background: {c.paper}; color: {c.ink}; border: 1px solid {c.edge}; border-radius: 4px;
        padding: 4px 12px; min-height: 18px; }}
    QPushButton:hover {{ background: {c.hover}; }}
    QPushButton:pressed, QPushButton:checked {{ background: {c.tint}; border-color: {c.accent}; }}
    QPushButton:focus {{ border-color: {c.accent}; }}
    QPushButton:disabled {{ background: {c.panel}; color: {c.faint}; border-color: {c.line}; }}
    QPushButton[primary="true"] {{ background: {c.accent}; color: {c.on_accent}; border-color: {c.accent}; font-weight: 600;
        padding: 7px 16px; }}
    QPushButton[primary="true"]:hover {{ border-color: {c.ink}; }}
    QPushButton[primary="true"]:focus {{ border: 2px solid {c.ink}; padding: 6px 15px; }}
    QPushButton[primary="true"]:disabled {{ background: {c.hover}; color: {c.muted}; border-color: {c.line}; }}
    QPushButton[flat="true"] {{ background: transparent; border-color: transparent; padding: 3px 6px; }}
    QPushButton[flat="true"]:hover {{ background: {c.hover}; }}
    QPushButton[flat="true"]:focus {{ border-color: {c.accent}; }}
    QScrollArea {{ border: none; background: transparent; }}
    QFrame[rule="true"] {{ background: {c.line}; border: none; max-height: 1px; }}
    QLabel[muted="true"], QCheckBox[muted="true"] {{ color: {c.muted}; }}
    QLabel[bad="true"] {{ color: {c.bad}; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {c.edge}; border-radius: 3px; margin: 2px; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::handle:hover {{ background: {c.faint}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QSplitter::handle {{ background: transparent; }}
    QProgressBar {{ background: {c.line}; border: none; border-radius: 2px; max-height: 4px; }}
    QProgressBar::chunk {{ background: {c.accent}; border-radius: 2px; }}
    """
