"""Saving a system backup from the window: the form, the platform's dialog, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit

from sysmanager.api import BackupRefused, Client, ClientError, SavedBackup
from sysmanager.ui.operations import commands
from sysmanager.ui.state.conditions import BACKUP_KEY, Action
from sysmanager.ui.state.forms import problem_with_backup
from sysmanager.ui.state.model import Tone
from sysmanager.ui.views.backup_dialog import BackupDialog
from tests.ui import site
from tests.ui.conftest import OpenSite
from tests.ui.harness import Opened, turn, until

Saved = list[tuple[Path, str | None]]


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Saved:
    """What was asked to be saved; it succeeds."""
    asked: Saved = []

    async def save_backup(client: Client, path: Path, passphrase: str | None = None) -> SavedBackup:
        asked.append((path, passphrase))
        return SavedBackup(path=str(path), size_bytes=1, position=1, documents=1, missing=0, sealed=passphrase is not None)

    monkeypatch.setattr(commands, "save_backup", save_backup)
    return asked


def saving(opened: Opened) -> BackupDialog:
    opened.window.actions_[Action.BACK_UP].trigger()
    dialog = opened.window.dialogs.opened
    assert isinstance(dialog, BackupDialog)
    return dialog


def type_into(field: QLineEdit, text: str) -> None:
    field.clear()
    QTest.keyClicks(field, text)


async def test_it_is_saved_under_a_passphrase_and_said(open_site: OpenSite, saved: Saved, tmp_path: Path) -> None:
    opened = await open_site(site.harbour())
    dialog = saving(opened)
    assert dialog.passphrase.echoMode() is QLineEdit.EchoMode.Password
    type_into(dialog.file, str(tmp_path / "harbour.smbackup"))
    type_into(dialog.passphrase, "correct horse")
    assert not dialog.save.isEnabled()
    assert "differ" in dialog.problem.text()
    type_into(dialog.again, "correct horse")
    assert dialog.problem.text() == ""
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    await until(lambda: saved)
    assert saved == [(tmp_path / "harbour.smbackup", "correct horse")]
    await until(lambda: opened.store.state.notices)
    (notice,) = opened.store.state.notices
    assert notice.tone is Tone.GOOD
    assert "harbour.smbackup" in notice.sentence
    assert "site key" not in notice.sentence
    assert opened.window.dialogs.opened is None


async def test_without_a_passphrase_the_key_has_to_be_kept_apart(open_site: OpenSite, saved: Saved) -> None:
    opened = await open_site(site.harbour())
    dialog = saving(opened)
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    await until(lambda: opened.store.state.notices)
    assert saved[0][1] is None
    assert "keep the file of that key" in opened.store.state.notices[0].sentence


@pytest.mark.parametrize("error", [BackupRefused("A failover is running."), ClientError("The coordinator does not answer.")])
async def test_why_it_was_not_saved_is_said_and_it_may_be_tried_again(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    opened = await open_site(site.harbour())
    running: list[bool] = []

    async def refused(client: Client, path: Path, passphrase: str | None = None) -> SavedBackup:
        running.append(not opened.window.actions_[Action.BACK_UP].isEnabled())
        running.append(any(one.key == BACKUP_KEY for one in opened.store.state.running))
        raise error

    monkeypatch.setattr(commands, "save_backup", refused)
    dialog = saving(opened)
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    await until(lambda: opened.store.state.notices)
    (notice,) = opened.store.state.notices
    assert (notice.tone, notice.sentence) == (Tone.BAD, str(error))
    assert running[1], "it counts as running meanwhile"
    await turn()
    assert opened.window.actions_[Action.BACK_UP].isEnabled()


async def test_the_file_is_chosen_in_the_platform_s_dialog_which_is_opened_and_not_run(open_site: OpenSite, tmp_path: Path) -> None:
    opened = await open_site(site.harbour())
    dialog = saving(opened)
    QTest.mouseClick(dialog.browse, Qt.MouseButton.LeftButton)
    await turn()
    (chooser,) = dialog.findChildren(QFileDialog)
    assert chooser.acceptMode() is QFileDialog.AcceptMode.AcceptSave
    chooser.fileSelected.emit(str(tmp_path / "chosen.smbackup"))
    assert dialog.file.text() == str(tmp_path / "chosen.smbackup")
    chooser.reject()
    dialog.reject()
    await turn()


@pytest.mark.parametrize(
    ("file", "passphrase", "again", "problem"),
    [
        ("a", "", "", None),
        ("a", "correct horse", "correct horse", None),
        (" ", "", "", "Name the file"),
        ("a", "short", "short", "8 characters"),
        ("a", "correct horse", "correct house", "differ"),
        ("a", "", "correct horse", "differ"),
    ],
)
def test_the_form(file: str, passphrase: str, again: str, problem: str | None) -> None:
    found = problem_with_backup(file, passphrase, again)
    assert (found is None) if problem is None else (found is not None and problem in found)
