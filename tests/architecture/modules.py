"""What each module is for, read off its docstring: the map by which somebody new finds the room for a change."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "sysmanager"

ROOMS = ("domain", "protocol", "coordinator", "engine", "recorder", "simulation", "api", "ui/state")
"""Rooms with so many modules that a name alone says too little."""


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence, in one line."""
    paragraph = " ".join(text.strip().split("\n\n", 1)[0].split())
    return re.split(r"(?<=[^.\s])\.(?=\s+[A-Z])", paragraph, maxsplit=1)[0].rstrip(".")


def modules(room: str) -> list[tuple[str, str]]:
    """Names below the room, as they are imported, each with what it is for."""
    found = []
    for file in sorted((PACKAGE / room).rglob("*.py")):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        name = file.relative_to(PACKAGE / room).with_suffix("").as_posix().replace("/", ".").removesuffix("__init__").rstrip(".")
        if text and name:
            found.append((name, first_sentence(text)))
    return found
