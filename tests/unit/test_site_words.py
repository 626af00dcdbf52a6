"""What `sysmanager site` tells people to type works in the terminal in which it was started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sysmanager.app.site.command import _program


@pytest.mark.parametrize("folder", ["bin", "with blank"])
def test_a_script_that_was_called_by_its_path_is_called_so_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    script = tmp_path / folder / "sysmanager"
    script.parent.mkdir()
    script.touch()
    monkeypatch.setattr(sys, "argv", [str(script), "site"])
    assert _program() == (f"'{script}'" if " " in folder else str(script))


def test_a_module_is_called_with_the_same_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(Path("sysmanager", "__main__.py")), "site"])
    monkeypatch.setattr(sys, "executable", "/opt/python 3/python")
    assert _program() == "'/opt/python 3/python' -m sysmanager"
