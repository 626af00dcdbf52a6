"""Whether a window could be shown: said before Qt would end the process (SPEC 18)."""

from __future__ import annotations

import sys

import pytest

from sysmanager.app import display
from sysmanager.app.display import need_display
from sysmanager.app.errors import CommandError

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="only there a display can be missing")


def test_no_display_names_the_tour() -> None:
    with pytest.raises(CommandError, match=r"no display.*--tour"):
        need_display({})


@pytest.mark.parametrize("platform", ["offscreen", "minimal"])
def test_platforms_without_windows_need_none(platform: str) -> None:
    need_display({"QT_QPA_PLATFORM": platform})


def test_wayland_is_a_display() -> None:
    need_display({"WAYLAND_DISPLAY": "wayland-0"})


def test_missing_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_loads", lambda library: library != "libxcb-cursor.so.0")
    with pytest.raises(CommandError, match=r"apt install libxcb-cursor0"):
        need_display({"DISPLAY": ":0"})


def test_a_display_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_loads", lambda library: True)
    monkeypatch.setattr(display, "_answers", lambda name: False)
    with pytest.raises(CommandError, match=r"The display :4321 does not answer"):
        need_display({"DISPLAY": ":4321"})


def test_a_library_of_no_system_does_not_load() -> None:
    assert not display._loads("libnothing-of-this-name.so.77")
