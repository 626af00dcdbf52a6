"""The map of the modules says what they are for."""

from __future__ import annotations

import pytest

from tests.architecture.modules import PACKAGE, first_sentence, matching, modules


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


def test_every_module_is_on_the_map() -> None:
    named = {name for name, sentence in modules() if sentence}
    files = [file for file in PACKAGE.rglob("*.py") if file.name not in ("__init__.py", "__main__.py")]
    missing = [file for file in files if file.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".") not in named]
    assert missing == [], "each module has a docstring"


def test_the_map_is_searched_by_words() -> None:
    names = [name for name, _ in matching(["failback", "TRANSITIONS"])]
    assert names == ["coordinator.failback"]
