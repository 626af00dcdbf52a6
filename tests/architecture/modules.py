"""What each module is for, read off its docstring: the map by which somebody new finds the room for a change.

python -m tests.architecture.modules            all
python -m tests.architecture.modules WORD ...   those whose name or purpose has all of these words
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "sysmanager"


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence, in one line."""
    paragraph = " ".join(text.strip().split("\n\n", 1)[0].split())
    return re.split(r"(?<=[^.\s])\.(?=\s+[A-Z])", paragraph, maxsplit=1)[0].rstrip(".")


def modules() -> list[tuple[str, str]]:
    """Names below `sysmanager`, as they are imported, each with what it is for."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        name = file.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix("__init__").rstrip(".")
        if text and name:
            found.append((name, first_sentence(text)))
    return found


def matching(words: Sequence[str]) -> list[tuple[str, str]]:
    """Modules whose name or purpose has all of these words, however they are written."""
    return [found for found in modules() if all(word.casefold() in " ".join(found).casefold() for word in words)]


if __name__ == "__main__":
    for module, purpose in matching(sys.argv[1:]):
        sys.stdout.write(f"{module:40} {purpose}\n")
