"""Long lists into a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from sysmanager.api.export import write_csv


async def pages(*found: Sequence[str]) -> AsyncIterator[tuple[Sequence[str], str]]:
    for page in found:
        yield page, ""


def test_a_table_is_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    assert asyncio.run(write_csv(file, pages(["a", "b"], ["c"]), ("Entry",), lambda text: (text,))) == (3, "")
    assert file.read_text(encoding="utf-8-sig").split() == ["Entry", "a", "b", "c"]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["/", ".", ""])
def test_a_folder_is_no_file_to_write_to(name: str) -> None:
    with pytest.raises(IsADirectoryError):
        asyncio.run(write_csv(Path(name), pages(["a"]), ("Entry",), lambda text: (text,)))


def test_nothing_is_left_beside_a_folder(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        asyncio.run(write_csv(tmp_path, pages(["a"]), ("Entry",), lambda text: (text,)))
    assert not tmp_path.with_name(f"{tmp_path.name}.part").exists()
