"""The map of the modules says what they are for."""

from __future__ import annotations

import pytest

from tests.architecture.modules import PACKAGE, ROOMS, first_sentence, modules


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One thing. And more.", "One thing"),
        ("One thing,\nin two lines (SPEC 13.3).\n\nMore.", "One thing, in two lines (SPEC 13.3)"),
        ("Takes 0.5 s at most. No more.", "Takes 0.5 s at most"),
    ],
)
def test_the_first_sentence_of_a_docstring(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_a_large_room_is_on_the_map(room: str) -> None:
    named = {name for name, sentence in modules(room) if sentence}
    files = [file for file in (PACKAGE / room).rglob("*.py") if file.name != "__init__.py"]
    assert len(named) >= len(files), "each module has a docstring"
