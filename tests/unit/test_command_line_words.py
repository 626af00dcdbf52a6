"""What the command line says: who does not know an argument, commands to be typed, spans of time, files that are there already."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sysmanager.app.arguments import typed
from sysmanager.app.commands import caution, logs
from sysmanager.app.errors import CommandError
from sysmanager.app.main import main, parser


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        ("material list --bogus", "sysmanager material list"),
        ("recorder --bogus", "sysmanager recorder"),
        ("recorder release gate --bogus", "sysmanager recorder release"),
        ("log --bogus", "sysmanager log"),
        ("--bogus", "sysmanager"),
    ],
)
def test_an_unknown_argument_points_to_the_help_of_its_command(arguments: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{program}: unrecognized arguments: --bogus; see {program} --help.\n"


def test_a_command_to_be_typed_is_quoted_where_that_is_needed() -> None:
    words = ["sysmanager", "coordinator", "--data", "/srv/new site", "--site", "Käyttäjä's harbour"]
    assert typed(words, windows=False) == """sysmanager coordinator --data '/srv/new site' --site 'Käyttäjä'"'"'s harbour'"""
    assert typed(words[:4], windows=True) == 'sysmanager coordinator --data "/srv/new site"'


@pytest.mark.parametrize(("minutes", "words"), [(0, "0 min"), (30, "30 min"), (60, "1 h"), (480, "8 h"), (90, "1 h 30 min")])
def test_long_times_are_said_in_hours(minutes: int, words: str) -> None:
    assert caution.span_text(minutes) == words


async def test_a_table_replaces_no_file_unless_told_to(tmp_path: Path) -> None:
    async def pages() -> AsyncIterator[tuple[list[str], str]]:
        yield ["line"], ""

    file = tmp_path / "log.csv"
    file.write_text("of another", encoding="utf-8")
    args = parser(["log"]).parse_args(["log", "--csv", str(file)])
    with pytest.raises(CommandError, match=r"log\.csv is there already; name another file, or replace it with --force\."):
        await logs.list_pages(args, pages(), ("head",), lambda each: (each,), lambda found: None)
    assert file.read_text(encoding="utf-8") == "of another"
    forced = argparse.Namespace(**{**vars(args), "force": True})
    assert await logs.list_pages(forced, pages(), ("head",), lambda each: (each,), lambda found: None) == 0
    assert "line" in file.read_text(encoding="utf-8")
