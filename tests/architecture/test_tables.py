"""What ARCHITECTURE.md says of the tables is what the code says."""

from __future__ import annotations

from typing import get_args

import pytest

from sysmanager.coordinator.facts import AnyFact
from tests.architecture.tables import BEGIN, END, FILE, first_line, main, rendered, replaced, table


def test_the_tables_in_the_documentation_have_not_drifted() -> None:
    assert main(["--check"]) == 0, "run `python -m tests.architecture.tables`"


def test_a_document_that_drifted_is_noticed() -> None:
    assert replaced(f"above\n{BEGIN}\nold\n{END}\nbelow\n") == f"above\n{BEGIN}\n{rendered()}\n{END}\nbelow\n"


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END} {BEGIN}"])
def test_a_document_without_its_markers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=FILE.name):
        replaced(text)


@pytest.mark.parametrize("kind", get_args(AnyFact), ids=lambda kind: kind.__name__)
def test_every_fact_says_what_happened(kind: type) -> None:
    assert first_line(kind).endswith((".", ":", ",")), f"{kind.__name__} needs a docstring with a first sentence"


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(["a"], [["x|y"]]) == "| a |\n| --- |\n| x\\|y |"
