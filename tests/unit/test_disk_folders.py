"""Folders of a material disk: made again where retention takes them away, and never the disk's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from sysmanager.recorder.filesystem import LocalFileSystem


@pytest.mark.parametrize("gone", ["day", "camera"])
def test_a_folder_that_retention_takes_away_just_now_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """It removes what is empty, and so it is until the first file is there."""
    path = tmp_path / "cam-001" / "2026-01-01" / "x.ts"
    mkdir, times = Path.mkdir, [0]

    def make(folder: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        mkdir(folder, mode, parents, exist_ok)
        if folder.name == ("cam-001" if gone == "camera" else "2026-01-01") and times[0] == 0:
            times[0] = 1
            folder.rmdir()

    monkeypatch.setattr(Path, "mkdir", make)
    LocalFileSystem().create(path).close()
    times[0] = 0
    LocalFileSystem().append(tmp_path / "cam-001" / "2026-01-02" / "rec-1.idx", b"line")
    assert path.exists()


def test_the_folder_of_a_disk_itself_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LocalFileSystem().create(tmp_path / "away" / "cam-001" / "2026-01-01" / "x.ts")
    assert not (tmp_path / "away").exists()
